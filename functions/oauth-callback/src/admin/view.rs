//! The content of the connections page.

use jiff::Timestamp;
use store::{Connection, ConnectionKind, ConnectionState, Org, OrgState, PublicApp, Tenant};

use super::status::{self, Status};
use crate::Deps;
use crate::pages::{self, environment_label};
use crate::ticket::registered_install_url;

/// The maximum number of personal connections on the page. The page shows the number of the others.
const MAX_PERSONAL: usize = 200;

/// An org of the tenant, as the page shows it.
#[derive(Clone, Debug)]
pub(super) struct OrgView {
    pub(super) org_id: String,
    pub(super) host: String,
    pub(super) environment: &'static str,
    pub(super) notice: Option<&'static str>,
    /// `true` if reps can connect.
    pub(super) reps_can_connect: bool,
    pub(super) install_url: Option<String>,
    pub(super) team: Option<ConnectionView>,
    /// The personal connections: those that need action first, then by name.
    pub(super) personal: Vec<ConnectionView>,
    /// The number of personal connections that are not shown.
    pub(super) not_shown: usize,
    /// The number of connections that have to move to the newest app.
    pub(super) to_move: usize,
}

/// A connection, as the page shows it.
#[derive(Clone, Debug)]
pub(super) struct ConnectionView {
    pub(super) id: String,
    pub(super) is_team: bool,
    pub(super) name: String,
    pub(super) username: Option<String>,
    pub(super) user: String,
    pub(super) status: Status,
    /// `true` if the connection works, but was made with an older app than the newest.
    pub(super) needs_to_move: bool,
    pub(super) app: String,
    /// The time since the last use of the grant, as text.
    pub(super) last_used: String,
    pub(super) can_disconnect: bool,
}

impl ConnectionView {
    /// Returns `true` if the connection needs no action.
    pub(super) fn is_ok(&self) -> bool {
        self.status.class == "good" && !self.needs_to_move
    }
}

/// Loads the tenant's orgs with their connections.
pub(super) async fn orgs(deps: &Deps, tenant: &Tenant, newest: &PublicApp) -> Result<Vec<OrgView>, store::Error> {
    let mut views = Vec::new();
    for org in deps.orgs.list_by_tenant(tenant).await? {
        let connections = deps.connections.list(org.org_id).await?;
        let connections = connections.into_iter().filter(|connection| connection.tenant == *tenant).collect();
        views.push(view(&org, connections, newest, deps.clock.now()));
    }
    Ok(views)
}

fn view(org: &Org, connections: Vec<Connection>, newest: &PublicApp, now: Timestamp) -> OrgView {
    let (team, personal): (Vec<_>, Vec<_>) =
        connections.into_iter().partition(|connection| connection.kind == ConnectionKind::Team);
    let team = team.into_iter().next();
    let host = host_of(org, team.as_ref()).to_owned();
    let shown = |connection: &Connection| connection_view(connection, &newest.name, now);
    let team = team.as_ref().map(shown);
    let mut personal: Vec<_> = personal.iter().map(shown).collect();
    personal.sort_by_key(|connection| (connection.is_ok(), connection.name.clone()));
    let to_move = team.iter().chain(&personal).filter(|connection| connection.needs_to_move).count();
    let not_shown = personal.len().saturating_sub(MAX_PERSONAL);
    personal.truncate(MAX_PERSONAL);
    OrgView {
        org_id: org.org_id.to_string(),
        host,
        environment: environment_label(org.environment),
        notice: status::of_org(org.state),
        reps_can_connect: org.state == OrgState::Active,
        install_url: registered_install_url(newest, org.environment).map(str::to_owned),
        team,
        personal,
        not_shown,
        to_move,
    }
}

fn connection_view(connection: &Connection, newest_app: &str, now: Timestamp) -> ConnectionView {
    let is_in_use = matches!(connection.state, ConnectionState::Active | ConnectionState::Uncertain);
    ConnectionView {
        id: connection.connection_id.as_str().to_owned(),
        is_team: connection.kind == ConnectionKind::Team,
        name: name_of(connection),
        username: connection.username.clone(),
        user: connection.user_id.to_string(),
        status: status::of_connection(connection),
        needs_to_move: is_in_use && connection.app != newest_app,
        app: connection.app.clone(),
        last_used: ago(connection.refreshed_at.unwrap_or(connection.connected_at), now),
        can_disconnect: connection.state != ConnectionState::Revoked,
    }
}

/// Returns the display name of a connection: "Team", or the platform user.
pub(crate) fn name_of(connection: &Connection) -> String {
    match &connection.kind {
        ConnectionKind::Team => "Team".to_owned(),
        ConnectionKind::Personal { platform_user } => platform_user.to_string(),
    }
}

/// Returns the display name of an org: its host, or its id if the host is unknown.
pub(super) fn host_of<'a>(org: &'a Org, connection: Option<&'a Connection>) -> &'a str {
    let url = connection.map(|connection| connection.instance_url.as_str()).or(org.my_domain_url.as_deref());
    url.map_or(org.org_id.as_str(), pages::host_of)
}

/// Returns the time since an instant in the largest unit that fits, for example "2 days ago".
fn ago(then: Timestamp, now: Timestamp) -> String {
    let minutes = now.duration_since(then).as_mins();
    let (count, unit) = match minutes {
        ..1 => return "just now".to_owned(),
        1..60 => (minutes, "minute"),
        60..1440 => (minutes / 60, "hour"),
        _ => (minutes / 1440, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural} ago")
}

#[cfg(test)]
mod tests;
