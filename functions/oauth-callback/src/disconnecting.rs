//! `DELETE /v1/orgs/{org}` and `DELETE /v1/orgs/{org}/connections/{id}`: disconnect an org or one connection. A repeated
//! request completes the steps that failed.

use axum::extract::State;
use axum::response::Response;
use runtime::Problem;
use runtime::http::PathOf;
use runtime::problem::{refuse, respond};
use salesforce::OrgId;
use store::ConnectionId;

use crate::Deps;

/// Disconnects one connection.
pub(crate) async fn connection(
    State(deps): State<Deps>,
    PathOf((org, id)): PathOf<(OrgId, ConnectionId)>,
) -> Result<Response, Problem> {
    let report = deps.disconnect().connection(org, &id).await.map_err(|error| refuse(&error))?;
    let report = report.ok_or_else(|| Problem::not_found("connection"))?;
    Ok(respond(Ok::<_, store::Error>(report)))
}

/// Closes an org and disconnects all of its connections.
pub(crate) async fn org(State(deps): State<Deps>, PathOf(org): PathOf<OrgId>) -> Result<Response, Problem> {
    let report = deps.disconnect().org(org).await.map_err(|error| refuse(&error))?;
    let report = report.ok_or_else(|| Problem::not_found("org"))?;
    Ok(respond(Ok::<_, store::Error>(report)))
}
