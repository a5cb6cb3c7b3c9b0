//! The content of the connections page.

use jiff::Timestamp;
use store::{AppRegistration, Connection, ConnectionKind, ConnectionState, Environment, Org, OrgState, Tenant};

use super::words::{self, Health};
use crate::Deps;
use crate::consent;
use crate::pages::environment;

/// The maximum number of personal connections on the page; the others are counted. Those that need action come first.
const MAX_PEOPLE: usize = 200;

/// An org of the tenant.
#[derive(Clone, Debug)]
pub(super) struct OrgView {
    pub(super) org_id: String,
    pub(super) host: String,
    pub(super) environment: &'static str,
    pub(super) notice: Option<&'static str>,
    /// `true` where the team can connect.
    pub(super) is_open: bool,
    /// `true` where reps can connect.
    pub(super) is_active: bool,
    pub(super) install_url: Option<String>,
    pub(super) team: Option<ConnectionView>,
    pub(super) people: Vec<ConnectionView>,
    /// The number of personal connections that are not shown.
    pub(super) more: usize,
    /// The number of connections that have to move to the newest app.
    pub(super) to_move: usize,
}

/// A connection.
#[derive(Clone, Debug)]
pub(super) struct ConnectionView {
    pub(super) id: String,
    pub(super) is_team: bool,
    pub(super) name: String,
    pub(super) username: Option<String>,
    pub(super) user: String,
    pub(super) health: Health,
    pub(super) needs_to_move: bool,
    pub(super) app: String,
    pub(super) last_use: String,
    /// `true` where there is a grant to revoke.
    pub(super) is_live: bool,
}

impl ConnectionView {
    /// `true` where no action is needed.
    pub(super) fn is_fine(&self) -> bool {
        self.health.mood == "good" && !self.needs_to_move
    }
}

/// Loads the tenant's orgs with their connections.
pub(super) async fn orgs(deps: &Deps, tenant: &Tenant) -> Result<Vec<OrgView>, store::Error> {
    let newest = deps.apps.newest().await?;
    let mut views = Vec::new();
    for org in deps.orgs.list_by_tenant(tenant).await? {
        let connections = deps.connections.list(org.org_id).await?;
        let connections = connections.into_iter().filter(|connection| connection.tenant == *tenant).collect();
        views.push(view(&org, connections, &newest, deps.clock.now()));
    }
    Ok(views)
}

fn view(org: &Org, connections: Vec<Connection>, newest: &AppRegistration, now: Timestamp) -> OrgView {
    let (team, people): (Vec<_>, Vec<_>) = connections.into_iter().partition(|one| one.kind == ConnectionKind::Team);
    let team = team.into_iter().next();
    let host = host_of(org, team.as_ref()).to_owned();
    let of = |connection: &Connection| connection_view(connection, &newest.app.name, now);
    let team = team.as_ref().map(of);
    let mut people: Vec<_> = people.iter().map(of).collect();
    people.sort_by_key(|one| (one.is_fine(), one.name.clone()));
    let to_move = team.iter().chain(&people).filter(|one| one.needs_to_move).count();
    let more = people.len().saturating_sub(MAX_PEOPLE);
    people.truncate(MAX_PEOPLE);
    OrgView {
        org_id: org.org_id.to_string(),
        host,
        environment: environment(org.environment),
        notice: words::of_org(org.state),
        is_open: org.state != OrgState::Quarantined,
        is_active: org.state == OrgState::Active,
        install_url: registered_install_url(newest, org.environment).map(str::to_owned),
        team,
        people,
        more,
        to_move,
    }
}

fn connection_view(connection: &Connection, newest_app: &str, now: Timestamp) -> ConnectionView {
    let is_live = matches!(connection.state, ConnectionState::Active | ConnectionState::Uncertain);
    ConnectionView {
        id: connection.connection_id.as_str().to_owned(),
        is_team: connection.kind == ConnectionKind::Team,
        name: name_of(connection),
        username: connection.username.clone(),
        user: connection.user_id.to_string(),
        health: words::of_connection(&connection.state),
        needs_to_move: is_live && connection.app != newest_app,
        app: connection.app.clone(),
        last_use: ago(connection.refreshed_at.unwrap_or(connection.connected_at), now),
        is_live: connection.state != ConnectionState::Revoked,
    }
}

fn registered_install_url(registration: &AppRegistration, environment: Environment) -> Option<&str> {
    match environment {
        Environment::Production => registration.install_url_production.as_deref(),
        Environment::Sandbox => registration.install_url_sandbox.as_deref(),
    }
}

/// Returns the display name of a connection's user.
pub(crate) fn name_of(connection: &Connection) -> String {
    match &connection.kind {
        ConnectionKind::Team => "Team".to_owned(),
        ConnectionKind::Personal { platform_user } => platform_user.to_string(),
    }
}

/// Returns the display name of an org: its host where that is known.
pub(super) fn host_of<'a>(org: &'a Org, connection: Option<&'a Connection>) -> &'a str {
    let url = connection.map(|connection| connection.instance_url.as_str()).or(org.my_domain_url.as_deref());
    url.map_or(org.org_id.as_str(), consent::host_of)
}

/// Renders the time since an instant, for display.
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
