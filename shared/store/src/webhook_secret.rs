//! The secret in an org's webhook address: 256 bits, stored as a hash. Two secrets are live, so that one can be
//! rotated.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use rand::Rng;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use subtle::{Choice, ConstantTimeEq as _};

use crate::ids::sha256_hex;

/// The highest number of live secrets: the newest, and the one that it replaces.
pub const MAX_LIVE: usize = 2;

/// A new secret. It is shown once and not stored.
pub struct WebhookSecret(SecretString);

impl WebhookSecret {
    /// Generates 256 bits from `rng`, which must be a cryptographic one.
    pub fn generate(rng: &mut impl Rng) -> Self {
        let mut bytes = [0_u8; 32];
        rng.fill_bytes(&mut bytes);
        Self(URL_SAFE_NO_PAD.encode(bytes).into())
    }

    /// Returns the path segment for Salesforce.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }

    /// Returns the hash to store.
    #[must_use]
    pub fn hash(&self, created_at: Timestamp) -> SecretHash {
        SecretHash { sha256: sha256_hex(self.reveal().as_bytes()), created_at }
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret([hidden])")
    }
}

/// The stored hash of a live secret. A plain digest is enough for 256 random bits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretHash {
    /// The SHA-256 of the secret, in hexadecimal.
    pub sha256: String,
    /// The time at which the secret was generated.
    #[serde(with = "crate::time::millis")]
    pub created_at: Timestamp,
}

/// Returns whether `presented` is one of these secrets, of which there are at most [`MAX_LIVE`]. The work is always the
/// same.
#[must_use]
pub fn verify_among(hashes: &[SecretHash], presented: &str) -> bool {
    let digest = sha256_hex(presented.as_bytes());
    let mut found = Choice::from(0);
    for slot in 0..MAX_LIVE {
        let stored = hashes.get(slot).map_or(DUMMY, |hash| hash.sha256.as_str());
        found |= digest.as_bytes().ct_eq(stored.as_bytes());
    }
    found.into()
}

/// Returns the stored form of a presented secret.
#[must_use]
pub fn digest(presented: &str) -> String {
    sha256_hex(presented.as_bytes())
}

/// A stand-in for a missing hash: as long as a digest, but not one.
const DUMMY: &str = "????????????????????????????????????????????????????????????????";

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;

    fn hashes(secrets: &[&WebhookSecret]) -> Vec<SecretHash> {
        secrets.iter().map(|secret| secret.hash(Timestamp::UNIX_EPOCH)).collect()
    }

    fn secrets() -> [WebhookSecret; 3] {
        let mut rng = StdRng::seed_from_u64(1);
        std::array::from_fn(|_| WebhookSecret::generate(&mut rng))
    }

    #[test]
    fn a_secret_has_256_bits_in_a_path_segment() {
        let [secret, other, _] = secrets();
        assert_eq!(URL_SAFE_NO_PAD.decode(secret.reveal()).unwrap().len(), 32);
        assert_ne!(secret.reveal(), other.reveal());
    }

    #[test]
    fn both_live_secrets_are_accepted_and_no_other() {
        let [new, old, foreign] = secrets();
        let live = hashes(&[&new, &old]);
        assert!(verify_among(&live, new.reveal()));
        assert!(verify_among(&live, old.reveal()));
        assert!(!verify_among(&live, foreign.reveal()));
        assert!(!verify_among(&live, ""));
    }

    #[test]
    fn no_secret_matches_an_empty_list() {
        let [secret, ..] = secrets();
        for presented in [secret.reveal(), DUMMY, ""] {
            assert!(!verify_among(&[], presented));
        }
    }

    #[test]
    fn the_dummy_has_the_length_of_a_digest() {
        assert_eq!(DUMMY.len(), sha256_hex(b"").len());
        assert!(!DUMMY.bytes().any(|byte| byte.is_ascii_hexdigit()));
    }

    #[test]
    fn neither_the_hash_nor_debug_shows_the_secret() {
        let [secret, ..] = secrets();
        let stored = format!("{:?}{secret:?}", secret.hash(Timestamp::UNIX_EPOCH));
        assert!(!stored.contains(secret.reveal()));
    }
}
