//! Handles a schedule: queues one task for every active org, or for every polled org.
//!
//! The orgs are read page by page, and each page is queued before the next is read, so that the memory does not grow with
//! the number of orgs. A function that is killed or fails in between is invoked again with the same event and begins
//! anew: every org gets a task, and some get two, which is harmless, because a task goes on from the org's own cursors.
//!
//! The tasks of a night begin at different times of a window, by a hash of the org, so that neither the function nor the
//! orgs of one Salesforce instance are called all at once. A task waits in its queue, in steps of at most 15 minutes.

use std::pin::pin;
use std::time::Duration;

use futures::TryStreamExt as _;
use jiff::{SignedDuration, Timestamp};
use runtime::Report;
use salesforce::OrgId;
use serde::Serialize;
use store::deferral::MAX_DELAY;
use store::deferral::jitter;
use store::{ListedOrg, RefreshKind, RefreshTask};

use crate::error::Error;
use crate::{Deps, ScheduleKind};

/// The result of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Scheduled {
    /// The number of queued tasks, one for each org.
    pub orgs: u64,
    /// The kind of the schedule.
    #[serde(skip)]
    pub kind: ScheduleKind,
}

impl Report for Scheduled {
    fn counts(&self) -> Vec<(&'static str, u64)> {
        // An alarm for each schedule sees that it was not counted for too long.
        let run = match self.kind {
            ScheduleKind::Nightly => "schedule.nightly",
            ScheduleKind::Backfill => "schedule.backfill",
            ScheduleKind::Connections => "schedule.connections",
            ScheduleKind::Poll => "schedule.poll",
        };
        vec![("orgs.scheduled", self.orgs), (run, 1)]
    }
}

pub(crate) async fn handle(deps: &Deps, schedule: ScheduleKind, deadline: Timestamp) -> Result<Scheduled, Error> {
    let requested_at = deps.clock.now();
    let kind = match schedule {
        ScheduleKind::Nightly => RefreshKind::Nightly,
        ScheduleKind::Backfill => RefreshKind::Backfill,
        ScheduleKind::Connections => RefreshKind::Connections,
        ScheduleKind::Poll => RefreshKind::Poll,
    };
    let window = if kind == RefreshKind::Nightly { deps.refresh_window } else { Duration::ZERO };
    let is_due = |org: &ListedOrg| kind != RefreshKind::Poll || org.is_polled();
    let task = |org: ListedOrg| {
        let task = RefreshTask::new(org.org_id, kind, requested_at);
        let delay = delay(org.org_id, window);
        let not_before = requested_at.saturating_add(SignedDuration::try_from(delay).unwrap_or_default()).ok();
        (RefreshTask { not_before: not_before.filter(|_| delay > MAX_DELAY), ..task }, delay.min(MAX_DELAY))
    };
    let mut pages = pin!(deps.orgs.active());
    let mut scheduled = Scheduled { orgs: 0, kind: schedule };
    while let Some(page) = pages.try_next().await? {
        let tasks: Vec<(RefreshTask, Duration)> = page.into_iter().filter(is_due).map(task).collect();
        match deps.queues.of(kind).send_delayed(&tasks, deadline).await?.len() {
            0 => scheduled.orgs += tasks.len() as u64,
            missing => return Err(store::Error::NotAllQueued { missing, total: tasks.len() }.into()),
        }
    }
    Ok(scheduled)
}

/// Returns the delay of an org's task, from zero to the length of the window. It is the same every night.
fn delay(org: OrgId, window: Duration) -> Duration {
    window.mul_f64(jitter(&org))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn org(n: u32) -> OrgId {
        format!("00D5e{n:010}").parse().unwrap()
    }

    proptest! {
        #[test]
        fn a_task_begins_within_the_window(n in 0..1_000_000_u32, minutes in 0..600_u64) {
            let window = Duration::from_mins(minutes);
            prop_assert!(delay(org(n), window) <= window);
            prop_assert_eq!(delay(org(n), window), delay(org(n), window));
        }
    }

    #[test]
    fn every_quarter_of_an_hour_begins_its_share_of_the_orgs() {
        let mut slots = [0; 8];
        for n in 0..8_000 {
            let slot = delay(org(n), Duration::from_mins(120)).as_secs() / (15 * 60);
            slots[usize::try_from(slot.min(7)).unwrap()] += 1;
        }
        assert!(slots.iter().all(|orgs| (850..1_150).contains(orgs)), "{slots:?}");
    }

    #[test]
    fn each_schedule_is_counted_under_its_kind() {
        for (kind, name) in [
            (ScheduleKind::Nightly, "schedule.nightly"),
            (ScheduleKind::Backfill, "schedule.backfill"),
            (ScheduleKind::Connections, "schedule.connections"),
            (ScheduleKind::Poll, "schedule.poll"),
        ] {
            assert_eq!(Scheduled { orgs: 0, kind }.counts(), [("orgs.scheduled", 0), (name, 1)]);
        }
    }
}
