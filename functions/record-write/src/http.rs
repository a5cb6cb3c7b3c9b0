//! The routes of the write API.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use runtime::http::{Author, JsonBody, NoQuery, PathOf, WriteMode, WriteQuery};
use runtime::problem::{refuse, respond};
use runtime::{Caller, TenantOrg};
use salesforce::{ObjectName, OrgId};
use serde_json::Value;
use store::WriteId;
use writes::{Error, LedgerView, WriteRequest};

use crate::batch::Batch;
use crate::{Deps, RecordWrite, Upsert};

/// Returns the function's router.
pub fn router(deps: Deps) -> Router {
    Router::new()
        .route("/v1/orgs/{org}/records/{object}", post(upsert))
        .route("/v1/orgs/{org}/writes/{id}", get(show))
        .with_state(deps)
}

async fn upsert(
    State(deps): State<Deps>,
    (TenantOrg(org), PathOf((_, object))): (TenantOrg, PathOf<(OrgId, ObjectName)>),
    WriteQuery { author, mode }: WriteQuery,
    JsonBody(body): JsonBody<Value>,
) -> Response {
    let Author { user: platform_user, is_caller: only_as_user } = author;
    let batch = match Batch::parse(body).map_err(Error::Invalid) {
        Ok(batch) => batch,
        Err(error) => return refuse(&error).into_response(),
    };
    let upsert = Upsert { object, batch };
    match mode {
        WriteMode::DryRun => {
            let request = WriteRequest { platform_user, only_as_user, operation: upsert };
            respond(writes::dry_run(&deps, &org, &request).await)
        }
        WriteMode::Write(key) => {
            let request = WriteRequest { platform_user, only_as_user, operation: RecordWrite::Upsert(upsert) };
            let written = writes::accept(&deps, &org, key, request).await;
            written.map_or_else(|error| refuse(&error).into_response(), writes::response)
        }
    }
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
