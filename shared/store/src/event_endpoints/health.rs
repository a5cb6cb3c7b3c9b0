//! The rules about an endpoint that fails: when it is tried, and when it is paused. Pure.
//!
//! After a few failures in a row an endpoint gets one attempt at a time, with growing pauses between them, whichever record
//! the event is of. So an endpoint that does not answer takes little of the time that the others share.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::PauseReason;
use crate::time;

/// The time for which everything has to fail before an endpoint is paused.
pub const PAUSE_AFTER: SignedDuration = SignedDuration::from_hours(12);
/// The smallest number of failures in a row before an endpoint is paused.
pub const PAUSE_FAILURES: u32 = 8;
/// The number of failures in a row after which an endpoint gets one attempt at a time.
pub const HOLD_FAILURES: u32 = 5;
/// The longest pause between two attempts of an endpoint that fails.
pub const MAX_HOLD: SignedDuration = SignedDuration::from_mins(15);
/// The time that an attempt may take, with its records in the tables.
pub const ATTEMPT: SignedDuration = SignedDuration::from_secs(30);

/// The outcomes of the last attempts of an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The time of the first failure since the last success.
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// The number of failures since the last success.
    #[serde(default)]
    pub failures: u32,
    /// The time before which no attempt begins.
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    pub hold_until: Option<Timestamp>,
}

/// The permission to send to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Send.
    Free,
    /// Send if the health can be stored with this one, which holds up the others while the attempt lasts.
    Alone(Health),
    /// Send later.
    Hold(Timestamp),
}

impl Health {
    /// Returns whether an attempt may begin.
    #[must_use]
    pub fn admit(&self, now: Timestamp) -> Admission {
        if self.failures < HOLD_FAILURES {
            return Admission::Free;
        }
        match self.hold_until.filter(|until| *until > now) {
            Some(until) => Admission::Hold(until),
            None => Admission::Alone(Self { hold_until: Some(later(now, ATTEMPT)), ..*self }),
        }
    }

    /// Returns the health after a failure.
    #[must_use]
    pub fn after_failure(&self, now: Timestamp) -> Self {
        let failures = self.failures.saturating_add(1);
        let doublings = failures.saturating_sub(HOLD_FAILURES).min(10);
        let pause = SignedDuration::from_secs(5 << doublings).min(MAX_HOLD);
        Self {
            failing_since: self.failing_since.or(Some(time::to_millis(now))),
            failures,
            hold_until: (failures >= HOLD_FAILURES).then(|| later(now, pause)),
        }
    }

    /// Returns the reason to pause the endpoint, if there is one. `gone` is `true` after the answer 410.
    #[must_use]
    pub fn pause(&self, gone: bool, now: Timestamp) -> Option<PauseReason> {
        let lasts = |since: Timestamp| now.duration_since(since) >= PAUSE_AFTER;
        if gone {
            Some(PauseReason::Gone)
        } else {
            (self.failures >= PAUSE_FAILURES && self.failing_since.is_some_and(lasts)).then_some(PauseReason::Failing)
        }
    }
}

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    time::to_millis(now.saturating_add(by).unwrap_or(now))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    #[test]
    fn an_endpoint_that_fails_gets_one_attempt_at_a_time() {
        let mut health = Health::default();
        for second in 0..i64::from(HOLD_FAILURES) {
            assert_eq!(health.admit(at(second)), Admission::Free);
            health = health.after_failure(at(second));
        }
        let until = health.hold_until.unwrap();
        assert_eq!(health.admit(at(5)), Admission::Hold(until));
        let Admission::Alone(held) = health.admit(until) else { panic!("the hold is over") };
        assert_eq!(held.admit(until), Admission::Hold(later(until, ATTEMPT)), "while the attempt lasts");
    }

    #[test]
    fn an_endpoint_is_paused_after_half_a_day_of_failures_only() {
        let mut health = Health::default();
        for second in 0..100 {
            health = health.after_failure(at(second));
            assert_eq!(health.pause(false, at(second)), None, "many failures in a short time");
        }
        let half_a_day = PAUSE_AFTER.as_secs();
        assert_eq!(health.pause(false, at(half_a_day - 1)), None);
        assert_eq!(health.pause(false, at(half_a_day)), Some(PauseReason::Failing));
        let once = Health::default().after_failure(at(0));
        assert_eq!(
            once.after_failure(at(half_a_day)).pause(false, at(half_a_day)),
            None,
            "few failures in a long time"
        );
        assert_eq!(Health::default().pause(true, at(0)), Some(PauseReason::Gone));
    }

    proptest! {
        /// A hold never lasts longer than its limit, and never ends without an attempt being possible.
        #[test]
        fn every_hold_ends(pauses in prop::collection::vec(0_i64..4_000, 1..200)) {
            let (mut health, mut second) = (Health::default(), 0);
            for pause in pauses {
                second += pause;
                match health.admit(at(second)) {
                    Admission::Free => health = health.after_failure(at(second)),
                    Admission::Alone(held) => health = held.after_failure(at(second)),
                    Admission::Hold(until) => prop_assert!(until <= later(at(second), MAX_HOLD)),
                }
            }
        }
    }
}
