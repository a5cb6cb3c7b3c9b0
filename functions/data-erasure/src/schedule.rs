//! The nightly schedule: starts the erasure of every org that has been closed for longer than the retention.

use std::pin::pin;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use runtime::{Chain, Outcome, Report};
use salesforce::OrgId;
use serde::Serialize;
use store::{Org, OrgState};

use crate::{Deps, Error};

/// The result of the schedule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Scheduled {
    /// The number of erasures that were started, or queued again.
    pub erasures: u64,
    /// The number of orgs whose time of closing was stored, because an earlier version closed them.
    pub stamped: u64,
    /// The number of orgs that failed. The next night repeats them.
    pub failed: u64,
}

impl Report for Scheduled {
    fn outcome(&self) -> Outcome {
        if self.failed == 0 { Outcome::Ok } else { Outcome::Partial }
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("erasures.started", self.erasures),
            ("orgs.stamped", self.stamped),
            ("orgs.failed", self.failed),
            // An alarm sees that the schedule was not counted for too long.
            ("schedule.nightly", 1),
        ]
    }
}

/// The decision about an org.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing is to be done.
    Nothing,
    /// The retention starts now: an earlier version closed the org and did not store the time.
    Stamp,
    /// Its data are erased.
    Erase,
}

/// Decides about an org. One that was connected again is active, and its retention starts anew when it is closed again.
#[must_use]
pub fn due(org: &Org, retention: SignedDuration, now: Timestamp) -> Due {
    let never_connected = org.activated_at.is_none() && org.tenant.is_none();
    if org.state == OrgState::Active || never_connected || org.erased_at.is_some() {
        return Due::Nothing;
    }
    match org.closed_at {
        None => Due::Stamp,
        Some(at) if now.duration_since(at) >= retention => Due::Erase,
        Some(_) => Due::Nothing,
    }
}

pub(crate) async fn handle(deps: &Deps) -> Result<Scheduled, Error> {
    let mut scheduled = Scheduled::default();
    let Some(retention) = deps.disconnected_retention else { return Ok(scheduled) };
    for state in CLOSED {
        let mut pages = pin!(deps.orgs.in_state(state));
        while let Some(page) = pages.try_next().await? {
            let starts = page.iter().map(|listed| async move {
                start_if_due(deps, listed.org_id, retention).await.inspect_err(|error| {
                    let org = listed.org_id;
                    tracing::warn!(org.id = %org, error = %Chain(error), "could not start the erasure of an org");
                })
            });
            let mut starts = stream::iter(starts).buffer_unordered(ORGS_AT_ONCE);
            while let Some(start) = starts.next().await {
                match start {
                    Ok(Due::Nothing) => {}
                    Ok(Due::Stamp) => scheduled.stamped += 1,
                    Ok(Due::Erase) => scheduled.erasures += 1,
                    Err(_) => scheduled.failed += 1,
                }
            }
        }
    }
    Ok(scheduled)
}

/// The states of orgs whose data are erased in the end.
const CLOSED: [OrgState; 3] = [OrgState::Disconnected, OrgState::Uninstalled, OrgState::Quarantined];

/// The number of orgs that are looked at at the same time, so that a night suffices for 100,000 closed orgs.
const ORGS_AT_ONCE: usize = 16;

/// Decides about an org, carries the decision out, and returns it.
async fn start_if_due(deps: &Deps, org: OrgId, retention: SignedDuration) -> Result<Due, Error> {
    let now = deps.clock.now();
    // The index lacks what decides, and lags behind the table.
    let Some(org) = deps.orgs.load(org).await? else { return Ok(Due::Nothing) };
    let due = due(&org, retention, now);
    match due {
        Due::Nothing => {}
        Due::Stamp => drop(deps.orgs.stamp_closing(org.org_id, now).await?),
        Due::Erase => drop(deps.erasures.start(&deps.tasks, org.org_id, None, now).await?),
    }
    Ok(due)
}

#[cfg(test)]
mod tests {
    use store::Environment;

    use super::*;

    const RETENTION: SignedDuration = SignedDuration::from_hours(30 * 24);

    fn day(day: i64) -> Timestamp {
        Timestamp::from_second(day * 86_400).unwrap()
    }

    fn closed(at: Option<i64>) -> Org {
        let org = Org::claimed("00D5e000000KQ2eEAG".parse().unwrap(), Environment::Production, day(0));
        let tenant = Some("acme".parse().unwrap());
        Org { state: OrgState::Disconnected, tenant, activated_at: Some(day(0)), closed_at: at.map(day), ..org }
    }

    #[test]
    fn data_are_erased_at_the_end_of_the_retention() {
        assert_eq!(due(&closed(Some(10)), RETENTION, day(39)), Due::Nothing);
        assert_eq!(due(&closed(Some(10)), RETENTION, day(40)), Due::Erase);
        let uninstalled = Org { state: OrgState::Uninstalled, ..closed(Some(10)) };
        assert_eq!(due(&uninstalled, RETENTION, day(40)), Due::Erase);
    }

    #[test]
    fn an_upgrade_erases_nothing_in_its_first_night() {
        assert_eq!(due(&closed(None), RETENTION, day(900)), Due::Stamp);
    }

    #[test]
    fn an_active_an_erased_and_an_unconnected_org_are_left_alone() {
        let active = Org { state: OrgState::Active, ..closed(Some(10)) };
        let erased = Org { erased_at: Some(day(41)), ..closed(Some(10)) };
        let claimed = Org { state: OrgState::Claimed, tenant: None, activated_at: None, ..closed(Some(10)) };
        for org in [active, erased, claimed] {
            assert_eq!(due(&org, RETENTION, day(900)), Due::Nothing);
        }
    }
}
