//! `/connect/{ticket}`: the page that shows what will be connected, and the start of the consent.

use axum::extract::{Path, State};
use axum::response::Response;
use connecting::connect_links::{LINK_TTL, Ticket, expiry};
use connecting::one_time::{Digest, generate, is_well_formed};
use http::HeaderMap;
use runtime::Chain;
use salesforce::{LoginHost, auth};
use secrecy::ExposeSecret as _;
use store::{Authorization, AuthorizationId, Purpose};

use crate::Deps;
use crate::browser::{is_same_origin, see_other};
use crate::connect_failure::{ConnectFailure, unavailable, unreachable_apps};
use crate::cookie::Cookie;
use crate::pages::{ConnectPage, environment_label, failed, host_of};
use crate::ticket::{PendingConsent, install_url};

/// `GET /connect/{ticket}`: shows the page. The ticket stays valid, so a link preview is harmless.
pub(crate) async fn show(State(deps): State<Deps>, Path(ticket): Path<String>) -> Response {
    page(&deps, &ticket).await.unwrap_or_else(|failure| failed(failure, None))
}

async fn page(deps: &Deps, secret: &str) -> Result<Response, ConnectFailure> {
    let found = deps.authorizations.peek::<Ticket>(&ticket_id(secret)?, deps.clock.now()).await;
    let ticket = found.map_err(|error| unavailable(&error))?.ok_or(ConnectFailure::LinkUsed)?;
    let app = deps.apps.newest().await.map_err(|error| unreachable_apps(&error))?;
    let login = login(deps, &ticket).map_err(|error| misconfigured(&error))?;
    let install_url = install_url(&app, &ticket);
    let page = ConnectPage {
        team: ticket.is_team(),
        tenant: ticket.tenant.as_str(),
        platform_user: ticket.platform_user().map(|user| user.as_str()),
        environment: environment_label(ticket.environment),
        org_id: ticket.org_id,
        my_domain: ticket.my_domain_url.as_deref().map(host_of),
        install_url: install_url.as_deref(),
        minutes: ticket.minutes_left(deps.clock.now()),
    };
    Ok(page.respond(&login))
}

/// `POST /connect/{ticket}`: consumes the ticket and redirects the browser to Salesforce.
pub(crate) async fn begin(State(deps): State<Deps>, Path(ticket): Path<String>, headers: HeaderMap) -> Response {
    redirect(&deps, &ticket, &headers).await.unwrap_or_else(|failure| failed(failure, None))
}

async fn redirect(deps: &Deps, secret: &str, headers: &HeaderMap) -> Result<Response, ConnectFailure> {
    if !is_same_origin(headers, &deps.public_url) {
        return Err(ConnectFailure::CrossSiteRequest);
    }
    let app = deps.apps.newest().await.map_err(|error| unreachable_apps(&error))?;
    let now = deps.clock.now();
    let consumed = deps.authorizations.consume::<Ticket>(&ticket_id(secret)?, now).await;
    let ticket = consumed.map_err(|error| unavailable(&error))?.ok_or(ConnectFailure::LinkUsed)?;
    let browser = Cookie::Consent.read(headers).unwrap_or_else(generate);
    let login = login(deps, &ticket).map_err(|error| misconfigured(&error))?;
    let consent = auth::consent(&app.client_id, &login, &deps.redirect_uri(), &mut rand::rng());
    let consent = consent.map_err(|error| misconfigured(&error))?;
    let pending = PendingConsent {
        ticket,
        app: app.name,
        login_url: login.to_string(),
        browser: Digest::new(browser.expose_secret()),
        code_verifier: consent.code_verifier,
        nonce: consent.nonce,
    };
    let id = AuthorizationId::derive(Purpose::State, consent.state.expose_secret());
    let expires_at = expiry(now, LINK_TTL);
    let stored = deps.authorizations.store(&Authorization { id, payload: pending, expires_at }).await;
    stored.map_err(|error| unavailable(&error))?;
    let cookie = Cookie::Consent.set(&browser).ok_or(ConnectFailure::Misconfigured)?;
    see_other(consent.authorize_url.as_str(), Some(cookie)).ok_or(ConnectFailure::Misconfigured)
}

fn ticket_id(secret: &str) -> Result<AuthorizationId, ConnectFailure> {
    if is_well_formed(secret) {
        Ok(AuthorizationId::derive(Purpose::Ticket, secret))
    } else {
        Err(ConnectFailure::LinkUsed)
    }
}

/// Returns the login host of the consent: the ticket's My Domain, or the login host of its environment.
fn login(deps: &Deps, ticket: &Ticket) -> Result<LoginHost, salesforce::Error> {
    match &ticket.my_domain_url {
        Some(url) => LoginHost::parse_my_domain(url, deps.hosts),
        None => Ok(deps.login.of(ticket.environment).clone()),
    }
}

fn misconfigured(error: &salesforce::Error) -> ConnectFailure {
    tracing::error!(error = %Chain(error), "could not start a consent");
    ConnectFailure::Misconfigured
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_ticket_is_refused_without_a_lookup() {
        assert_eq!(ticket_id("../oauth").unwrap_err(), ConnectFailure::LinkUsed);
    }
}
