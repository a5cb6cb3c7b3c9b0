//! The limit on grants. Salesforce keeps five grants of a user to an app; a sixth ends the oldest (`FACTS.md` 2.4).
//! Every consent is counted, and the connection whose grant it ended is marked as displaced.

use jiff::Timestamp;
use salesforce::RecordId;
use serde::{Deserialize, Serialize};

use super::{Connection, ConnectionState};
use crate::ids::ConnectionId;

/// The number of grants of a user to an app that Salesforce keeps.
pub const MAX_GRANTS: usize = 5;

/// The reason of a connection whose grant was ended by a newer grant of the same user to the same app.
pub const DISPLACED: &str = "displaced";

/// The reason of a connection whose app is past its sunset. The grant may still be valid at Salesforce.
pub const APP_SUNSET: &str = "app_sunset";

/// The connection is in use, has the grant that the caller saw, and no consent is about to replace it.
pub(super) const IS_IN_USE_AS_SEEN: &str = "#connected_at = :seen_connected_at AND #state IN (:active, :uncertain) AND \
     (attribute_not_exists(#pending) OR attribute_not_exists(#lease_deadline) OR #lease_deadline <= :now)";

/// A grant whose tokens are not stored yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingGrant {
    /// The Salesforce user who granted it.
    pub user_id: RecordId,
    /// The app registration it was granted to.
    pub app: String,
    /// The time of the grant, by Salesforce's clock.
    #[serde(with = "crate::time::millis")]
    pub granted_at: Timestamp,
}

/// A grant that should be valid at Salesforce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The connection that uses the grant, or is about to.
    pub connection_id: ConnectionId,
    /// The user, the app and the time of the grant.
    pub grant: PendingGrant,
    /// `true` once the grant's tokens are stored.
    pub is_stored: bool,
}

/// The effect of a new grant on the other grants of its user and app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrantCount {
    /// The number of valid grants, without the one that the new grant replaces.
    pub live: usize,
    /// The connections whose grants were ended, the oldest first.
    pub displaced: Vec<ConnectionId>,
}

impl GrantCount {
    /// Returns whether the user's next consent to this app ends a grant.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.live >= MAX_GRANTS
    }
}

/// Returns whether the connection's grant may be valid at Salesforce. A `revoked` connection counts as ended; the
/// caller must check whether the revocation reached Salesforce.
#[must_use]
pub fn may_be_live(connection: &Connection) -> bool {
    match &connection.state {
        ConnectionState::Active | ConnectionState::Uncertain => true,
        ConnectionState::ReauthRequired { reason } => reason == APP_SUNSET,
        ConnectionState::Revoked => false,
    }
}

/// Returns the grant that the connection uses.
#[must_use]
pub fn active_grant(connection: &Connection) -> Grant {
    let Connection { connection_id, user_id, app, granted_at, connected_at, .. } = connection;
    let granted_at = granted_at.unwrap_or(*connected_at);
    let grant = PendingGrant { user_id: *user_id, app: app.clone(), granted_at };
    Grant { connection_id: connection_id.clone(), grant, is_stored: true }
}

/// Returns the grant of a consent in progress.
#[must_use]
pub fn pending_grant(connection: &Connection) -> Option<Grant> {
    let grant = connection.pending.clone()?;
    Some(Grant { connection_id: connection.connection_id.clone(), grant, is_stored: false })
}

/// Counts the valid grants after `new`, which Salesforce has just issued, and finds the displaced connections. The
/// newest five grants stay valid. `replaced` is the connection that gets the new grant; `None` if the new grant is not
/// stored.
#[must_use]
pub fn count_grants(others: &[Grant], replaced: Option<&ConnectionId>, new: &PendingGrant) -> GrantCount {
    let same_user_and_app =
        |other: &&Grant| (other.grant.user_id, &other.grant.app) == (new.user_id, &new.app) && other.grant != *new;
    let mut oldest_first: Vec<&Grant> = others.iter().filter(same_user_and_app).collect();
    oldest_first.sort_by_key(|other| other.grant.granted_at);
    // Salesforce ends the oldest grants at the moment of the new one, whether or not the new one replaces another here.
    let ended = oldest_first.len().saturating_sub(MAX_GRANTS - 1);
    let is_replaced = |other: &&&Grant| other.is_stored && replaced == Some(&other.connection_id);
    let displaced = oldest_first.iter().take(ended).filter(|other| other.is_stored && !is_replaced(other));
    let live = oldest_first.iter().skip(ended).filter(|other| !is_replaced(other)).count();
    GrantCount { live: live + 1, displaced: displaced.map(|other| other.connection_id.clone()).collect() }
}

#[cfg(test)]
mod tests;
