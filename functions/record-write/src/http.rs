//! The routes of the write API.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use runtime::http::{Author, Idempotency, JsonBody, NoQuery, PathOf, QueryOf, WriteMode, WriteQuery};
use runtime::problem::{refuse, respond};
use runtime::{Caller, Problem, TenantOrg};
use salesforce::{ObjectName, OrgId};
use serde_json::Value;
use store::{Org, WriteId};
use writes::{Defect, Error, LedgerView, PlannedOperation, WriteRequest};

use crate::batch::Batch;
use crate::create::NewRecords;
use crate::list::{ListQuery, ListRequest};
use crate::{Create, Deps, Graph, GraphRequest, RecordWrite, Upsert};

mod single;

/// Returns the function's router.
pub fn router(deps: Deps) -> Router {
    Router::new()
        .route("/v1/orgs/{org}/records", post(graph))
        .route("/v1/orgs/{org}/records/{object}", post(write))
        .route("/v1/orgs/{org}/writes", get(list))
        .route("/v1/orgs/{org}/writes/{id}", get(show))
        .route("/v1/orgs/{org}/writes/{id}/retry", post(retry))
        .merge(single::router())
        .with_state(deps)
}

/// Upserts records, or creates them if the body names no external-id field.
async fn write(
    State(deps): State<Deps>,
    (TenantOrg(org), PathOf((_, object))): (TenantOrg, PathOf<(OrgId, ObjectName)>),
    WriteQuery { author, mode }: WriteQuery,
    JsonBody(body): JsonBody<Value>,
) -> Response {
    if body.get("external_id_field").is_some() {
        let upsert = Batch::parse(body).map(|batch| Upsert { object, batch });
        carry_out(&deps, &org, (author, mode), upsert).await
    } else {
        let create = NewRecords::parse(body).map(|new| Create { object, bound_at: org.bound_at, new });
        carry_out(&deps, &org, (author, mode), create).await
    }
}

/// Writes records of several objects, all or none.
async fn graph(
    State(deps): State<Deps>,
    TenantOrg(org): TenantOrg,
    WriteQuery { author, mode }: WriteQuery,
    JsonBody(body): JsonBody<Value>,
) -> Response {
    carry_out(&deps, &org, (author, mode), GraphRequest::parse(body).map(Graph)).await
}

/// Writes, or plans the write.
async fn carry_out<O: PlannedOperation<Deps = Deps> + Into<RecordWrite>>(
    deps: &Deps,
    org: &Org,
    (author, mode): (Author, WriteMode),
    operation: Result<O, Vec<Defect>>,
) -> Response {
    let Author { user: platform_user, is_caller: only_as_user } = author;
    let operation = match operation {
        Ok(operation) => operation,
        Err(defects) => return refuse(&Error::Invalid(defects)).into_response(),
    };
    match mode {
        WriteMode::DryRun => {
            respond(writes::dry_run(deps, org, &WriteRequest { platform_user, only_as_user, operation }).await)
        }
        WriteMode::Write(key) => {
            let request = WriteRequest { platform_user, only_as_user, operation: operation.into() };
            let written = writes::accept(deps, org, key, request).await;
            written.map_or_else(|error| refuse(&error).into_response(), writes::response)
        }
    }
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
