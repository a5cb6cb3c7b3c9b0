//! Handles a schedule: queues one task for every active org, or for every polled org.

use jiff::Timestamp;
use runtime::Report;
use serde::Serialize;
use store::{RefreshKind, RefreshTask};

use crate::error::Error;
use crate::{Deps, ScheduleKind};

/// The result of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Scheduled {
    /// The number of queued tasks, one for each org.
    pub orgs: u64,
}

impl Report for Scheduled {
    fn counts(&self) -> Vec<(&'static str, u64)> {
        vec![("orgs.scheduled", self.orgs)]
    }
}

pub(crate) async fn handle(deps: &Deps, schedule: ScheduleKind, deadline: Timestamp) -> Result<Scheduled, Error> {
    let requested_at = deps.clock.now();
    let (orgs, kind) = match schedule {
        ScheduleKind::Nightly => (deps.orgs.list_active().await, RefreshKind::Nightly),
        ScheduleKind::Backfill => (deps.orgs.list_active().await, RefreshKind::Backfill),
        ScheduleKind::Connections => (deps.orgs.list_active().await, RefreshKind::Connections),
        ScheduleKind::Poll => (deps.orgs.list_polled().await, RefreshKind::Poll),
    };
    let orgs = orgs?;
    let task = |org: &store::Org| RefreshTask { org_id: org.org_id, kind, object: None, requested_at };
    let tasks: Vec<RefreshTask> = orgs.iter().map(task).collect();
    deps.tasks.send_all(&tasks, deadline).await?;
    Ok(Scheduled { orgs: tasks.len() as u64 })
}
