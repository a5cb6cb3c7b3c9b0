//! 256 random bits as text, and the digests that are kept of them.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// The length of 256 bits in base64url.
const LENGTH: usize = 43;

/// 256 bits as a browser carries them.
pub(crate) fn encode(bytes: [u8; 32]) -> SecretString {
    URL_SAFE_NO_PAD.encode(bytes).into()
}

/// Whether a text can be one that [`encode`] made: asked before anything is looked up.
pub(crate) fn is_well_formed(text: &str) -> bool {
    text.len() == LENGTH && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// What is kept of a secret that a browser holds.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Digest(String);

impl Digest {
    pub(crate) fn of(secret: &str) -> Self {
        Self(URL_SAFE_NO_PAD.encode(Sha256::digest(secret.as_bytes())))
    }

    /// Whether `secret` is the one, in constant time.
    pub(crate) fn matches(&self, secret: &str) -> bool {
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
    fn what_is_encoded_is_well_formed() {
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
