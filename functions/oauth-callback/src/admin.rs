//! The connections page of a tenant's admin: a one-time link opens a session, which shows and disconnects connections of this
//! tenant only.

mod pages;
mod session;
mod view;
mod words;

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use connecting::connect_links::{LINK_TTL, Ticket, expiry};
use connecting::disconnect::Outcome;
use http::header::{LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::{SignedDuration, Timestamp};
use runtime::Problem;
use runtime::http::JsonBody;
use runtime::problem::refuse;
use salesforce::{LoginHost, OrgId};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use store::{Connection, ConnectionId, ConnectionKind, Org, OrgState, Tenant};

use crate::consent::{is_from_our_page, unavailable};
use crate::cookie::Cookie;
use crate::pages::{failed, protect};
use crate::trouble::Trouble;
use crate::{Deps, links};
pub(crate) use view::name_of;

use pages::{ConfirmPage, ConnectionsPage, DisconnectedPage, InvitationPage, OpenPage};
use session::Session;

/// The lifetime of a session; use does not extend it.
pub(crate) const SESSION_LIFE: SignedDuration = SignedDuration::from_hours(1);

/// The body of `POST /v1/admin-links`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinkRequest {
    tenant: Tenant,
}

/// `POST /v1/admin-links`: creates a link that opens a tenant's connections page once.
pub(crate) async fn create_link(
    State(deps): State<Deps>,
    JsonBody(request): JsonBody<LinkRequest>,
) -> Result<Response, Problem> {
    let (secret, expires_at) = session::invite(&deps, request.tenant).await.map_err(|error| refuse(&error))?;
    let url = format!("{}/admin/{}", deps.public_url, secret.expose_secret());
    Ok(links::made(&url.into(), expires_at))
}

/// `GET /admin/{link}`: a page with a button. It does not use the link up, so a link preview is harmless.
pub(crate) async fn show_link(State(deps): State<Deps>, Path(link): Path<String>) -> Response {
    match session::invited(&deps, &link).await {
        Ok(tenant) => OpenPage { tenant: tenant.as_str() }.respond(StatusCode::OK),
        Err(trouble) => failed(trouble, None),
    }
}

/// `POST /admin/{link}`: uses the link up and opens a session in this browser.
pub(crate) async fn open(State(deps): State<Deps>, Path(link): Path<String>, headers: HeaderMap) -> Response {
    let opened = async {
        if !is_from_our_page(&headers) {
            return Err(Trouble::ForeignPage);
        }
        let secret = session::open(&deps, &link).await?;
        see_other("/connections", Cookie::Admin.set(&secret)).ok_or(Trouble::Unavailable)
    };
    opened.await.unwrap_or_else(|trouble| failed(trouble, None))
}

/// `GET /connections`: the tenant's orgs and their connections.
pub(crate) async fn show(State(deps): State<Deps>, headers: HeaderMap) -> Response {
    let shown = async {
        let session = session::current(&deps, &headers).await?;
        let orgs = view::orgs(&deps, &session.tenant).await.map_err(|error| unavailable(&error))?;
        let page = ConnectionsPage { tenant: session.tenant.as_str(), csrf: session.csrf(), orgs: &orgs };
        Ok(page.respond(StatusCode::OK))
    };
    shown.await.unwrap_or_else(|trouble| failed(trouble, None))
}

/// `POST /connections/sign-out`: ends the session.
pub(crate) async fn sign_out(State(deps): State<Deps>, headers: HeaderMap, form: String) -> Response {
    let ended = async {
        session::submitted(&deps, &headers, &form).await?;
        session::end(&deps, &headers).await?;
        let mut response = failed(Trouble::SignedOut, None);
        *response.status_mut() = StatusCode::OK;
        response.headers_mut().insert(SET_COOKIE, Cookie::Admin.unset().ok_or(Trouble::Unavailable)?);
        Ok(response)
    };
    ended.await.unwrap_or_else(|trouble| failed(trouble, None))
}

type ConnectionPath = Path<(OrgId, ConnectionId)>;

/// `POST /connections/{org}/{id}/reconnect`: a new connect link for this connection. The team's is opened at once; a rep's is
/// shown, because the rep has to open it.
pub(crate) async fn reconnect(
    State(deps): State<Deps>,
    path: Option<ConnectionPath>,
    headers: HeaderMap,
    form: String,
) -> Response {
    let reconnecting = async {
        let session = session::submitted(&deps, &headers, &form).await?;
        let (org, connection) = owned(&deps, &session, path).await?;
        let ticket = ticket(&deps, &org, connection.as_ref(), &session)?;
        let platform_user = ticket.platform_user().cloned();
        let link = deps.links().create(ticket).await.map_err(|error| unavailable(&error))?;
        match platform_user {
            None => see_other(link.url.expose_secret(), None).ok_or(Trouble::Unavailable),
            Some(user) => {
                let page = InvitationPage { platform_user: user.as_str(), url: link.url.expose_secret() };
                Ok(page.respond(StatusCode::OK))
            }
        }
    };
    reconnecting.await.unwrap_or_else(|trouble| failed(trouble, None))
}

/// `GET /connections/{org}/{id}/disconnect`: explains the consequences, with a button to confirm.
pub(crate) async fn ask_disconnect(
    State(deps): State<Deps>,
    path: Option<ConnectionPath>,
    headers: HeaderMap,
) -> Response {
    let asked = async {
        let session = session::current(&deps, &headers).await?;
        let (org, connection) = owned(&deps, &session, path).await?;
        let connection = connection.ok_or(Trouble::NoSuchConnection)?;
        let name = name_of(&connection);
        let page = ConfirmPage {
            team: connection.kind == ConnectionKind::Team,
            name: &name,
            org: view::host_of(&org, Some(&connection)),
            csrf: session.csrf(),
        };
        Ok(page.respond(StatusCode::OK))
    };
    asked.await.unwrap_or_else(|trouble| failed(trouble, None))
}

/// `POST /connections/{org}/{id}/disconnect`: disconnects, and shows the outcome.
pub(crate) async fn disconnect(
    State(deps): State<Deps>,
    path: Option<ConnectionPath>,
    headers: HeaderMap,
    form: String,
) -> Response {
    let ending = async {
        let session = session::submitted(&deps, &headers, &form).await?;
        let (org, connection) = owned(&deps, &session, path).await?;
        let connection = connection.ok_or(Trouble::NoSuchConnection)?;
        let report = deps.kill_switch().connection(org.org_id, &connection.connection_id).await;
        let report = report.map_err(|error| unavailable(&error))?.ok_or(Trouble::NoSuchConnection)?;
        let name = name_of(&connection);
        let left = match &report.outcome {
            Outcome::Ended => None,
            Outcome::Unfinished { reason, .. } => Some(reason.as_str()),
        };
        Ok(DisconnectedPage { name: &name, left, csrf: session.csrf() }.respond(StatusCode::OK))
    };
    ending.await.unwrap_or_else(|trouble| failed(trouble, None))
}

/// Returns the tenant's org, and the connection where it exists. Another tenant's org is not found.
async fn owned(
    deps: &Deps,
    session: &Session,
    path: Option<ConnectionPath>,
) -> Result<(Org, Option<Connection>), Trouble> {
    let Path((org, id)) = path.ok_or(Trouble::NoSuchConnection)?;
    let org = deps.orgs.load(org).await.map_err(|error| unavailable(&error))?;
    let org = org.filter(|org| org.tenant.as_ref() == Some(&session.tenant)).ok_or(Trouble::NoSuchConnection)?;
    let connection = deps.connections.load(org.org_id, &id).await.map_err(|error| unavailable(&error))?;
    if connection.is_none() && !id.is_team() {
        return Err(Trouble::NoSuchConnection);
    }
    Ok((org, connection))
}

/// Returns a ticket for exactly this connection, with the org's My Domain where the user signed in there before.
fn ticket(deps: &Deps, org: &Org, connection: Option<&Connection>, session: &Session) -> Result<Ticket, Trouble> {
    if matches!(org.state, OrgState::Quarantined) {
        return Err(Trouble::Quarantined);
    }
    let is_team = connection.is_none_or(|connection| connection.kind == ConnectionKind::Team);
    if !is_team && org.state != OrgState::Active {
        return Err(Trouble::NoSuchConnection);
    }
    let own_host = |connection: &Connection| {
        let host = LoginHost::parse_my_domain(&connection.login_url, deps.hosts).ok()?;
        (host != *deps.login.of(org.environment)).then(|| host.to_string())
    };
    Ok(Ticket {
        tenant: session.tenant.clone(),
        kind: connection.map_or(ConnectionKind::Team, |connection| connection.kind.clone()),
        environment: org.environment,
        org_id: Some(org.org_id),
        my_domain_url: connection.and_then(own_host),
        expires_at: expiry(deps.clock.now(), LINK_TTL),
    })
}

fn see_other(location: &str, cookie: Option<HeaderValue>) -> Option<Response> {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let mut location = HeaderValue::try_from(location).ok()?;
    location.set_sensitive(true);
    response.headers_mut().insert(LOCATION, location);
    if let Some(cookie) = cookie {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    protect(&mut response);
    Some(response)
}

/// Returns the end of a session that starts now.
fn session_end(now: Timestamp) -> Timestamp {
    expiry(now, SESSION_LIFE)
}
