//! Sessions of admins. The browser's secret is stored as a digest, in one row that expires with the session.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use connecting::connect_links::{LINK_TTL, expiry};
use connecting::one_time::{Digest, generate, is_well_formed};
use http::HeaderMap;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use store::{Authorization, AuthorizationId, Purpose, Tenant};
use url::form_urlencoded;

use super::session_end;
use crate::Deps;
use crate::consent::{is_from_our_page, unavailable};
use crate::cookie::Cookie;
use crate::trouble::Trouble;

/// The stored part of a link or a session.
#[derive(Serialize, Deserialize)]
struct Kept {
    tenant: Tenant,
}

/// An open session.
pub(super) struct Session {
    pub(super) tenant: Tenant,
    csrf: String,
}

impl Session {
    fn new(tenant: Tenant, cookie: &SecretString) -> Self {
        Self { tenant, csrf: csrf_of(cookie) }
    }

    /// The CSRF token in every form of this session.
    pub(super) fn csrf(&self) -> &str {
        &self.csrf
    }
}

/// Derives the CSRF token from the cookie, which no script and no other site can read. It does not disclose the cookie.
fn csrf_of(cookie: &SecretString) -> String {
    let digest = Sha256::new().chain_update("ferry form ").chain_update(cookie.expose_secret()).finalize();
    URL_SAFE_NO_PAD.encode(digest)
}

/// Creates a link for the admin of a tenant.
pub(super) async fn invite(deps: &Deps, tenant: Tenant) -> Result<(SecretString, Timestamp), store::Error> {
    let expires_at = expiry(deps.clock.now(), LINK_TTL);
    Ok((keep(deps, Purpose::AdminLink, tenant, expires_at).await?, expires_at))
}

/// Returns the tenant of a link.
pub(super) async fn invited(deps: &Deps, link: &str) -> Result<Tenant, Trouble> {
    let id = id_of(Purpose::AdminLink, link).ok_or(Trouble::AdminLinkUsed)?;
    let found = deps.authorizations.peek::<Kept>(&id, deps.clock.now()).await;
    Ok(found.map_err(|error| unavailable(&error))?.ok_or(Trouble::AdminLinkUsed)?.tenant)
}

/// Uses a link up and returns the cookie of the new session.
pub(super) async fn open(deps: &Deps, link: &str) -> Result<SecretString, Trouble> {
    let id = id_of(Purpose::AdminLink, link).ok_or(Trouble::AdminLinkUsed)?;
    let now = deps.clock.now();
    let taken = deps.authorizations.consume::<Kept>(&id, now).await;
    let tenant = taken.map_err(|error| unavailable(&error))?.ok_or(Trouble::AdminLinkUsed)?.tenant;
    tracing::info!(tenant = %tenant, "an admin of {tenant} has opened the connections page");
    keep(deps, Purpose::AdminSession, tenant, session_end(now)).await.map_err(|error| unavailable(&error))
}

/// Loads the session of this browser.
pub(super) async fn current(deps: &Deps, headers: &HeaderMap) -> Result<Session, Trouble> {
    let cookie = Cookie::Admin.presented(headers).ok_or(Trouble::SignedOut)?;
    let id = AuthorizationId::derive(Purpose::AdminSession, cookie.expose_secret());
    let found = deps.authorizations.peek::<Kept>(&id, deps.clock.now()).await;
    let kept = found.map_err(|error| unavailable(&error))?.ok_or(Trouble::SignedOut)?;
    Ok(Session::new(kept.tenant, &cookie))
}

/// Loads the session of this browser, if the form was sent from a page of this session.
pub(super) async fn submitted(deps: &Deps, headers: &HeaderMap, form: &str) -> Result<Session, Trouble> {
    let session = current(deps, headers).await?;
    let given = form_urlencoded::parse(form.as_bytes()).find(|(name, _)| name == "csrf");
    let given = given.map(|(_, value)| value).unwrap_or_default();
    let is_ours = is_from_our_page(headers) && Digest::new(session.csrf()).matches(&given);
    if is_ours { Ok(session) } else { Err(Trouble::FormNotOurs) }
}

/// Ends the session of this browser.
pub(super) async fn end(deps: &Deps, headers: &HeaderMap) -> Result<(), Trouble> {
    let cookie = Cookie::Admin.presented(headers).ok_or(Trouble::SignedOut)?;
    let id = AuthorizationId::derive(Purpose::AdminSession, cookie.expose_secret());
    let gone = deps.authorizations.consume::<Kept>(&id, deps.clock.now()).await;
    gone.map(drop).map_err(|error| unavailable(&error))
}

async fn keep(
    deps: &Deps,
    purpose: Purpose,
    tenant: Tenant,
    expires_at: Timestamp,
) -> Result<SecretString, store::Error> {
    let secret = generate();
    let id = AuthorizationId::derive(purpose, secret.expose_secret());
    deps.authorizations.store(&Authorization { id, payload: Kept { tenant }, expires_at }).await?;
    Ok(secret)
}

fn id_of(purpose: Purpose, presented: &str) -> Option<AuthorizationId> {
    is_well_formed(presented).then(|| AuthorizationId::derive(purpose, presented))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_forms_carry_belongs_to_one_session_and_does_not_tell_its_cookie() {
        let (one, other) = (generate(), generate());
        assert_eq!(csrf_of(&one), csrf_of(&one));
        assert_ne!(csrf_of(&one), csrf_of(&other));
        assert!(!csrf_of(&one).contains(one.expose_secret()));
    }
}
