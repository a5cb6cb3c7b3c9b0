//! Where the connections stand: pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use store::apps::{AppRegistration, newest};
use store::{Connection, ConnectionKind, ConnectionState, Org};

/// A connection that has to move to another app.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Standing {
    pub(crate) tenant: String,
    pub(crate) org_id: String,
    /// `team`, or the rep as the platform calls them.
    pub(crate) connection: String,
    pub(crate) user_id: String,
    pub(crate) app: String,
    pub(crate) state: &'static str,
}

/// An app at a glance.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Summary {
    pub(crate) app: String,
    /// Whether new consents use it.
    pub(crate) newest: bool,
    /// Connections that work on it.
    pub(crate) live: usize,
    /// Connections on it whose person has to connect again.
    pub(crate) to_reconnect: usize,
    pub(crate) sunset: Option<Date>,
    pub(crate) days_left: Option<i64>,
}

/// Every connection that is not on the app that new consents use, by tenant and org, the team's first. What was ended on
/// purpose does not count, nor what an org holds that is not any tenant's.
pub(crate) fn standings(
    apps: &[AppRegistration],
    orgs: &[Org],
    connections: &[Connection],
    now: Timestamp,
) -> Vec<Standing> {
    let newest = newest(apps, now).map(|newest| newest.app.name.as_str());
    let owned: BTreeMap<_, _> = orgs.iter().filter_map(|org| Some((org.org_id, org.tenant.as_ref()?))).collect();
    let mut left: Vec<_> = connections
        .iter()
        .filter(|connection| Some(connection.app.as_str()) != newest)
        .filter_map(|connection| {
            let tenant = owned.get(&connection.org_id)?;
            Some(Standing {
                tenant: tenant.to_string(),
                org_id: connection.org_id.to_string(),
                connection: whose(connection),
                user_id: connection.user_id.to_string(),
                app: connection.app.clone(),
                state: state(connection)?,
            })
        })
        .collect();
    left.sort_by_key(|one| (one.tenant.clone(), one.org_id.clone(), one.connection != TEAM, one.connection.clone()));
    left
}

/// Each registration in its order, and then apps that connections name and nobody has registered any more.
pub(crate) fn summaries(apps: &[AppRegistration], connections: &[Connection], now: Timestamp) -> Vec<Summary> {
    let newest = newest(apps, now).map(|newest| newest.app.name.as_str());
    let known: Vec<&str> = apps.iter().map(|app| app.app.name.as_str()).collect();
    let mut gone: Vec<&str> = connections.iter().map(|connection| connection.app.as_str()).collect();
    gone.retain(|app| !known.contains(app));
    gone.sort_unstable();
    gone.dedup();
    let registered = apps.iter().map(|app| (app.app.name.as_str(), app.sunset, app.days_left(now)));
    registered
        .chain(gone.into_iter().map(|app| (app, None, None)))
        .map(|(app, sunset, days_left)| {
            let of_app = |wanted| connections.iter().filter(|one| one.app == app && state(one) == Some(wanted)).count();
            Summary {
                app: app.to_owned(),
                newest: Some(app) == newest,
                live: of_app(LIVE),
                to_reconnect: of_app(TO_RECONNECT),
                sunset,
                days_left,
            }
        })
        .collect()
}

const TEAM: &str = "team";
const LIVE: &str = "works";
const TO_RECONNECT: &str = "has to connect again";

fn whose(connection: &Connection) -> String {
    match &connection.kind {
        ConnectionKind::Team => TEAM.to_owned(),
        ConnectionKind::Personal { platform_user } => platform_user.to_string(),
    }
}

fn state(connection: &Connection) -> Option<&'static str> {
    match connection.state {
        ConnectionState::Active | ConnectionState::Uncertain => Some(LIVE),
        ConnectionState::ReauthRequired { .. } => Some(TO_RECONNECT),
        ConnectionState::Revoked => None,
    }
}

#[cfg(test)]
mod tests;
