//! The routes of operations on single records.

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use runtime::TenantOrg;
use runtime::http::{Author, Idempotency, JsonBody, PathOf};
use runtime::problem::refuse;
use salesforce::{ObjectName, OrgId, RecordId};
use serde_json::Value;
use store::{IdempotencyKey, Org};
use writes::{Defect, Error, WriteRequest};

use crate::{ConvertLead, Delete, Deps, MergeRecords, RecordWrite, Undelete};

/// A record in a path.
type RecordPath = PathOf<(OrgId, ObjectName, RecordId)>;

/// Returns the router.
pub(super) fn router() -> Router<Deps> {
    Router::new()
        .route("/v1/orgs/{org}/records/{object}/{id}", axum::routing::delete(delete))
        .route("/v1/orgs/{org}/records/{object}/{id}/undelete", post(undelete))
        .route("/v1/orgs/{org}/records/{object}/{id}/merge", post(merge))
        .route("/v1/orgs/{org}/leads/{id}/convert", post(convert))
}

async fn delete(
    State(deps): State<Deps>,
    (TenantOrg(org), PathOf((_, object, id))): (TenantOrg, RecordPath),
    author: Author,
    Idempotency(key): Idempotency,
) -> Response {
    accept(&deps, &org, (key, author), Ok(RecordWrite::Delete(Delete { object, id }))).await
}

async fn undelete(
    State(deps): State<Deps>,
    (TenantOrg(org), PathOf((_, object, id))): (TenantOrg, RecordPath),
    author: Author,
    Idempotency(key): Idempotency,
) -> Response {
    accept(&deps, &org, (key, author), Ok(RecordWrite::Undelete(Undelete { object, id }))).await
}

async fn merge(
    State(deps): State<Deps>,
    (TenantOrg(org), PathOf((_, object, id))): (TenantOrg, RecordPath),
    author: Author,
    Idempotency(key): Idempotency,
    JsonBody(body): JsonBody<Value>,
) -> Response {
    accept(&deps, &org, (key, author), MergeRecords::parse(object, id, &body).map(RecordWrite::Merge)).await
}

async fn convert(
    State(deps): State<Deps>,
    (TenantOrg(org), PathOf((_, id))): (TenantOrg, PathOf<(OrgId, RecordId)>),
    author: Author,
    Idempotency(key): Idempotency,
    JsonBody(body): JsonBody<Value>,
) -> Response {
    accept(&deps, &org, (key, author), ConvertLead::parse(id, &body).map(RecordWrite::ConvertLead)).await
}

async fn accept(
    deps: &Deps,
    org: &Org,
    (key, author): (IdempotencyKey, Author),
    operation: Result<RecordWrite, Vec<Defect>>,
) -> Response {
    let outcome = async {
        let operation = operation.map_err(Error::Invalid)?;
        let Author { user: platform_user, is_caller: only_as_user } = author;
        writes::accept(deps, org, key, WriteRequest { platform_user, only_as_user, operation }).await
    };
    outcome.await.map_or_else(|error| refuse(&error).into_response(), writes::response)
}
