//! `/connect/{ticket}`: shows what will be connected, and starts the consent.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use connecting::connect_links::{LINK_TTL, Ticket, expiry};
use connecting::one_time::{Digest, generate, is_well_formed};
use http::header::{LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode};
use runtime::Chain;
use salesforce::{LoginHost, auth};
use secrecy::{ExposeSecret as _, SecretString};
use store::{AppRegistration, Authorization, AuthorizationId, Environment, Purpose};

use crate::Deps;
use crate::cookie::Cookie;
use crate::pages::{ConnectPage, environment, failed, protect};
use crate::ticket::Pending;
use crate::trouble::Trouble;

/// Shows the page. It does not use the ticket up, so a link preview is harmless.
pub(crate) async fn show(State(deps): State<Deps>, Path(ticket): Path<String>) -> Response {
    match page(&deps, &ticket).await {
        Ok(response) => response,
        Err(trouble) => failed(trouble, None),
    }
}

async fn page(deps: &Deps, secret: &str) -> Result<Response, Trouble> {
    let found = deps.authorizations.peek::<Ticket>(&ticket_id(secret)?, deps.clock.now()).await;
    let ticket = found.map_err(|error| unavailable(&error))?.ok_or(Trouble::LinkUsed)?;
    let registration = deps.apps.newest().await.map_err(|error| unavailable(&error))?;
    let login = login(deps, &ticket).map_err(|error| misconfigured(&error))?;
    let install_url = install_url(&registration, &ticket);
    let page = ConnectPage {
        team: ticket.is_team(),
        tenant: ticket.tenant.as_str(),
        platform_user: ticket.platform_user().map(|user| user.as_str()),
        environment: environment(ticket.environment),
        org_id: ticket.org_id,
        my_domain: ticket.my_domain_url.as_deref().map(host_of),
        install_url: install_url.as_deref(),
        minutes: ticket.minutes_left(deps.clock.now()),
    };
    Ok(page.respond(&login))
}

/// Uses the ticket up and redirects the browser to Salesforce.
pub(crate) async fn begin(State(deps): State<Deps>, Path(ticket): Path<String>, headers: HeaderMap) -> Response {
    match redirect(&deps, &ticket, &headers).await {
        Ok(response) => response,
        Err(trouble) => failed(trouble, None),
    }
}

async fn redirect(deps: &Deps, secret: &str, headers: &HeaderMap) -> Result<Response, Trouble> {
    if !is_from_our_page(headers) {
        return Err(Trouble::ForeignPage);
    }
    let registration = deps.apps.newest().await.map_err(|error| unavailable(&error))?;
    let now = deps.clock.now();
    let taken = deps.authorizations.consume::<Ticket>(&ticket_id(secret)?, now).await;
    let ticket = taken.map_err(|error| unavailable(&error))?.ok_or(Trouble::LinkUsed)?;
    let browser = Cookie::Consent.presented(headers).unwrap_or_else(generate);
    let login = login(deps, &ticket).map_err(|error| misconfigured(&error))?;
    let consent = auth::consent(&registration.app, &login, &deps.redirect_uri(), &mut rand::rng());
    let consent = consent.map_err(|error| misconfigured(&error))?;
    let pending = Pending {
        ticket,
        app: registration.app.name,
        login_url: login.to_string(),
        browser: Digest::new(browser.expose_secret()),
        code_verifier: consent.code_verifier,
        nonce: consent.nonce,
    };
    let id = AuthorizationId::derive(Purpose::State, consent.state.expose_secret());
    let expires_at = expiry(now, LINK_TTL);
    let stored = deps.authorizations.store(&Authorization { id, payload: pending, expires_at }).await;
    stored.map_err(|error| unavailable(&error))?;
    see_other(consent.authorize_url.as_str(), &browser).ok_or(Trouble::Misconfigured)
}

/// Checks the `Origin` of a form. Only this function's own page may start a consent, so that the user has seen what will be
/// connected.
pub(crate) fn is_from_our_page(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_none_or(|site| site == "same-origin" || site == "none")
}

fn see_other(location: &str, browser: &SecretString) -> Option<Response> {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    headers.insert(LOCATION, HeaderValue::try_from(location).ok()?);
    headers.insert(SET_COOKIE, Cookie::Consent.set(browser)?);
    protect(&mut response);
    Some(response)
}

fn ticket_id(secret: &str) -> Result<AuthorizationId, Trouble> {
    if is_well_formed(secret) { Ok(AuthorizationId::derive(Purpose::Ticket, secret)) } else { Err(Trouble::LinkUsed) }
}

/// Returns the login host of the consent.
fn login(deps: &Deps, ticket: &Ticket) -> Result<LoginHost, salesforce::Error> {
    match &ticket.my_domain_url {
        Some(url) => LoginHost::parse_my_domain(url, deps.hosts),
        None => Ok(deps.login.of(ticket.environment).clone()),
    }
}

/// Returns the install URL: at the org's My Domain where that is known, else at the login host of its environment.
pub(crate) fn install_url(registration: &AppRegistration, ticket: &Ticket) -> Option<String> {
    let registered = match ticket.environment {
        Environment::Production => registration.install_url_production.as_deref(),
        Environment::Sandbox => registration.install_url_sandbox.as_deref(),
    }?;
    let Some(my_domain) = &ticket.my_domain_url else { return Some(registered.to_owned()) };
    let (_, path) = registered.split_once("://")?.1.split_once('/')?;
    Some(format!("{my_domain}/{path}"))
}

/// Returns a URL's host, for display.
pub(crate) fn host_of(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, host)| host).trim_end_matches('/')
}

/// Logs a failure of Ferry's own state, and returns its page.
pub(crate) fn unavailable(error: &store::Error) -> Trouble {
    tracing::error!(error = %Chain(error), "could not use the authorizations or the app registrations");
    Trouble::Unavailable
}

fn misconfigured(error: &salesforce::Error) -> Trouble {
    tracing::error!(error = %Chain(error), "could not start a consent");
    Trouble::Misconfigured
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(site: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(http::HeaderName::from_static("sec-fetch-site"), HeaderValue::from_static(site))])
    }

    #[test]
    fn only_our_own_page_begins_a_consent() {
        for own in [from("same-origin"), from("none"), HeaderMap::new()] {
            assert!(is_from_our_page(&own));
        }
        for foreign in [from("cross-site"), from("same-site")] {
            assert!(!is_from_our_page(&foreign));
        }
    }

    #[test]
    fn a_ticket_that_cannot_be_ours_is_not_looked_up() {
        assert_eq!(ticket_id("../oauth").unwrap_err(), Trouble::LinkUsed);
    }
}
