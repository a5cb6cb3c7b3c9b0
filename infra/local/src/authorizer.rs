//! Verifies JWTs as the JWT authorizer of an HTTP API does (API Gateway Developer Guide, "Control access to HTTP APIs with JWT
//! authorizers"), but for the scopes of routes, which the emulator compares.

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::Value;

/// The issuer and audience that tokens must have, and the issuer's keys.
#[derive(Debug)]
pub(crate) struct Authorizer {
    pub(crate) issuer: String,
    pub(crate) audience: String,
    pub(crate) keys: JwkSet,
}

/// The reason why a request is not authorized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unauthorized {
    /// The request has no token.
    Missing,
    /// The token is invalid, for this reason.
    Invalid(&'static str),
}

impl Unauthorized {
    /// Returns the value of the header `www-authenticate`.
    ///
    /// AWS documents its form and the text about the audience; the other texts are Ferry's.
    pub(crate) fn challenge(self) -> HeaderValue {
        match self {
            Self::Missing => HeaderValue::from_static("Bearer"),
            Self::Invalid(reason) => {
                let challenge = format!(r#"Bearer scope="" error="invalid_token" error_description="{reason}""#);
                HeaderValue::try_from(challenge).unwrap_or(HeaderValue::from_static("Bearer"))
            }
        }
    }
}

impl Authorizer {
    /// Verifies the token in the header `Authorization`. `now` is in seconds since 1970.
    pub(crate) fn authorize(&self, headers: &HeaderMap, now: u64) -> Result<(), Unauthorized> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let value = match (values.next(), values.next()) {
            (None, _) => return Err(Unauthorized::Missing),
            (Some(_), Some(_)) => return Err(Unauthorized::Invalid("there is more than one token")),
            (Some(value), None) => value.to_str().unwrap_or_default(),
        };
        let token = value.strip_prefix("Bearer ").unwrap_or(value);
        self.verify(token, now).map_err(Unauthorized::Invalid)
    }

    fn verify(&self, token: &str, now: u64) -> Result<(), &'static str> {
        let header = decode_header(token).map_err(|_| "the token cannot be decoded")?;
        if header.alg != Algorithm::RS256 {
            return Err("the token is not signed with RS256");
        }
        let key = header.kid.as_deref().and_then(|id| self.keys.find(id));
        let key =
            key.and_then(|key| DecodingKey::from_jwk(key).ok()).ok_or("the token is signed with an unknown key")?;
        let token = decode::<Value>(token, &key, &signature_only()).map_err(|_| "the token has a wrong signature")?;
        self.check(&token.claims, now)
    }

    fn check(&self, claims: &Value, now: u64) -> Result<(), &'static str> {
        if claims["iss"] != self.issuer.as_str() {
            return Err("the token does not have a valid issuer");
        }
        // `client_id` counts only if there is no `aud`.
        let audience = claims.get("aud").unwrap_or(&claims["client_id"]);
        let is_audience = match audience {
            Value::Array(audiences) => audiences.iter().any(|one| *one == self.audience.as_str()),
            audience => *audience == self.audience.as_str(),
        };
        if !is_audience {
            return Err("the token does not have a valid audience");
        }
        if claims["exp"].as_u64().is_none_or(|expires| expires <= now) {
            return Err("the token has expired");
        }
        let is_future = |claim: &str| claims.get(claim).is_some_and(|time| time.as_u64().is_none_or(|time| time > now));
        if is_future("nbf") || is_future("iat") {
            return Err("the token is not valid yet");
        }
        Ok(())
    }
}

/// Returns a validation of the signature alone: [`Authorizer::check`] checks the claims.
fn signature_only() -> Validation {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.required_spec_claims.clear();
    (validation.validate_exp, validation.validate_aud) = (false, false);
    validation
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::json;

    use super::*;
    use crate::issuer::{AUDIENCE, Grant, Issuer, TENANT_SCOPE, now};

    const GATEWAY: &str = "http://localhost:8580";

    fn authorizer(issuer: &Issuer) -> Authorizer {
        let keys = serde_json::from_value(issuer.jwks()).unwrap();
        Authorizer { issuer: issuer.url().to_owned(), audience: AUDIENCE.to_owned(), keys }
    }

    fn reason(authorizer: &Authorizer, token: &str) -> &'static str {
        let headers = HeaderMap::from_iter([(AUTHORIZATION, format!("Bearer {token}").parse().unwrap())]);
        match authorizer.authorize(&headers, now()) {
            Ok(()) => "authorized",
            Err(Unauthorized::Missing) => "missing",
            Err(Unauthorized::Invalid(reason)) => reason,
        }
    }

    #[test]
    fn a_token_of_the_issuer_is_accepted_with_or_without_bearer() {
        let issuer = Issuer::new(GATEWAY).unwrap();
        let token = issuer.token(&Grant::of_tenant("acme", TENANT_SCOPE)).unwrap();
        let authorizer = authorizer(&issuer);

        assert_eq!(reason(&authorizer, &token), "authorized");
        let headers = HeaderMap::from_iter([(AUTHORIZATION, token.parse().unwrap())]);
        assert_eq!(authorizer.authorize(&headers, now()), Ok(()));
        assert_eq!(authorizer.authorize(&HeaderMap::new(), now()), Err(Unauthorized::Missing));
    }

    #[test]
    fn a_token_that_another_key_signed_is_refused() {
        let issuer = Issuer::new(GATEWAY).unwrap();
        let authorizer = authorizer(&issuer);
        let grant = Grant::of_tenant("acme", TENANT_SCOPE);

        let forged = Issuer::new(GATEWAY).unwrap().token(&grant).unwrap();
        assert_eq!(reason(&authorizer, &forged), "the token has a wrong signature");

        let genuine = issuer.token(&grant).unwrap();
        let (message, _) = genuine.rsplit_once('.').unwrap();
        let (_, signature) = forged.rsplit_once('.').unwrap();
        assert_eq!(reason(&authorizer, &format!("{message}.{signature}")), "the token has a wrong signature");
        assert_eq!(reason(&authorizer, &format!("{message}.")), "the token has a wrong signature");
        assert_eq!(reason(&authorizer, "test"), "the token cannot be decoded");
    }

    #[test]
    fn a_token_that_names_no_rsa_algorithm_is_refused() {
        let issuer = Issuer::new(GATEWAY).unwrap();
        let authorizer = authorizer(&issuer);
        let token = issuer.token(&Grant::of_tenant("acme", TENANT_SCOPE)).unwrap();
        let claims: Value = jsonwebtoken::dangerous::insecure_decode(&token).unwrap().claims;

        // {"alg":"none","kid":"local"}
        let payload = token.split('.').nth(1).unwrap();
        let none = format!("eyJhbGciOiJub25lIiwia2lkIjoibG9jYWwifQ.{payload}.");
        assert_eq!(reason(&authorizer, &none), "the token cannot be decoded");

        let modulus = issuer.jwks()["keys"][0]["n"].as_str().unwrap().to_owned();
        let header = Header { kid: Some("local".to_owned()), ..Header::new(Algorithm::HS256) };
        let hmac = encode(&header, &claims, &EncodingKey::from_secret(modulus.as_bytes())).unwrap();
        assert_eq!(reason(&authorizer, &hmac), "the token is not signed with RS256");
        let hmac = encode(&header, &claims, &EncodingKey::from_base64_secret(&standard_base64(&modulus)).unwrap());
        assert_eq!(reason(&authorizer, &hmac.unwrap()), "the token is not signed with RS256");
    }

    /// Converts base64url to base64.
    fn standard_base64(url_safe: &str) -> String {
        let padding = "=".repeat((4 - url_safe.len() % 4) % 4);
        url_safe.replace('-', "+").replace('_', "/") + &padding
    }

    #[test]
    fn the_claims_of_a_token_have_to_be_valid_now() {
        let issuer = Issuer::new(GATEWAY).unwrap();
        let authorizer = authorizer(&issuer);
        let now = now();
        let valid = json!({ "iss": issuer.url(), "aud": "ferry", "exp": now + 60, "nbf": now, "iat": now });
        let with = |name: &str, value: Value| {
            let mut claims = valid.clone();
            claims[name] = value;
            reason(&authorizer, &issuer.sign(&claims).unwrap())
        };
        let without = |name: &str| {
            let mut claims = valid.clone();
            claims.as_object_mut().unwrap().remove(name);
            reason(&authorizer, &issuer.sign(&claims).unwrap())
        };

        assert_eq!(with("aud", json!(["other", "ferry"])), "authorized");
        assert_eq!(with("aud", json!("other")), "the token does not have a valid audience");
        assert_eq!(with("aud", json!(["other"])), "the token does not have a valid audience");
        assert_eq!(without("aud"), "the token does not have a valid audience");
        assert_eq!(with("iss", json!("http://localhost:8581/issuer")), "the token does not have a valid issuer");
        assert_eq!(without("iss"), "the token does not have a valid issuer");
        assert_eq!(with("exp", json!(now)), "the token has expired");
        assert_eq!(with("exp", json!("soon")), "the token has expired");
        assert_eq!(without("exp"), "the token has expired");
        assert_eq!(with("nbf", json!(now + 60)), "the token is not valid yet");
        assert_eq!(with("iat", json!(now + 60)), "the token is not valid yet");
        assert_eq!((without("nbf"), without("iat")), ("authorized", "authorized"));
    }
}
