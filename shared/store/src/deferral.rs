//! The rule for work that cannot be done now: the delay before the next attempt, and the time after which it has failed.
//! Pure. Hints, refresh tasks and queued writes all follow it.
//!
//! A failure that passes by itself is tried again for [`OUTAGE`], longer than a weekend, with a delay that grows to
//! what SQS allows. While a person has to act this rule has no limit: the person was told, by the state of the
//! connection and its event, and the work is done once they have acted. Two callers end it sooner, because a refresh does
//! the same work later: `record-upsert` leaves a hint to the refresh after three days (`left_to_refresh.rs`), and
//! `pipeline-refresh` leaves a task to the next night.
//!
//! A refusal that no retry seems to help is confirmed first: one odd answer, of a proxy or of an org under maintenance,
//! ends no work ([`Deferrals::after_refusal`]).

use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use salesforce::{Backoff, Retry};
use serde::{Deserialize, Serialize};

/// The longest delay that SQS supports.
pub const MAX_DELAY: Duration = Duration::from_secs(900);
/// The time for which failures that pass by themselves are tried again.
pub const OUTAGE: SignedDuration = SignedDuration::from_hours(3 * 24);
/// The smallest number of deferrals before work has failed: 24 hours of the longest delay. So work that waited elsewhere,
/// for example in a dead-letter queue, has not failed for its age alone.
pub const MIN_DEFERRALS: u32 = 96;

/// The number of times that refused work is tried again before the refusal is final.
pub const CONFIRMATIONS: u32 = 3;

/// The delays before a refusal is confirmed: 20 minutes together, longer than most odd answers last.
const CONFIRMING: Backoff = Backoff::new(Duration::from_secs(60), 4, MAX_DELAY);

/// The delays before jitter: each twice as long as the one before, up to what SQS allows.
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(15), 2, MAX_DELAY);

/// The deferrals of a piece of work so far. It is stored with the work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deferrals {
    /// The number of deferrals.
    #[serde(default, rename = "put_off", alias = "deferrals", skip_serializing_if = "is_zero")]
    pub count: u32,
    /// The time since which failures that pass by themselves have deferred it. `None` before the first one, and while a
    /// person has to act.
    #[serde(
        default,
        rename = "deferred_since",
        with = "crate::time::millis_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub since: Option<Timestamp>,
    /// The number of refusals that no retry seemed to help.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub refusals: u32,
}

impl Deferrals {
    /// Returns the deferrals after one more, and the delay until the next attempt; `None` if the work has failed.
    ///
    /// `failure` is what the failed attempt allows. The delay is at least its pause, and at most what SQS allows.
    /// `jitter`, from 0 to 1, keeps work that failed together from returning together.
    #[must_use]
    pub fn after(self, failure: Retry, now: Timestamp, jitter: f64) -> Option<(Self, Duration)> {
        let (since, pause) = match failure {
            Retry::Never => return None,
            Retry::NeedsHuman => (None, Duration::ZERO),
            Retry::After(pause) | Retry::Unknown(pause) => (Some(self.since.unwrap_or(now)), pause),
        };
        let age = since.map_or(SignedDuration::ZERO, |since| now.duration_since(since));
        if age >= OUTAGE && self.count >= MIN_DEFERRALS {
            return None;
        }
        let delay = BACKOFF.shortened_pause(self.count, jitter).max(pause).min(MAX_DELAY);
        Some((Self { count: self.count.saturating_add(1), since, ..self }, delay))
    }

    /// Returns the deferrals after a refusal that no retry seems to help, and the delay until it is asked again; `None`
    /// if the refusal was confirmed [`CONFIRMATIONS`] times. Meant for work that is asked again without harm.
    #[must_use]
    pub fn after_refusal(self, jitter: f64) -> Option<(Self, Duration)> {
        if self.refusals >= CONFIRMATIONS {
            return None;
        }
        let delay = CONFIRMING.shortened_pause(self.refusals, jitter);
        Some((Self { count: self.count.saturating_add(1), refusals: self.refusals + 1, ..self }, delay))
    }
}

/// Returns the count of the closing line that says how late deferred work is: the age in seconds of the oldest deferrals, by
/// failures that pass by themselves. An alarm watches it. A queue does not show it, because deferred work is a new message each
/// time. Work that waits for a person, who was told, is not late.
#[must_use]
pub fn oldest(deferrals: impl IntoIterator<Item = Deferrals>, now: Timestamp) -> (&'static str, u64) {
    let ages = deferrals.into_iter().filter_map(|deferrals| Some(now.duration_since(deferrals.since?).as_secs()));
    ("deferred.oldest_s", ages.max().and_then(|age| u64::try_from(age).ok()).unwrap_or_default())
}

/// Returns a number from 0 to 1 by a hash of what identifies the work.
#[must_use]
pub fn jitter(work: &impl Hash) -> f64 {
    let mut hasher = DefaultHasher::new();
    work.hash(&mut hasher);
    let [high, low, ..] = hasher.finish().to_be_bytes();
    f64::from(u16::from_be_bytes([high, low])) / f64::from(u16::MAX)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const PASSES: Retry = Retry::After(Duration::from_secs(2));

    fn start() -> Timestamp {
        "2026-11-22T10:00:00Z".parse().unwrap()
    }

    fn later(now: Timestamp, delay: Duration) -> Timestamp {
        now.saturating_add(SignedDuration::try_from(delay).unwrap()).unwrap()
    }

    #[test]
    fn a_final_failure_is_not_deferred() {
        assert_eq!(Deferrals::default().after(Retry::Never, start(), 0.0), None);
    }

    #[test]
    fn a_refusal_is_final_once_it_is_confirmed() {
        let (mut deferrals, mut waited) = (Deferrals::default(), Duration::ZERO);
        for _ in 0..CONFIRMATIONS {
            // An outage in between neither confirms nor forgives a refusal.
            let (failed, _) = deferrals.after(PASSES, start(), 0.0).unwrap();
            let (next, delay) = failed.after_refusal(0.0).unwrap();
            (deferrals, waited) = (next, waited + delay);
        }
        assert_eq!(deferrals.after_refusal(0.0), None);
        assert!(waited >= Duration::from_mins(10) && waited <= Duration::from_mins(21), "{waited:?}");
    }

    #[test]
    fn an_outage_counts_from_its_first_failure() {
        let waiting = Deferrals { count: MIN_DEFERRALS, ..Deferrals::default() };
        let (deferred, _) = waiting.after(PASSES, start(), 0.0).unwrap();
        assert_eq!(deferred.since, Some(start()));
        let at_the_end = start() + OUTAGE;
        assert!(deferred.after(PASSES, at_the_end - SignedDuration::from_secs(1), 0.0).is_some());
        assert_eq!(deferred.after(PASSES, at_the_end, 0.0), None);
    }

    #[test]
    fn the_time_in_which_a_person_had_to_act_does_not_count() {
        let deferred = Deferrals { count: MIN_DEFERRALS, since: Some(start()), refusals: 0 };
        let (waiting, _) = deferred.after(Retry::NeedsHuman, start() + OUTAGE * 10, 0.0).unwrap();
        assert_eq!(waiting.since, None);
        let (deferred, _) = waiting.after(PASSES, start() + OUTAGE * 11, 0.0).unwrap();
        assert_eq!(deferred.since, Some(start() + OUTAGE * 11));
    }

    #[test]
    fn the_age_of_late_work_counts_from_its_first_failure() {
        let age = |hours: i64| Deferrals {
            count: 9,
            since: Some(start() - SignedDuration::from_hours(hours)),
            ..Deferrals::default()
        };
        let waits_for_a_person = Deferrals { count: 1_000, ..Deferrals::default() };
        let age_of = |deferrals: &[Deferrals]| oldest(deferrals.iter().copied(), start()).1;

        assert_eq!(age_of(&[age(1), waits_for_a_person, age(30), age(2)]), 30 * 60 * 60);
        assert_eq!([age_of(&[]), age_of(&[waits_for_a_person]), age_of(&[age(0)])], [0, 0, 0]);
        // The clocks of two functions may differ.
        assert_eq!(age_of(&[age(-1)]), 0);
    }

    #[test]
    fn deferrals_are_read_by_both_names_and_written_as_put_off() {
        for name in ["put_off", "deferrals"] {
            let deferrals: Deferrals = serde_json::from_value(json!({ name: 7 })).unwrap();
            assert_eq!(deferrals, Deferrals { count: 7, ..Deferrals::default() }, "{name}");
        }
        let deferrals = Deferrals { count: 7, since: Some(start()), refusals: 0 };
        let stored = json!({ "put_off": 7, "deferred_since": "2026-11-22T10:00:00.000Z" });
        assert_eq!(serde_json::to_value(deferrals).unwrap(), stored);
        assert_eq!(serde_json::from_value::<Deferrals>(stored).unwrap(), deferrals);
        assert_eq!(serde_json::to_value(Deferrals::default()).unwrap(), json!({}));
    }

    #[test]
    fn work_that_failed_together_returns_at_different_times() {
        let delay = |n: u32| {
            Deferrals { count: 5, ..Deferrals::default() }.after(PASSES, start(), jitter(&n)).unwrap().1.as_secs()
        };
        let distinct: std::collections::BTreeSet<_> = (0..200).map(delay).collect();
        assert!(distinct.len() > 100, "{distinct:?}");
    }

    proptest! {
        #[test]
        fn a_delay_is_between_half_and_all_of_its_step(count in 0..MIN_DEFERRALS, jitter in 0.0..1.0f64) {
            let whole = Duration::from_secs(15).saturating_mul(1 << count.min(16)).min(MAX_DELAY);
            let (_, delay) = Deferrals { count, ..Deferrals::default() }.after(PASSES, start(), jitter).unwrap();
            prop_assert!(delay <= whole && delay >= whole / 2, "{delay:?} of {whole:?}");
        }

        #[test]
        fn work_fails_after_three_days_of_failures(pause in 0..2_000_u64, jitter in 0.0..1.0f64) {
            let (mut deferrals, mut now) = (Deferrals::default(), start());
            while let Some((next, delay)) = deferrals.after(Retry::After(Duration::from_secs(pause)), now, jitter) {
                prop_assert!(delay >= Duration::from_secs(pause).min(MAX_DELAY));
                (deferrals, now) = (next, later(now, delay));
            }
            let took = now.duration_since(start());
            prop_assert!(took >= OUTAGE && took <= OUTAGE + SignedDuration::from_mins(15), "{took:?}");
            prop_assert!(deferrals.count <= 700, "{}", deferrals.count);
        }

        #[test]
        fn work_never_fails_while_a_person_has_to_act(days in 0..1_000_i64, count: u32) {
            let deferrals = Deferrals { count, ..Deferrals::default() };
            prop_assert!(deferrals.after(Retry::NeedsHuman, start() + SignedDuration::from_hours(24 * days), 0.5).is_some());
        }
    }
}
