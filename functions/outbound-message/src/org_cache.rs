//! The orgs whose secrets this sandbox has seen proven, believed for a minute: a warm call for one of them reads no table.
//!
//! For that minute an address goes on working that was rotated out or whose org was closed. What it can still do is queue
//! hints, each of which names a record that is then read again through the org's own connection, if there is still one.
//! A secret that is not known to be live is looked up at once, so a new address works from its first message.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use salesforce::OrgId;
use store::webhook_secret::verify_among;
use store::{Org, OrgState, SecretHash, verify_webhook_secret};

/// How long what was read is believed.
const BELIEVED: SignedDuration = SignedDuration::from_secs(60);
/// How many orgs are remembered. A sandbox has one message at a time and a minute to remember it.
const MAX_ORGS: usize = 1_000;

/// The orgs that are known; clones share them.
#[derive(Clone, Debug, Default)]
pub struct KnownOrgs(Arc<Mutex<Known>>);

impl KnownOrgs {
    /// The org, if the secret is one that it is known to have.
    pub(crate) fn prove(&self, org: Option<OrgId>, secret: &str, now: Timestamp) -> Option<OrgId> {
        let live = org.map(|org| self.known().live(org, now)).unwrap_or_default();
        let proven = verify_among(&live, secret);
        org.filter(|_| proven)
    }

    /// The org, if the secret is one that it has by what was just `found` of it; which is kept in mind.
    pub(crate) fn learn(&self, org: Option<OrgId>, found: Option<&Org>, secret: &str, now: Timestamp) -> Option<OrgId> {
        let active = found.filter(|org| org.state == OrgState::Active);
        let live = active.map_or(&[][..], |org| &org.webhook_secrets);
        let proven = verify_webhook_secret(active, secret);
        if let Some(org) = org {
            self.known().note(org, live, proven, now);
        }
        org.filter(|_| proven)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rule: what is remembered of which org, and until when. It names no unknown org and no secret, only hashes of live ones.
#[derive(Debug, Default)]
struct Known(HashMap<OrgId, Seen>);

#[derive(Debug)]
struct Seen {
    live: Vec<SecretHash>,
    at: Timestamp,
}

impl Seen {
    fn is_believed(&self, now: Timestamp) -> bool {
        let age = now.duration_since(self.at);
        !age.is_negative() && age < BELIEVED
    }
}

impl Known {
    /// The live secrets of an org, as far as they are known.
    fn live(&self, org: OrgId, now: Timestamp) -> Vec<SecretHash> {
        self.0.get(&org).filter(|seen| seen.is_believed(now)).map(|seen| seen.live.clone()).unwrap_or_default()
    }

    /// Remembers an org once it has proven itself. Of a remembered one, what was read last counts, whoever asked.
    fn note(&mut self, org: OrgId, live: &[SecretHash], proven: bool, now: Timestamp) {
        if live.is_empty() {
            self.0.remove(&org);
        } else if proven || self.0.contains_key(&org) {
            self.make_room(org, now);
            self.0.insert(org, Seen { live: live.to_vec(), at: now });
        }
    }

    /// Forgets what is not believed any more, and then the oldest, until there is room for one more.
    fn make_room(&mut self, org: OrgId, now: Timestamp) {
        if self.0.len() < MAX_ORGS || self.0.contains_key(&org) {
            return;
        }
        self.0.retain(|_, seen| seen.is_believed(now));
        let oldest = self.0.iter().min_by_key(|(_, seen)| seen.at).map(|(org, _)| *org);
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

    fn learn(known: &KnownOrgs, found: &Org, secret: &str, second: i64) -> bool {
        known.learn(Some(found.org_id), Some(found), secret, at(second)).is_some()
    }

    fn knows(known: &KnownOrgs, n: usize, secret: &str, second: i64) -> bool {
        known.prove(Some(id(n)), secret, at(second)).is_some()
    }

    #[test]
    fn a_proven_secret_is_believed_for_a_minute_and_no_other() {
        let known = KnownOrgs::default();
        assert!(!knows(&known, 1, "new", 0));

        assert!(learn(&known, &org(1, OrgState::Active, &["new", "old"]), "new", 0));

        assert!(knows(&known, 1, "new", 0) && knows(&known, 1, "old", 59));
        assert!(
            !knows(&known, 1, "wrong", 1) && !knows(&known, 2, "new", 1) && known.prove(None, "new", at(1)).is_none()
        );
        assert!(!knows(&known, 1, "new", 60));
        assert!(!knows(&known, 1, "new", -1), "a clock that went back proves nothing");
    }

    #[test]
    fn nothing_is_remembered_of_an_org_that_did_not_prove_itself() {
        let known = KnownOrgs::default();
        assert!(!learn(&known, &org(1, OrgState::Active, &["right"]), "wrong", 0));
        assert_eq!(known.learn(Some(id(2)), None, "any", at(0)), None);
        assert_eq!(known.learn(None, None, "any", at(0)), None);
        for state in [OrgState::Claimed, OrgState::Uninstalled, OrgState::Disconnected, OrgState::Quarantined] {
            assert!(!learn(&known, &org(3, state, &["right"]), "right", 0), "{state:?}");
        }
        assert!(known.known().0.is_empty());
    }

    #[test]
    fn what_was_read_last_counts_whoever_asked() {
        let known = KnownOrgs::default();
        learn(&known, &org(1, OrgState::Active, &["second", "first"]), "first", 0);

        assert!(!learn(&known, &org(1, OrgState::Active, &["third", "second"]), "wrong", 10));
        assert!(!knows(&known, 1, "first", 11) && knows(&known, 1, "third", 69));

        assert!(!learn(&known, &org(1, OrgState::Disconnected, &["third"]), "wrong", 20));
        assert!(!knows(&known, 1, "third", 21));
    }

    #[test]
    fn the_oldest_is_forgotten_for_the_newest() {
        let known = KnownOrgs::default();
        for n in 0..=MAX_ORGS {
            let second = if n == 7 { 0 } else { 1 };
            assert!(learn(&known, &org(n, OrgState::Active, &["s"]), "s", second));
        }
        assert_eq!(known.known().0.len(), MAX_ORGS);
        assert!(!knows(&known, 7, "s", 1) && knows(&known, MAX_ORGS, "s", 1));

        learn(&known, &org(5_000, OrgState::Active, &["s"]), "s", 90);
        assert_eq!(known.known().0.len(), 1, "what is not believed any more goes first");
    }
}
