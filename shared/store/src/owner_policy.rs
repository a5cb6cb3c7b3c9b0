//! The owner policy: the connection that writes, and the owner of created records (invariant 17). A pure rule,
//! [`route`].
//!
//! Records that a rep creates belong to the rep. Preferably the rep's own connection writes. Otherwise the team's
//! connection writes and names the rep as the owner, if the rep's Salesforce user is known.

use std::str::FromStr;

use salesforce::{Classify, OrgId, RecordId, Retry};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::connections::{Connection, ConnectionState, Connections};
use crate::ids::{ConnectionId, PlatformUser};

/// The policy for writes on behalf of a rep (`OWNER_POLICY`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OwnerPolicy {
    /// `rep-then-team`: by the rep's connection if there is a usable one, otherwise by the team's.
    #[default]
    RepThenTeam,
    /// `rep-only`: by the rep's connection, or not at all. Writes without a rep use the team's connection.
    RepOnly,
    /// `team-only`: always by the team's connection, with the rep as the owner if the rep's user is known.
    TeamOnly,
}

/// The configured text is not a policy.
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

/// The connection and the owner of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnerChoice {
    /// The rep's connection. Salesforce makes the rep the owner.
    Rep,
    /// The team's connection, with the rep named as the owner of created records.
    TeamWithOwner,
    /// The team's connection. Its user owns created records.
    Team,
}

/// The reason for a route, as the ledger stores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnerReason {
    /// The rep's connection is usable.
    RepConnected,
    /// The rep has to reconnect.
    RepMustReconnect,
    /// The rep never connected.
    RepNotConnected,
    /// The request names no rep.
    NoActingUser,
    /// The policy is `team-only`.
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

/// The route of a write, as the ledger stores it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteRoute {
    /// The connection.
    pub connection_id: ConnectionId,
    /// The owner of created records.
    pub owner_choice: OwnerChoice,
    /// The reason.
    pub owner_reason: OwnerReason,
}

/// The chosen connection, and the owner to name on created records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The route, as the ledger stores it.
    pub write_route: WriteRoute,
    /// The connection's Salesforce user, who saves the records.
    pub user_id: RecordId,
    /// The user to name as `OwnerId`, if and only if the choice is [`OwnerChoice::TeamWithOwner`].
    pub owner_id: Option<RecordId>,
}

/// No connection may be used. A person has to connect first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// The policy needs the rep's connection, and the rep never connected.
    #[error("the rep is not connected")]
    RepMustConnect,
    /// The policy needs the rep's connection, and the rep has to reconnect.
    #[error("the rep has to reconnect")]
    RepMustReconnect,
    /// The write needs the team's connection, and the org has none.
    #[error("the org has no team connection")]
    TeamMustConnect,
    /// The write needs the team's connection, and the team has to reconnect.
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

/// The platform user of a request, and the user's connection.
#[derive(Clone, Copy, Debug)]
pub enum OnBehalfOf<'a> {
    /// The request names no rep.
    Platform,
    /// The request names a rep, who has this connection, usable or not.
    Rep(Option<&'a Connection>),
}

/// Chooses the connection of a write.
///
/// # Errors
/// [`RouteError`]: a person has to connect first.
pub fn route(policy: OwnerPolicy, acting: OnBehalfOf<'_>, team: Option<&Connection>) -> Result<Route, RouteError> {
    let OnBehalfOf::Rep(rep) = acting else {
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

/// Loads the connections and chooses the one that writes.
///
/// # Errors
/// Only those of the table. A missing connection is not one of them.
pub async fn choose(
    policy: OwnerPolicy,
    connections: &Connections,
    org: OrgId,
    platform_user: Option<&PlatformUser>,
) -> Result<Result<Route, RouteError>, Error> {
    let team = connections.load(org, &ConnectionId::team()).await?;
    let Some(user) = platform_user else {
        return Ok(route(policy, OnBehalfOf::Platform, team.as_ref()));
    };
    let rep = connections.load(org, &ConnectionId::personal(user)).await?;
    Ok(route(policy, OnBehalfOf::Rep(rep.as_ref()), team.as_ref()))
}

/// Chooses the connection of a read (invariant 18): a rep reads only through the rep's own connection.
///
/// # Errors
/// Only those of the table. A missing connection is not one of them.
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

/// Returns whether the connection is usable. An uncertain one is: its access token is valid until Salesforce refuses
/// it.
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

    fn must_reconnect() -> ConnectionState {
        ConnectionState::ReauthRequired { reason: "expired".to_owned() }
    }

    #[test]
    fn a_connected_rep_writes_for_themselves() {
        let (rep, team) = (rep(ConnectionState::Active), team(ConnectionState::Active));
        let route = route(OwnerPolicy::RepThenTeam, OnBehalfOf::Rep(Some(&rep)), Some(&team)).unwrap();
        assert_eq!(route.write_route, write_route(&rep.connection_id, OwnerChoice::Rep, OwnerReason::RepConnected));
        assert_eq!(route.owner_id, None);
    }

    #[test]
    fn the_team_writes_and_names_a_disconnected_rep() {
        let (rep, team) = (rep(must_reconnect()), team(ConnectionState::Active));
        let route = route(OwnerPolicy::RepThenTeam, OnBehalfOf::Rep(Some(&rep)), Some(&team)).unwrap();
        assert_eq!(route.write_route.owner_choice, OwnerChoice::TeamWithOwner);
        assert_eq!(route.write_route.owner_reason, OwnerReason::RepMustReconnect);
        assert_eq!(route.owner_id, Some(REP_USER.parse().unwrap()));
    }

    #[test]
    fn the_team_owns_records_of_an_unknown_rep() {
        let team = team(ConnectionState::Active);
        let route = route(OwnerPolicy::RepThenTeam, OnBehalfOf::Rep(None), Some(&team)).unwrap();
        assert_eq!(
            route.write_route,
            write_route(&team.connection_id, OwnerChoice::Team, OwnerReason::RepNotConnected)
        );
    }

    #[test]
    fn rep_only_requires_the_rep_to_connect() {
        let (rep, team) = (rep(must_reconnect()), team(ConnectionState::Active));
        let refused = |acting| route(OwnerPolicy::RepOnly, acting, Some(&team)).unwrap_err();
        assert_eq!(refused(OnBehalfOf::Rep(None)), RouteError::RepMustConnect);
        assert_eq!(refused(OnBehalfOf::Rep(Some(&rep))), RouteError::RepMustReconnect);
    }

    #[test]
    fn team_only_names_a_connected_rep_as_the_owner() {
        let (rep, team) = (rep(ConnectionState::Active), team(ConnectionState::Active));
        let route = route(OwnerPolicy::TeamOnly, OnBehalfOf::Rep(Some(&rep)), Some(&team)).unwrap();
        assert_eq!(route.write_route.owner_choice, OwnerChoice::TeamWithOwner);
        assert_eq!(route.write_route.owner_reason, OwnerReason::PolicyTeamOnly);
    }

    #[test]
    fn the_remedy_is_to_invite_a_missing_rep() {
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
        assert!(route(OwnerPolicy::RepOnly, OnBehalfOf::Rep(Some(&rep)), None).is_ok());
    }

    #[test]
    fn policies_are_parsed_by_name() {
        assert_eq!("rep-then-team".parse(), Ok(OwnerPolicy::RepThenTeam));
        assert_eq!("rep-only".parse(), Ok(OwnerPolicy::RepOnly));
        assert_eq!("team-only".parse(), Ok(OwnerPolicy::TeamOnly));
        assert_eq!("Rep-Only".parse::<OwnerPolicy>(), Err(UnknownPolicy));
    }

    fn any_state() -> impl Strategy<Value = ConnectionState> {
        prop_oneof![
            Just(ConnectionState::Active),
            Just(ConnectionState::Uncertain),
            Just(must_reconnect()),
            Just(ConnectionState::Revoked),
        ]
    }

    fn any_policy() -> impl Strategy<Value = OwnerPolicy> {
        prop_oneof![Just(OwnerPolicy::RepThenTeam), Just(OwnerPolicy::RepOnly), Just(OwnerPolicy::TeamOnly)]
    }

    proptest! {
        #[test]
        fn a_route_uses_a_usable_connection(
            policy in any_policy(),
            acting in any::<bool>(),
            rep_state in prop::option::of(any_state()),
            team_state in prop::option::of(any_state()),
        ) {
            let (rep, team) = (rep_state.map(rep), team_state.map(team));
            let acting = if acting { OnBehalfOf::Rep(rep.as_ref()) } else { OnBehalfOf::Platform };
            if let Ok(Route { write_route, owner_id, .. }) = route(policy, acting, team.as_ref()) {
                let by_team = write_route.connection_id.is_team();
                let used = if by_team { team.as_ref() } else { rep.as_ref() };
                prop_assert!(used.is_some_and(is_usable));
                prop_assert_eq!(write_route.owner_choice == OwnerChoice::Rep, !by_team);
                let names_owner = write_route.owner_choice == OwnerChoice::TeamWithOwner;
                prop_assert_eq!(owner_id.is_some(), names_owner);
                prop_assert!(!(policy == OwnerPolicy::RepOnly && names_owner));
            }
        }
    }
}
