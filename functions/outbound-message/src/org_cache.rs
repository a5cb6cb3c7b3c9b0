//! A cache of orgs that authenticated within the last minute, so that a warm call reads no table.
//!
//! For that minute an address keeps working that was rotated out or whose org was closed. It can only queue hints, each of
//! which names a record that is read again through the org's own connection, if there still is one.
//! A secret that is not in the cache is looked up at once, so a new address works from its first message.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use salesforce::OrgId;
use store::webhook_secret::verify_among;
use store::{Org, OrgState, SecretHash, verify_webhook_secret};

/// The time for which an entry is valid.
const TTL: SignedDuration = SignedDuration::from_secs(60);
/// The most entries. An execution environment handles one message at a time, so a minute has fewer.
const MAX_ORGS: usize = 1_000;

/// The cache of one execution environment; clones share it.
#[derive(Clone, Debug, Default)]
pub struct OrgCache(Arc<Mutex<Entries>>);

impl OrgCache {
    /// Returns the org if the secret is one of its cached live secrets.
    pub(crate) fn verify(&self, org: Option<OrgId>, secret: &str, now: Timestamp) -> Option<OrgId> {
        let live = org.map(|org| self.entries().live_secrets(org, now)).unwrap_or_default();
        // Compares also without an entry, so that every address costs the same work.
        let verified = verify_among(&live, secret);
        org.filter(|_| verified)
    }

    /// Returns the org if the secret is one of the live secrets of its `row`, and caches the row.
    pub(crate) fn verify_row(
        &self,
        org: Option<OrgId>,
        row: Option<&Org>,
        secret: &str,
        now: Timestamp,
    ) -> Option<OrgId> {
        let active = row.filter(|org| org.state == OrgState::Active);
        let live = active.map_or(&[][..], |org| &org.webhook_secrets);
        let verified = verify_webhook_secret(active, secret);
        if let Some(org) = org {
            self.entries().update(org, live, verified, now);
        }
        org.filter(|_| verified)
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The entries by org. They hold hashes of live secrets only, and no unknown org.
#[derive(Debug, Default)]
struct Entries(HashMap<OrgId, Entry>);

#[derive(Debug)]
struct Entry {
    live: Vec<SecretHash>,
    read_at: Timestamp,
}

impl Entry {
    fn is_valid(&self, now: Timestamp) -> bool {
        let age = now.duration_since(self.read_at);
        !age.is_negative() && age < TTL
    }
}

impl Entries {
    fn live_secrets(&self, org: OrgId, now: Timestamp) -> Vec<SecretHash> {
        self.0.get(&org).filter(|entry| entry.is_valid(now)).map(|entry| entry.live.clone()).unwrap_or_default()
    }

    /// Adds an org once it has authenticated. An existing entry is replaced by every later read of the row.
    fn update(&mut self, org: OrgId, live: &[SecretHash], verified: bool, now: Timestamp) {
        if live.is_empty() {
            self.0.remove(&org);
        } else if verified || self.0.contains_key(&org) {
            self.make_room(org, now);
            self.0.insert(org, Entry { live: live.to_vec(), read_at: now });
        }
    }

    /// Removes expired entries, and then the oldest, until one more fits.
    fn make_room(&mut self, org: OrgId, now: Timestamp) {
        if self.0.len() < MAX_ORGS || self.0.contains_key(&org) {
            return;
        }
        self.0.retain(|_, entry| entry.is_valid(now));
        let oldest = self.0.iter().min_by_key(|(_, entry)| entry.read_at).map(|(org, _)| *org);
        if let Some(oldest) = oldest.filter(|_| self.0.len() >= MAX_ORGS) {
            self.0.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use store::webhook_secret::digest;
    use store::{Environment, OrgState};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000 + second).unwrap()
    }

    fn id(n: usize) -> OrgId {
        format!("00D5e{n:010}").parse().unwrap()
    }

    fn org(n: usize, state: OrgState, secrets: &[&str]) -> Org {
        let hash = |secret: &&str| SecretHash { sha256: digest(secret), created_at: at(0) };
        let webhook_secrets = secrets.iter().map(hash).collect();
        Org { state, webhook_secrets, ..Org::claimed(id(n), Environment::Production, at(0)) }
    }

    fn read(cache: &OrgCache, row: &Org, secret: &str, second: i64) -> bool {
        cache.verify_row(Some(row.org_id), Some(row), secret, at(second)).is_some()
    }

    fn is_cached(cache: &OrgCache, n: usize, secret: &str, second: i64) -> bool {
        cache.verify(Some(id(n)), secret, at(second)).is_some()
    }

    #[test]
    fn a_verified_secret_is_cached_for_a_minute() {
        let cache = OrgCache::default();
        assert!(!is_cached(&cache, 1, "new", 0));

        assert!(read(&cache, &org(1, OrgState::Active, &["new", "old"]), "new", 0));

        assert!(is_cached(&cache, 1, "new", 0) && is_cached(&cache, 1, "old", 59));
        assert!(
            !is_cached(&cache, 1, "wrong", 1)
                && !is_cached(&cache, 2, "new", 1)
                && cache.verify(None, "new", at(1)).is_none()
        );
        assert!(!is_cached(&cache, 1, "new", 60));
        assert!(!is_cached(&cache, 1, "new", -1), "a clock that went back makes an entry invalid");
    }

    #[test]
    fn an_org_that_did_not_authenticate_is_not_cached() {
        let cache = OrgCache::default();
        assert!(!read(&cache, &org(1, OrgState::Active, &["right"]), "wrong", 0));
        assert_eq!(cache.verify_row(Some(id(2)), None, "any", at(0)), None);
        assert_eq!(cache.verify_row(None, None, "any", at(0)), None);
        for state in [OrgState::Claimed, OrgState::Uninstalled, OrgState::Disconnected, OrgState::Quarantined] {
            assert!(!read(&cache, &org(3, state, &["right"]), "right", 0), "{state:?}");
        }
        assert!(cache.entries().0.is_empty());
    }

    #[test]
    fn the_last_read_of_a_row_replaces_its_entry() {
        let cache = OrgCache::default();
        read(&cache, &org(1, OrgState::Active, &["second", "first"]), "first", 0);

        assert!(!read(&cache, &org(1, OrgState::Active, &["third", "second"]), "wrong", 10));
        assert!(!is_cached(&cache, 1, "first", 11) && is_cached(&cache, 1, "third", 69));

        assert!(!read(&cache, &org(1, OrgState::Disconnected, &["third"]), "wrong", 20));
        assert!(!is_cached(&cache, 1, "third", 21));
    }

    #[test]
    fn the_oldest_entry_makes_room_for_the_newest() {
        let cache = OrgCache::default();
        for n in 0..=MAX_ORGS {
            let second = if n == 7 { 0 } else { 1 };
            assert!(read(&cache, &org(n, OrgState::Active, &["s"]), "s", second));
        }
        assert_eq!(cache.entries().0.len(), MAX_ORGS);
        assert!(!is_cached(&cache, 7, "s", 1) && is_cached(&cache, MAX_ORGS, "s", 1));

        read(&cache, &org(5_000, OrgState::Active, &["s"]), "s", 90);
        assert_eq!(cache.entries().0.len(), 1, "expired entries are removed first");
    }

    #[test]
    fn wrong_addresses_do_not_evict_an_org() {
        let cache = OrgCache::default();
        assert!(read(&cache, &org(1, OrgState::Active, &["s"]), "s", 0));
        for n in 2..3 * MAX_ORGS {
            assert!(!read(&cache, &org(n, OrgState::Active, &["s"]), "wrong", 1));
            assert_eq!(cache.verify_row(Some(id(10_000 + n)), None, "wrong", at(1)), None);
        }
        assert!(is_cached(&cache, 1, "s", 1));
        assert_eq!(cache.entries().0.len(), 1);
    }
}
