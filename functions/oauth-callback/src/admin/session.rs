//! Links and sessions of admins. The secret of a link or a cookie is stored as a digest only, in an item that expires with it.

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

use crate::Deps;
use crate::browser::is_same_origin;
use crate::connect_failure::{ConnectFailure, unavailable};
use crate::cookie::{ADMIN_SESSION_TTL, Cookie};

/// The stored part of a link or a session: the right to manage the connections of this tenant.
#[derive(Serialize, Deserialize)]
struct AdminGrant {
    tenant: Tenant,
}

/// A valid session.
pub(super) struct Session {
    pub(super) tenant: Tenant,
    csrf: String,
}

impl Session {
    fn new(tenant: Tenant, cookie: &SecretString) -> Self {
        Self { tenant, csrf: csrf_token(cookie) }
    }

    /// Returns the CSRF token of every form of this session.
    pub(super) fn csrf(&self) -> &str {
        &self.csrf
    }
}

/// Derives the CSRF token from the cookie, which no script and no other site can read. It does not disclose the cookie.
fn csrf_token(cookie: &SecretString) -> String {
    let digest = Sha256::new().chain_update("ferry form ").chain_update(cookie.expose_secret()).finalize();
    URL_SAFE_NO_PAD.encode(digest)
}

/// Creates a link for the admin of a tenant. Returns its secret and the time at which it expires.
pub(super) async fn create_link(deps: &Deps, tenant: Tenant) -> Result<(SecretString, Timestamp), store::Error> {
    let expires_at = expiry(deps.clock.now(), LINK_TTL);
    Ok((store_grant(deps, Purpose::AdminLink, tenant, expires_at).await?, expires_at))
}

/// Returns the tenant of a link. The link stays valid.
pub(super) async fn tenant_of_link(deps: &Deps, link: &str) -> Result<Tenant, ConnectFailure> {
    let id = id_of(Purpose::AdminLink, link).ok_or(ConnectFailure::AdminLinkUsed)?;
    let found = deps.authorizations.peek::<AdminGrant>(&id, deps.clock.now()).await;
    Ok(found.map_err(|error| unavailable(&error))?.ok_or(ConnectFailure::AdminLinkUsed)?.tenant)
}

/// Consumes a link, starts a session, and returns the value of its cookie.
pub(super) async fn open(deps: &Deps, link: &str) -> Result<SecretString, ConnectFailure> {
    let id = id_of(Purpose::AdminLink, link).ok_or(ConnectFailure::AdminLinkUsed)?;
    let now = deps.clock.now();
    let consumed = deps.authorizations.consume::<AdminGrant>(&id, now).await;
    let tenant = consumed.map_err(|error| unavailable(&error))?.ok_or(ConnectFailure::AdminLinkUsed)?.tenant;
    tracing::info!(tenant = %tenant, "an admin of {tenant} opened the connections page");
    store_grant(deps, Purpose::AdminSession, tenant, expiry(now, ADMIN_SESSION_TTL))
        .await
        .map_err(|error| unavailable(&error))
}

/// Loads the session of this browser.
pub(super) async fn current(deps: &Deps, headers: &HeaderMap) -> Result<Session, ConnectFailure> {
    let cookie = Cookie::Admin.read(headers).ok_or(ConnectFailure::SignedOut)?;
    let id = AuthorizationId::derive(Purpose::AdminSession, cookie.expose_secret());
    let found = deps.authorizations.peek::<AdminGrant>(&id, deps.clock.now()).await;
    let grant = found.map_err(|error| unavailable(&error))?.ok_or(ConnectFailure::SignedOut)?;
    Ok(Session::new(grant.tenant, &cookie))
}

/// Loads the session of this browser and checks that the form was sent from a page of this session.
pub(super) async fn of_form(deps: &Deps, headers: &HeaderMap, form: &str) -> Result<Session, ConnectFailure> {
    let session = current(deps, headers).await?;
    let token = form_urlencoded::parse(form.as_bytes()).find(|(name, _)| name == "csrf");
    let token = token.map(|(_, value)| value).unwrap_or_default();
    // The digests are compared, because their comparison takes constant time.
    let is_valid = is_same_origin(headers, &deps.public_url) && Digest::new(session.csrf()).matches(&token);
    if is_valid { Ok(session) } else { Err(ConnectFailure::InvalidForm) }
}

/// Ends the session of this browser.
pub(super) async fn end(deps: &Deps, headers: &HeaderMap) -> Result<(), ConnectFailure> {
    let cookie = Cookie::Admin.read(headers).ok_or(ConnectFailure::SignedOut)?;
    let id = AuthorizationId::derive(Purpose::AdminSession, cookie.expose_secret());
    let consumed = deps.authorizations.consume::<AdminGrant>(&id, deps.clock.now()).await;
    consumed.map(drop).map_err(|error| unavailable(&error))
}

/// Stores a grant under a new secret, and returns the secret.
async fn store_grant(
    deps: &Deps,
    purpose: Purpose,
    tenant: Tenant,
    expires_at: Timestamp,
) -> Result<SecretString, store::Error> {
    let secret = generate();
    let id = AuthorizationId::derive(purpose, secret.expose_secret());
    deps.authorizations.store(&Authorization { id, payload: AdminGrant { tenant }, expires_at }).await?;
    Ok(secret)
}

/// Returns the id of a secret's item. Returns `None` if the secret is malformed.
fn id_of(purpose: Purpose, secret: &str) -> Option<AuthorizationId> {
    is_well_formed(secret).then(|| AuthorizationId::derive(purpose, secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_csrf_token_is_of_one_session_and_hides_its_cookie() {
        let (one, other) = (generate(), generate());
        assert_eq!(csrf_token(&one), csrf_token(&one));
        assert_ne!(csrf_token(&one), csrf_token(&other));
        assert!(!csrf_token(&one).contains(one.expose_secret()));
    }

    #[test]
    fn a_grant_of_version_0_1_0_is_read() {
        let rows = include_str!("../../../../tests/fixtures/stored/0.1.0/authorizations.json");
        let rows: Vec<serde_json::Value> = serde_json::from_str(rows).unwrap();
        let is_admin = |row: &&serde_json::Value| row["authorization_id"]["S"].as_str().unwrap().starts_with("admin-");
        let payloads: Vec<_> = rows.iter().filter(is_admin).map(|row| row["payload"]["S"].as_str().unwrap()).collect();

        assert_eq!(payloads.len(), 2, "a link and a session");
        for payload in payloads {
            assert_eq!(serde_json::from_str::<AdminGrant>(payload).unwrap().tenant.as_str(), "acme");
        }
    }
}
