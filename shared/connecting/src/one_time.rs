//! What a person or a browser presents: 256 random bits as text, and the digests that are kept of them.

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

/// 256 fresh bits as a browser carries them.
#[must_use]
pub fn fresh() -> SecretString {
    let mut bytes = [0_u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    encode(bytes)
}

fn encode(bytes: [u8; 32]) -> SecretString {
    URL_SAFE_NO_PAD.encode(bytes).into()
}

/// Whether a text can be one that [`fresh`] made: asked before anything is looked up.
#[must_use]
pub fn is_well_formed(text: &str) -> bool {
    text.len() == LENGTH && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// What is kept of a secret that a browser holds.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    /// Of this secret.
    #[must_use]
    pub fn of(secret: &str) -> Self {
        Self(URL_SAFE_NO_PAD.encode(Sha256::digest(secret.as_bytes())))
    }

    /// Whether `secret` is the one, in constant time.
    #[must_use]
    pub fn matches(&self, secret: &str) -> bool {
        Self::of(secret).0.as_bytes().ct_eq(self.0.as_bytes()).into()
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
    fn what_is_made_is_well_formed_and_never_the_same() {
        assert!(is_well_formed(fresh().expose_secret()));
        assert_ne!(fresh().expose_secret(), fresh().expose_secret());
        assert!(is_well_formed(encode([255; 32]).expose_secret()));
        for wrong in ["", "short", "../../etc/passwd", &"a".repeat(44), &"!".repeat(43)] {
            assert!(!is_well_formed(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_digest_matches_its_secret_only() {
        assert!(Digest::of("one").matches("one"));
        assert!(!Digest::of("one").matches("two"));
        assert!(!Digest::of("one").matches(""));
    }
}
