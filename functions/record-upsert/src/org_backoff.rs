//! Pauses the calls of this execution environment to an org that failed.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use salesforce::{Backoff, OrgId};

/// The pauses after failures in a row: each twice as long as the one before.
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(5), 2, LONGEST_PAUSE);
/// The longest pause, so that an org that recovers is called again soon.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The failures of an org in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Failures {
    count: u32,
    /// The time at which the pause ends.
    until: Timestamp,
    /// The last failure, as a stable code.
    reason: String,
}

impl Failures {
    /// Adds one failure, whose response asks for `pause`.
    fn after(earlier: Option<&Self>, reason: &str, pause: Duration, now: Timestamp) -> Self {
        let count = earlier.map_or(0, |earlier| earlier.count).saturating_add(1);
        let pause = BACKOFF.pause(count - 1).max(pause).min(LONGEST_PAUSE);
        let until = now.saturating_add(SignedDuration::try_from(pause).unwrap_or_default()).unwrap_or(now);
        Self { count, until, reason: reason.to_owned() }
    }
}

/// The orgs whose calls are paused, for the life of the execution environment.
#[derive(Debug, Default)]
pub struct OrgBackoff {
    failures: Mutex<HashMap<OrgId, Failures>>,
}

impl OrgBackoff {
    /// Returns the reason of the last failure while the org's calls are paused.
    #[must_use]
    pub fn paused(&self, org: OrgId, now: Timestamp) -> Option<String> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.get(&org).filter(|failures| now < failures.until).map(|failures| failures.reason.clone())
    }

    /// Records a failed call.
    pub fn failed(&self, org: OrgId, reason: &str, pause: Duration, now: Timestamp) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let after = Failures::after(failures.get(&org), reason, pause, now);
        failures.insert(org, after);
    }

    /// Ends the pause: the org has responded.
    pub fn responded(&self, org: OrgId) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(&org);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: SignedDuration = SignedDuration::from_secs(1);

    fn start() -> Timestamp {
        "2026-11-22T10:00:00Z".parse().unwrap()
    }

    fn org() -> OrgId {
        "00D5e000000KQ2eEAG".parse().unwrap()
    }

    proptest! {
        #[test]
        fn a_pause_is_at_most_a_minute(pauses in prop::collection::vec(0..4_000_u64, 1..40)) {
            let (backoff, mut now) = (OrgBackoff::default(), start());
            for pause in pauses {
                backoff.failed(org(), "salesforce_unavailable", Duration::from_secs(pause), now);
                prop_assert!(backoff.paused(org(), now).is_some());
                let requested = Duration::from_secs(pause.min(60)).saturating_sub(Duration::from_secs(1));
                let requested = SignedDuration::try_from(requested).unwrap();
                prop_assert!(backoff.paused(org(), now + requested).is_some());
                now += SignedDuration::from_secs(60);
                prop_assert_eq!(backoff.paused(org(), now), None);
            }
        }

        #[test]
        fn an_org_that_keeps_failing_is_called_once_a_minute(minutes in 10..120_i64) {
            let (backoff, mut now, mut calls) = (OrgBackoff::default(), start(), 0);
            let end = start() + SignedDuration::from_mins(minutes);
            while now < end {
                if backoff.paused(org(), now).is_none() {
                    calls += 1;
                    backoff.failed(org(), "salesforce_unavailable", Duration::ZERO, now);
                }
                now += SECOND;
            }
            prop_assert!(calls <= minutes + 4, "{calls}");
        }
    }

    #[test]
    fn a_response_ends_the_pause() {
        let backoff = OrgBackoff::default();
        for _ in 0..5 {
            backoff.failed(org(), "org_too_slow", Duration::ZERO, start());
        }
        backoff.responded(org());
        assert_eq!(backoff.paused(org(), start()), None);

        backoff.failed(org(), "org_too_slow", Duration::ZERO, start());
        assert_eq!(backoff.paused(org(), start() + SECOND * 4).as_deref(), Some("org_too_slow"));
        assert_eq!(backoff.paused(org(), start() + SECOND * 5), None);
    }
}
