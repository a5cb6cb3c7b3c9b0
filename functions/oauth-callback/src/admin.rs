//! The connections page of a tenant's admin: a one-time link opens a session, which shows and disconnects connections of this
//! tenant only.

mod pages;
mod session;
mod status;
mod view;

use axum::extract::{Path, State};
use axum::response::Response;
use connecting::connect_links::{LINK_TTL, Ticket, expiry};
use connecting::disconnect::Outcome;
use http::header::SET_COOKIE;
use http::{HeaderMap, StatusCode};
use runtime::http::{JsonBody, NoQuery};
use runtime::problem::refuse;
use runtime::{Caller, Problem};
use salesforce::{LoginHost, OrgId};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use store::{Connection, ConnectionId, ConnectionKind, Org, OrgState, Tenant};

use crate::browser::{is_same_origin, see_other};
use crate::connect_failure::{ConnectFailure, unavailable, unreachable_apps};
use crate::cookie::Cookie;
use crate::pages::failed;
use crate::{Deps, links};
pub(crate) use view::name_of;

use pages::{ConfirmPage, ConnectionsPage, DisconnectedPage, InvitationPage, OpenPage};
use session::Session;

/// The body of `POST /v1/admin-links`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AdminLinkRequest {
    #[serde(default)]
    tenant: Option<Tenant>,
}

/// `POST /v1/admin-links`: creates a link that opens the connections page of the caller's tenant once.
pub(crate) async fn create_link(
    State(deps): State<Deps>,
    caller: Caller,
    NoQuery {}: NoQuery,
    JsonBody(request): JsonBody<AdminLinkRequest>,
) -> Result<Response, Problem> {
    let tenant = caller.own_tenant(request.tenant)?;
    let (secret, expires_at) = session::create_link(&deps, tenant).await.map_err(|error| refuse(&error))?;
    let url = format!("{}/admin/{}", deps.public_url, secret.expose_secret());
    Ok(links::response(&url.into(), expires_at))
}

/// `GET /admin/{link}`: a page with a button. The link stays valid, so a link preview is harmless.
pub(crate) async fn show_link(State(deps): State<Deps>, Path(link): Path<String>) -> Response {
    match session::tenant_of_link(&deps, &link).await {
        Ok(tenant) => OpenPage { tenant: tenant.as_str() }.respond(StatusCode::OK),
        Err(failure) => failed(failure, None),
    }
}

/// `POST /admin/{link}`: consumes the link and opens a session in this browser.
pub(crate) async fn open(State(deps): State<Deps>, Path(link): Path<String>, headers: HeaderMap) -> Response {
    let opening = async {
        if !is_same_origin(&headers, &deps.public_url) {
            return Err(ConnectFailure::CrossSiteRequest);
        }
        let secret = session::open(&deps, &link).await?;
        see_other("/connections", Cookie::Admin.set(&secret)).ok_or(ConnectFailure::Unavailable)
    };
    opening.await.unwrap_or_else(|failure| failed(failure, None))
}

/// `GET /connections`: the tenant's orgs and their connections.
pub(crate) async fn show(State(deps): State<Deps>, headers: HeaderMap) -> Response {
    let showing = async {
        let session = session::current(&deps, &headers).await?;
        let newest = deps.apps.newest().await.map_err(|error| unreachable_apps(&error))?;
        let orgs = view::orgs(&deps, &session.tenant, &newest).await.map_err(|error| unavailable(&error))?;
        let page = ConnectionsPage { tenant: session.tenant.as_str(), csrf: session.csrf(), orgs: &orgs };
        Ok(page.respond(StatusCode::OK))
    };
    showing.await.unwrap_or_else(|failure| failed(failure, None))
}

/// `POST /connections/sign-out`: ends the session.
pub(crate) async fn sign_out(State(deps): State<Deps>, headers: HeaderMap, form: String) -> Response {
    let ending = async {
        session::of_form(&deps, &headers, &form).await?;
        session::end(&deps, &headers).await?;
        let mut response = failed(ConnectFailure::SignedOut, None);
        *response.status_mut() = StatusCode::OK;
        response.headers_mut().insert(SET_COOKIE, Cookie::Admin.clear().ok_or(ConnectFailure::Unavailable)?);
        Ok(response)
    };
    ending.await.unwrap_or_else(|failure| failed(failure, None))
}

type ConnectionPath = Path<(OrgId, ConnectionId)>;

/// `POST /connections/{org}/{id}/reconnect`: creates a connect link for this connection. Opens the link of a team connection at
/// once; shows that of a personal connection, because the rep has to open it.
pub(crate) async fn reconnect(
    State(deps): State<Deps>,
    path: Option<ConnectionPath>,
    headers: HeaderMap,
    form: String,
) -> Response {
    let reconnecting = async {
        let session = session::of_form(&deps, &headers, &form).await?;
        let (org, connection) = load(&deps, &session, path).await?;
        let ticket = reconnect_ticket(&deps, &org, connection.as_ref(), &session)?;
        let platform_user = ticket.platform_user().cloned();
        let link = deps.links().create(ticket).await.map_err(|error| unavailable(&error))?;
        match platform_user {
            None => see_other(link.url.expose_secret(), None).ok_or(ConnectFailure::Unavailable),
            Some(user) => {
                let page = InvitationPage { platform_user: user.as_str(), url: link.url.expose_secret() };
                Ok(page.respond(StatusCode::OK))
            }
        }
    };
    reconnecting.await.unwrap_or_else(|failure| failed(failure, None))
}

/// `GET /connections/{org}/{id}/disconnect`: shows the consequences, and a button that disconnects.
pub(crate) async fn confirm_disconnect(
    State(deps): State<Deps>,
    path: Option<ConnectionPath>,
    headers: HeaderMap,
) -> Response {
    let confirming = async {
        let session = session::current(&deps, &headers).await?;
        let (org, connection) = load(&deps, &session, path).await?;
        let connection = connection.ok_or(ConnectFailure::ConnectionNotFound)?;
        let name = name_of(&connection);
        let page = ConfirmPage {
            team: connection.kind == ConnectionKind::Team,
            name: &name,
            org: view::host_of(&org, Some(&connection)),
            csrf: session.csrf(),
        };
        Ok(page.respond(StatusCode::OK))
    };
    confirming.await.unwrap_or_else(|failure| failed(failure, None))
}

/// `POST /connections/{org}/{id}/disconnect`: disconnects, and shows the outcome.
pub(crate) async fn disconnect(
    State(deps): State<Deps>,
    path: Option<ConnectionPath>,
    headers: HeaderMap,
    form: String,
) -> Response {
    let ending = async {
        let session = session::of_form(&deps, &headers, &form).await?;
        let (org, connection) = load(&deps, &session, path).await?;
        let connection = connection.ok_or(ConnectFailure::ConnectionNotFound)?;
        let report = deps.disconnect().connection(org.org_id, &connection.connection_id).await;
        let report = report.map_err(|error| unavailable(&error))?.ok_or(ConnectFailure::ConnectionNotFound)?;
        let name = name_of(&connection);
        let unfinished = match &report.outcome {
            Outcome::Ended => None,
            Outcome::Unfinished { reason, .. } => Some(reason.as_str()),
        };
        Ok(DisconnectedPage { name: &name, unfinished, csrf: session.csrf() }.respond(StatusCode::OK))
    };
    ending.await.unwrap_or_else(|failure| failed(failure, None))
}

/// Loads an org of the session's tenant, and its connection. A team connection may be missing, because the team may never have
/// connected. Another tenant's org is not found.
async fn load(
    deps: &Deps,
    session: &Session,
    path: Option<ConnectionPath>,
) -> Result<(Org, Option<Connection>), ConnectFailure> {
    let Path((org, id)) = path.ok_or(ConnectFailure::ConnectionNotFound)?;
    let org = deps.orgs.load(org).await.map_err(|error| unavailable(&error))?;
    let org =
        org.filter(|org| org.tenant.as_ref() == Some(&session.tenant)).ok_or(ConnectFailure::ConnectionNotFound)?;
    let connection = deps.connections.load(org.org_id, &id).await.map_err(|error| unavailable(&error))?;
    if connection.is_none() && !id.is_team() {
        return Err(ConnectFailure::ConnectionNotFound);
    }
    Ok((org, connection))
}

/// Returns a ticket for this connection only. It leads to the org's My Domain if the user signed in there before.
fn reconnect_ticket(
    deps: &Deps,
    org: &Org,
    connection: Option<&Connection>,
    session: &Session,
) -> Result<Ticket, ConnectFailure> {
    let is_team = connection.is_none_or(|connection| connection.kind == ConnectionKind::Team);
    if !is_team && org.state != OrgState::Active {
        return Err(ConnectFailure::ConnectionNotFound);
    }
    let my_domain = |connection: &Connection| {
        let host = LoginHost::parse_my_domain(&connection.login_url, deps.hosts).ok()?;
        (host != *deps.login.of(org.environment)).then(|| host.to_string())
    };
    Ok(Ticket {
        tenant: session.tenant.clone(),
        kind: connection.map_or(ConnectionKind::Team, |connection| connection.kind.clone()),
        environment: org.environment,
        org_id: Some(org.org_id),
        my_domain_url: connection.and_then(my_domain),
        expires_at: expiry(deps.clock.now(), LINK_TTL),
    })
}
