//! The pauses between the attempts of a retry loop.

use std::time::Duration;

/// An exponential backoff, with optional jitter.
///
/// The loop itself belongs to the caller, together with its number of attempts and its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    factor: u32,
    max: Duration,
}

impl Backoff {
    /// Creates a backoff whose pauses begin with `first`, grow by `factor`, and never exceed `max` before jitter.
    pub const fn new(first: Duration, factor: u32, max: Duration) -> Self {
        Self { first, factor, max }
    }

    /// Returns the pause before a retry; `retry` counts from 0.
    pub fn pause(&self, retry: u32) -> Duration {
        self.first.saturating_mul(self.factor.saturating_pow(retry)).min(self.max)
    }

    /// Returns the pause before a retry, lengthened by up to half. `jitter` is a random number from 0 to 1.
    pub fn lengthened_pause(&self, retry: u32, jitter: f64) -> Duration {
        scale(self.pause(retry), 1.0 + jitter.clamp(0.0, 1.0) / 2.0)
    }

    /// Returns the pause before a retry, shortened by up to half. `jitter` is a random number from 0 to 1.
    pub fn shortened_pause(&self, retry: u32, jitter: f64) -> Duration {
        scale(self.pause(retry), 1.0 - jitter.clamp(0.0, 1.0) / 2.0)
    }
}

/// Multiplies without a panic: a pause may come from a `Retry-After` header of any size.
fn scale(pause: Duration, by: f64) -> Duration {
    Duration::try_from_secs_f64(pause.as_secs_f64() * by).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn pauses_grow_by_the_factor_up_to_the_maximum() {
        let backoff = Backoff::new(SECOND, 3, SECOND * 20);
        let pauses = [0, 1, 2, 3, u32::MAX].map(|retry| backoff.pause(retry).as_secs());
        assert_eq!(pauses, [1, 3, 9, 20, 20]);
    }

    #[test]
    fn a_factor_of_one_keeps_the_first_pause() {
        assert_eq!(Backoff::new(SECOND, 1, Duration::MAX).pause(1_000), SECOND);
    }

    #[test]
    fn jitter_changes_a_pause_by_up_to_half() {
        let backoff = Backoff::new(SECOND * 2, 2, Duration::MAX);
        assert_eq!([0.0, 1.0].map(|jitter| backoff.lengthened_pause(1, jitter)), [SECOND * 4, SECOND * 6]);
        assert_eq!([0.0, 1.0].map(|jitter| backoff.shortened_pause(1, jitter)), [SECOND * 4, SECOND * 2]);
    }

    proptest! {
        #[test]
        fn no_pause_overflows(seconds: u64, factor: u32, retry: u32, jitter in -1.0..2.0f64) {
            let backoff = Backoff::new(Duration::from_secs(seconds), factor, Duration::MAX);
            let pause = backoff.pause(retry);
            prop_assert!(backoff.lengthened_pause(retry, jitter).as_secs_f64() >= pause.as_secs_f64());
            prop_assert!(backoff.shortened_pause(retry, jitter).as_secs_f64() <= pause.as_secs_f64());
        }
    }
}
