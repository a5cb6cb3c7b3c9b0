//! The routes of orgs and their connections.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use runtime::http::{NoQuery, PathOf, QueryOf};
use runtime::problem::respond;
use runtime::{Caller, Problem, TenantOrg};
use salesforce::OrgId;
use serde::Deserialize;
use serde_json::json;
use store::{ConnectionId, OrgState, PlatformUser};

use crate::views::OrgView;
use crate::{Deps, Error, connections, health};

/// The default number of items in a page.
const DEFAULT_LIMIT: u16 = 50;
/// The maximum number of items in a page.
const MAX_LIMIT: u16 = 100;

/// The query parameters of the list of orgs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OrgsQuery {
    state: Option<OrgState>,
    limit: Option<u16>,
    after: Option<OrgId>,
}

/// The query parameters of the list of connections.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConnectionsQuery {
    platform_user: Option<PlatformUser>,
    limit: Option<u16>,
    after: Option<ConnectionId>,
}

/// Returns the routes.
pub(super) fn routes() -> Router<Deps> {
    Router::new()
        .route("/v1/orgs", get(list_orgs))
        .route("/v1/orgs/{org}", get(show_org))
        .route("/v1/orgs/{org}/health", get(show_health))
        .route("/v1/orgs/{org}/connections", get(list_connections))
        .route("/v1/orgs/{org}/connections/{id}", get(show_connection))
}

async fn list_orgs(State(deps): State<Deps>, caller: Caller, QueryOf(query): QueryOf<OrgsQuery>) -> Response {
    let page = async {
        let limit = limit(query.limit)?;
        let page = deps.orgs.page_of_tenant(&caller.tenant, query.after, limit).await?;
        let state = query.state.unwrap_or(OrgState::Active);
        let orgs: Vec<OrgView> = page.orgs.into_iter().filter(|org| org.state == state).map(OrgView::from).collect();
        Ok::<_, Error>(json!({ "orgs": orgs, "next": page.next }))
    };
    respond(page.await)
}

async fn show_org(TenantOrg(org): TenantOrg, NoQuery {}: NoQuery) -> Response {
    Json(OrgView::from(org)).into_response()
}

async fn show_health(
    State(deps): State<Deps>,
    TenantOrg(org): TenantOrg,
    caller: Caller,
    NoQuery {}: NoQuery,
) -> Response {
    respond(health::health(&deps, org, caller.sees_only()).await)
}

async fn list_connections(
    State(deps): State<Deps>,
    TenantOrg(org): TenantOrg,
    caller: Caller,
    QueryOf(query): QueryOf<ConnectionsQuery>,
) -> Result<Response, Problem> {
    if let (Some(_), Some(requested)) = (caller.sees_only(), &query.platform_user) {
        caller.acting_user(Some(requested.clone()))?;
    }
    let page = async {
        let limit = limit(query.limit)?;
        let (views, next) = match (query.platform_user, caller.sees_only()) {
            (Some(user), _) => (vec![connections::load_for_rep(&deps, org.org_id, &user).await?], None),
            (None, Some(user)) => connections::list_own(&deps, org.org_id, user).await?,
            (None, None) => connections::list(&deps, org.org_id, query.after.as_ref(), limit).await?,
        };
        Ok::<_, Error>(json!({ "connections": views, "next": next }))
    };
    Ok(respond(page.await))
}

/// Returns the number of items of a page.
pub(crate) fn limit(requested: Option<u16>) -> Result<u16, Error> {
    let limit = requested.unwrap_or(DEFAULT_LIMIT);
    let is_valid = (1..=MAX_LIMIT).contains(&limit);
    is_valid.then_some(limit).ok_or(Error::Invalid("limit must be a number from 1 to 100"))
}

async fn show_connection(
    State(deps): State<Deps>,
    TenantOrg(org): TenantOrg,
    PathOf((_, id)): PathOf<(OrgId, ConnectionId)>,
    caller: Caller,
    NoQuery {}: NoQuery,
) -> Response {
    let connection = async {
        let may_see = caller.sees_only().is_none_or(|user| ConnectionId::personal(user) == id);
        let connection = if may_see { connections::load(&deps, org.org_id, &id).await? } else { None };
        connection.ok_or(Error::NotFound("connection"))
    };
    respond(connection.await)
}
