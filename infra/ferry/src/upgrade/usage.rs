//! Usage of app registrations by connections.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use store::apps::{AppRegistration, newest, public};
use store::{Connection, ConnectionKind, ConnectionState};

/// A connection that does not use the current app.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct OutdatedConnection {
    pub(crate) tenant: String,
    pub(crate) org_id: String,
    /// `team`, or the id of the platform user.
    pub(crate) connection: String,
    pub(crate) user_id: String,
    pub(crate) app: String,
    pub(crate) state: &'static str,
}

/// An app registration with the number of its connections.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct AppUsage {
    pub(crate) app: String,
    /// `true` if new consents use the app.
    #[serde(rename = "newest")]
    pub(crate) current: bool,
    /// Connections that are active or uncertain.
    #[serde(rename = "live")]
    pub(crate) working: usize,
    /// Connections whose user has to connect again.
    pub(crate) to_reconnect: usize,
    pub(crate) sunset: Option<Date>,
    pub(crate) days_left: Option<i64>,
}

/// Returns the connections that do not use the current app, by tenant and org, the team's first. Revoked connections are left
/// out.
pub(crate) fn outdated_connections(
    apps: &[AppRegistration],
    connections: &[Connection],
    now: Timestamp,
) -> Vec<OutdatedConnection> {
    let current = newest(public(apps), now).map(|newest| newest.name.as_str());
    let mut outdated: Vec<_> = connections
        .iter()
        .filter(|connection| Some(connection.app.as_str()) != current)
        .filter_map(|connection| {
            Some(OutdatedConnection {
                tenant: connection.tenant.to_string(),
                org_id: connection.org_id.to_string(),
                connection: name(connection),
                user_id: connection.user_id.to_string(),
                app: connection.app.clone(),
                state: state(connection)?,
            })
        })
        .collect();
    outdated
        .sort_by_key(|one| (one.tenant.clone(), one.org_id.clone(), one.connection != TEAM, one.connection.clone()));
    outdated
}

/// Returns the registered apps in their order, then the apps that connections use but that are no longer registered.
pub(crate) fn app_usage(apps: &[AppRegistration], connections: &[Connection], now: Timestamp) -> Vec<AppUsage> {
    let current = newest(public(apps), now).map(|newest| newest.name.as_str());
    let registered: Vec<&str> = public(apps).map(|app| app.name.as_str()).collect();
    let mut unregistered: Vec<&str> = connections.iter().map(|connection| connection.app.as_str()).collect();
    unregistered.retain(|app| !registered.contains(app));
    unregistered.sort_unstable();
    unregistered.dedup();
    let apps = public(apps).map(|app| (app.name.as_str(), app.sunset, app.days_left(now)));
    apps.chain(unregistered.into_iter().map(|app| (app, None, None)))
        .map(|(app, sunset, days_left)| {
            let count = |wanted| connections.iter().filter(|one| one.app == app && state(one) == Some(wanted)).count();
            AppUsage {
                app: app.to_owned(),
                current: Some(app) == current,
                working: count(WORKING),
                to_reconnect: count(TO_RECONNECT),
                sunset,
                days_left,
            }
        })
        .collect()
}

const TEAM: &str = "team";
const WORKING: &str = "works";
const TO_RECONNECT: &str = "has to connect again";

fn name(connection: &Connection) -> String {
    match &connection.kind {
        ConnectionKind::Team => TEAM.to_owned(),
        ConnectionKind::Personal { platform_user } => platform_user.to_string(),
    }
}

fn state(connection: &Connection) -> Option<&'static str> {
    match connection.state {
        ConnectionState::Active | ConnectionState::Uncertain => Some(WORKING),
        ConnectionState::ReauthRequired { .. } => Some(TO_RECONNECT),
        ConnectionState::Revoked => None,
    }
}

#[cfg(test)]
mod tests;
