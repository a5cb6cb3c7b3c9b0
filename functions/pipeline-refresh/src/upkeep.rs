//! The upkeep of an org's connections: refresh tokens are used before they expire, and sunset warnings are recorded in time.
//! The token broker does both; this module chooses the connections.

use futures::{StreamExt as _, stream};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use runtime::Chain;
use store::{Connection, ConnectionState, RefreshKind, RefreshTask};
use tracing::{info, warn};

use crate::Deps;
use crate::error::Error;

/// The number of connections that are processed at the same time.
const AT_ONCE: usize = 8;
/// The time of an invocation in which no further connection is started; the next hour continues with the others.
const RESERVE: SignedDuration = SignedDuration::from_secs(60);

/// The result of an upkeep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Upkeep {
    /// The connections that the broker was called for.
    pub(crate) called: u64,
    /// The calls that failed. The next hour repeats them.
    pub(crate) failed: u64,
}

/// Calls the broker for each connection that is due.
pub(crate) async fn keep_connections(deps: &Deps, task: &RefreshTask, deadline: Timestamp) -> Result<Upkeep, Error> {
    let connections = deps.connections.list(task.org_id).await?;
    let now = deps.clock.now();
    let due = connections.iter().filter(|connection| is_due(connection, task.kind, now));
    let calls = stream::iter(due.map(|connection| keep_alive(deps, connection, deadline))).buffer_unordered(AT_ONCE);
    let upkeep = calls.fold(Upkeep::default(), async |sum, failed| count(sum, failed)).await;
    if upkeep.called > 0 {
        info!(org.id = %task.org_id, called = upkeep.called, failed = upkeep.failed, "kept the connections of org {} alive", task.org_id);
    }
    Ok(upkeep)
}

/// Returns whether the broker is called: by night for every usable connection, by the hour for those that cannot wait.
fn is_due(connection: &Connection, kind: RefreshKind, now: Timestamp) -> bool {
    let usable = matches!(connection.state, ConnectionState::Active | ConnectionState::Uncertain);
    let today = now.to_zoned(TimeZone::UTC).date();
    let is_stopped = connection.sunset_warning.is_some_and(|warning| warning.sunset <= today);
    usable && (kind == RefreshKind::Nightly || is_stopped || store::connections::keep_alive::is_due(connection, now))
}

/// Calls the broker. Returns whether the call failed, or `None` when no time was left for it.
async fn keep_alive(deps: &Deps, connection: &Connection, deadline: Timestamp) -> Option<bool> {
    if deps.clock.now() + RESERVE > deadline {
        return None;
    }
    let org = connection.org_id;
    let kept = deps.salesforce.broker().keep_alive(org, &connection.connection_id).await;
    if let Err(error) = &kept {
        warn!(org.id = %org, error = %Chain(error), "could not keep a connection of org {org} alive");
    }
    Some(kept.is_err())
}

fn count(sum: Upkeep, failed: Option<bool>) -> Upkeep {
    match failed {
        None => sum,
        Some(failed) => Upkeep { called: sum.called + 1, failed: sum.failed + u64::from(failed) },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: &str = "2026-11-22T10:00:00Z";

    fn connection(more: Value) -> Connection {
        let mut row = json!({
            "org_id": "00D5e000000KQ2eEAG", "connection_id": "team", "kind": "team", "tenant": "acme",
            "user_id": "0055e000001mKpCAAU", "app": "v1", "login_url": "https://login.salesforce.com",
            "instance_url": "https://acme.my.salesforce.com", "state": "active", "token_version": "2".repeat(32),
            "created_at": "2026-10-01T00:00:00.000Z", "connected_at": "2026-11-20T00:00:00.000Z",
            "updated_at": "2026-11-20T00:00:00.000Z",
        });
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(row).unwrap()
    }

    fn by_hour_and_by_night(more: Value) -> (bool, bool) {
        let (connection, now) = (connection(more), NOW.parse().unwrap());
        (is_due(&connection, RefreshKind::Connections, now), is_due(&connection, RefreshKind::Nightly, now))
    }

    #[test]
    fn a_connection_in_use_is_due_by_night() {
        assert_eq!(by_hour_and_by_night(json!({})), (false, true));
        assert_eq!(by_hour_and_by_night(json!({"state": "uncertain"})), (false, true));
    }

    #[test]
    fn an_idle_connection_and_a_stopped_app_are_due_hourly() {
        let idle = json!({"connected_at": "2026-11-02T10:00:00.000Z"});
        assert_eq!(by_hour_and_by_night(idle), (true, true));
        let warned = |sunset| json!({"sunset_on": sunset, "sunset_warned_days": 7});
        assert_eq!(by_hour_and_by_night(warned("2026-11-22")), (true, true));
        assert_eq!(by_hour_and_by_night(warned("2026-11-23")), (false, true));
    }

    #[test]
    fn an_ended_connection_is_never_due() {
        for state in ["reauth_required", "revoked"] {
            let ended = json!({"state": state, "reason": "grant_ended", "connected_at": "2026-11-02T10:00:00.000Z"});
            assert_eq!(by_hour_and_by_night(ended), (false, false), "{state}");
        }
    }
}
