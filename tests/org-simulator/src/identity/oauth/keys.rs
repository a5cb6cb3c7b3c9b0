//! The key that signs id_tokens: created on first use, the same for all orgs of a process.

use std::sync::OnceLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value as Json, json};

use crate::Error;

const KEY_ID: &str = "simulator";

/// An RSA key pair.
pub(crate) struct Keys(KeyPair);

impl Keys {
    /// Returns the key of this process.
    pub(crate) fn shared() -> Result<&'static Self, Error> {
        static KEYS: OnceLock<Option<Keys>> = OnceLock::new();
        let made = KEYS.get_or_init(|| KeyPair::generate(KeySize::Rsa2048).ok().map(Keys));
        made.as_ref().ok_or(Error::Prepare { what: "the key for id_tokens" })
    }

    /// Returns the body of `GET /id/keys`.
    pub(crate) fn jwks(&self) -> Json {
        let public = self.0.public_key();
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({"keys": [{
            "kty": "RSA", "alg": "RS256", "use": "sig", "kid": KEY_ID,
            "n": part(public.modulus().big_endian_without_leading_zero()),
            "e": part(public.exponent().big_endian_without_leading_zero()),
        }]})
    }

    /// Returns a signed JWT with these claims.
    pub(crate) fn sign(&self, claims: &Json) -> Option<String> {
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": KEY_ID});
        let part = |json: &Json| URL_SAFE_NO_PAD.encode(json.to_string());
        let message = format!("{}.{}", part(&header), part(claims));
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).ok()?;
        Some(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};

    use super::*;

    #[test]
    fn an_id_token_is_verified_with_the_published_key() {
        let keys = Keys::shared().unwrap();
        let token = keys.sign(&json!({"aud": "app", "sub": "user", "exp": 4_000_000_000_u64})).unwrap();
        let jwk = &keys.jwks()["keys"][0];
        let key = DecodingKey::from_rsa_components(jwk["n"].as_str().unwrap(), jwk["e"].as_str().unwrap()).unwrap();
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_audience(&["app"]);

        let claims = decode::<Json>(&token, &key, &validation).unwrap().claims;

        assert_eq!(claims["sub"], "user");
    }
}
