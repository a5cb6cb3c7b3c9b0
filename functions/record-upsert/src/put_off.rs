//! When a hint comes again whose org could not be asked, and when it is given up. A pure rule.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use store::ChangeHint;
use store::queues::MAX_DELAY;

/// How long the first delay may be; each further one may be twice as long, up to [`MAX_DELAY`].
const FIRST_DELAY: Duration = Duration::from_secs(15);

/// A hint is put off for at least this long before it is given up.
const PATIENCE: SignedDuration = SignedDuration::from_hours(24);
/// And at least this often: as many of the longest delays as a day has. A hint that waited for something else before is not
/// given up because it is old.
const ATTEMPTS: u32 = 96;

/// The hint as it goes back into the queue, and for how long the queue holds it back; `None` when it is given up. It waits
/// for `pause`, which Salesforce's answer asks for, where that is longer.
#[must_use]
pub fn again(hint: &ChangeHint, pause: Duration, now: Timestamp) -> Option<(ChangeHint, Duration)> {
    if hint.deferrals >= ATTEMPTS && now.duration_since(hint.received_at) >= PATIENCE {
        return None;
    }
    let delay = delay(hint.deferrals, jitter(hint)).max(pause).min(MAX_DELAY);
    Some((ChangeHint { deferrals: hint.deferrals.saturating_add(1), ..hint.clone() }, delay))
}

/// Doubles with every time; `jitter` takes up to half of it away, so that what failed together does not come back together.
fn delay(put_off: u32, jitter: u16) -> Duration {
    let longest = FIRST_DELAY.saturating_mul(1 << put_off.min(16)).min(MAX_DELAY);
    longest - longest / 2 * u32::from(jitter) / u32::from(u16::MAX)
}

/// Differs by hint and attempt, and is the same whenever it is asked for.
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

    fn hint(n: u32, put_off: u32) -> ChangeHint {
        ChangeHint {
            org_id: "00D5e000000KQ2eEAG".parse().unwrap(),
            delivery_id: format!("04l5e00000{n:05}").parse().unwrap(),
            source: Source::OutboundMessage,
            record: None,
            received_at: "2026-11-22T10:00:00Z".parse().unwrap(),
            deferrals: put_off,
        }
    }

    proptest! {
        #[test]
        fn a_delay_is_between_half_of_its_step_and_the_whole(put_off in 0..u32::MAX, jitter: u16) {
            let whole = Duration::from_secs(15).saturating_mul(1 << put_off.min(16)).min(Duration::from_mins(15));
            let delay = delay(put_off, jitter);
            prop_assert!(delay <= whole && delay >= whole / 2, "{delay:?} of {whole:?}");
        }

        #[test]
        fn a_hint_whose_org_never_answers_is_given_up_after_a_day(n in 0..10_000_u32, pause in 0..2_000_u64) {
            let mut hint = hint(n, 0);
            let began = hint.received_at;
            let mut now = began;
            while let Some((next, delay)) = again(&hint, Duration::from_secs(pause), now) {
                prop_assert!(delay >= Duration::from_secs(pause).min(MAX_DELAY));
                now = now.saturating_add(SignedDuration::try_from(delay).unwrap()).unwrap();
                hint = next;
            }
            let took = now.duration_since(began);
            prop_assert!(took >= PATIENCE && took <= PATIENCE + SignedDuration::from_mins(15), "{took:?}");
            prop_assert!(hint.deferrals <= 250, "{}", hint.deferrals);
        }

        #[test]
        fn an_old_hint_has_its_attempts_too(n in 0..10_000_u32, put_off in 0..ATTEMPTS, days in 1..13_i64) {
            let hint = hint(n, put_off);
            prop_assert!(again(&hint, Duration::ZERO, hint.received_at + SignedDuration::from_hours(24 * days)).is_some());
        }
    }

    #[test]
    fn hints_that_fail_together_come_back_one_after_the_other() {
        let delays = (0..200).map(|n| again(&hint(n, 5), Duration::ZERO, hint(n, 5).received_at).unwrap().1.as_secs());
        let distinct: std::collections::BTreeSet<_> = delays.collect();
        assert!(distinct.len() > 100, "{distinct:?}");
    }
}
