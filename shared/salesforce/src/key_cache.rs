//! The public keys with which login hosts sign id_tokens, cached for a day.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::Value;

/// The time after which a host's keys are fetched again.
const TTL: SignedDuration = SignedDuration::from_hours(24);
/// The shortest time between two fetches from a host because of an unknown key.
const MIN_FETCH_INTERVAL: SignedDuration = SignedDuration::from_mins(1);
/// The number of hosts in the cache; each org may sign on a host of its own.
const MAX_HOSTS: usize = 64;
/// The number of keys that are read of a host.
const MAX_KEYS: usize = 32;
/// The size limit of a key's modulus and exponent, in characters: that of an RSA key of 12,288 bits.
const MAX_KEY_PART: usize = 2_048;

/// The keys by host; clones share them.
#[derive(Clone, Default)]
pub(crate) struct KeyCache(Arc<Mutex<HashMap<String, HostKeys>>>);

/// The keys of a host at the time of a fetch.
#[derive(Clone)]
pub(crate) struct HostKeys {
    keys: Arc<Vec<Key>>,
    fetched_at: Timestamp,
}

/// An RSA key as a JSON Web Key (RFC 7517).
#[derive(Clone, Deserialize)]
struct Key {
    kty: String,
    #[serde(default)]
    kid: String,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default, rename = "use")]
    usage: Option<String>,
    #[serde(default)]
    n: String,
    #[serde(default)]
    e: String,
}

impl KeyCache {
    /// Returns the cached keys of a host, or `None` when they are to be fetched because of their age or of an unknown key.
    pub(crate) fn get(&self, host: &str, key_id: &str, now: Timestamp) -> Option<HostKeys> {
        let hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.get(host).filter(|keys| !keys.is_due(key_id, now)).cloned()
    }

    /// Stores the keys of a host. A full cache is emptied first, unless it has the host.
    pub(crate) fn insert(&self, host: &str, keys: HostKeys) {
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if hosts.len() >= MAX_HOSTS && !hosts.contains_key(host) {
            hosts.clear();
        }
        hosts.insert(host.to_owned(), keys);
    }
}

impl HostKeys {
    /// Keeps the RS256 keys of a response. A malformed key does not make the others unusable.
    pub(crate) fn new(keys: Vec<Value>, fetched_at: Timestamp) -> Self {
        let keys = keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).filter(Key::is_rs256);
        Self { keys: Arc::new(keys.take(MAX_KEYS).collect()), fetched_at }
    }

    /// Returns the usable key with this id.
    pub(crate) fn find(&self, key_id: &str) -> Option<DecodingKey> {
        let key = self.keys.iter().find(|key| key.kid == key_id)?;
        DecodingKey::from_rsa_components(&key.n, &key.e).ok()
    }

    /// Returns whether the keys are to be fetched again: after a day, or for an unknown key at most once a minute, because a
    /// forged token may name any key.
    fn is_due(&self, key_id: &str, now: Timestamp) -> bool {
        let age = now.duration_since(self.fetched_at);
        let is_known = self.keys.iter().any(|key| key.kid == key_id);
        age >= TTL || (!is_known && age >= MIN_FETCH_INTERVAL)
    }
}

impl Key {
    fn is_rs256(&self) -> bool {
        let fits = self.n.len() <= MAX_KEY_PART && self.e.len() <= MAX_KEY_PART && !self.kid.is_empty();
        let is_for_signatures = self.usage.as_deref().is_none_or(|usage| usage == "sig");
        fits && is_for_signatures && self.kty == "RSA" && self.alg.as_deref().is_none_or(|alg| alg == "RS256")
    }
}

impl fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyCache")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "https://login.salesforce.com";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn key(json: &str) -> Value {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_known_key_is_fetched_daily_and_an_unknown_one_every_minute() {
        let cache = KeyCache::default();
        assert!(cache.get(HOST, "1", at(0)).is_none());

        cache.insert(HOST, HostKeys::new(vec![key(r#"{"kty":"RSA","kid":"1","n":"AQAB","e":"AQAB"}"#)], at(0)));

        let is_cached = |key_id, second| cache.get(HOST, key_id, at(second)).is_some();
        assert!(is_cached("1", 86_399) && !is_cached("1", 86_400));
        assert!(is_cached("2", 59) && !is_cached("2", 60));
    }

    #[test]
    fn a_full_cache_is_emptied() {
        let cache = KeyCache::default();
        for host in 0..=MAX_HOSTS {
            cache.insert(&host.to_string(), HostKeys::new(Vec::new(), at(0)));
        }
        assert_eq!(cache.0.lock().unwrap().len(), 1);
    }

    #[test]
    fn keys_that_are_fetched_again_replace_the_earlier_ones() {
        let cache = KeyCache::default();
        for host in 0..MAX_HOSTS {
            cache.insert(&host.to_string(), HostKeys::new(Vec::new(), at(0)));
        }
        cache.insert("0", HostKeys::new(Vec::new(), at(1)));
        assert_eq!(cache.0.lock().unwrap().len(), MAX_HOSTS);
    }

    #[test]
    fn a_malformed_key_does_not_remove_the_others() {
        let keys = [r#"{"kid":null}"#, r#"{"kty":"RSA","kid":"1","n":"AQAB","e":"AQAB"}"#, "7"].map(key);
        assert_eq!(HostKeys::new(keys.to_vec(), at(0)).keys.len(), 1);
    }

    #[test]
    fn only_rsa_keys_for_signatures_are_kept() {
        let is_kept = |json: &str| !HostKeys::new(vec![key(json)], at(0)).keys.is_empty();
        assert!(is_kept(r#"{"kty":"RSA","alg":"RS256","use":"sig","kid":"1","n":"AQAB","e":"AQAB"}"#));
        assert!(!is_kept(r#"{"kty":"RSA","alg":"RS512","kid":"1","n":"AQAB","e":"AQAB"}"#));
        assert!(!is_kept(r#"{"kty":"RSA","use":"enc","kid":"1","n":"AQAB","e":"AQAB"}"#));
        assert!(!is_kept(r#"{"kty":"oct","kid":"1","k":"AQAB"}"#));
        assert!(!is_kept(r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#));
        assert!(!is_kept(&format!(r#"{{"kty":"RSA","kid":"1","n":"{}","e":"AQAB"}}"#, "A".repeat(5_000))));
    }
}
