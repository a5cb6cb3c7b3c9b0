//! Assertions of the JWT bearer flow: their claims, and the certificate that verifies them.

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::Value as Json;

use crate::model::logins::refusal::Refusal;

/// The text is unverified.
const INVALID_ASSERTION: Refusal = Refusal::new("invalid_grant", "invalid assertion");
const WRONG_AUDIENCE: Refusal = Refusal::new("invalid_grant", "audience is invalid");

/// The claims of an assertion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claims {
    /// Client id of the app.
    pub(super) issuer: String,
    /// Username of the user.
    pub(super) subject: String,
    audience: Vec<String>,
    expires_at: i64,
}

/// An assertion whose signature is not verified yet.
pub(super) struct Assertion<'a> {
    pub(super) claims: Claims,
    message: &'a str,
    signature: Vec<u8>,
}

impl<'a> Assertion<'a> {
    /// Parses a JWT that is signed with RS256.
    pub(super) fn parse(jwt: &'a str) -> Result<Self, Refusal> {
        Self::read(jwt).ok_or(INVALID_ASSERTION)
    }

    fn read(jwt: &'a str) -> Option<Self> {
        let (message, signature) = jwt.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok();
        let header: Json = serde_json::from_slice(&decoded(header)?).ok()?;
        if header["alg"] != "RS256" {
            return None;
        }
        let claims: Json = serde_json::from_slice(&decoded(claims)?).ok()?;
        let text = |name: &str| claims[name].as_str().map(str::to_owned);
        let audience = match &claims["aud"] {
            Json::Array(all) => all.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect(),
            one => vec![one.as_str()?.to_owned()],
        };
        let expires_at = claims["exp"].as_i64().or_else(|| claims["exp"].as_str()?.parse().ok())?;
        let claims =
            Claims { issuer: text("iss")?, subject: text("sub").or_else(|| text("prn"))?, audience, expires_at };
        Some(Self { claims, message, signature: decoded(signature)? })
    }

    /// Verifies the signature with the app's certificate, the audience and the expiry.
    pub(super) fn verify(&self, certificate: Option<&str>, audience: &[String], now: Timestamp) -> Result<(), Refusal> {
        let key = certificate.and_then(public_key).ok_or(INVALID_ASSERTION)?;
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key);
        key.verify(self.message.as_bytes(), &self.signature).map_err(|_| INVALID_ASSERTION)?;
        if !self.claims.audience.iter().any(|given| audience.iter().any(|known| known == given.trim_end_matches('/'))) {
            return Err(WRONG_AUDIENCE);
        }
        if self.claims.expires_at <= now.as_second() { Err(INVALID_ASSERTION) } else { Ok(()) }
    }
}

/// Returns whether the PEM holds a supported certificate or public key.
pub(crate) fn is_certificate(pem: &str) -> bool {
    public_key(pem).is_some()
}

/// Returns the public key of a PEM certificate or public key, in DER.
fn public_key(pem: &str) -> Option<Vec<u8>> {
    let (kind, rest) = pem.split_once("-----BEGIN ")?.1.split_once("-----")?;
    let body: String = rest.split_once("-----END")?.0.split_whitespace().collect();
    let der = STANDARD.decode(body).ok()?;
    match kind {
        "PUBLIC KEY" | "RSA PUBLIC KEY" => Some(der),
        "CERTIFICATE" => key_of_certificate(&der).map(<[u8]>::to_vec),
        _ => None,
    }
}

/// Returns the public key of an X.509 certificate (RFC 5280), which follows version, serial number, algorithm, issuer,
/// validity and subject.
fn key_of_certificate(der: &[u8]) -> Option<&[u8]> {
    let (certificate, _) = contents(der)?;
    let (mut rest, _) = contents(certificate)?;
    let fields_before = if rest.first() == Some(&0xa0) { 6 } else { 5 };
    for _ in 0..fields_before {
        rest = contents(rest)?.1;
    }
    let after = contents(rest)?.1;
    rest.get(..rest.len() - after.len())
}

/// Returns the contents of the first DER element, and the bytes after it.
fn contents(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let first = usize::from(*der.get(1)?);
    let (length, start) = if first < 0x80 {
        (first, 2)
    } else {
        let bytes = der.get(2..2 + (first & 0x7f))?;
        (
            bytes.iter().try_fold(0_usize, |n, byte| n.checked_mul(256)?.checked_add(usize::from(*byte)))?,
            2 + bytes.len(),
        )
    };
    let end = start.checked_add(length)?;
    Some((der.get(start..end)?, der.get(end..)?))
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::AsDer as _;
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use aws_lc_rs::signature::KeyPair as _;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// The hash of the public key in `certificate.pem`.
    const KEY_SHA256: &str = "62UYocusGxuEryYRiCxHWgJAUd4VgnYpwsvAe-m2_qg";

    #[test]
    fn the_public_key_of_a_certificate_is_found() {
        use sha2::{Digest as _, Sha256};
        let key = public_key(include_str!("certificate.pem")).unwrap();
        assert_eq!(URL_SAFE_NO_PAD.encode(Sha256::digest(key)), KEY_SHA256);
        assert!(!is_certificate("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"));
    }

    fn signed(key: &KeyPair, claims: &Json) -> String {
        let part = |json: &Json| URL_SAFE_NO_PAD.encode(json.to_string());
        let message = format!("{}.{}", part(&json!({"alg": "RS256"})), part(claims));
        let mut signature = vec![0; key.public_modulus_len()];
        let random = aws_lc_rs::rand::SystemRandom::new();
        key.sign(&aws_lc_rs::signature::RSA_PKCS1_SHA256, &random, message.as_bytes(), &mut signature).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    #[test]
    fn an_assertion_needs_the_right_key_audience_and_expiry() {
        let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der = key.public_key().as_der().unwrap();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", STANDARD.encode(der.as_ref()));
        let claims = json!({"iss": "app", "sub": "user", "aud": "https://login.salesforce.com", "exp": 200});
        let jwt = signed(&key, &claims);
        let assertion = Assertion::parse(&jwt).unwrap();
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let here = ["https://login.salesforce.com".to_owned()];

        assert_eq!(assertion.verify(Some(&pem), &here, at(100)), Ok(()));
        assert_eq!(
            assertion.verify(Some(&pem), &["https://test.salesforce.com".to_owned()], at(100)),
            Err(WRONG_AUDIENCE)
        );
        assert_eq!(assertion.verify(Some(&pem), &here, at(200)), Err(INVALID_ASSERTION));
        assert_eq!(assertion.verify(Some(include_str!("certificate.pem")), &here, at(100)), Err(INVALID_ASSERTION));
        assert_eq!(assertion.verify(None, &here, at(100)), Err(INVALID_ASSERTION));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes: Vec<u8>, text in ".*") {
            let _ = key_of_certificate(&bytes);
            let _ = Assertion::parse(&text);
        }
    }
}
