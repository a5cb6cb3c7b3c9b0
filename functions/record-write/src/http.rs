//! The routes of the write API.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use runtime::http::{Author, Idempotency, JsonBody, NoQuery, PathOf};
use runtime::problem::refuse;
use runtime::{Caller, TenantOrg};
use salesforce::{ObjectName, OrgId};
use serde_json::Value;
use store::WriteId;
use writes::{Error, LedgerView, WriteRequest};

use crate::batch::Batch;
use crate::create::NewRecords;
use crate::{Create, Deps, Graph, GraphRequest, RecordWrite, Upsert};

mod single;

/// Returns the function's router.
pub fn router(deps: Deps) -> Router {
    Router::new()
        .route("/v1/orgs/{org}/records", post(graph))
        .route("/v1/orgs/{org}/records/{object}", post(write))
        .route("/v1/orgs/{org}/writes/{id}", get(show))
        .merge(single::router())
        .with_state(deps)
}

/// Upserts records, or creates them if the body names no external-id field.
async fn write(
    State(deps): State<Deps>,
    (TenantOrg(org), PathOf((_, object))): (TenantOrg, PathOf<(OrgId, ObjectName)>),
    author: Author,
    Idempotency(key): Idempotency,
    JsonBody(body): JsonBody<Value>,
) -> Response {
    let outcome = async {
        let operation = match body.get("external_id_field") {
            Some(_) => RecordWrite::Upsert(Upsert { object, batch: Batch::parse(body).map_err(Error::Invalid)? }),
            None => {
                let new = NewRecords::parse(body).map_err(Error::Invalid)?;
                RecordWrite::Create(Create { object, bound_at: org.bound_at, new })
            }
        };
        let Author { user: platform_user, is_caller: only_as_user } = author;
        writes::accept(&deps, &org, key, WriteRequest { platform_user, only_as_user, operation }).await
    };
    outcome.await.map_or_else(|error| refuse(&error).into_response(), writes::response)
}

async fn graph(
    State(deps): State<Deps>,
    TenantOrg(org): TenantOrg,
    author: Author,
    Idempotency(key): Idempotency,
    JsonBody(body): JsonBody<Value>,
) -> Response {
    let outcome = async {
        let request = GraphRequest::parse(body).map_err(Error::Invalid)?;
        let Author { user: platform_user, is_caller: only_as_user } = author;
        let operation = RecordWrite::Graph(Graph(request));
        writes::accept(&deps, &org, key, WriteRequest { platform_user, only_as_user, operation }).await
    };
    outcome.await.map_or_else(|error| refuse(&error).into_response(), writes::response)
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
