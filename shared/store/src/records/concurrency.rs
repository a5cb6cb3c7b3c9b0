//! The number of writes at the same time, which adapts to what the table takes. Pure.
//!
//! A partition of DynamoDB takes 1,000 write units a second. A backfill writes faster than that until the table has
//! split the partition, so some of its writes are throttled: then fewer run at once, and they are tried again.

/// The most writes at the same time.
pub(super) const MOST: usize = 32;

/// The number of writes that may run at the same time: one more after each round without a throttle, half as many after
/// a throttle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Concurrency {
    parallel: usize,
    /// The writes that succeeded in this round.
    succeeded: usize,
    round: u32,
}

impl Default for Concurrency {
    fn default() -> Self {
        Self { parallel: MOST, succeeded: 0, round: 0 }
    }
}

impl Concurrency {
    /// Returns the number of writes that may run at the same time, from 1 to [`MOST`].
    pub(super) fn parallel(self) -> usize {
        self.parallel
    }

    /// Returns the round in which a write begins now.
    pub(super) fn round(self) -> u32 {
        self.round
    }

    /// Returns the concurrency after a write succeeded.
    #[must_use]
    pub(super) fn after_success(self) -> Self {
        if self.succeeded + 1 < self.parallel {
            return Self { succeeded: self.succeeded + 1, ..self };
        }
        Self { parallel: (self.parallel + 1).min(MOST), succeeded: 0, ..self }
    }

    /// Returns the concurrency after a write was throttled that began in `round`. The writes of one round count once.
    #[must_use]
    pub(super) fn after_throttle(self, round: u32) -> Self {
        if round != self.round {
            return self;
        }
        Self { parallel: (self.parallel / 2).max(1), succeeded: 0, round: self.round.wrapping_add(1) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_writes_of_one_round_halve_the_concurrency_once() {
        let mut concurrency = Concurrency::default();
        for _ in 0..MOST {
            concurrency = concurrency.after_throttle(0);
        }
        assert_eq!((concurrency.parallel(), concurrency.round()), (MOST / 2, 1));
    }

    proptest! {
        #[test]
        fn a_pace_is_bounded_and_rises_slower_than_it_falls(throttled in prop::collection::vec(any::<bool>(), 0..400)) {
            let mut concurrency = Concurrency::default();
            for throttled in throttled {
                let next = if throttled { concurrency.after_throttle(concurrency.round()) } else { concurrency.after_success() };
                prop_assert!((1..=MOST).contains(&next.parallel()));
                if throttled {
                    prop_assert_eq!(next.parallel(), (concurrency.parallel() / 2).max(1));
                } else {
                    prop_assert!(next.parallel() <= concurrency.parallel() + 1);
                }
                concurrency = next;
            }
        }

        #[test]
        fn a_pace_without_throttles_comes_back(halvings in 0..10) {
            let mut concurrency = Concurrency::default();
            for _ in 0..halvings {
                concurrency = concurrency.after_throttle(concurrency.round());
            }
            for _ in 0..MOST * MOST {
                concurrency = concurrency.after_success();
            }
            prop_assert_eq!(concurrency.parallel(), MOST);
        }
    }
}
