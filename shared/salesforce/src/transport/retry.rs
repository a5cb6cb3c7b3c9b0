//! The rule for retries within a call. Beside it, the client only repeats a call whose session was refused.

use std::time::Duration;

use super::request::RetrySafety;
use crate::{Backoff, Retry};

/// The first attempt included.
const MAX_ATTEMPTS: u32 = 3;

/// Returns the pause before the next attempt, or `None` if there is no further attempt.
///
/// `attempt` counts from 1, `left` is the remaining time for all attempts, and `jitter` is from 0 to 1.
/// The pause doubles with every attempt. If it does not fit into `left`, the call fails at once: the caller has a queue
/// for longer pauses.
pub(super) fn pause(retry: Retry, safety: RetrySafety, attempt: u32, left: Duration, jitter: f64) -> Option<Duration> {
    let base = match (retry, safety) {
        (Retry::After(base), RetrySafety::Idempotent | RetrySafety::IfNotApplied)
        | (Retry::Unknown(base), RetrySafety::Idempotent) => base,
        (Retry::Unknown(_), RetrySafety::IfNotApplied)
        | (_, RetrySafety::Never)
        | (Retry::Never | Retry::NeedsHuman, _) => {
            return None;
        }
    };
    if attempt >= MAX_ATTEMPTS {
        return None;
    }
    let pause = Backoff::new(base, 2, Duration::MAX).lengthened_pause(attempt - 1, jitter);
    (pause < left).then_some(pause)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LONG: Duration = Duration::from_mins(5);
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn an_unknown_outcome_is_retried_only_if_idempotent() {
        let unknown = Retry::Unknown(SECOND);
        assert!(pause(unknown, RetrySafety::Idempotent, 1, LONG, 0.0).is_some());
        assert_eq!(pause(unknown, RetrySafety::IfNotApplied, 1, LONG, 0.0), None);
    }

    #[test]
    fn a_request_without_effect_is_retried() {
        let after = Retry::After(SECOND);
        assert_eq!(pause(after, RetrySafety::IfNotApplied, 1, LONG, 0.0), Some(SECOND));
        assert_eq!(pause(after, RetrySafety::IfNotApplied, 2, LONG, 0.0), Some(2 * SECOND));
        assert_eq!(pause(after, RetrySafety::IfNotApplied, 3, LONG, 0.0), None);
    }

    #[test]
    fn a_pause_over_the_remaining_time_ends_the_call() {
        let quarter = Retry::After(Duration::from_mins(15));
        assert_eq!(pause(quarter, RetrySafety::Idempotent, 1, LONG, 0.0), None);
        assert_eq!(pause(Retry::After(SECOND), RetrySafety::Idempotent, 1, Duration::ZERO, 0.0), None);
    }

    proptest! {
        #[test]
        fn retry_safety_never_is_never_retried(attempt in 1u32..5, jitter in 0.0..1.0f64) {
            for retry in [Retry::After(SECOND), Retry::Unknown(SECOND), Retry::Never, Retry::NeedsHuman] {
                prop_assert_eq!(pause(retry, RetrySafety::Never, attempt, LONG, jitter), None);
            }
        }

        #[test]
        fn a_final_error_is_never_retried(attempt in 1u32..5, jitter in 0.0..1.0f64) {
            for safety in [RetrySafety::Idempotent, RetrySafety::IfNotApplied, RetrySafety::Never] {
                prop_assert_eq!(pause(Retry::Never, safety, attempt, LONG, jitter), None);
                prop_assert_eq!(pause(Retry::NeedsHuman, safety, attempt, LONG, jitter), None);
            }
        }

        #[test]
        fn pauses_fit_into_the_remaining_time(ms in 0u64..100_000, attempt in 1u32..5, left in 0u64..100_000, jitter in 0.0..1.0f64) {
            let left = Duration::from_millis(left);
            if let Some(pause) = pause(Retry::After(Duration::from_millis(ms)), RetrySafety::Idempotent, attempt, left, jitter) {
                prop_assert!(pause < left && attempt < MAX_ATTEMPTS);
            }
        }
    }
}
