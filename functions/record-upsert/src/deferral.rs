//! Decides whether a hint whose org could not be called is re-queued, with which delay, or dead-lettered. Pure.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use salesforce::Backoff;
use store::ChangeHint;
use store::queues::MAX_DELAY;

/// The delays before jitter: each twice as long as the one before, up to what SQS allows.
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(15), 2, MAX_DELAY);

/// The shortest time for which a hint is deferred before it is dead-lettered.
const MIN_AGE: SignedDuration = SignedDuration::from_hours(24);
/// The smallest number of deferrals before a hint is dead-lettered: as many of the longest delays as a day has. So a hint
/// that waited elsewhere before is not dead-lettered for its age alone.
const MIN_DEFERRALS: u32 = 96;

/// Returns the hint to re-queue and its delay, or `None` when it is to be dead-lettered. The delay is at least `pause`, the
/// time that Salesforce's response asks for.
#[must_use]
pub fn defer(hint: &ChangeHint, pause: Duration, now: Timestamp) -> Option<(ChangeHint, Duration)> {
    if hint.deferrals >= MIN_DEFERRALS && now.duration_since(hint.received_at) >= MIN_AGE {
        return None;
    }
    let delay = BACKOFF.shortened_pause(hint.deferrals, jitter(hint)).max(pause).min(MAX_DELAY);
    Some((ChangeHint { deferrals: hint.deferrals.saturating_add(1), ..hint.clone() }, delay))
}

/// Returns a number from 0 to 1 by a hash of the hint and its deferrals, so that hints that failed together do not return
/// together.
fn jitter(hint: &ChangeHint) -> f64 {
    let mut hasher = DefaultHasher::new();
    (&hint.delivery_id, &hint.record, hint.deferrals).hash(&mut hasher);
    let [high, low, ..] = hasher.finish().to_be_bytes();
    f64::from(u16::from_be_bytes([high, low])) / f64::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use store::Source;

    use super::*;

    fn hint(n: u32, deferrals: u32) -> ChangeHint {
        ChangeHint {
            org_id: "00D5e000000KQ2eEAG".parse().unwrap(),
            delivery_id: format!("04l5e00000{n:05}").parse().unwrap(),
            source: Source::OutboundMessage,
            record: None,
            received_at: "2026-11-22T10:00:00Z".parse().unwrap(),
            deferrals,
        }
    }

    proptest! {
        #[test]
        fn a_delay_is_between_half_and_all_of_its_step(n in 0..10_000_u32, deferrals in 0..MIN_DEFERRALS) {
            let whole = Duration::from_secs(15).saturating_mul(1 << deferrals.min(16)).min(Duration::from_mins(15));
            let hint = hint(n, deferrals);
            let (_, delay) = defer(&hint, Duration::ZERO, hint.received_at).unwrap();
            prop_assert!(delay <= whole && delay >= whole / 2, "{delay:?} of {whole:?}");
        }

        #[test]
        fn a_hint_of_an_unavailable_org_is_dead_lettered_after_a_day(n in 0..10_000_u32, pause in 0..2_000_u64) {
            let mut hint = hint(n, 0);
            let began = hint.received_at;
            let mut now = began;
            while let Some((next, delay)) = defer(&hint, Duration::from_secs(pause), now) {
                prop_assert!(delay >= Duration::from_secs(pause).min(MAX_DELAY));
                now = now.saturating_add(SignedDuration::try_from(delay).unwrap()).unwrap();
                hint = next;
            }
            let took = now.duration_since(began);
            prop_assert!(took >= MIN_AGE && took <= MIN_AGE + SignedDuration::from_mins(15), "{took:?}");
            prop_assert!(hint.deferrals <= 250, "{}", hint.deferrals);
        }

        #[test]
        fn an_old_hint_is_deferred_as_often_as_a_new_one(n in 0..10_000_u32, deferrals in 0..MIN_DEFERRALS, days in 1..13_i64) {
            let hint = hint(n, deferrals);
            prop_assert!(defer(&hint, Duration::ZERO, hint.received_at + SignedDuration::from_hours(24 * days)).is_some());
        }
    }

    #[test]
    fn hints_that_fail_together_return_at_different_times() {
        let delays = (0..200).map(|n| defer(&hint(n, 5), Duration::ZERO, hint(n, 5).received_at).unwrap().1.as_secs());
        let distinct: std::collections::BTreeSet<_> = delays.collect();
        assert!(distinct.len() > 100, "{distinct:?}");
    }
}
