//! The routes of the notes API.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::HeaderMap;
use runtime::TenantOrg;
use runtime::http::{ActingUser, Author, Idempotency, JsonBody, PathOf};
use runtime::problem::refuse;
use salesforce::{OrgId, RecordId};
use serde_json::Value;
use store::{IdempotencyKey, Org};
use uuid::Uuid;
use writes::{Defect, Deps, Error, WriteRequest};

use crate::note::{NoteWrite, Operation};
use crate::read::read;
use crate::request::{NewNoteRequest, NoteChange};

/// Returns the function's router.
pub fn router(deps: Deps) -> Router {
    Router::new()
        .route("/v1/orgs/{org}/notes", post(create))
        .route("/v1/orgs/{org}/notes/{id}", get(show).patch(change))
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

async fn show(
    State(deps): State<Deps>,
    TenantOrg(org): TenantOrg,
    PathOf((_, id)): PathOf<(OrgId, RecordId)>,
    ActingUser(platform_user): ActingUser,
) -> Response {
    match read(&deps, &org, id, platform_user.as_ref()).await {
        Ok(note) => Json(note).into_response(),
        Err(error) => refuse(&error).into_response(),
    }
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
