//! Decides whether a hint whose org could not be called is re-queued, with which delay, or dead-lettered. Pure.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use store::ChangeHint;
use store::queues::MAX_DELAY;

/// The longest first delay; each further one may be twice as long, up to [`MAX_DELAY`].
const FIRST_DELAY: Duration = Duration::from_secs(15);

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
    let delay = delay(hint.deferrals, jitter(hint)).max(pause).min(MAX_DELAY);
    Some((ChangeHint { deferrals: hint.deferrals.saturating_add(1), ..hint.clone() }, delay))
}

/// Returns a delay that doubles with each deferral, less up to half by `jitter`, so that hints that failed together do not
/// return together.
fn delay(deferrals: u32, jitter: u16) -> Duration {
    let longest = FIRST_DELAY.saturating_mul(1 << deferrals.min(16)).min(MAX_DELAY);
    longest - longest / 2 * u32::from(jitter) / u32::from(u16::MAX)
}

/// Returns a hash of the hint and its number of deferrals.
fn jitter(hint: &ChangeHint) -> u16 {
    let mut hasher = DefaultHasher::new();
    (&hint.delivery_id, &hint.record, hint.deferrals).hash(&mut hasher);
    let [high, low, ..] = hasher.finish().to_be_bytes();
    u16::from_be_bytes([high, low])
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
        fn a_delay_is_between_half_and_all_of_its_step(deferrals in 0..u32::MAX, jitter: u16) {
            let whole = Duration::from_secs(15).saturating_mul(1 << deferrals.min(16)).min(Duration::from_mins(15));
            let delay = delay(deferrals, jitter);
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
