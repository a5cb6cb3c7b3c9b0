//! The org's random values: from the system, or from a seed, with which a run can be repeated.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A stream of random bytes that cannot be predicted without its seed. It is saved with the org, so that a loaded org
/// continues the stream.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Random {
    seed: [u8; 32],
    drawn: u64,
}

impl Default for Random {
    fn default() -> Self {
        Self { seed: rand::random(), drawn: 0 }
    }
}

impl Random {
    /// Returns the stream of a seed; without a seed, a different stream in each run.
    pub(crate) fn new(seed: Option<u64>) -> Self {
        seed.map_or_else(Self::default, |seed| Self { seed: Sha256::digest(seed.to_le_bytes()).into(), drawn: 0 })
    }

    /// Returns another stream, independent of later reads from this one.
    pub(crate) fn fork(&self, label: &str) -> Self {
        Self { seed: Sha256::new().chain_update(self.seed).chain_update(label).finalize().into(), drawn: 0 }
    }

    pub(crate) fn bytes(&mut self) -> [u8; 32] {
        self.drawn += 1;
        Sha256::new().chain_update(self.seed).chain_update(self.drawn.to_le_bytes()).finalize().into()
    }

    /// Returns a random UUID.
    pub(crate) fn uuid(&mut self) -> String {
        let mut hex = String::new();
        for byte in &self.bytes()[..16] {
            hex.push_str(&format!("{byte:02x}"));
            if [8, 13, 18, 23].contains(&hex.len()) {
                hex.push('-');
            }
        }
        hex
    }

    /// Returns 43 random characters that are safe in URLs.
    pub(crate) fn text(&mut self) -> String {
        URL_SAFE_NO_PAD.encode(self.bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_stream_and_forks_differ() {
        let (mut a, mut b) = (Random::new(Some(7)), Random::new(Some(7)));
        let mut fork = a.fork("logins");
        assert_eq!(a.text(), b.text());
        assert_ne!(a.text(), fork.text());
        assert_eq!(a.fork("logins").bytes(), b.fork("logins").bytes());
    }

    #[test]
    fn without_a_seed_streams_differ() {
        assert_ne!(Random::new(None).bytes(), Random::new(None).bytes());
    }
}
