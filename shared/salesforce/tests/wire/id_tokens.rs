//! The id_token of a consent: which tokens are accepted, and which are rejected and the grant revoked.

use std::sync::OnceLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use salesforce::auth::{self, CodeExchange, TokenResponse};
use salesforce::{Classify, Clock, Error, Retry};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::oauth::{app, signed};
use crate::replay::{Replay, Reply, json as reply};

const NONCE: &str = "the-nonce-of-this-consent";
const SUB: &str = "https://login.salesforce.com/id/00D5e000000KQ2eEAG/0055e000001mKpCAAU";

/// The key of the login host, and the key of another party.
fn keys() -> &'static [KeyPair; 2] {
    static KEYS: OnceLock<[KeyPair; 2]> = OnceLock::new();
    KEYS.get_or_init(|| [(); 2].map(|()| KeyPair::generate(KeySize::Rsa2048).unwrap()))
}

fn part(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn jwks() -> String {
    let key = keys()[0].public_key();
    let (n, e) = (key.modulus().big_endian_without_leading_zero(), key.exponent().big_endian_without_leading_zero());
    json!({"keys": [{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "k1", "n": part(n), "e": part(e)}]}).to_string()
}

/// The parts of a token.
struct Forge {
    header: Value,
    claims: Value,
    key: &'static KeyPair,
}

impl Forge {
    fn from_issuer(issuer: &str) -> Self {
        let now = Clock::system().now().as_second();
        let half = part(&Sha256::digest(b"00D5e000000KQ2e!AQcAQ")[..16]);
        let claims = json!({
            "iss": issuer, "sub": SUB, "aud": "3MVG9client", "iat": now, "exp": now + 120, "nonce": NONCE, "at_hash": half,
        });
        Self { header: json!({"alg": "RS256", "typ": "JWT", "kid": "k1"}), claims, key: &keys()[0] }
    }

    fn message(&self) -> String {
        format!("{}.{}", part(self.header.to_string()), part(self.claims.to_string()))
    }

    fn sign(&self) -> String {
        let message = self.message();
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
        format!("{message}.{}", part(signature))
    }
}

/// Exchanges a code. The response contains the token that `id_token` returns for the issuer; `keys` is the reply with the keys.
async fn exchange(
    id_token: impl FnOnce(&str) -> Option<String>,
    keys: Reply,
) -> (Result<TokenResponse, Error>, Vec<String>) {
    let server = Replay::start_with(|url| {
        let mut body: Value = serde_json::from_str(&signed()).unwrap();
        if let Some(token) = id_token(url) {
            body["id_token"] = json!(token);
        }
        vec![reply(200, body.to_string()), keys, reply(200, "")]
    });
    let exchange = CodeExchange {
        redirect_uri: "https://ferry.example/oauth/callback".to_owned(),
        code: "aPrx==".into(),
        code_verifier: "v".repeat(43).into(),
        nonce: Some(NONCE.into()),
    };
    let exchanged = auth::exchange_code(&server.http(), &app(), &server.login(), &exchange).await;
    (exchanged, server.requests().into_iter().map(|request| request.line).collect())
}

async fn forged(change: impl FnOnce(&mut Forge)) -> Result<TokenResponse, Error> {
    let token = |url: &str| {
        let mut forge = Forge::from_issuer(url);
        change(&mut forge);
        Some(forge.sign())
    };
    exchange(token, reply(200, jwks())).await.0
}

fn is_untrusted(exchanged: &Result<TokenResponse, Error>) -> bool {
    matches!(exchanged, Err(Error::Untrusted { .. }))
}

#[tokio::test]
async fn a_token_of_this_consent_is_accepted() {
    let (exchanged, requests) = exchange(|url| Some(Forge::from_issuer(url).sign()), reply(200, jwks())).await;
    exchanged.unwrap();
    assert_eq!(requests, ["POST /services/oauth2/token", "GET /id/keys"]);
}

#[tokio::test]
async fn every_claim_is_verified() {
    for (claim, value) in [
        ("aud", json!("another-app")),
        ("iss", json!("https://login.salesforce.com")),
        ("exp", json!(1_000_000_000)),
        ("iat", json!(4_000_000_000_u64)),
        ("nonce", json!("of-another-consent")),
        ("at_hash", json!("of-another-token")),
        ("sub", json!("https://login.salesforce.com/id/00D5e000000KQ2eEAG/0055e000001mKpDAAU")),
    ] {
        let exchanged = forged(|forge| forge.claims[claim] = value).await;
        assert!(is_untrusted(&exchanged), "{claim}: {exchanged:?}");
    }
}

#[tokio::test]
async fn another_key_is_rejected_even_with_the_right_id() {
    assert!(is_untrusted(&forged(|forge| forge.key = &keys()[1]).await));
    assert!(is_untrusted(&forged(|forge| forge.header["kid"] = json!("k2")).await));
    assert!(is_untrusted(&forged(|forge| drop(forge.header.as_object_mut().unwrap().remove("kid"))).await));
}

#[tokio::test]
async fn only_rs256_is_accepted() {
    let unsigned = |url: &str| {
        let forge = Forge { header: json!({"alg": "none", "kid": "k1"}), ..Forge::from_issuer(url) };
        Some(format!("{}.", forge.message()))
    };
    assert!(is_untrusted(&exchange(unsigned, reply(200, jwks())).await.0));
    // HMAC with the public key as the secret.
    let confused = |url: &str| {
        let forge = Forge { header: json!({"alg": "HS256", "kid": "k1"}), ..Forge::from_issuer(url) };
        let public = keys()[0].public_key();
        let mut mac = Hmac::<Sha256>::new_from_slice(public.as_ref()).unwrap();
        mac.update(forge.message().as_bytes());
        Some(format!("{}.{}", forge.message(), part(mac.finalize().into_bytes())))
    };
    assert!(is_untrusted(&exchange(confused, reply(200, jwks())).await.0));
    assert!(is_untrusted(&forged(|forge| forge.header["alg"] = json!("RS512")).await));
}

#[tokio::test]
async fn a_modified_or_malformed_token_is_rejected() {
    let changed = |url: &str| {
        let signed = Forge::from_issuer(url).sign();
        let (_, signature) = signed.rsplit_once('.').unwrap();
        let mut other = Forge::from_issuer(url);
        other.claims["extra"] = json!(1);
        Some(format!("{}.{signature}", other.message()))
    };
    assert!(is_untrusted(&exchange(changed, reply(200, jwks())).await.0));
    for token in ["", "a.b.c", "...."] {
        assert!(is_untrusted(&exchange(|_| Some(token.to_owned()), reply(200, jwks())).await.0), "{token}");
    }
}

#[tokio::test]
async fn an_unverified_grant_is_revoked() {
    let (exchanged, requests) = exchange(|_| None, reply(200, "")).await;
    assert!(is_untrusted(&exchanged), "{exchanged:?}");
    assert_eq!(requests, ["POST /services/oauth2/token", "POST /services/oauth2/revoke"]);
}

#[tokio::test]
async fn missing_keys_allow_a_retry() {
    for keys in [reply(404, "{}"), reply(200, "<html>"), reply(200, "{}")] {
        let error = exchange(|url| Some(Forge::from_issuer(url).sign()), keys).await.0.unwrap_err();
        assert!(matches!(error.retry(), Retry::After(_) | Retry::Unknown(_)), "{error:?}");
    }
}
