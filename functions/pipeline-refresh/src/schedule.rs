//! Handles a schedule: queues one task for every active org, or for every polled org.
//!
//! The orgs are read page by page, and each page is queued before the next is read, so that the memory does not grow with
//! the number of orgs. A function that is killed or fails in between is invoked again with the same event and begins
//! anew: every org gets a task, and some get two, which is harmless, because a task goes on from the org's own cursors.

use std::pin::pin;

use futures::TryStreamExt as _;
use jiff::Timestamp;
use runtime::Report;
use serde::Serialize;
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
    let is_due = |org: &ListedOrg| kind != RefreshKind::Poll || org.is_polled();
    let task = |org: ListedOrg| RefreshTask { org_id: org.org_id, kind, object: None, requested_at };
    let mut pages = pin!(deps.orgs.active());
    let mut scheduled = Scheduled { orgs: 0, kind: schedule };
    while let Some(page) = pages.try_next().await? {
        let tasks: Vec<RefreshTask> = page.into_iter().filter(is_due).map(task).collect();
        deps.tasks.send_all(&tasks, deadline).await?;
        scheduled.orgs += tasks.len() as u64;
    }
    Ok(scheduled)
}

#[cfg(test)]
mod tests {
    use super::*;

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
