//! Verifies the `id_token` of a consent (OpenID Connect Core 3.1.3.7).
//!
//! The `openidconnect` crate was tried and is not used. It verifies signatures with the `rsa` crate and brings 31 more crates,
//! where this tree has aws-lc; it allows no difference between clocks for `exp`; and the parts that take the code here stay
//! ours with it too: Salesforce signs as the login host or as the org's own host, so the issuer is read before the keys are
//! known, and the keys are cached by host with a limit on how often they are fetched.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::token::identity;
use super::{App, Identity, TokenResponse, signing_keys};
use crate::{Error, Http, LoginHost};

/// The allowed difference between Salesforce's clock and ours.
const SKEW: SignedDuration = SignedDuration::from_mins(1);
/// The size limit of an id_token, in bytes.
const MAX_BYTES: usize = 16 * 1024;

/// The claims that an id_token must have.
struct Expected<'a> {
    client_id: &'a str,
    nonce: &'a SecretString,
    access_token: &'a SecretString,
    identity: Identity,
    now: Timestamp,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    #[serde(default)]
    aud: Value,
    exp: i64,
    iat: i64,
    #[serde(default)]
    nonce: String,
    #[serde(default)]
    at_hash: Option<String>,
}

/// The consent that an id_token must have been signed for.
pub(super) struct Checks<'a> {
    pub(super) operation: &'static str,
    pub(super) app: &'a App,
    pub(super) login: &'a LoginHost,
    pub(super) nonce: &'a SecretString,
}

impl Checks<'_> {
    /// Verifies that the login host, or the org of the response, signed the id_token for this consent. Only RS256 is accepted,
    /// whatever algorithm the token names.
    pub(super) async fn verify(&self, http: &Http, response: &TokenResponse) -> Result<(), Error> {
        let untrusted = |what| Error::Untrusted { operation: self.operation, what };
        let token = response.id_token.as_ref().ok_or_else(|| untrusted("no id_token"))?.expose_secret();
        let header = decode_header(token).ok().filter(|_| token.len() <= MAX_BYTES);
        let header = header.ok_or_else(|| untrusted("a malformed id_token"))?;
        let key_id = header.kid.as_deref().filter(|_| header.alg == Algorithm::RS256);
        let key_id = key_id.ok_or_else(|| untrusted("an id_token that is not signed with RS256"))?;
        let instance = response.instance_url.as_ref().map(|url| url.as_str());
        let issuer = issuer(token).filter(|issuer| issuer == self.login.as_str() || Some(issuer.as_str()) == instance);
        let issuer = issuer.ok_or_else(|| untrusted("an id_token of another issuer"))?;
        let key = signing_keys::find(http, &issuer, key_id).await?;
        let key = key.ok_or_else(|| untrusted("an id_token signed with an unknown key"))?;
        let claims =
            decode::<Claims>(token, &key, &rs256()).map_err(|_| untrusted("an id_token with a wrong signature"))?;
        let expected = Expected {
            client_id: &self.app.client_id,
            nonce: self.nonce,
            access_token: &response.access_token,
            identity: response.identity,
            now: http.clock().now(),
        };
        expected.check(&claims.claims).map_err(untrusted)
    }
}

/// Returns a validation of the signature alone: [`Expected::check`] checks the claims, with Ferry's clock.
fn rs256() -> Validation {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.required_spec_claims.clear();
    (validation.validate_exp, validation.validate_aud) = (false, false);
    validation
}

/// Returns the issuer that the token names. It is not verified yet: it says which host's keys to fetch.
fn issuer(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Issuer {
        iss: String,
    }
    let payload = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&payload).ok().map(|issuer: Issuer| issuer.iss)
}

/// The failed check of a response that Salesforce signed for another consent: its code was swapped.
pub const OF_ANOTHER_CONSENT: &str = "an id_token of another consent";

impl Expected<'_> {
    fn check(&self, claims: &Claims) -> Result<(), &'static str> {
        let audience = match &claims.aud {
            Value::Array(audience) => matches!(&audience[..], [only] if only == self.client_id),
            audience => audience == self.client_id,
        };
        if !audience {
            return Err("an id_token of another app");
        }
        if !self.is_valid_now(claims) {
            return Err("an id_token that is not valid now");
        }
        let nonce = self.nonce.expose_secret().as_bytes();
        if !bool::from(claims.nonce.as_bytes().ct_eq(nonce)) {
            return Err(OF_ANOTHER_CONSENT);
        }
        if !claims.at_hash.as_ref().is_none_or(|hash| self.is_hash_of_token(hash)) {
            return Err("an id_token of another access token");
        }
        if identity(&claims.sub) == Some(self.identity) { Ok(()) } else { Err("an id_token of another user") }
    }

    /// Returns whether the token has been issued and has not expired.
    fn is_valid_now(&self, claims: &Claims) -> bool {
        let skew = SKEW.as_secs();
        let now = self.now.as_second();
        claims.exp.saturating_add(skew) > now && claims.iat.saturating_sub(skew) <= now
    }

    /// Returns whether `at_hash` is the left half of the access token's SHA-256 (OpenID Connect Core 3.1.3.6).
    fn is_hash_of_token(&self, at_hash: &str) -> bool {
        let digest = Sha256::digest(self.access_token.expose_secret().as_bytes());
        let half = BASE64_URL_SAFE_NO_PAD.encode(&digest[..digest.len() / 2]);
        half.as_bytes().ct_eq(at_hash.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests;
