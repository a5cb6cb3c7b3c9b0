//! `DELETE /v1/orgs/{org}` and `DELETE /v1/orgs/{org}/connections/{id}`: disconnect an org or one connection. A repeated
//! request completes the steps that failed.

use axum::extract::State;
use axum::response::Response;
use runtime::http::{NoQuery, PathOf};
use runtime::problem::{refuse, respond};
use runtime::{Problem, TenantOrg};
use salesforce::OrgId;
use store::ConnectionId;

use crate::Deps;

/// Disconnects one connection.
pub(crate) async fn connection(
    State(deps): State<Deps>,
    TenantOrg(org): TenantOrg,
    PathOf((_, id)): PathOf<(OrgId, ConnectionId)>,
    NoQuery {}: NoQuery,
) -> Result<Response, Problem> {
    let report = deps.disconnect().connection(org.org_id, &id).await.map_err(|error| refuse(&error))?;
    let report = report.ok_or_else(|| Problem::not_found("connection"))?;
    Ok(respond(Ok::<_, store::Error>(report)))
}

/// Closes an org and disconnects all of its connections.
pub(crate) async fn org(
    State(deps): State<Deps>,
    TenantOrg(org): TenantOrg,
    NoQuery {}: NoQuery,
) -> Result<Response, Problem> {
    let report = deps.disconnect().org(org.org_id).await.map_err(|error| refuse(&error))?;
    let report = report.ok_or_else(|| Problem::not_found("org"))?;
    Ok(respond(Ok::<_, store::Error>(report)))
}
