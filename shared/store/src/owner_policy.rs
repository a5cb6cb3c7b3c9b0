//! The owner policy: the connection that writes, and the owner of created records (invariant 17). A pure rule,
//! [`route`]; `docs/writes-and-notes.md` has it as a table.
//!
//! Records that a rep creates belong to the rep. Preferably the rep's own connection writes. Otherwise the team's
//! connection writes and names the rep as the owner. A write for a rep who is not known in the org, whose connection was
//! disconnected, or whose Salesforce user is inactive or frozen is refused. The team never writes around a decision of the
//! org's administrator about the rep ([`team_may_write_despite`]).

mod connected;

use std::str::FromStr;

use salesforce::{Classify, Condition, RecordId, Retry};
use serde::{Deserialize, Serialize};

use crate::ids::ConnectionId;
pub use connected::{Connected, FoundUser, KnownBy, UserKey, choose_reader};

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
    /// The rep's connection is in a condition that is no decision of the org's.
    RepBlocked,
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
            Self::RepConnected | Self::RepBlocked | Self::NoActingUser | Self::PolicyTeamOnly => None,
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
    /// Salesforce ended the rep's grant because the user was inactive or frozen.
    #[error("Salesforce ended the rep's connection, because the rep's user was inactive or frozen")]
    RepFrozen,
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
                "Send the rep a personal connect link (POST /v1/connect-links), map the rep to a Salesforce user (PUT \
                 /v1/orgs/{org}/users/{platform_user}), or ask an administrator of the org to set the Federation ID of the \
                 rep's user to the platform's user id; then send the request again."
            }
            Self::RepInactive => {
                "Ask an administrator of the org to activate the user, or send the request without `as`, so that the \
                 team owns the records."
            }
            Self::RepFrozen => {
                "Ask an administrator of the org to activate or unfreeze the user, and send the rep a personal connect \
                 link (POST /v1/connect-links); or send the request without `as`, so that the team owns the records."
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
    /// The rep's connection cannot be used until a person ends this condition.
    Blocked(Condition),
    /// The grant of the rep's connection has ended, other than by disconnecting.
    ReauthRequired,
    /// The same, because the rep's Salesforce user was inactive or frozen.
    Frozen,
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

/// Returns whether the team's connection may write for a rep whose own connection is in this condition, under
/// [`OwnerPolicy::RepThenTeam`].
///
/// Only where the condition is certainly no decision of the org's: the customer's administrator keeps a rep from using
/// Ferry also where the team could write in the rep's name.
#[must_use]
pub fn team_may_write_despite(condition: Condition) -> bool {
    condition.is_independent_of_org()
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
        (_, RepState::Frozen) => return Err(RouteError::RepFrozen),
        // A blocked connection itself says who has to act, and works again as soon as that person has acted.
        (OwnerPolicy::RepThenTeam, RepState::Blocked(condition))
            if !team_may_write_despite(condition) || require_usable(team).is_err() =>
        {
            return Ok((OwnerChoice::Rep, OwnerReason::RepConnected));
        }
        (OwnerPolicy::RepOnly, RepState::Blocked(_)) => return Ok((OwnerChoice::Rep, OwnerReason::RepConnected)),
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
        RepState::Blocked(_) => Ok((OwnerChoice::TeamWithOwner, OwnerReason::RepBlocked)),
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

#[cfg(test)]
mod tests;
