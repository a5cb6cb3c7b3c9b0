//! The routes of the notes API.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use http::HeaderMap;
use runtime::http::{ActingUser, Author, Idempotency, JsonBody, PathOf, QueryOf};
use runtime::problem::refuse;
use runtime::{Caller, TenantOrg};
use salesforce::{ObjectName, OrgId, RecordId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{IdempotencyKey, Org, PlatformUser};
use uuid::Uuid;
use writes::{Defect, Error, WriteRequest};

use crate::config::Deps;
use crate::note::{NoteWrite, Operation};
use crate::read::{Format, Reader};
use crate::request::{LinkRequest, NewNoteRequest, NoteChange, parse_link_body};

/// Returns the function's router.
pub fn router(deps: Deps) -> Router {
    Router::new()
        .route("/v1/orgs/{org}/notes", post(create))
        .route("/v1/orgs/{org}/notes/{id}", get(show).patch(change).delete(delete))
        .route("/v1/orgs/{org}/notes/{id}/links/{record}", put(link).delete(unlink))
        .route("/v1/orgs/{org}/notes/{id}/versions", get(versions))
        .route("/v1/orgs/{org}/records/{object}/{id}/notes", get(list))
        .with_state(deps)
}

async fn create(
    State(deps): State<Deps>,
    TenantOrg(org): TenantOrg,
    author: Author,
    Idempotency(key): Idempotency,
    JsonBody(body): JsonBody<Value>,
) -> Response {
    let operation = NewNoteRequest::parse(body).map(Operation::Create);
    carry_out(&deps, &org, Ok(key), author, operation).await
}

async fn change(
    State(deps): State<Deps>,
    (TenantOrg(org), PathOf((_, id))): (TenantOrg, PathOf<(OrgId, RecordId)>),
    author: Author,
    headers: HeaderMap,
    JsonBody(body): JsonBody<Value>,
) -> Response {
    let operation = NoteChange::parse(body).map(|change| Operation::Change(id, change));
    carry_out(&deps, &org, key_or_new(&headers), author, operation).await
}

async fn delete(
    State(deps): State<Deps>,
    (TenantOrg(org), PathOf((_, id))): (TenantOrg, PathOf<(OrgId, RecordId)>),
    author: Author,
    headers: HeaderMap,
) -> Response {
    carry_out(&deps, &org, key_or_new(&headers), author, Ok(Operation::Delete(id))).await
}

async fn link(
    State(deps): State<Deps>,
    (TenantOrg(org), PathOf((_, id, record))): (TenantOrg, PathOf<(OrgId, RecordId, RecordId)>),
    author: Author,
    headers: HeaderMap,
    JsonBody(body): JsonBody<Value>,
) -> Response {
    let share_type = parse_link_body(&body);
    let operation = share_type.map(|share_type| Operation::Link(id, LinkRequest::of(record, share_type)));
    carry_out(&deps, &org, key_or_new(&headers), author, operation).await
}

async fn unlink(
    State(deps): State<Deps>,
    (TenantOrg(org), PathOf((_, id, record))): (TenantOrg, PathOf<(OrgId, RecordId, RecordId)>),
    author: Author,
    headers: HeaderMap,
) -> Response {
    carry_out(&deps, &org, key_or_new(&headers), author, Ok(Operation::Unlink(id, record))).await
}

/// The query of a read of a note.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShowQuery {
    #[serde(rename = "as")]
    user: Option<PlatformUser>,
    #[serde(default)]
    format: Format,
    version: Option<RecordId>,
}

async fn show(
    State(deps): State<Deps>,
    (TenantOrg(org), PathOf((_, id))): (TenantOrg, PathOf<(OrgId, RecordId)>),
    caller: Caller,
    QueryOf(ShowQuery { user, format, version }): QueryOf<ShowQuery>,
) -> Response {
    let user = match caller.acting_user(user) {
        Ok(user) => user,
        Err(problem) => return problem.into_response(),
    };
    let read = async { Reader::new(&deps.ledger, &org, user.as_ref()).await?.note(id, format, version).await };
    read_response(read.await)
}

async fn versions(
    State(deps): State<Deps>,
    (TenantOrg(org), PathOf((_, id))): (TenantOrg, PathOf<(OrgId, RecordId)>),
    ActingUser(user): ActingUser,
) -> Response {
    let read = async { Reader::new(&deps.ledger, &org, user.as_ref()).await?.versions(id).await };
    read_response(read.await)
}

/// Lists the notes of a record. The object's name only makes the path one of the record: an id says which object it is of.
async fn list(
    State(deps): State<Deps>,
    (TenantOrg(org), PathOf((_, _, id))): (TenantOrg, PathOf<(OrgId, ObjectName, RecordId)>),
    ActingUser(user): ActingUser,
) -> Response {
    let read = async { Reader::new(&deps.ledger, &org, user.as_ref()).await?.notes(id).await };
    read_response(read.await)
}

fn read_response<T: Serialize>(read: Result<T, Error>) -> Response {
    read.map_or_else(|error| refuse(&error).into_response(), |view| Json(view).into_response())
}

async fn carry_out(
    deps: &Deps,
    org: &Org,
    key: Result<IdempotencyKey, Defect>,
    author: Author,
    operation: Result<Operation, Vec<Defect>>,
) -> Response {
    let outcome = async {
        let key = key.map_err(|defect| Error::Invalid(vec![defect]))?;
        let operation = operation.map_err(Error::Invalid)?;
        let Author { user: platform_user, is_caller: only_as_user } = author;
        let operation = NoteWrite { operation };
        writes::accept(deps, org, key, WriteRequest { platform_user, only_as_user, operation }).await
    };
    outcome.await.map_or_else(|error| refuse(&error).into_response(), writes::response)
}

/// Returns the idempotency key of a change, or a new key: without one each request is a separate write, because a change can
/// be repeated safely.
fn key_or_new(headers: &HeaderMap) -> Result<IdempotencyKey, Defect> {
    let text = match headers.get("idempotency-key") {
        Some(value) => value.to_str().unwrap_or_default().to_owned(),
        None => format!("change-{}", Uuid::new_v4()),
    };
    IdempotencyKey::try_from(text)
        .map_err(|_| Defect::field("Idempotency-Key", "must be 1 to 255 visible ASCII characters"))
}
