//! The owner policy: the connection that writes, and the owner of created records (invariant 17). A pure rule,
//! [`route`]; `docs/writes-and-notes.md` has it as a table.
//!
//! Records that a rep creates belong to the rep. Preferably the rep's own connection writes. Otherwise the team's
//! connection writes and names the rep as the owner. A write for a rep who is not known in the org, whose connection was
//! disconnected, or whose Salesforce user is inactive is refused.

use std::str::FromStr;

use salesforce::{Classify, OrgId, RecordId, Retry};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::connections::reservation::NOT_CONNECTED_YET;
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
    /// `team-only`: always by the team's connection, with the rep as the owner.
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
    /// The team's connection. Its user owns what is created.
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
    /// The rep never connected. (With [`OwnerChoice::Team`], a write of an earlier version for a rep who was not known.)
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

impl Route {
    /// Returns the route of an operation whose records cannot name an owner: if the team's connection makes it, the
    /// team's user owns what is created.
    #[must_use]
    pub fn without_owner(mut self) -> Self {
        if self.owner_id.take().is_some() {
            self.write_route.owner_choice = OwnerChoice::Team;
        }
        self
    }
}

/// No connection may be used. A person has to act first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// The policy needs the rep's connection, and the rep never connected.
    #[error("the rep is not connected")]
    RepMustConnect,
    /// The policy needs the rep's connection, and the rep has to reconnect.
    #[error("the rep has to reconnect")]
    RepMustReconnect,
    /// The rep never connected, and no Salesforce user has the platform's user id.
    #[error(
        "the rep never connected, and no Salesforce user has the platform's user id as Federation ID, username or e-mail"
    )]
    RepUnknown,
    /// The rep never connected, and several active Salesforce users have the platform's user id.
    #[error("the rep never connected, and the platform's user id is the e-mail of several active Salesforce users")]
    RepAmbiguous,
    /// The rep's connection was disconnected, so nothing is written in the rep's name.
    #[error("the rep's connection was disconnected, so nothing is written in the rep's name")]
    RepDisconnected,
    /// The rep's Salesforce user is inactive and cannot own records.
    #[error("the rep's Salesforce user is inactive")]
    RepInactive,
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
            Self::RepMustConnect | Self::RepMustReconnect | Self::RepDisconnected => {
                "Send the rep a personal connect link (POST /v1/connect-links), then send the request again."
            }
            Self::RepUnknown | Self::RepAmbiguous => {
                "Send the rep a personal connect link (POST /v1/connect-links), or ask an administrator of the org to \
                 set the Federation ID of the rep's user to the platform's user id; then send the request again."
            }
            Self::RepInactive => {
                "Ask an administrator of the org to activate the user, or send the request without `as`, so that the \
                 team owns the records."
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

/// The state of the rep whom a request names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepState {
    /// The rep never connected, and no Salesforce user was found.
    Unknown,
    /// The rep never connected, and several active Salesforce users were found.
    Ambiguous,
    /// The rep never connected, and exactly one active Salesforce user was found.
    Found,
    /// The rep's connection is active.
    Active,
    /// The response to a refresh of the rep's connection was lost. Its access token is valid until Salesforce refuses it.
    Uncertain,
    /// The grant of the rep's connection has ended, other than by disconnecting.
    ReauthRequired,
    /// A person or the platform disconnected the rep's connection.
    Disconnected,
    /// The rep's Salesforce user is inactive.
    Inactive,
}

/// The state of the org's team connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TeamState {
    /// The connection was never made.
    Missing,
    /// The connection is active.
    Active,
    /// As [`RepState::Uncertain`].
    Uncertain,
    /// The grant has ended, or the connection was disconnected.
    MustReconnect,
}

/// Chooses the connection and the owner of a write. `rep` is `None` for a request that names no rep.
///
/// # Errors
/// [`RouteError`]: a person has to act first.
pub fn route(
    policy: OwnerPolicy,
    rep: Option<RepState>,
    team: TeamState,
) -> Result<(OwnerChoice, OwnerReason), RouteError> {
    let Some(rep) = rep else {
        return require_usable(team).map(|()| (OwnerChoice::Team, OwnerReason::NoActingUser));
    };
    match (policy, rep) {
        (_, RepState::Disconnected) => return Err(RouteError::RepDisconnected),
        (OwnerPolicy::RepThenTeam | OwnerPolicy::RepOnly, RepState::Active | RepState::Uncertain) => {
            return Ok((OwnerChoice::Rep, OwnerReason::RepConnected));
        }
        (OwnerPolicy::RepOnly, RepState::ReauthRequired) => return Err(RouteError::RepMustReconnect),
        (OwnerPolicy::RepOnly, RepState::Inactive) => return Err(RouteError::RepInactive),
        (OwnerPolicy::RepOnly, _) => return Err(RouteError::RepMustConnect),
        (OwnerPolicy::RepThenTeam | OwnerPolicy::TeamOnly, _) => require_usable(team)?,
    }
    match rep {
        RepState::Unknown => Err(RouteError::RepUnknown),
        RepState::Ambiguous => Err(RouteError::RepAmbiguous),
        RepState::Inactive => Err(RouteError::RepInactive),
        _ if policy == OwnerPolicy::TeamOnly => Ok((OwnerChoice::TeamWithOwner, OwnerReason::PolicyTeamOnly)),
        RepState::Found => Ok((OwnerChoice::TeamWithOwner, OwnerReason::RepNotConnected)),
        _ => Ok((OwnerChoice::TeamWithOwner, OwnerReason::RepMustReconnect)),
    }
}

fn require_usable(team: TeamState) -> Result<(), RouteError> {
    match team {
        TeamState::Active | TeamState::Uncertain => Ok(()),
        TeamState::Missing => Err(RouteError::TeamMustConnect),
        TeamState::MustReconnect => Err(RouteError::TeamMustReconnect),
    }
}

/// The key of a look-up of a rep's Salesforce user, which the team's connection makes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum UserKey {
    /// The user of the rep's connection, for whether the user is active.
    Id(RecordId),
    /// The rep, who never connected.
    PlatformUser(PlatformUser),
}

/// The outcome of the look-up of a rep's Salesforce user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoundUser {
    /// Exactly one active user.
    Active(RecordId),
    /// Only inactive users.
    Inactive,
    /// Several active users.
    Several,
    /// No user that the team's connection can see.
    NotFound,
}

/// The connections of a request: the team's, and that of the rep whom it names.
#[derive(Clone, Debug)]
pub struct Connected {
    platform_user: Option<PlatformUser>,
    rep: Option<Connection>,
    team: Option<Connection>,
}

impl Connected {
    /// Loads the connections.
    ///
    /// # Errors
    /// Only those of the table. A missing connection is not one of them.
    pub async fn load(
        connections: &Connections,
        org: OrgId,
        platform_user: Option<&PlatformUser>,
    ) -> Result<Self, Error> {
        let team = connections.load(org, &ConnectionId::team()).await?;
        let rep = match platform_user {
            Some(user) => connections.load(org, &ConnectionId::personal(user)).await?,
            None => None,
        };
        Ok(Self::new(platform_user.cloned(), rep, team))
    }

    /// A connection that was never completed counts as missing, and so does a rep's connection that was made for another
    /// tenant than the team's: the org has changed hands.
    fn new(platform_user: Option<PlatformUser>, rep: Option<Connection>, team: Option<Connection>) -> Self {
        let team = team.filter(was_made);
        let is_of_tenant = |rep: &Connection| team.as_ref().is_none_or(|team| team.tenant == rep.tenant);
        let rep = rep.filter(|rep| was_made(rep) && is_of_tenant(rep));
        Self { platform_user, rep, team }
    }

    /// Returns the look-up that the policy needs before [`Connected::route`]; `None` if it needs none, or the team's
    /// connection cannot make it.
    #[must_use]
    pub fn needed_look_up(&self, policy: OwnerPolicy) -> Option<UserKey> {
        let user = self.platform_user.as_ref()?;
        self.team.as_ref().filter(|team| is_usable(team))?;
        match &self.rep {
            Some(rep) if rep.state == ConnectionState::Revoked => None,
            Some(rep) if is_usable(rep) && policy != OwnerPolicy::TeamOnly => None,
            Some(rep) => Some(UserKey::Id(rep.user_id)),
            None if policy == OwnerPolicy::RepOnly => None,
            None => Some(UserKey::PlatformUser(user.clone())),
        }
    }

    /// Chooses the connection of a write. `found` is the outcome of the look-up, if one was needed.
    ///
    /// # Errors
    /// [`RouteError`]: a person has to act first.
    pub fn route(&self, policy: OwnerPolicy, found: Option<FoundUser>) -> Result<Route, RouteError> {
        let rep_state = self.platform_user.as_ref().map(|_| rep_state(self.rep.as_ref(), found));
        let (owner_choice, owner_reason) = route(policy, rep_state, team_state(self.team.as_ref()))?;
        let (connection, owner_id) = match owner_choice {
            OwnerChoice::Rep => (self.rep.as_ref().ok_or(RouteError::RepMustConnect)?, None),
            OwnerChoice::Team => (self.team.as_ref().ok_or(RouteError::TeamMustConnect)?, None),
            OwnerChoice::TeamWithOwner => {
                let owner = match (&self.rep, found) {
                    (Some(rep), _) => rep.user_id,
                    (None, Some(FoundUser::Active(user))) => user,
                    (None, _) => return Err(RouteError::RepUnknown),
                };
                (self.team.as_ref().ok_or(RouteError::TeamMustConnect)?, Some(owner))
            }
        };
        let write_route = WriteRoute { connection_id: connection.connection_id.clone(), owner_choice, owner_reason };
        Ok(Route { write_route, user_id: connection.user_id, owner_id })
    }
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
    let connected = Connected::load(connections, org, platform_user).await?;
    Ok(connected.route(OwnerPolicy::RepOnly, None).map(|route| route.write_route.connection_id))
}

fn rep_state(rep: Option<&Connection>, found: Option<FoundUser>) -> RepState {
    match (rep.map(|rep| &rep.state), found) {
        (Some(ConnectionState::Revoked), _) => RepState::Disconnected,
        (_, Some(FoundUser::Inactive)) => RepState::Inactive,
        (Some(ConnectionState::Active), _) => RepState::Active,
        (Some(ConnectionState::Uncertain), _) => RepState::Uncertain,
        (Some(ConnectionState::ReauthRequired { .. }), _) => RepState::ReauthRequired,
        (None, Some(FoundUser::Active(_))) => RepState::Found,
        (None, Some(FoundUser::Several)) => RepState::Ambiguous,
        (None, Some(FoundUser::NotFound) | None) => RepState::Unknown,
    }
}

fn team_state(team: Option<&Connection>) -> TeamState {
    match team.map(|team| &team.state) {
        None => TeamState::Missing,
        Some(ConnectionState::Active) => TeamState::Active,
        Some(ConnectionState::Uncertain) => TeamState::Uncertain,
        Some(ConnectionState::ReauthRequired { .. } | ConnectionState::Revoked) => TeamState::MustReconnect,
    }
}

/// Returns whether the connection was ever completed. The row of a first consent whose tokens are not stored yet is not a
/// connection.
fn was_made(connection: &Connection) -> bool {
    !matches!(&connection.state, ConnectionState::ReauthRequired { reason } if reason == NOT_CONNECTED_YET)
}

/// Returns whether the connection is usable. An uncertain one is: its access token is valid until Salesforce refuses
/// it.
fn is_usable(connection: &Connection) -> bool {
    matches!(connection.state, ConnectionState::Active | ConnectionState::Uncertain)
}

#[cfg(test)]
mod tests;
