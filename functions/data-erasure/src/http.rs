//! The routes of erasures.

use ::http::StatusCode;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use runtime::TenantOrg;
use runtime::http::{JsonBody, NoQuery, PathOf};
use runtime::problem::{refuse, respond};
use salesforce::{ObjectName, OrgId, RecordId};
use serde::Deserialize;
use store::{Erasure, ErasureId, Org, OrgState};

use crate::views::ErasureView;
use crate::{Deps, Error};

/// The body of a request to erase a person.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PersonRequest {
    record_id: RecordId,
}

/// Returns the function's router.
pub fn router(deps: Deps) -> Router {
    Router::new()
        .route("/v1/orgs/{org}/data", delete(erase_org))
        .route("/v1/orgs/{org}/erasures", post(erase_person))
        .route("/v1/orgs/{org}/erasures/{id}", get(show))
        .with_state(deps)
}

async fn erase_org(State(deps): State<Deps>, TenantOrg(org): TenantOrg, NoQuery {}: NoQuery) -> Response {
    let erasure = async {
        if org.state == OrgState::Active {
            return Err(Error::OrgActive);
        }
        start(&deps, &org, None).await
    };
    accepted(erasure.await)
}

async fn erase_person(
    State(deps): State<Deps>,
    TenantOrg(org): TenantOrg,
    NoQuery {}: NoQuery,
    JsonBody(PersonRequest { record_id }): JsonBody<PersonRequest>,
) -> Response {
    let erasure = async {
        person(record_id).ok_or(Error::NotAPerson)?;
        start(&deps, &org, Some(record_id)).await
    };
    accepted(erasure.await)
}

async fn show(
    State(deps): State<Deps>,
    TenantOrg(org): TenantOrg,
    PathOf((_, id)): PathOf<(OrgId, ErasureId)>,
    NoQuery {}: NoQuery,
) -> Response {
    let erasure = async {
        let erasure = deps.erasures.load(org.org_id, id).await?;
        // A former tenant's is not shown.
        let erasure = erasure.filter(|erasure| org.bound_at.is_none_or(|bound_at| erasure.requested_at >= bound_at));
        erasure.map(|erasure| ErasureView::from(&erasure)).ok_or(Error::NotFound("erasure"))
    };
    respond(erasure.await)
}

async fn start(deps: &Deps, org: &Org, record: Option<RecordId>) -> Result<Erasure, Error> {
    Ok(deps.erasures.start(&deps.tasks, org.org_id, record, deps.clock.now()).await?)
}

fn accepted(erasure: Result<Erasure, Error>) -> Response {
    match erasure {
        Ok(erasure) => (StatusCode::ACCEPTED, Json(ErasureView::from(&erasure))).into_response(),
        Err(error) => refuse(&error).into_response(),
    }
}

/// Returns the object of a person's record; `None` for the record of another object.
pub(crate) fn person(record: RecordId) -> Option<ObjectName> {
    match record.key_prefix() {
        "003" => Some(ObjectName::from_static("Contact")),
        "00Q" => Some(ObjectName::from_static("Lead")),
        _ => None,
    }
}
