//! Whose connection writes, and who owns what is created (invariant 17): a pure rule, [`route`].
//!
//! What a rep creates belongs to the rep. The best way is the rep's own connection; where there is none, the team's
//! connection writes and names the rep as the owner, as long as Ferry knows the rep's Salesforce user.

use std::str::FromStr;

use salesforce::{Classify, OrgId, RecordId, Retry};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::connections::{Connection, ConnectionState, Connections};
use crate::ids::{ConnectionId, PlatformUser};

/// How a deployment wants writes on a rep's behalf to go (`OWNER_POLICY`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OwnerPolicy {
    /// `rep-then-team`: as the rep where the rep is connected, else by the team for the rep.
    #[default]
    RepThenTeam,
    /// `rep-only`: as the rep, or not at all. Writes that name no rep go through the team.
    RepOnly,
    /// `team-only`: always by the team, for the rep where the rep is known.
    TeamOnly,
}

/// The configured text names no policy.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the owner policy is one of rep-then-team, rep-only, team-only")]
pub struct UnknownPolicy;

impl FromStr for OwnerPolicy {
    type Err = UnknownPolicy;

    fn from_str(text: &str) -> Result<Self, UnknownPolicy> {
        match text {
            "rep-then-team" => Ok(Self::RepThenTeam),
            "rep-only" => Ok(Self::RepOnly),
            "team-only" => Ok(Self::TeamOnly),
            _ => Err(UnknownPolicy),
        }
    }
}

/// Which way a write goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnerChoice {
    /// As the rep; Salesforce makes the rep the owner.
    Rep,
    /// By the team, naming the rep as the owner of what is created.
    TeamWithOwner,
    /// By the team, whose user owns what is created.
    Team,
}

/// Why a write goes the way it goes, as the ledger keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnerReason {
    /// The rep's connection is alive.
    RepConnected,
    /// The rep has a connection that needs its rep before it works again.
    RepMustReconnect,
    /// The rep never connected.
    RepNotConnected,
    /// The request names no rep.
    NoActingUser,
    /// The deployment writes through the team only.
    PolicyTeamOnly,
}

impl OwnerReason {
    /// Returns the remedy after which later writes are made as the rep.
    #[must_use]
    pub fn next(self) -> Option<&'static str> {
        match self {
            Self::RepMustReconnect | Self::RepNotConnected => Some(
                "Send the rep a personal connect link (POST /v1/connect-links), so that later writes are made as the rep.",
            ),
            Self::RepConnected | Self::NoActingUser | Self::PolicyTeamOnly => None,
        }
    }
}

/// Which way a write went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteRoute {
    /// Through which connection.
    pub connection_id: ConnectionId,
    /// Who owns what it made.
    pub owner_choice: OwnerChoice,
    /// Why.
    pub owner_reason: OwnerReason,
}

/// The decision: a connection, and the owner to name on what is created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Through which connection and why, as the ledger keeps it.
    pub write_route: WriteRoute,
    /// The connection's Salesforce user, as whom the records are saved.
    pub user_id: RecordId,
    /// The user to name as `OwnerId`; exactly with [`OwnerChoice::TeamWithOwner`].
    pub owner_id: Option<RecordId>,
}

/// There is no connection that may be used. A person has to connect first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// It must be the rep's own connection, and the rep never connected.
    #[error("the rep is not connected")]
    RepMustConnect,
    /// It must be the rep's own connection, and it is no longer alive.
    #[error("the rep has to reconnect")]
    RepMustReconnect,
    /// It must be the team's connection, and the org has none.
    #[error("the org has no team connection")]
    TeamMustConnect,
    /// It must be the team's connection, and it is no longer alive.
    #[error("the team has to reconnect")]
    TeamMustReconnect,
}

impl RouteError {
    /// Returns the remedy for the platform.
    #[must_use]
    pub fn next(self) -> &'static str {
        match self {
            Self::RepMustConnect | Self::RepMustReconnect => {
                "Send the rep a personal connect link (POST /v1/connect-links), then send the request again."
            }
            Self::TeamMustConnect | Self::TeamMustReconnect => {
                "Send the org's admin a team connect link (POST /v1/connect-links), then send the request again."
            }
        }
    }
}

impl Classify for RouteError {
    fn retry(&self) -> Retry {
        Retry::NeedsHuman
    }
}

/// The rep a request is made for, and what Ferry knows of the rep's connection.
#[derive(Clone, Copy, Debug)]
pub enum Acting<'a> {
    /// The platform writes for itself.
    Nobody,
    /// The platform writes for a rep, whose connection this is, dead or alive.
    Rep(Option<&'a Connection>),
}

/// Decides whose connection writes.
///
/// # Errors
/// [`RouteError`] says who has to connect.
pub fn route(policy: OwnerPolicy, acting: Acting<'_>, team: Option<&Connection>) -> Result<Route, RouteError> {
    let Acting::Rep(rep) = acting else {
        return by_team(team, None, OwnerReason::NoActingUser);
    };
    match (policy, rep) {
        (OwnerPolicy::TeamOnly, rep) => by_team(team, rep, OwnerReason::PolicyTeamOnly),
        (_, Some(rep)) if is_usable(rep) => Ok(as_rep(rep)),
        (OwnerPolicy::RepThenTeam, Some(rep)) => by_team(team, Some(rep), OwnerReason::RepMustReconnect),
        (OwnerPolicy::RepThenTeam, None) => by_team(team, None, OwnerReason::RepNotConnected),
        (OwnerPolicy::RepOnly, Some(_)) => Err(RouteError::RepMustReconnect),
        (OwnerPolicy::RepOnly, None) => Err(RouteError::RepMustConnect),
    }
}

/// Reads the connections that matter, and decides.
///
/// # Errors
/// Only those of the table; that there is no way is an answer.
pub async fn choose(
    policy: OwnerPolicy,
    connections: &Connections,
    org: OrgId,
    platform_user: Option<&PlatformUser>,
) -> Result<Result<Route, RouteError>, Error> {
    let team = connections.load(org, &ConnectionId::team()).await?;
    let Some(user) = platform_user else {
        return Ok(route(policy, Acting::Nobody, team.as_ref()));
    };
    let rep = connections.load(org, &ConnectionId::personal(user)).await?;
    Ok(route(policy, Acting::Rep(rep.as_ref()), team.as_ref()))
}

/// Whose connection reads (invariant 18): a rep sees what Salesforce lets the rep see, and nothing through the team.
///
/// # Errors
/// Only those of the table; that there is no way is an answer.
pub async fn choose_reader(
    connections: &Connections,
    org: OrgId,
    platform_user: Option<&PlatformUser>,
) -> Result<Result<ConnectionId, RouteError>, Error> {
    let route = choose(OwnerPolicy::RepOnly, connections, org, platform_user).await?;
    Ok(route.map(|route| route.write_route.connection_id))
}

fn as_rep(rep: &Connection) -> Route {
    Route {
        write_route: write_route(&rep.connection_id, OwnerChoice::Rep, OwnerReason::RepConnected),
        user_id: rep.user_id,
        owner_id: None,
    }
}

fn by_team(team: Option<&Connection>, rep: Option<&Connection>, reason: OwnerReason) -> Result<Route, RouteError> {
    let team = team.ok_or(RouteError::TeamMustConnect)?;
    if !is_usable(team) {
        return Err(RouteError::TeamMustReconnect);
    }
    let owner_id = rep.map(|rep| rep.user_id);
    let choice = if owner_id.is_some() { OwnerChoice::TeamWithOwner } else { OwnerChoice::Team };
    Ok(Route { write_route: write_route(&team.connection_id, choice, reason), user_id: team.user_id, owner_id })
}

fn write_route(connection: &ConnectionId, owner_choice: OwnerChoice, owner_reason: OwnerReason) -> WriteRoute {
    WriteRoute { connection_id: connection.clone(), owner_choice, owner_reason }
}

/// An uncertain connection still serves: its access token is good until Salesforce refuses it.
fn is_usable(connection: &Connection) -> bool {
    matches!(connection.state, ConnectionState::Active | ConnectionState::Uncertain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::connections::ConnectionKind;

    const REP_USER: &str = "005D0000001aaaa";
    const TEAM_USER: &str = "005D0000001bbbb";

    fn connection(kind: ConnectionKind, user: &str, state: ConnectionState) -> Connection {
        let connection = serde_json::json!({
            "org_id": "00D000000000001",
            "connection_id": kind.connection_id(),
            "tenant": "acme",
            "user_id": user,
            "app": "v2",
            "login_url": "https://login.salesforce.com",
            "instance_url": "https://acme.my.salesforce.com",
            "state": "active",
            "token_version": "0".repeat(32),
            "created_at": "2026-11-22T10:00:00.000Z",
            "connected_at": "2026-11-22T10:00:00.000Z",
            "updated_at": "2026-11-22T10:00:00.000Z",
            "kind": "team",
        });
        let connection: Connection = serde_json::from_value(connection).unwrap();
        Connection { kind, state, ..connection }
    }

    fn rep(state: ConnectionState) -> Connection {
        connection(ConnectionKind::Personal { platform_user: "rep-1".parse().unwrap() }, REP_USER, state)
    }

    fn team(state: ConnectionState) -> Connection {
        connection(ConnectionKind::Team, TEAM_USER, state)
    }

    fn dead() -> ConnectionState {
        ConnectionState::ReauthRequired { reason: "expired".to_owned() }
    }

    #[test]
    fn a_connected_rep_writes_as_the_rep() {
        let (rep, team) = (rep(ConnectionState::Active), team(ConnectionState::Active));
        let route = route(OwnerPolicy::RepThenTeam, Acting::Rep(Some(&rep)), Some(&team)).unwrap();
        assert_eq!(route.write_route, write_route(&rep.connection_id, OwnerChoice::Rep, OwnerReason::RepConnected));
        assert_eq!(route.owner_id, None);
    }

    #[test]
    fn the_team_writes_for_a_rep_whose_connection_died_and_names_the_rep() {
        let (rep, team) = (rep(dead()), team(ConnectionState::Active));
        let route = route(OwnerPolicy::RepThenTeam, Acting::Rep(Some(&rep)), Some(&team)).unwrap();
        assert_eq!(route.write_route.owner_choice, OwnerChoice::TeamWithOwner);
        assert_eq!(route.write_route.owner_reason, OwnerReason::RepMustReconnect);
        assert_eq!(route.owner_id, Some(REP_USER.parse().unwrap()));
    }

    #[test]
    fn the_team_writes_for_itself_where_the_reps_user_is_unknown() {
        let team = team(ConnectionState::Active);
        let route = route(OwnerPolicy::RepThenTeam, Acting::Rep(None), Some(&team)).unwrap();
        assert_eq!(
            route.write_route,
            write_route(&team.connection_id, OwnerChoice::Team, OwnerReason::RepNotConnected)
        );
    }

    #[test]
    fn a_rep_only_deployment_refuses_and_says_who_has_to_connect() {
        let (dead_rep, team) = (rep(dead()), team(ConnectionState::Active));
        let refused = |acting| route(OwnerPolicy::RepOnly, acting, Some(&team)).unwrap_err();
        assert_eq!(refused(Acting::Rep(None)), RouteError::RepMustConnect);
        assert_eq!(refused(Acting::Rep(Some(&dead_rep))), RouteError::RepMustReconnect);
    }

    #[test]
    fn a_team_only_deployment_names_even_a_connected_rep_as_the_owner() {
        let (rep, team) = (rep(ConnectionState::Active), team(ConnectionState::Active));
        let route = route(OwnerPolicy::TeamOnly, Acting::Rep(Some(&rep)), Some(&team)).unwrap();
        assert_eq!(route.write_route.owner_choice, OwnerChoice::TeamWithOwner);
        assert_eq!(route.write_route.owner_reason, OwnerReason::PolicyTeamOnly);
    }

    #[test]
    fn who_writes_through_the_team_for_want_of_a_connection_is_told_how_to_invite_the_rep() {
        for reason in [OwnerReason::RepMustReconnect, OwnerReason::RepNotConnected] {
            assert!(reason.next().unwrap().contains("POST /v1/connect-links"));
        }
        for reason in [OwnerReason::RepConnected, OwnerReason::NoActingUser, OwnerReason::PolicyTeamOnly] {
            assert_eq!(reason.next(), None);
        }
    }

    #[test]
    fn an_uncertain_connection_still_writes() {
        let rep = rep(ConnectionState::Uncertain);
        assert!(route(OwnerPolicy::RepOnly, Acting::Rep(Some(&rep)), None).is_ok());
    }

    #[test]
    fn policies_are_named_as_in_the_environment() {
        assert_eq!("rep-then-team".parse(), Ok(OwnerPolicy::RepThenTeam));
        assert_eq!("rep-only".parse(), Ok(OwnerPolicy::RepOnly));
        assert_eq!("team-only".parse(), Ok(OwnerPolicy::TeamOnly));
        assert_eq!("Rep-Only".parse::<OwnerPolicy>(), Err(UnknownPolicy));
    }

    fn any_state() -> impl Strategy<Value = ConnectionState> {
        prop_oneof![
            Just(ConnectionState::Active),
            Just(ConnectionState::Uncertain),
            Just(dead()),
            Just(ConnectionState::Revoked),
        ]
    }

    fn any_policy() -> impl Strategy<Value = OwnerPolicy> {
        prop_oneof![Just(OwnerPolicy::RepThenTeam), Just(OwnerPolicy::RepOnly), Just(OwnerPolicy::TeamOnly)]
    }

    proptest! {
        #[test]
        fn a_route_goes_only_through_a_usable_connection_and_names_an_owner_only_by_the_team(
            policy in any_policy(),
            acting in any::<bool>(),
            rep_state in prop::option::of(any_state()),
            team_state in prop::option::of(any_state()),
        ) {
            let (rep, team) = (rep_state.map(rep), team_state.map(team));
            let acting = if acting { Acting::Rep(rep.as_ref()) } else { Acting::Nobody };
            if let Ok(route) = route(policy, acting, team.as_ref()) {
                let used = if route.write_route.connection_id.is_team() { team.as_ref() } else { rep.as_ref() };
                prop_assert!(used.is_some_and(is_usable));
                prop_assert_eq!(route.write_route.owner_choice == OwnerChoice::Rep, !route.write_route.connection_id.is_team());
                prop_assert_eq!(route.owner_id.is_some(), route.write_route.owner_choice == OwnerChoice::TeamWithOwner);
                prop_assert!(!(policy == OwnerPolicy::RepOnly && route.write_route.owner_choice == OwnerChoice::TeamWithOwner));
            }
        }
    }
}
