//! Salesforce keeps five grants of a user to an app, and a sixth ends the oldest (`FACTS.md` 2.4). So every consent is
//! counted, and the connection whose grant it ended is told so instead of being believed alive.

use jiff::Timestamp;
use salesforce::RecordId;
use serde::{Deserialize, Serialize};

use super::{Connection, ConnectionState};
use crate::ids::ConnectionId;

/// How many grants of a user to an app live at once.
pub const MAX_GRANTS: usize = 5;

/// The reason of a connection whose grant a newer consent of the same user to the same app ended.
pub const DISPLACED: &str = "displaced";

/// The reason of a connection whose app came to its end. Its grant may live on.
pub const APP_SUNSET: &str = "app_sunset";

/// The connection is in use with the grant that the caller saw, and no consent is about to give it another.
pub(super) const IS_IN_USE_AS_SEEN: &str = "#connected_at = :seen_connected_at AND #state IN (:active, :uncertain) AND \
     (attribute_not_exists(#pending) OR attribute_not_exists(#lease_deadline) OR #lease_deadline <= :now)";

/// A grant whose tokens are not stored yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingGrant {
    /// The Salesforce user who gave it.
    pub user_id: RecordId,
    /// The app registration it was given to.
    pub app: String,
    /// When Salesforce opened it.
    #[serde(with = "crate::time::millis")]
    pub granted_at: Timestamp,
}

/// A grant that lives at Salesforce, as far as Ferry knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The connection that has it, or is about to.
    pub connection_id: ConnectionId,
    /// Whose it is, to what, and since when.
    pub grant: PendingGrant,
    /// Whether its tokens are stored.
    pub is_stored: bool,
}

/// What a new grant means for the others of its user and app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrantCount {
    /// How many live once the grant that the new one replaces is gone too.
    pub live: usize,
    /// The connections whose grants it ended, the oldest first.
    pub displaced: Vec<ConnectionId>,
}

impl GrantCount {
    /// Whether the next consent of this user to this app ends a grant.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.live >= MAX_GRANTS
    }
}

/// Whether the connection's grant may live at Salesforce. A `revoked` connection is not counted: whether Salesforce heard of
/// its end is for the caller to know.
#[must_use]
pub fn may_be_live(connection: &Connection) -> bool {
    match &connection.state {
        ConnectionState::Active | ConnectionState::Uncertain => true,
        ConnectionState::ReauthRequired { reason } => reason == APP_SUNSET,
        ConnectionState::Revoked => false,
    }
}

/// The grant that the connection uses.
#[must_use]
pub fn active_grant(connection: &Connection) -> Grant {
    let Connection { connection_id, user_id, app, granted_at, connected_at, .. } = connection;
    let granted_at = granted_at.unwrap_or(*connected_at);
    let grant = PendingGrant { user_id: *user_id, app: app.clone(), granted_at };
    Grant { connection_id: connection_id.clone(), grant, is_stored: true }
}

/// The grant that a consent under way is about to store.
#[must_use]
pub fn pending_grant(connection: &Connection) -> Option<Grant> {
    let grant = connection.pending.clone()?;
    Some(Grant { connection_id: connection.connection_id.clone(), grant, is_stored: false })
}

/// What `new`, which Salesforce has just opened, means for the `others` that live. The newest five live; of the others,
/// those in use belong to the connections that are displaced. `replaced` is the connection that gets the new grant; `None`
/// when it is not kept.
#[must_use]
pub fn count_grants(others: &[Grant], replaced: Option<&ConnectionId>, new: &PendingGrant) -> GrantCount {
    let rivals =
        |other: &&Grant| (other.grant.user_id, &other.grant.app) == (new.user_id, &new.app) && other.grant != *new;
    let mut oldest_first: Vec<&Grant> = others.iter().filter(rivals).collect();
    oldest_first.sort_by_key(|other| other.grant.granted_at);
    let ended = oldest_first.len().saturating_sub(MAX_GRANTS - 1);
    let is_replaced = |other: &&&Grant| other.is_stored && replaced == Some(&other.connection_id);
    let displaced = oldest_first.iter().take(ended).filter(|other| other.is_stored && !is_replaced(other));
    let living = oldest_first.iter().skip(ended).filter(|other| !is_replaced(other)).count();
    GrantCount { live: living + 1, displaced: displaced.map(|other| other.connection_id.clone()).collect() }
}

#[cfg(test)]
mod tests;
