//! A local issuer of JWTs, in place of the identity provider that signs the platform's tokens.
//!
//! The gateway serves it below `/issuer`, on loopback only. Its key is generated when the stack starts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use axum::extract::{Form, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use org_simulator::SigningKey;
use serde_json::{Value, json};

/// The audience of the tokens: the default of the template's parameter `JwtAudience`.
pub const AUDIENCE: &str = "ferry";
/// The scopes of a token for one tenant: everything that the API permits.
pub const TENANT_SCOPE: &str = "ferry/read ferry/write ferry/admin";
/// The scope of the platform's own server, which names the tenant of each call in a header.
const ALL_TENANTS: &str = "ferry/all-tenants";
/// The lifetime of a token that is requested without one.
pub(crate) const LIFETIME: Duration = Duration::from_secs(60 * 60);
/// The longest lifetime of a token.
pub(crate) const MAX_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// The claim with the user of the platform that a token acts for.
const USER_CLAIM: &str = "user";

/// An issuer with one RSA key.
#[derive(Debug)]
pub struct Issuer {
    url: String,
    key: SigningKey,
}

/// The claims of a token that its requester chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The tenant that the token speaks for.
    pub tenant: Option<String>,
    /// The scopes, separated by spaces.
    pub scope: String,
    /// The user of the platform that the token acts for.
    pub user: Option<String>,
    /// The time until the token expires.
    pub lifetime: Duration,
}

impl Issuer {
    /// Generates a key for the issuer of the gateway at `gateway_url`.
    ///
    /// # Errors
    /// If the operating system provides no random numbers.
    pub fn new(gateway_url: &str) -> Result<Self> {
        Ok(Self { url: format!("{gateway_url}/issuer"), key: SigningKey::generate("local")? })
    }

    /// Returns the issuer's URL, which is the claim `iss` of its tokens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the JSON Web Key Set with the issuer's public key.
    #[must_use]
    pub fn jwks(&self) -> Value {
        self.key.jwks()
    }

    /// Returns a signed token.
    ///
    /// # Errors
    /// If the signing fails.
    pub fn token(&self, grant: &Grant) -> Result<String> {
        self.sign(&grant.claims(&self.url, now()))
    }

    /// Returns a token with exactly these claims.
    ///
    /// # Errors
    /// If the signing fails.
    pub fn sign(&self, claims: &Value) -> Result<String> {
        self.key.sign(claims).context("could not sign a token: the key is not usable")
    }

    /// Returns the routes of the issuer.
    pub(crate) fn routes<S: Clone + Send + Sync + 'static>(self: &Arc<Self>) -> Router<S> {
        Router::new()
            .route("/issuer/.well-known/openid-configuration", get(discovery))
            .route("/issuer/jwks", get(async |State(issuer): State<Arc<Self>>| Json(issuer.jwks())))
            .route("/issuer/token", post(token))
            .with_state(Arc::clone(self))
    }
}

impl Grant {
    /// Returns a grant of a tenant's scopes for an hour.
    #[must_use]
    pub fn of_tenant(tenant: &str, scope: &str) -> Self {
        Self { tenant: Some(tenant.to_owned()), scope: scope.to_owned(), user: None, lifetime: LIFETIME }
    }

    fn claims(&self, issuer: &str, now: u64) -> Value {
        let mut claims = json!({
            "iss": issuer,
            "aud": AUDIENCE,
            "sub": self.user.as_deref().unwrap_or("platform"),
            "iat": now,
            "nbf": now,
            "exp": now + self.lifetime.as_secs(),
            "scope": self.scope,
        });
        if let Some(tenant) = &self.tenant {
            claims["tenant"] = json!(tenant);
        }
        if let Some(user) = &self.user {
            claims[USER_CLAIM] = json!(user);
        }
        claims
    }

    /// Reads the form of a token request. The error is a description for the requester.
    fn from_form(form: &BTreeMap<String, String>) -> Result<Self, &'static str> {
        let value = |name: &str| form.get(name).filter(|value| !value.is_empty()).cloned();
        if value("grant_type").as_deref() != Some("client_credentials") {
            return Err("grant_type has to be client_credentials");
        }
        let scope = match form.get("scope").map(|scope| scope.trim()) {
            None => TENANT_SCOPE.to_owned(),
            Some("") => return Err("scope is empty; without a scope the API refuses every request"),
            Some(scope) => scope.to_owned(),
        };
        let tenant = value("tenant");
        if tenant.is_none() && !scope.split(' ').any(|scope| scope == ALL_TENANTS) {
            return Err("tenant is missing; only a token with the scope ferry/all-tenants has none");
        }
        let lifetime = match value("expires_in") {
            None => Some(LIFETIME),
            Some(seconds) => seconds.parse().ok().map(Duration::from_secs),
        };
        let lifetime = lifetime.filter(|lifetime| !lifetime.is_zero() && *lifetime <= MAX_LIFETIME);
        let lifetime = lifetime.ok_or("expires_in has to be a number of seconds from 1 to 86400")?;
        Ok(Self { tenant, scope, user: value("user"), lifetime })
    }
}

/// Returns the seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "the local stack runs on the machine's clock")]
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

async fn discovery(State(issuer): State<Arc<Issuer>>) -> Json<Value> {
    let url = issuer.url();
    Json(json!({
        "issuer": url,
        "jwks_uri": format!("{url}/jwks"),
        "token_endpoint": format!("{url}/token"),
        "grant_types_supported": ["client_credentials"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }))
}

/// Returns a token to a program on this machine.
///
/// It asks for no credentials, so it refuses pages in a browser, which can send requests to loopback from any site.
async fn token(
    State(issuer): State<Arc<Issuer>>,
    headers: HeaderMap,
    Form(form): Form<BTreeMap<String, String>>,
) -> Response {
    if is_from_browser(&headers) {
        return refused(
            StatusCode::FORBIDDEN,
            "tokens are only for programs on this machine, not for pages in a browser",
        );
    }
    let grant = match Grant::from_form(&form) {
        Ok(grant) => grant,
        Err(description) => return refused(StatusCode::BAD_REQUEST, description),
    };
    match issuer.token(&grant) {
        Ok(token) => Json(json!({
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": grant.lifetime.as_secs(),
            "scope": grant.scope,
        }))
        .into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Returns whether a browser may have sent the request.
///
/// Browsers send `Origin` with every POST request, and `Sec-Fetch-Site` to loopback. A page of a host name that resolves to loopback
/// (DNS rebinding) has that name in `Host`.
fn is_from_browser(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.split_once(':').map_or(host, |(name, _)| name);
    let is_loopback = ["localhost", "127.0.0.1"].contains(&name);
    !is_loopback || headers.contains_key(ORIGIN) || headers.contains_key("sec-fetch-site")
}

/// Returns an error of a token endpoint (RFC 6749, section 5.2).
fn refused(status: StatusCode, description: &str) -> Response {
    (status, Json(json!({ "error": "invalid_request", "error_description": description }))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pairs = pairs.iter().chain(&[("grant_type", "client_credentials")]);
        pairs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_token_has_the_claims_that_were_asked_for() {
        let asked = form(&[("tenant", "acme"), ("scope", "ferry/read"), ("user", "rep-1"), ("expires_in", "60")]);

        let claims = Grant::from_form(&asked).unwrap().claims("http://localhost:1/issuer", 1000);

        let expected = json!({
            "iss": "http://localhost:1/issuer", "aud": "ferry", "sub": "rep-1", "iat": 1000, "nbf": 1000, "exp": 1060,
            "scope": "ferry/read", "tenant": "acme", "user": "rep-1",
        });
        assert_eq!(claims, expected);
    }

    #[test]
    fn only_the_scope_of_all_tenants_needs_no_tenant() {
        assert_eq!(Grant::from_form(&form(&[("tenant", "acme")])).unwrap(), Grant::of_tenant("acme", TENANT_SCOPE));
        assert!(Grant::from_form(&form(&[("scope", "ferry/read")])).is_err());

        let server = Grant::from_form(&form(&[("scope", "ferry/read ferry/all-tenants")])).unwrap();

        assert_eq!(server.claims("i", 0).get("tenant"), None);
    }

    #[test]
    fn an_empty_scope_does_not_get_every_scope() {
        for scope in ["", " "] {
            let refused = Grant::from_form(&form(&[("tenant", "acme"), ("scope", scope)]));
            assert!(refused.is_err_and(|reason| reason.starts_with("scope is empty")));
        }
    }

    #[test]
    fn a_lifetime_is_at_most_a_day() {
        let lifetime = |seconds| Grant::from_form(&form(&[("tenant", "acme"), ("expires_in", seconds)]));

        assert_eq!(lifetime("86400").unwrap().lifetime, MAX_LIFETIME);
        for seconds in ["0", "86401", "-1", "1h"] {
            assert!(lifetime(seconds).is_err(), "{seconds}");
        }
    }
}
