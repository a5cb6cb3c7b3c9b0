//! A bound of the notifications that one org may queue, so that an org with a valid secret does not fill the queue. Pure,
//! except for the lock.
//!
//! The bound holds in each execution environment; the concurrency of the function bounds their number. Salesforce sends a
//! refused message again for 24 hours, so that nothing is lost.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use salesforce::OrgId;

/// The notifications of an org that one execution environment queues in a minute. A bulk load changes up to 10,000
/// records in a batch (Bulk API Developer Guide, "Limits"), and one call of `record-upsert` reads 2,000 of them.
pub const NOTIFICATIONS_PER_MINUTE: usize = 10_000;
const MINUTE: SignedDuration = SignedDuration::from_mins(1);
/// The most orgs that are counted. An execution environment handles one message at a time, so a minute has fewer.
const MAX_ORGS: usize = 1_000;

/// The counts of one execution environment; clones share them.
#[derive(Clone, Debug, Default)]
pub struct OrgLimits(Arc<Mutex<Windows>>);

impl OrgLimits {
    /// Returns whether the org may queue this many notifications now, and counts them if so. Only for orgs that
    /// authenticated.
    #[must_use]
    pub fn admits(&self, org: OrgId, notifications: usize, now: Timestamp) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).admits(org, notifications, now)
    }
}

/// The current minute of each org.
#[derive(Debug, Default)]
struct Windows(HashMap<OrgId, Window>);

/// A minute that begins with an org's first message after its last minute.
#[derive(Clone, Copy, Debug)]
struct Window {
    began_at: Timestamp,
    admitted: usize,
}

impl Window {
    fn is_current(&self, now: Timestamp) -> bool {
        let age = now.duration_since(self.began_at);
        !age.is_negative() && age < MINUTE
    }
}

impl Windows {
    fn admits(&mut self, org: OrgId, notifications: usize, now: Timestamp) -> bool {
        self.make_room(org, now);
        let window = self.0.entry(org).or_insert(Window { began_at: now, admitted: 0 });
        if !window.is_current(now) {
            *window = Window { began_at: now, admitted: 0 };
        }
        let admitted = window.admitted.saturating_add(notifications);
        let admits = admitted <= NOTIFICATIONS_PER_MINUTE;
        if admits {
            window.admitted = admitted;
        }
        admits
    }

    /// Removes ended minutes, and then the one with the fewest notifications, until one more fits.
    fn make_room(&mut self, org: OrgId, now: Timestamp) {
        if self.0.len() < MAX_ORGS || self.0.contains_key(&org) {
            return;
        }
        self.0.retain(|_, window| window.is_current(now));
        let least = self.0.iter().min_by_key(|(_, window)| window.admitted).map(|(org, _)| *org);
        if let Some(least) = least.filter(|_| self.0.len() >= MAX_ORGS) {
            self.0.remove(&least);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn org(n: usize) -> OrgId {
        format!("00D5e{n:010}").parse().unwrap()
    }

    #[test]
    fn an_org_over_the_bound_waits_for_the_next_minute() {
        let limits = OrgLimits::default();
        for _ in 0..NOTIFICATIONS_PER_MINUTE / 100 {
            assert!(limits.admits(org(1), 100, at(0)));
        }
        assert!(!limits.admits(org(1), 1, at(59)));
        assert!(limits.admits(org(2), 100, at(59)), "another org is not concerned");
        assert!(limits.admits(org(1), 100, at(60)));
    }

    #[test]
    fn a_refused_message_does_not_count() {
        let limits = OrgLimits::default();
        assert!(limits.admits(org(1), NOTIFICATIONS_PER_MINUTE - 1, at(0)));
        assert!(!limits.admits(org(1), 2, at(1)));
        assert!(limits.admits(org(1), 1, at(2)));
        assert!(!limits.admits(org(2), NOTIFICATIONS_PER_MINUTE + 1, at(3)));
    }

    #[test]
    fn the_busiest_org_stays_counted_when_there_are_many() {
        let limits = OrgLimits::default();
        assert!(limits.admits(org(0), NOTIFICATIONS_PER_MINUTE, at(0)));
        for n in 1..3 * MAX_ORGS {
            assert!(limits.admits(org(n), 1, at(1)));
        }
        assert!(!limits.admits(org(0), 1, at(2)));
        assert_eq!(limits.0.lock().unwrap().0.len(), MAX_ORGS);
    }

    fn any_message() -> impl Strategy<Value = (usize, usize, i64)> {
        (0..3_usize, 1..4_000_usize, 0..20_i64)
    }

    proptest! {
        #[test]
        fn no_minute_has_more_than_twice_the_bound(messages in prop::collection::vec(any_message(), 1..200)) {
            let limits = OrgLimits::default();
            let mut now = 0;
            let mut admitted: Vec<(usize, usize, i64)> = Vec::new();
            for (sender, count, pause) in messages {
                now += pause;
                if limits.admits(org(sender), count, at(now)) {
                    admitted.push((sender, count, now));
                }
            }
            for (sender, _, end) in &admitted {
                let within = |(other, _, time): &&(usize, usize, i64)| other == sender && (end - 60..=*end).contains(time);
                let sum: usize = admitted.iter().filter(within).map(|(_, count, _)| count).sum();
                prop_assert!(sum <= 2 * NOTIFICATIONS_PER_MINUTE, "{sum}");
            }
        }

        #[test]
        fn an_org_is_admitted_as_if_it_were_alone(messages in prop::collection::vec(any_message(), 1..200)) {
            let (shared, mut now) = (OrgLimits::default(), 0);
            let alone: Vec<OrgLimits> = (0..3).map(|_| OrgLimits::default()).collect();
            for (sender, count, pause) in messages {
                now += pause;
                let expected = alone[sender].admits(org(sender), count, at(now));
                prop_assert_eq!(shared.admits(org(sender), count, at(now)), expected);
            }
        }
    }
}
