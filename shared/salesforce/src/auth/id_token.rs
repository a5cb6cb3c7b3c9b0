//! The `id_token` of a consent (OpenID Connect Core 3.1.3.7): who signed it, for whom, when, and for which consent.

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
use super::{App, Identity, TokenResponse};
use crate::{Error, Http, LoginHost};

/// By how much the clocks of Salesforce and of this machine may differ.
const SKEW: SignedDuration = SignedDuration::from_mins(1);
/// The longest id_token that is read.
const MAX_BYTES: usize = 16 * 1024;

/// What an id_token must say.
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

/// Believes the answer only with an id_token that the login host, or the org that answered, signed for this very consent.
///
/// Only RS256 is taken, whatever the token says of itself.
pub(super) async fn verify(
    operation: &'static str,
    http: &Http,
    app: &App,
    login: &LoginHost,
    (answer, nonce): (&TokenResponse, &SecretString),
) -> Result<(), Error> {
    let untrusted = |what| Error::Untrusted { operation, what };
    let token = answer.id_token.as_ref().ok_or_else(|| untrusted("no id_token"))?.expose_secret();
    let header = decode_header(token).ok().filter(|_| token.len() <= MAX_BYTES);
    let header = header.ok_or_else(|| untrusted("a malformed id_token"))?;
    let key_id = header.kid.as_deref().filter(|_| header.alg == Algorithm::RS256);
    let key_id = key_id.ok_or_else(|| untrusted("an id_token that is not signed with RS256"))?;
    let instance = answer.instance_url.as_ref().map(|url| url.as_str());
    let issuer = issuer(token).filter(|issuer| issuer == login.as_str() || Some(issuer.as_str()) == instance);
    let issuer = issuer.ok_or_else(|| untrusted("an id_token of another issuer"))?;
    let key = http.signing_keys().find(http, &issuer, key_id).await?;
    let key = key.ok_or_else(|| untrusted("an id_token signed with an unknown key"))?;
    let claims =
        decode::<Claims>(token, &key, &rs256()).map_err(|_| untrusted("an id_token with a wrong signature"))?;
    let expected = Expected {
        client_id: &app.client_id,
        nonce,
        access_token: &answer.access_token,
        identity: answer.identity,
        now: http.clock().now(),
    };
    expected.check(&claims.claims).map_err(untrusted)
}

/// The signature alone: what the token says is checked by [`Expected::check`], with Ferry's clock.
fn rs256() -> Validation {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.required_spec_claims.clear();
    (validation.validate_exp, validation.validate_aud) = (false, false);
    validation
}

/// Who says that they signed it: read before the signature is, to know whose keys to ask for.
fn issuer(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Issuer {
        iss: String,
    }
    let payload = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&payload).ok().map(|issuer: Issuer| issuer.iss)
}

impl Expected<'_> {
    fn check(&self, claims: &Claims) -> Result<(), &'static str> {
        let audience = match &claims.aud {
            Value::Array(audience) => matches!(&audience[..], [only] if only == self.client_id),
            audience => audience == self.client_id,
        };
        if !audience {
            return Err("an id_token of another app");
        }
        if !self.is_of_now(claims) {
            return Err("an id_token of another time");
        }
        let nonce = self.nonce.expose_secret().as_bytes();
        if !bool::from(claims.nonce.as_bytes().ct_eq(nonce)) {
            return Err("an id_token of another consent");
        }
        if !claims.at_hash.as_ref().is_none_or(|hash| self.is_of_token(hash)) {
            return Err("an id_token of another access token");
        }
        if identity(&claims.sub) == Some(self.identity) { Ok(()) } else { Err("an id_token of another user") }
    }

    fn is_of_now(&self, claims: &Claims) -> bool {
        let skew = SKEW.as_secs();
        let now = self.now.as_second();
        claims.exp.saturating_add(skew) > now && claims.iat.saturating_sub(skew) <= now
    }

    /// `at_hash` is the left half of the access token's SHA-256 (OpenID Connect Core 3.1.3.6). In this flow it may be missing.
    fn is_of_token(&self, at_hash: &str) -> bool {
        let digest = Sha256::digest(self.access_token.expose_secret().as_bytes());
        let half = BASE64_URL_SAFE_NO_PAD.encode(&digest[..digest.len() / 2]);
        half.as_bytes().ct_eq(at_hash.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests;
