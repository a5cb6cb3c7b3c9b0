//! The memory of orgs in trouble: for a moment they are not asked again by this sandbox.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use salesforce::OrgId;

/// How long an org is left alone after its first failure; twice as long after each further one in a row.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// And at most this long, so that an org that is well again is noticed soon.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// An org's trouble.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Trouble {
    /// Failures in a row.
    failures: u32,
    /// Until when the org is left alone.
    until: Timestamp,
    /// The last failure, as a stable code.
    reason: String,
}

impl Trouble {
    /// After one more failure, whose answer asks for `pause`.
    fn after(known: Option<&Self>, reason: &str, pause: Duration, now: Timestamp) -> Self {
        let failures = known.map_or(0, |known| known.failures).saturating_add(1);
        let doubled = FIRST_PAUSE.saturating_mul(1 << (failures - 1).min(8));
        let pause = doubled.max(pause).min(LONGEST_PAUSE);
        let until = now.saturating_add(SignedDuration::try_from(pause).unwrap_or_default()).unwrap_or(now);
        Self { failures, until, reason: reason.to_owned() }
    }
}

/// What a sandbox remembers of orgs in trouble.
#[derive(Debug, Default)]
pub struct BackOff {
    known: Mutex<HashMap<OrgId, Trouble>>,
}

impl BackOff {
    /// Why the org is to be left alone now, if it is.
    #[must_use]
    pub fn holds(&self, org: OrgId, now: Timestamp) -> Option<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&org).filter(|trouble| now < trouble.until).map(|trouble| trouble.reason.clone())
    }

    /// The org could not be asked.
    pub fn failed(&self, org: OrgId, reason: &str, pause: Duration, now: Timestamp) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let trouble = Trouble::after(known.get(&org), reason, pause, now);
        known.insert(org, trouble);
    }

    /// The org has answered.
    pub fn answered(&self, org: OrgId) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(&org);
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
        fn an_org_is_never_left_alone_for_longer_than_a_minute(pauses in prop::collection::vec(0..4_000_u64, 1..40)) {
            let (memory, mut now) = (BackOff::default(), start());
            for pause in pauses {
                memory.failed(org(), "salesforce_unavailable", Duration::from_secs(pause), now);
                prop_assert!(memory.holds(org(), now).is_some());
                let asked_for = Duration::from_secs(pause.min(60)).saturating_sub(Duration::from_secs(1));
                let asked_for = SignedDuration::try_from(asked_for).unwrap();
                prop_assert!(memory.holds(org(), now + asked_for).is_some());
                now += SignedDuration::from_secs(60);
                prop_assert_eq!(memory.holds(org(), now), None);
            }
        }

        #[test]
        fn an_org_that_keeps_failing_is_asked_less_than_twice_a_minute_in_the_long_run(minutes in 10..120_i64) {
            let (memory, mut now, mut asked) = (BackOff::default(), start(), 0);
            let end = start() + SignedDuration::from_mins(minutes);
            while now < end {
                if memory.holds(org(), now).is_none() {
                    asked += 1;
                    memory.failed(org(), "salesforce_unavailable", Duration::ZERO, now);
                }
                now += SECOND;
            }
            prop_assert!(asked <= minutes + 4, "{asked}");
        }
    }

    #[test]
    fn an_answer_ends_the_trouble() {
        let memory = BackOff::default();
        for _ in 0..5 {
            memory.failed(org(), "org_too_slow", Duration::ZERO, start());
        }
        memory.answered(org());
        assert_eq!(memory.holds(org(), start()), None);

        memory.failed(org(), "org_too_slow", Duration::ZERO, start());
        assert_eq!(memory.holds(org(), start() + SECOND * 4).as_deref(), Some("org_too_slow"));
        assert_eq!(memory.holds(org(), start() + SECOND * 5), None);
    }
}
