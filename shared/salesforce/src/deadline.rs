//! The end of the current invocation, which no call to AWS or Salesforce outlasts.
//!
//! Lambda kills a function at the end of its invocation, whatever it waits for. `runtime` states that end once for each
//! invocation, for the task that handles it; [`TimeLimit::now`] reads it before each call. A program that is no function has
//! no such end: there, only the fixed limits apply.

use std::time::Duration;

use jiff::Timestamp;

use crate::Clock;

tokio::task_local! {
    static CURRENT: Deadline;
}

/// The length of an invocation from which on limits and reserves are kept in full: the shortest timeout of a deployed function. A
/// shorter invocation, as in a test, divides its time in the same proportions.
const FULL_LENGTH: Duration = Duration::from_secs(20);

/// The end of an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    ends_at: Timestamp,
    length: Duration,
}

impl Deadline {
    /// Returns the deadline of an invocation that begins `now` and that Lambda ends at `ends_at`.
    #[must_use]
    pub fn new(now: Timestamp, ends_at: Timestamp) -> Self {
        Self { ends_at, length: between(now, ends_at) }
    }

    /// Runs a future with this deadline. It applies to all calls that the future makes itself, not to tasks that it spawns.
    pub async fn scope<F: Future>(self, future: F) -> F::Output {
        CURRENT.scope(self, future).await
    }

    /// Returns the time that is left for a call after which `reserve` has to remain, and at most half of the invocation.
    #[must_use]
    pub fn time_left(&self, now: Timestamp, reserve: Duration) -> Duration {
        between(now, self.ends_at).saturating_sub(self.in_proportion(reserve).min(self.length / 2))
    }

    fn in_proportion(&self, time: Duration) -> Duration {
        if self.length >= FULL_LENGTH {
            time
        } else {
            time.mul_f64(self.length.as_secs_f64() / FULL_LENGTH.as_secs_f64())
        }
    }
}

fn between(start: Timestamp, end: Timestamp) -> Duration {
    Duration::try_from(end.duration_since(start)).unwrap_or_default()
}

/// The time that a kind of call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeLimit {
    /// The longest time, however much is left.
    pub longest: Duration,
    /// The shortest time that is worth a call: with less, none is made.
    pub shortest: Duration,
    /// The time that has to remain after the call, so that the caller can still act on its failure.
    pub reserve: Duration,
}

impl TimeLimit {
    /// Returns the time that a call may take that begins now.
    ///
    /// # Errors
    /// The invocation ends too soon: the call must not be made.
    pub fn now(&self, clock: &Clock) -> Result<Duration, OutOfTime> {
        CURRENT.try_with(|deadline| self.within(deadline, clock.now())).unwrap_or(Ok(self.longest))
    }

    fn within(&self, deadline: &Deadline, now: Timestamp) -> Result<Duration, OutOfTime> {
        let left = deadline.time_left(now, self.reserve);
        if left < deadline.in_proportion(self.shortest) || left.is_zero() {
            return Err(OutOfTime);
        }
        Ok(left.min(deadline.in_proportion(self.longest)))
    }
}

/// The invocation ends too soon for another call. Nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the invocation has no time left")]
pub struct OutOfTime;

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;

    const LIMIT: TimeLimit = TimeLimit {
        longest: Duration::from_secs(8),
        shortest: Duration::from_millis(500),
        reserve: Duration::from_secs(1),
    };

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(millis).unwrap()
    }

    #[test]
    fn a_call_ends_before_the_reserve() {
        let deadline = Deadline::new(at(0), at(29_000));
        assert_eq!(LIMIT.within(&deadline, at(0)), Ok(Duration::from_secs(8)));
        assert_eq!(LIMIT.within(&deadline, at(24_000)), Ok(Duration::from_secs(4)));
        assert_eq!(LIMIT.within(&deadline, at(27_500)), Ok(Duration::from_millis(500)));
        assert_eq!(LIMIT.within(&deadline, at(27_501)), Err(OutOfTime));
    }

    #[test]
    fn a_short_invocation_reserves_in_proportion() {
        let deadline = Deadline::new(at(0), at(2_000));
        assert_eq!(deadline.time_left(at(0), Duration::from_secs(5)), Duration::from_millis(1_500));
        assert_eq!(deadline.time_left(at(0), Duration::from_secs(30)), Duration::from_secs(1));
        assert_eq!(LIMIT.within(&deadline, at(0)), Ok(Duration::from_millis(800)));
    }

    #[tokio::test]
    async fn a_deadline_applies_to_calls_in_its_scope_only() {
        let clock = Clock::manual(at(0));
        let deadline = Deadline::new(at(0), at(20_000));
        clock.advance(SignedDuration::from_secs(15));
        let inside = deadline.scope(async { tokio::join!(async { LIMIT.now(&clock) }) }).await;
        assert_eq!(inside, (Ok(Duration::from_secs(4)),));
        assert_eq!(LIMIT.now(&clock), Ok(Duration::from_secs(8)));
    }

    proptest! {
        #[test]
        fn no_call_takes_the_reserve(length in 0_i64..900_000, spent in 0_i64..1_000_000, longest in 1_u64..200_000, reserve in 0_u64..60_000) {
            let deadline = Deadline::new(at(0), at(length));
            let limit = TimeLimit { longest: Duration::from_millis(longest), reserve: Duration::from_millis(reserve), ..LIMIT };
            if let Ok(time) = limit.within(&deadline, at(spent)) {
                let reserve = deadline.in_proportion(limit.reserve).min(deadline.length / 2);
                prop_assert!(!time.is_zero() && time <= limit.longest);
                prop_assert!(Duration::from_millis(u64::try_from(spent).unwrap()) + time + reserve <= deadline.length);
            }
        }
    }
}
