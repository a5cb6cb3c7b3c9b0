//! Decides when a task of an org with settings of its own begins.

use jiff::{SignedDuration, Timestamp};
use store::deferral::jitter;
use store::org_settings::PollMinutes;
use store::{CursorName, OrgSettings, RefreshKind, RefreshTask};

use crate::Deps;

/// The time by which a poll may come too early: schedules are not exact.
const SLACK: SignedDuration = SignedDuration::from_mins(1);

/// Returns the time at which a night begins in the window of the org's settings, spread by a hash of the org; `None` without a
/// window, and for other tasks.
#[must_use]
pub fn begins_at(task: &RefreshTask, settings: &OrgSettings) -> Option<Timestamp> {
    let is_whole_night = task.kind == RefreshKind::Nightly && task.object.is_none();
    let window = settings.nightly_window.filter(|_| is_whole_night)?;
    Some(window.begins_at(task.requested_at, jitter(&task.org_id)))
}

/// Returns whether the task is a poll that the org's settings do not have yet.
pub(crate) async fn is_early(deps: &Deps, task: &RefreshTask, settings: &OrgSettings) -> Result<bool, store::Error> {
    let Some(interval) = settings.poll_minutes.filter(|_| task.kind == RefreshKind::Poll) else { return Ok(false) };
    let last = deps.cursors.load(task.org_id, &CursorName::poll()).await?;
    Ok(!is_due(last.and_then(|last| last.covered_until), interval, task.requested_at))
}

/// Returns whether a poll that was scheduled at `scheduled_at` is due, where `last` is the beginning of the last complete one.
#[must_use]
pub fn is_due(last: Option<Timestamp>, interval: PollMinutes, scheduled_at: Timestamp) -> bool {
    last.is_none_or(|last| scheduled_at.duration_since(last) + SLACK >= interval.interval())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn start() -> Timestamp {
        "2026-11-22T02:15:00Z".parse().unwrap()
    }

    fn minutes(minutes: i64) -> SignedDuration {
        SignedDuration::from_mins(minutes)
    }

    proptest! {
        /// The schedule comes every 15 minutes, up to half a minute early or late.
        #[test]
        fn polls_come_once_in_an_interval(interval in 1..1_440_u16, jitters in prop::collection::vec(-30..=30_i64, 200)) {
            let interval = PollMinutes::try_from(interval).unwrap();
            let (mut last, mut pauses) = (None, Vec::new());
            for (schedule, jitter) in (0..).zip(jitters) {
                let now = start() + minutes(15 * schedule) + SignedDuration::from_secs(jitter);
                if is_due(last, interval, now) {
                    pauses.extend(last.map(|last| now.duration_since(last)));
                    last = Some(now);
                }
            }
            let shortest = interval.interval() - SLACK;
            let longest = interval.interval().max(minutes(15)) + minutes(16);
            prop_assert!(pauses.iter().all(|pause| (shortest..=longest).contains(pause)), "{pauses:?}");
        }
    }

    #[test]
    fn only_a_whole_night_waits_for_the_window() {
        let settings: OrgSettings =
            serde_json::from_str(r#"{ "nightly_window": { "start": "22:30", "minutes": 0 } }"#).unwrap();
        let task = |kind| RefreshTask::new("00D5e000000KQ2eEAG".parse().unwrap(), kind, start());
        let evening = "2026-11-22T22:30:00Z".parse().unwrap();
        assert_eq!(begins_at(&task(RefreshKind::Nightly), &settings), Some(evening));
        assert_eq!(begins_at(&task(RefreshKind::Nightly), &OrgSettings::default()), None);
        assert_eq!(begins_at(&task(RefreshKind::Backfill), &settings), None);
        let rest = task(RefreshKind::Nightly).for_object("Account".parse().unwrap());
        assert_eq!(begins_at(&rest, &settings), None);
    }
}
