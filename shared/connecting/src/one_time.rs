//! Secrets of links and cookies: 256 random bits as text, and their digests.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::Rng as _;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// The length of 256 bits in base64url.
const LENGTH: usize = 43;

/// Generates a secret of 256 random bits, in base64url.
#[must_use]
pub fn generate() -> SecretString {
    let mut bytes = [0_u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    encode(bytes)
}

fn encode(bytes: [u8; 32]) -> SecretString {
    URL_SAFE_NO_PAD.encode(bytes).into()
}

/// Returns `true` if a text has the form of a generated secret. Check this before any lookup.
#[must_use]
pub fn is_well_formed(text: &str) -> bool {
    text.len() == LENGTH && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// The SHA-256 digest of a secret, which is stored in its place.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    /// Computes the digest of a secret.
    #[must_use]
    pub fn new(secret: &str) -> Self {
        Self(URL_SAFE_NO_PAD.encode(Sha256::digest(secret.as_bytes())))
    }

    /// Returns `true` if the digest is that of `secret`. Compares in constant time.
    #[must_use]
    pub fn matches(&self, secret: &str) -> bool {
        Self::new(secret).0.as_bytes().ct_eq(self.0.as_bytes()).into()
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    #[test]
    fn a_generated_secret_is_well_formed_and_unique() {
        assert!(is_well_formed(generate().expose_secret()));
        assert_ne!(generate().expose_secret(), generate().expose_secret());
        assert!(is_well_formed(encode([255; 32]).expose_secret()));
        for wrong in ["", "short", "../../etc/passwd", &"a".repeat(44), &"!".repeat(43)] {
            assert!(!is_well_formed(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_digest_matches_only_its_secret() {
        assert!(Digest::new("one").matches("one"));
        assert!(!Digest::new("one").matches("two"));
        assert!(!Digest::new("one").matches(""));
    }
}
