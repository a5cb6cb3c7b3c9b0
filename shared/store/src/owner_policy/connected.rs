//! The connections of a request, and the states that the rule needs of them.

use salesforce::{OrgId, RecordId};
use serde::Serialize;

use super::{
    OwnerChoice, OwnerPolicy, RepState, Route, RouteError, TeamState, WriteRoute, route, team_may_write_despite,
};
use crate::Error;
use crate::connections::reservation::NOT_CONNECTED_YET;
use crate::connections::{Connection, ConnectionState, Connections, USER_INACTIVE};
use crate::ids::{ConnectionId, PlatformUser};
use crate::user_mappings::{UserMapping, UserMappings};

/// The key of a look-up of a rep's Salesforce user, which the team's connection makes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum UserKey {
    /// The rep's user, for whether the user is active.
    Id(RecordId),
    /// The rep, of whom Ferry knows no user.
    PlatformUser(PlatformUser),
}

/// The source of a rep's Salesforce user, the first that there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KnownBy {
    /// The platform has mapped the rep.
    Mapping,
    /// The rep has connected.
    Connection,
    /// A look-up of the platform's user id in the org.
    LookUp,
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
    pub(super) platform_user: Option<PlatformUser>,
    pub(super) rep: Option<Connection>,
    pub(super) team: Option<Connection>,
    /// The Salesforce user to whom the platform has mapped the rep.
    pub(super) mapped: Option<RecordId>,
}

impl Connected {
    /// Loads the connections, and the mapping of the rep.
    ///
    /// # Errors
    /// Only those of the tables. A missing connection is not one of them.
    pub async fn load(
        connections: &Connections,
        users: &UserMappings,
        org: OrgId,
        platform_user: Option<&PlatformUser>,
    ) -> Result<Self, Error> {
        let connected = Self::load_connections(connections, org, platform_user).await?;
        Ok(match platform_user {
            Some(user) => connected.with_mapping(users.load(org, user).await?.as_ref()),
            None => connected,
        })
    }

    async fn load_connections(
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
    pub(super) fn new(platform_user: Option<PlatformUser>, rep: Option<Connection>, team: Option<Connection>) -> Self {
        let team = team.filter(was_made);
        let is_of_tenant = |rep: &Connection| team.as_ref().is_none_or(|team| team.tenant == rep.tenant);
        let rep = rep.filter(|rep| was_made(rep) && is_of_tenant(rep));
        Self { platform_user, rep, team, mapped: None }
    }

    /// Adds the mapping of the rep. One that was made for another tenant than the team's connection does not count.
    pub(super) fn with_mapping(self, mapping: Option<&UserMapping>) -> Self {
        let tenant = self.team.as_ref().map(|team| &team.tenant);
        let mapping = mapping.filter(|mapping| tenant.is_none_or(|tenant| *tenant == mapping.tenant));
        Self { mapped: mapping.map(|mapping| mapping.user_id), ..self }
    }

    /// Returns the Salesforce user of the rep as far as Ferry knows it: the mapped one, or else the user of the rep's connection.
    /// The rest is a look-up of the platform's user id in the org.
    ///
    /// Returns `None` for a request that names no rep.
    #[must_use]
    pub fn user(&self) -> Option<(UserKey, KnownBy)> {
        let platform_user = self.platform_user.as_ref()?;
        Some(match (self.mapped, &self.rep) {
            (Some(user), _) => (UserKey::Id(user), KnownBy::Mapping),
            (None, Some(rep)) => (UserKey::Id(rep.user_id), KnownBy::Connection),
            (None, None) => (UserKey::PlatformUser(platform_user.clone()), KnownBy::LookUp),
        })
    }

    /// Returns the connection of the rep, if it was ever made.
    #[must_use]
    pub fn rep(&self) -> Option<&Connection> {
        self.rep.as_ref()
    }

    /// Returns the look-up that the policy needs before [`Connected::route`]; `None` if it needs none, or the team's
    /// connection cannot make it.
    #[must_use]
    pub fn needed_look_up(&self, policy: OwnerPolicy) -> Option<UserKey> {
        let (user, _) = self.user()?;
        self.team.as_ref().filter(|team| is_usable(team))?;
        match &self.rep {
            Some(rep) if rep.state == ConnectionState::Revoked => None,
            Some(rep) if policy != OwnerPolicy::TeamOnly && writes_itself(rep) => None,
            None if policy == OwnerPolicy::RepOnly => None,
            Some(_) | None => Some(user),
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
                let owner = match (self.user(), found) {
                    (Some((UserKey::Id(user), KnownBy::Connection)), _) | (_, Some(FoundUser::Active(user))) => user,
                    _ => return Err(RouteError::RepUnknown),
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
    let connected = Connected::load_connections(connections, org, platform_user).await?;
    Ok(connected.route(OwnerPolicy::RepOnly, None).map(|route| route.write_route.connection_id))
}

fn rep_state(rep: Option<&Connection>, found: Option<FoundUser>) -> RepState {
    let blocked = rep.and_then(Connection::blocked_by).map(RepState::Blocked);
    match (rep.map(|rep| &rep.state), found) {
        (Some(ConnectionState::Revoked), _) => RepState::Disconnected,
        (_, Some(FoundUser::Inactive)) => RepState::Inactive,
        (Some(ConnectionState::ReauthRequired { reason }), _) if reason == USER_INACTIVE => RepState::Frozen,
        (Some(ConnectionState::Active), _) => blocked.unwrap_or(RepState::Active),
        (Some(ConnectionState::Uncertain), _) => blocked.unwrap_or(RepState::Uncertain),
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
pub(super) fn is_usable(connection: &Connection) -> bool {
    matches!(connection.state, ConnectionState::Active | ConnectionState::Uncertain)
}

/// Returns whether a write for this rep uses the rep's own connection where the team's is usable too.
fn writes_itself(rep: &Connection) -> bool {
    is_usable(rep) && rep.blocked_by().is_none_or(|condition| !team_may_write_despite(condition))
}
