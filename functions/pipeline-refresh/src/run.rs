//! The run of one task: its client, its time, and the org's API budget.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use mirroring::OrgMirror;
use runtime::{Chain, record_api_calls};
use salesforce::{Client, OrgId};
use serde::Serialize;
use store::{Allowance, ConnectionId, CursorName, Lane, Made, OrgSettings, RefreshKind, RefreshTask};
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

/// Returns the reason for which a run in this lane has to stop now. A run without a call goes on whatever the time and the
/// org's usage are, so that each invocation makes progress; but not without a call left of the allocation.
fn stop(now: Timestamp, stop_at: Timestamp, lane: Lane, allowance: &Allowance, made: Made) -> Option<Stop> {
    if !allowance.has_allocation(lane, made) || made.calls > 0 && !allowance.may_call(lane, made, now) {
        Some(Stop::OverBudget)
    } else {
        (made.calls > 0 && now >= stop_at).then_some(Stop::OutOfTime)
    }
}

/// The run of one task.
pub(crate) struct Run<'a> {
    pub(crate) deps: &'a Deps,
    pub(crate) task: &'a RefreshTask,
    pub(crate) client: Client,
    /// The settings of the org.
    pub(crate) settings: Arc<OrgSettings>,
    /// The objects and fields of the org that are mirrored.
    pub(crate) mirror: OrgMirror,
    allowance: Allowance,
    stop_at: Timestamp,
}

impl<'a> Run<'a> {
    pub(crate) fn new(
        deps: &'a Deps,
        task: &'a RefreshTask,
        settings: Arc<OrgSettings>,
        allowance: Allowance,
        deadline: Timestamp,
    ) -> Self {
        let client = deps.salesforce.client(task.org_id, &ConnectionId::team());
        deps.fields.configure(task.org_id, &settings.fields);
        let mirror = deps.fields.org_mirror(&settings, &deps.mirrored_objects);
        Self { deps, task, client, settings, mirror, allowance, stop_at: stop_at(deps.clock.now(), deadline) }
    }

    /// Returns whether the task is an audit.
    pub(crate) fn is_audit(&self) -> bool {
        matches!(self.task.kind, RefreshKind::Audit | RefreshKind::ConfirmedAudit)
    }

    pub(crate) fn org(&self) -> OrgId {
        self.task.org_id
    }

    /// Returns the reason for which the run has to stop now.
    pub(crate) fn stop(&self, lane: Lane) -> Option<Stop> {
        let made = Made { reported: self.client.api_usage(), calls: self.client.api_calls() };
        stop(self.deps.clock.now(), self.stop_at, lane, &self.allowance, made)
    }

    /// Returns the same, and counts the org's usage before the first call too: for work of which most invocations make a single
    /// call.
    pub(crate) fn stop_before_any_call(&self, lane: Lane) -> Option<Stop> {
        let made = Made { reported: self.client.api_usage(), calls: self.client.api_calls() };
        let may_call = self.allowance.may_call(lane, made, self.deps.clock.now());
        if may_call { self.stop(lane) } else { Some(Stop::OverBudget) }
    }

    /// Returns the reason for which a whole task has to wait: nothing is left of the allocation for the lane of its calls. The
    /// rest of a task, which is about one object, says so in the state of the object.
    pub(crate) fn stopped_whole(&self) -> Option<Stop> {
        let lane = match self.task.kind {
            RefreshKind::Connections => return None,
            RefreshKind::Backfill => Lane::Backfill,
            RefreshKind::Audit | RefreshKind::ConfirmedAudit | RefreshKind::Computed => Lane::Audit,
            RefreshKind::Nightly | RefreshKind::Incremental | RefreshKind::Poll => Lane::Incremental,
        };
        self.stop(lane).filter(|stop| self.task.object.is_none() && *stop == Stop::OverBudget)
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
    use salesforce::ApiUsage;
    use store::{Allocation, Budget};

    use super::*;
    use crate::config::TIMEOUTS;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn used(used: u64) -> Made {
        Made { reported: Some(ApiUsage { used, max: 1_000 }), calls: 1 }
    }

    fn stopped(now: i64, lane: Lane, made: Made) -> Option<Stop> {
        stop(at(now), at(750), lane, &Allowance::default(), made)
    }

    #[test]
    fn a_run_stops_in_time_to_store_its_checkpoint() {
        assert_eq!(stop_at(at(0), at(900)), at(750));
        assert_eq!(stopped(749, Lane::Incremental, used(1)), None);
        assert_eq!(stopped(750, Lane::Incremental, used(1)), Some(Stop::OutOfTime));
    }

    #[test]
    fn a_run_without_a_call_makes_one_unless_none_is_allocated() {
        let none_made = Made { reported: None, calls: 0 };
        assert_eq!(stopped(800, Lane::Incremental, none_made), None);
        let stored = Budget {
            org_id: "00D5e000000KQ2eEAG".parse().unwrap(),
            day: "1970-01-01".to_owned(),
            used: 1_000,
            max: 1_000,
            observed_at: at(0),
            calls: [(Lane::Incremental, 300)].into(),
        };
        let allowance = |allocation| Allowance { stored: Some(stored.clone()), allocation };
        let stop = |allocation| stop(at(0), at(750), Lane::Incremental, &allowance(allocation), none_made);
        assert_eq!(stop(None), None);
        assert_eq!(stop(Some(Allocation::Calls(400))), None);
        assert_eq!(stop(Some(Allocation::Calls(300))), Some(Stop::OverBudget));
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
            assert_eq!(stopped(0, lane, used(share - 1)), None);
            assert_eq!(stopped(0, lane, used(share)), Some(Stop::OverBudget));
        }
    }

    #[test]
    fn an_unknown_usage_does_not_stop_a_run() {
        assert_eq!(stopped(0, Lane::Backfill, Made { reported: None, calls: 1 }), None);
    }
}
