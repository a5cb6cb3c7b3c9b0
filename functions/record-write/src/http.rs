//! The routes of the write API.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use runtime::http::{Author, Idempotency, JsonBody, NoQuery, PathOf, QueryOf};
use runtime::problem::refuse;
use runtime::{Caller, Problem, TenantOrg};
use salesforce::{ObjectName, OrgId};
use serde_json::Value;
use store::WriteId;
use writes::{Error, LedgerView, WriteRequest};

use crate::batch::Batch;
use crate::list::{ListQuery, ListRequest};
use crate::{Deps, RecordWrite, Upsert};

/// Returns the function's router.
pub fn router(deps: Deps) -> Router {
    Router::new()
        .route("/v1/orgs/{org}/records/{object}", post(upsert))
        .route("/v1/orgs/{org}/writes", get(list))
        .route("/v1/orgs/{org}/writes/{id}", get(show))
        .route("/v1/orgs/{org}/writes/{id}/retry", post(retry))
        .with_state(deps)
}

async fn upsert(
    State(deps): State<Deps>,
    (TenantOrg(org), PathOf((_, object))): (TenantOrg, PathOf<(OrgId, ObjectName)>),
    author: Author,
    Idempotency(key): Idempotency,
    JsonBody(body): JsonBody<Value>,
) -> Response {
    let outcome = async {
        let batch = Batch::parse(body).map_err(Error::Invalid)?;
        let Author { user: platform_user, is_caller: only_as_user } = author;
        let operation = RecordWrite::Upsert(Upsert { object, batch });
        writes::accept(&deps, &org, key, WriteRequest { platform_user, only_as_user, operation }).await
    };
    outcome.await.map_or_else(|error| refuse(&error).into_response(), writes::response)
}

async fn list(
    State(deps): State<Deps>,
    TenantOrg(org): TenantOrg,
    caller: Caller,
    QueryOf(query): QueryOf<ListQuery>,
) -> Response {
    let page = async { ListRequest::parse(org.org_id, query)?.page(&deps.ledger, &org, &caller).await };
    page.await.map_or_else(|problem: Problem| problem.into_response(), |page| Json(page).into_response())
}

async fn retry(
    State(deps): State<Deps>,
    (TenantOrg(org), PathOf((_, id)), caller): (TenantOrg, PathOf<(OrgId, WriteId)>, Caller),
    Idempotency(key): Idempotency,
    NoQuery {}: NoQuery,
) -> Response {
    let outcome = writes::retry::<RecordWrite>(&deps, &org, id, key, &caller).await;
    outcome.map_or_else(|error| refuse(&error).into_response(), writes::response)
}

async fn show(
    State(deps): State<Deps>,
    TenantOrg(org): TenantOrg,
    PathOf((_, id)): PathOf<(OrgId, WriteId)>,
    caller: Caller,
    NoQuery {}: NoQuery,
) -> Response {
    match writes::load(&deps.ledger, &org, id, caller.sees_only()).await {
        Ok(write) => Json(LedgerView::from(write)).into_response(),
        Err(error) => refuse(&error).into_response(),
    }
}
