//! How an invocation divides its time, so that one org that hangs costs only its own messages. A pure rule.

use jiff::{SignedDuration, Timestamp};

/// How long an org may take: longer than one call of the client with all of its attempts.
const ORG_LIMIT: SignedDuration = SignedDuration::from_secs(25);
/// Kept back from the invocation's time to write outcomes down and to send hints again; a short one keeps back a quarter.
const RESERVE: SignedDuration = SignedDuration::from_secs(12);
/// Kept back to answer; of a short time a twentieth.
const MARGIN: SignedDuration = SignedDuration::from_secs(2);

/// The times of one invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timetable {
    /// Until when Salesforce may be asked.
    pub calls_until: Timestamp,
    /// Until when messages are sent.
    pub sends_until: Timestamp,
}

impl Timetable {
    /// Of an invocation that begins `now` and is ended at `deadline`.
    #[must_use]
    pub fn of(now: Timestamp, deadline: Timestamp) -> Self {
        let whole = deadline.duration_since(now).max(SignedDuration::ZERO);
        let before = |kept: SignedDuration| deadline.saturating_sub(kept).unwrap_or(now);
        Self { calls_until: before(RESERVE.min(whole / 4)), sends_until: before(MARGIN.min(whole / 20)) }
    }

    /// Until when an org may be asked whose turn it is `now`.
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
        fn there_is_always_time_left_to_write_to_send_and_to_answer(begin in 0..1_000_000_i64, length in 100..900_000_i64) {
            let deadline = at(begin + length);
            let Timetable { calls_until, sends_until } = Timetable::of(at(begin), deadline);
            prop_assert!(at(begin) < calls_until && calls_until < sends_until && sends_until < deadline);
        }

        #[test]
        fn no_org_takes_longer_than_its_own_limit(begin in 0..1_000_000_i64, length in 0..900_000_i64, later in 0..900_000_i64) {
            let timetable = Timetable::of(at(begin), at(begin + length));
            let until = timetable.org_until(at(begin + later));
            prop_assert!(until <= timetable.calls_until && until <= at(begin + later) + ORG_LIMIT);
        }
    }

    #[test]
    fn a_minute_has_room_for_one_org_that_hangs_and_another_after_it() {
        let timetable = Timetable::of(at(0), at(60_000));
        assert_eq!(timetable.org_until(at(0)), at(25_000));
        assert_eq!(timetable.org_until(at(25_000)), at(48_000));
    }
}
