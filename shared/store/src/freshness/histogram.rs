//! A histogram of durations with fixed buckets, so that histograms of different hours and functions can be added. Pure.
//!
//! Bucket 0 holds what took at most 100 milliseconds; the upper bound of each next bucket is a fifth greater. A quantile is
//! the harmonic mean of its bucket's bounds, which is at most 10 % from every duration in the bucket; below 100 milliseconds
//! it is 100. The last bucket has no upper bound: what took longer than about six days counts as that.

use std::time::Duration;

/// The number of buckets with an upper bound. One more has none.
const BOUNDED: usize = 86;
const BUCKETS: usize = BOUNDED + 1;

/// The upper bounds, in milliseconds; each is part of its bucket.
const BOUNDS: [u64; BOUNDED] = bounds();

#[expect(clippy::indexing_slicing, reason = "the index is below the length, and a constant function has no iterators")]
const fn bounds() -> [u64; BOUNDED] {
    let mut bounds = [100; BOUNDED];
    let mut bucket = 1;
    while bucket < BOUNDED {
        bounds[bucket] = bounds[bucket - 1] * 6 / 5;
        bucket += 1;
    }
    bounds
}

/// A histogram of durations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    counts: [u64; BUCKETS],
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: [0; BUCKETS] }
    }
}

impl Histogram {
    /// Makes a histogram of the counts of buckets. Unknown buckets are left out.
    pub fn from_counts(counts: impl IntoIterator<Item = (usize, u64)>) -> Self {
        let mut histogram = Self::default();
        for (bucket, count) in counts {
            if let Some(counter) = histogram.counts.get_mut(bucket) {
                *counter = counter.saturating_add(count);
            }
        }
        histogram
    }

    /// Returns the buckets that are not empty, with their counts.
    pub fn counts(&self) -> impl Iterator<Item = (usize, u64)> {
        self.counts.iter().copied().enumerate().filter(|(_, count)| *count > 0)
    }

    /// Adds the durations of another histogram.
    pub fn merge(&mut self, other: &Self) {
        for (counter, count) in self.counts.iter_mut().zip(other.counts) {
            *counter = counter.saturating_add(count);
        }
    }

    /// Returns the number of durations.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().fold(0, |total, count| total.saturating_add(*count))
    }

    /// Returns the duration that `percent` of a hundred do not exceed, at most 10 % too short or too long; `None` for an
    /// empty histogram.
    #[must_use]
    pub fn percentile(&self, percent: u8) -> Option<Duration> {
        let rank = u128::from(self.total()) * u128::from(percent.min(100));
        let rank = rank.div_ceil(100).max(1);
        let mut passed = 0;
        let bucket = self.counts.iter().position(|count| {
            passed += u128::from(*count);
            passed >= rank
        })?;
        Some(Duration::from_millis(typical(bucket)))
    }

    /// Returns the number of durations below this one, as [`Self::percentile`] sees them: each counts as its bucket's, which is
    /// at most 10 % shorter or longer.
    #[must_use]
    pub fn count_below(&self, limit: Duration) -> u64 {
        let below = self.counts().filter(|(bucket, _)| Duration::from_millis(typical(*bucket)) < limit);
        below.fold(0, |total, (_, count)| total.saturating_add(count))
    }
}

impl FromIterator<Duration> for Histogram {
    fn from_iter<I: IntoIterator<Item = Duration>>(durations: I) -> Self {
        Self::from_counts(durations.into_iter().map(|duration| (bucket_of(duration), 1)))
    }
}

fn bucket_of(duration: Duration) -> usize {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    BOUNDS.partition_point(|bound| *bound < millis)
}

/// Returns the duration in milliseconds that stands for all of a bucket.
fn typical(bucket: usize) -> u64 {
    let lower = bucket.checked_sub(1).and_then(|bucket| BOUNDS.get(bucket));
    match (lower, BOUNDS.get(bucket)) {
        (Some(lower), Some(upper)) => 2 * lower * upper / (lower + upper),
        (Some(bound), None) | (None, Some(bound)) => *bound,
        (None, None) => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: u64 = 24 * 60 * 60 * 1_000;

    fn histogram(millis: &[u64]) -> Histogram {
        millis.iter().copied().map(Duration::from_millis).collect()
    }

    /// Returns the true percentile, by the nearest rank.
    fn exact(millis: &[u64], percent: u8) -> u64 {
        let mut sorted = millis.to_vec();
        sorted.sort_unstable();
        sorted[(sorted.len() * usize::from(percent)).div_ceil(100).max(1) - 1]
    }

    fn millis() -> impl Strategy<Value = Vec<u64>> {
        // Spread over the magnitudes: most real latencies are short, and some are days.
        let one = (0..=5 * DAY, 0..30_u32).prop_map(|(millis, shift)| millis >> shift);
        prop::collection::vec(one, 0..60)
    }

    fn merged(one: &Histogram, other: &Histogram) -> Histogram {
        let mut merged = one.clone();
        merged.merge(other);
        merged
    }

    proptest! {
        #[test]
        fn histograms_are_added_in_any_order(a in millis(), b in millis(), c in millis()) {
            let all = histogram(&[a.clone(), b.clone(), c.clone()].concat());
            let [a, b, c] = [a, b, c].map(|millis| histogram(&millis));
            prop_assert_eq!(merged(&a, &b), merged(&b, &a));
            prop_assert_eq!(merged(&merged(&a, &b), &c), all.clone());
            prop_assert_eq!(merged(&a, &merged(&b, &c)), all);
        }

        #[test]
        fn a_percentile_is_at_most_a_tenth_from_the_true_one(millis in millis(), percent in 1..=100_u8) {
            let Some(estimate) = histogram(&millis).percentile(percent) else {
                prop_assert!(millis.is_empty());
                return Ok(());
            };
            let (exact, estimate) = (exact(&millis, percent), u64::try_from(estimate.as_millis()).unwrap());
            if exact <= 100 {
                prop_assert_eq!(estimate, 100);
            } else {
                prop_assert!(estimate.abs_diff(exact) * 10 <= exact, "{} for {}", estimate, exact);
            }
        }

        #[test]
        fn what_is_below_a_limit_agrees_with_the_percentiles(millis in millis(), limit in 1..DAY, percent in 1..=100_u8) {
            let histogram = histogram(&millis);
            let limit = Duration::from_millis(limit);
            let is_share_below = u128::from(histogram.count_below(limit)) * 100
                >= u128::from(histogram.total()) * u128::from(percent);
            let is_percentile_below = histogram.percentile(percent).is_none_or(|percentile| percentile < limit);
            prop_assert_eq!(is_share_below, is_percentile_below);
        }

        #[test]
        fn a_histogram_survives_its_counters(millis in millis()) {
            let histogram = histogram(&millis);
            prop_assert_eq!(histogram.total(), millis.len() as u64);
            prop_assert_eq!(Histogram::from_counts(histogram.counts()), histogram);
        }
    }

    #[test]
    fn an_empty_histogram_has_no_percentile() {
        assert_eq!(Histogram::default().percentile(99), None);
    }

    #[test]
    fn what_took_longer_than_all_bounds_counts_as_the_last() {
        let bound = *BOUNDS.last().unwrap();
        assert!((6 * DAY..8 * DAY).contains(&bound), "{bound}");
        assert_eq!(histogram(&[u64::MAX, 30 * DAY]).percentile(50), Some(Duration::from_millis(bound)));
    }
}
