//! The public keys with which login hosts sign their id_tokens (`/id/keys`), remembered for a day.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::DecodingKey;
use serde::Deserialize;

use crate::transport::{Request, Target};
use crate::{Classify as _, Error, Http, Retry};

/// How long keys are believed without being asked for again.
const FRESH: SignedDuration = SignedDuration::from_hours(24);
/// How often a host is asked at most for a key that it did not have.
const AGAIN: SignedDuration = SignedDuration::from_mins(1);
/// How many hosts are remembered; each org may sign on a host of its own.
const MAX_HOSTS: usize = 64;
/// How many keys of a host are looked at.
const MAX_KEYS: usize = 32;
/// The longest part of a key that is read: twice that of the greatest RSA key in use.
const MAX_PART: usize = 2_048;

/// What is known of the hosts' keys; clones share it.
#[derive(Clone, Default)]
pub(crate) struct SigningKeys(Arc<Mutex<HashMap<String, Known>>>);

#[derive(Clone)]
struct Known {
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
    #[serde(default)]
    n: String,
    #[serde(default)]
    e: String,
}

#[derive(Deserialize)]
struct Answer {
    keys: Vec<Key>,
}

/// Whether the host is to be asked: for the first time, after a day, and for a key that it did not have, but not over and
/// over.
fn is_due(known: Option<(bool, Timestamp)>, now: Timestamp) -> bool {
    let Some((has_it, fetched_at)) = known else { return true };
    let age = now.duration_since(fetched_at);
    age >= FRESH || (!has_it && age >= AGAIN)
}

impl SigningKeys {
    /// The key of a host by its id; `None` when the host has none of that id.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] and its like, worth trying again, when the keys cannot be fetched.
    pub(super) async fn find(&self, http: &Http, host: &str, key_id: &str) -> Result<Option<DecodingKey>, Error> {
        let now = http.clock().now();
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(host).cloned();
        let has_it = |known: &Known| known.keys.iter().any(|key| key.kid == key_id);
        let known = match known {
            Some(known) if !is_due(Some((has_it(&known), known.fetched_at)), now) => known,
            _ => self.fetch(http, host, now).await?,
        };
        Ok(known.keys.iter().find(|key| key.kid == key_id).and_then(Key::usable))
    }

    async fn fetch(&self, http: &Http, host: &str, now: Timestamp) -> Result<Known, Error> {
        const OPERATION: &str = "fetch the signing keys";
        let target = Target { base: host, token: None, meter: None };
        let answer = http.call(&target, &Request::get(OPERATION, "/id/keys".to_owned())).await;
        let Answer { mut keys } = answer.and_then(|answer| answer.json()).map_err(|error| not_now(OPERATION, error))?;
        keys.retain(Key::is_rs256);
        keys.truncate(MAX_KEYS);
        let known = Known { keys: Arc::new(keys), fetched_at: now };
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if hosts.len() >= MAX_HOSTS {
            hosts.clear();
        }
        hosts.insert(host.to_owned(), known.clone());
        Ok(known)
    }
}

impl Key {
    fn is_rs256(&self) -> bool {
        let fits = self.n.len() <= MAX_PART && self.e.len() <= MAX_PART && !self.kid.is_empty();
        fits && self.kty == "RSA" && self.alg.as_deref().is_none_or(|alg| alg == "RS256")
    }

    fn usable(&self) -> Option<DecodingKey> {
        DecodingKey::from_rsa_components(&self.n, &self.e).ok()
    }
}

/// Whatever keeps the keys away says nothing about the consent, which may be begun again.
fn not_now(operation: &'static str, error: Error) -> Error {
    match error.retry() {
        Retry::After(_) | Retry::Unknown(_) => error,
        Retry::Never | Retry::NeedsHuman => {
            let retry = Retry::After(std::time::Duration::from_secs(60));
            Error::Unavailable { operation, status: 200, code: None, retry }
        }
    }
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKeys")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn an_unknown_key_is_asked_for_once_a_minute_and_a_known_one_once_a_day() {
        assert!(is_due(None, at(0)));
        assert!(!is_due(Some((true, at(0))), at(86_399)) && is_due(Some((true, at(0))), at(86_400)));
        assert!(!is_due(Some((false, at(0))), at(59)) && is_due(Some((false, at(0))), at(60)));
    }

    #[test]
    fn only_rsa_keys_for_signatures_are_taken() {
        let key = |json: &str| serde_json::from_str::<Key>(json).unwrap().is_rs256();
        assert!(key(r#"{"kty":"RSA","alg":"RS256","use":"sig","kid":"1","n":"AQAB","e":"AQAB"}"#));
        assert!(!key(r#"{"kty":"RSA","alg":"RS512","kid":"1","n":"AQAB","e":"AQAB"}"#));
        assert!(!key(r#"{"kty":"oct","kid":"1","k":"AQAB"}"#));
        assert!(!key(r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#));
        assert!(!key(&format!(r#"{{"kty":"RSA","kid":"1","n":"{}","e":"AQAB"}}"#, "A".repeat(5_000))));
    }
}
