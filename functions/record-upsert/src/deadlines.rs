//! Divides the time of an invocation, so that one org that does not respond delays only its own messages. Pure.

use jiff::{SignedDuration, Timestamp};

/// The time limit for one org: longer than one call of the client with all of its attempts.
const ORG_LIMIT: SignedDuration = SignedDuration::from_secs(25);
/// The time reserved at the end for recording outcomes and re-queueing hints; a quarter of a short invocation.
const RESERVE: SignedDuration = SignedDuration::from_secs(12);
/// The time reserved for returning the response; a twentieth of a short invocation.
const MARGIN: SignedDuration = SignedDuration::from_secs(2);

/// The deadlines of one invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// The time at which the last call to Salesforce must end.
    pub calls_until: Timestamp,
    /// The time at which the last message must be sent.
    pub sends_until: Timestamp,
}

impl Deadlines {
    /// Returns the deadlines of an invocation that starts `now` and is ended at `deadline`.
    #[must_use]
    pub fn new(now: Timestamp, deadline: Timestamp) -> Self {
        let whole = deadline.duration_since(now).max(SignedDuration::ZERO);
        let before = |reserve: SignedDuration| deadline.saturating_sub(reserve).unwrap_or(now);
        Self { calls_until: before(RESERVE.min(whole / 4)), sends_until: before(MARGIN.min(whole / 20)) }
    }

    /// Returns the time at which the calls of an org must end whose turn begins `now`.
    #[must_use]
    pub fn org_until(&self, now: Timestamp) -> Timestamp {
        now.saturating_add(ORG_LIMIT).map_or(self.calls_until, |limit| limit.min(self.calls_until))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(millis).unwrap()
    }

    proptest! {
        #[test]
        fn time_is_left_to_record_to_send_and_to_respond(begin in 0..1_000_000_i64, length in 100..900_000_i64) {
            let deadline = at(begin + length);
            let Deadlines { calls_until, sends_until } = Deadlines::new(at(begin), deadline);
            prop_assert!(at(begin) < calls_until && calls_until < sends_until && sends_until < deadline);
        }

        #[test]
        fn no_org_exceeds_its_own_limit(begin in 0..1_000_000_i64, length in 0..900_000_i64, later in 0..900_000_i64) {
            let deadlines = Deadlines::new(at(begin), at(begin + length));
            let until = deadlines.org_until(at(begin + later));
            prop_assert!(until <= deadlines.calls_until && until <= at(begin + later) + ORG_LIMIT);
        }
    }

    #[test]
    fn a_minute_fits_one_org_that_hangs_and_another_one() {
        let deadlines = Deadlines::new(at(0), at(60_000));
        assert_eq!(deadlines.org_until(at(0)), at(25_000));
        assert_eq!(deadlines.org_until(at(25_000)), at(48_000));
    }
}
