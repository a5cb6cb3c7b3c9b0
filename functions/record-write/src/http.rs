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
use writes::{Error, LedgerView, WriteRequest};

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
    let operation = match operation(&org, object, body) {
        Ok(operation) => operation,
        Err(error) => return refuse(&error).into_response(),
    };
    carry_out(&deps, &org, author, mode, operation).await
}

/// Returns the operation of a body about one object.
fn operation(org: &Org, object: ObjectName, body: Value) -> Result<RecordWrite, Error> {
    Ok(match body.get("external_id_field") {
        Some(_) => RecordWrite::Upsert(Upsert { object, batch: Batch::parse(body).map_err(Error::Invalid)? }),
        None => {
            let new = NewRecords::parse(body).map_err(Error::Invalid)?;
            RecordWrite::Create(Create { object, bound_at: org.bound_at, new })
        }
    })
}

/// Writes records of several objects, all or none.
async fn graph(
    State(deps): State<Deps>,
    TenantOrg(org): TenantOrg,
    WriteQuery { author, mode }: WriteQuery,
    JsonBody(body): JsonBody<Value>,
) -> Response {
    match GraphRequest::parse(body).map_err(Error::Invalid) {
        Ok(request) => carry_out(&deps, &org, author, mode, RecordWrite::Graph(Graph(request))).await,
        Err(error) => refuse(&error).into_response(),
    }
}

async fn carry_out(deps: &Deps, org: &Org, author: Author, mode: WriteMode, operation: RecordWrite) -> Response {
    let Author { user: platform_user, is_caller: only_as_user } = author;
    match mode {
        WriteMode::DryRun => match operation {
            RecordWrite::Upsert(operation) => {
                respond(writes::dry_run(deps, org, &WriteRequest { platform_user, only_as_user, operation }).await)
            }
            _ => todo!(),
        },
        WriteMode::Write(key) => {
            let request = WriteRequest { platform_user, only_as_user, operation };
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
