//! The run of one task: its client, its time, and the org's API budget.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use runtime::{Chain, record_api_calls};
use salesforce::{ApiUsage, Client, OrgId};
use serde::Serialize;
use store::{CursorName, Lane, RefreshKind, RefreshTask};
use tracing::warn;

use crate::Deps;

/// The time reserved at the end: as long as the slowest page may take ([`crate::config::TIMEOUTS`]), with the storing of its
/// checkpoint and the queueing of the rest. A short invocation reserves a quarter of its time.
const RESERVE: SignedDuration = SignedDuration::from_secs(150);

/// The reason that a run stops before its work is finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// The invocation ends soon.
    OutOfTime,
    /// The org's API budget is reserved for more urgent lanes.
    OverBudget,
}

/// The time at which an invocation stops that starts `now` and is ended at `deadline`.
fn stop_at(now: Timestamp, deadline: Timestamp) -> Timestamp {
    let reserve = RESERVE.min(deadline.duration_since(now) / 4).max(SignedDuration::ZERO);
    deadline.saturating_sub(reserve).unwrap_or(now)
}

/// Returns the reason for which a run in this lane has to stop now.
fn stop(now: Timestamp, stop_at: Timestamp, lane: Lane, usage: Option<ApiUsage>) -> Option<Stop> {
    if usage.is_some_and(|usage| !lane.may_call(usage.used, usage.max, 1)) {
        Some(Stop::OverBudget)
    } else {
        (now >= stop_at).then_some(Stop::OutOfTime)
    }
}

/// The run of one task.
pub(crate) struct Run<'a> {
    pub(crate) deps: &'a Deps,
    pub(crate) task: &'a RefreshTask,
    pub(crate) client: Client,
    stop_at: Timestamp,
}

impl<'a> Run<'a> {
    pub(crate) fn new(deps: &'a Deps, task: &'a RefreshTask, client: Client, deadline: Timestamp) -> Self {
        let stop_at = stop_at(deps.clock.now(), deadline);
        Self { deps, task, client, stop_at }
    }

    /// Returns whether the task is an audit.
    pub(crate) fn is_audit(&self) -> bool {
        matches!(self.task.kind, RefreshKind::Audit | RefreshKind::ConfirmedAudit)
    }

    pub(crate) fn org(&self) -> OrgId {
        self.task.org_id
    }

    /// Returns the reason for which the run has to stop now. A run without a call goes on whatever the time, so that each
    /// invocation makes progress.
    pub(crate) fn stop(&self, lane: Lane) -> Option<Stop> {
        if self.client.api_calls() == 0 {
            return None;
        }
        stop(self.deps.clock.now(), self.stop_at, lane, self.client.api_usage())
    }

    /// Returns the time until the run has to stop.
    pub(crate) fn time_left(&self) -> Duration {
        Duration::try_from(self.stop_at.duration_since(self.deps.clock.now())).unwrap_or_default()
    }

    /// Adds the calls since the last time to the org's budget.
    pub(crate) async fn record_calls(&self, lane: Lane) {
        record_api_calls(&self.deps.budgets, self.org(), lane, &self.client, &self.deps.clock).await;
    }

    /// Stores why a scan or refresh fails, for the health of the org. If that fails too, the next attempt stores it.
    pub(crate) async fn record_failure(&self, name: &CursorName, reason: &str) {
        let recorded = self.deps.cursors.record_failure(self.org(), name, reason, self.deps.clock.now()).await;
        if let Err(error) = recorded {
            warn!(org.id = %self.org(), "{}", Chain(&error));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TIMEOUTS;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn used(used: u64) -> Option<ApiUsage> {
        Some(ApiUsage { used, max: 1_000 })
    }

    #[test]
    fn a_run_stops_in_time_to_store_its_checkpoint() {
        assert_eq!(stop_at(at(0), at(900)), at(750));
        assert_eq!(stop(at(749), at(750), Lane::Incremental, used(1)), None);
        assert_eq!(stop(at(750), at(750), Lane::Incremental, used(1)), Some(Stop::OutOfTime));
    }

    #[test]
    fn the_slowest_page_fits_into_the_reserve() {
        let slowest = TIMEOUTS.attempt + TIMEOUTS.reserve;
        assert!(SignedDuration::try_from(slowest).unwrap() <= RESERVE);
        assert!(TIMEOUTS.attempt > std::time::Duration::from_secs(120), "Salesforce works on a query for as long");
    }

    #[test]
    fn a_short_invocation_keeps_most_of_its_time() {
        assert_eq!(stop_at(at(0), at(20)), at(15));
        assert_eq!(stop_at(at(30), at(20)), at(20));
    }

    #[test]
    fn each_lane_stops_at_its_share_of_the_calls() {
        for (lane, share) in [(Lane::Incremental, 800), (Lane::Backfill, 600)] {
            assert_eq!(stop(at(0), at(900), lane, used(share - 1)), None);
            assert_eq!(stop(at(0), at(900), lane, used(share)), Some(Stop::OverBudget));
        }
    }

    #[test]
    fn an_unknown_usage_does_not_stop_a_run() {
        assert_eq!(stop(at(0), at(900), Lane::Backfill, None), None);
    }
}
