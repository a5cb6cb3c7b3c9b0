//! The schedule's part: one task for every active org.

use jiff::Timestamp;
use runtime::Report;
use serde::Serialize;
use store::{RefreshKind, RefreshTask};

use crate::Deps;
use crate::error::{Error, state};

/// What the schedule set off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Scheduled {
    /// Orgs with a task.
    pub orgs: u64,
}

impl Report for Scheduled {
    fn counts(&self) -> Vec<(&'static str, u64)> {
        vec![("orgs.scheduled", self.orgs)]
    }
}

pub(crate) async fn handle(deps: &Deps, kind: RefreshKind, deadline: Timestamp) -> Result<Scheduled, Error> {
    let requested_at = deps.clock.now();
    let orgs = deps.orgs.list_active().await.map_err(state("listing the active orgs"))?;
    let task = |org: &store::Org| RefreshTask { org_id: org.org_id, kind, object: None, requested_at };
    let tasks: Vec<RefreshTask> = orgs.iter().map(task).collect();
    deps.tasks.send_all(&tasks, deadline).await.map_err(state("queueing the schedule's tasks"))?;
    Ok(Scheduled { orgs: tasks.len() as u64 })
}
