//! The upkeep of an org's connections: no refresh token is left unused for too long, and nobody learns too late that their app
//! will be stopped. The token broker does it; here is decided for which connections it is asked.

use futures::{StreamExt as _, stream};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use runtime::{Chain, StateError};
use store::connections::keep_alive;
use store::{Connection, ConnectionState, RefreshKind, RefreshTask};
use tracing::{info, warn};

use crate::Deps;
use crate::error::Error;

/// How many connections are seen to at the same time.
const AT_ONCE: usize = 8;
/// What is left of an invocation when no more connections are begun; the next hour goes on with them.
const RESERVE: SignedDuration = SignedDuration::from_secs(60);

/// What the upkeep came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Upkeep {
    /// Connections that the broker was asked for.
    pub(crate) asked: u64,
    /// Those for which it could do nothing now. The next hour asks again.
    pub(crate) failed: u64,
}

/// Sees to the connections for which it is time.
pub(crate) async fn tend(deps: &Deps, task: &RefreshTask, deadline: Timestamp) -> Result<Upkeep, Error> {
    let connections = deps.connections.list(task.org_id).await.map_err(StateError::during("list the connections"))?;
    let now = deps.clock.now();
    let due = connections.iter().filter(|connection| is_due(connection, task.kind, now));
    let asked = stream::iter(due.map(|connection| ask(deps, connection, deadline))).buffer_unordered(AT_ONCE);
    let upkeep = asked.fold(Upkeep::default(), async |sum, failed| count(sum, failed)).await;
    if upkeep.asked > 0 {
        info!(org.id = %task.org_id, asked = upkeep.asked, failed = upkeep.failed, "saw to the connections of org {}", task.org_id);
    }
    Ok(upkeep)
}

/// Whether the broker is to be asked: by night for each connection that lives, by the hour for what cannot wait for the night.
fn is_due(connection: &Connection, kind: RefreshKind, now: Timestamp) -> bool {
    let lives = matches!(connection.state, ConnectionState::Active | ConnectionState::Uncertain);
    let today = now.to_zoned(TimeZone::UTC).date();
    let is_stopped = connection.sunset_warning.is_some_and(|warning| warning.sunset <= today);
    lives && (kind == RefreshKind::Nightly || is_stopped || keep_alive::is_due(connection, now))
}

/// `None` when there was no time left to ask, else whether it failed.
async fn ask(deps: &Deps, connection: &Connection, deadline: Timestamp) -> Option<bool> {
    if deps.clock.now() + RESERVE > deadline {
        return None;
    }
    let org = connection.org_id;
    let asked = deps.salesforce.broker().keep_alive(org, &connection.connection_id).await;
    if let Err(error) = &asked {
        warn!(org.id = %org, error = %Chain(error), "a connection of org {org} could not be seen to");
    }
    Some(asked.is_err())
}

fn count(sum: Upkeep, failed: Option<bool>) -> Upkeep {
    match failed {
        None => sum,
        Some(failed) => Upkeep { asked: sum.asked + 1, failed: sum.failed + u64::from(failed) },
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
    fn a_connection_in_use_is_seen_to_by_night() {
        assert_eq!(by_hour_and_by_night(json!({})), (false, true));
        assert_eq!(by_hour_and_by_night(json!({"state": "uncertain"})), (false, true));
    }

    #[test]
    fn an_idle_connection_and_one_whose_app_stops_today_do_not_wait_for_the_night() {
        let idle = json!({"connected_at": "2026-11-02T10:00:00.000Z"});
        assert_eq!(by_hour_and_by_night(idle), (true, true));
        let warned = |sunset| json!({"sunset_on": sunset, "sunset_warned_days": 7});
        assert_eq!(by_hour_and_by_night(warned("2026-11-22")), (true, true));
        assert_eq!(by_hour_and_by_night(warned("2026-11-23")), (false, true));
    }

    #[test]
    fn what_needs_its_person_or_was_ended_is_left_alone() {
        for state in ["reauth_required", "revoked"] {
            let dead = json!({"state": state, "reason": "grant_ended", "connected_at": "2026-11-02T10:00:00.000Z"});
            assert_eq!(by_hour_and_by_night(dead), (false, false), "{state}");
        }
    }
}
