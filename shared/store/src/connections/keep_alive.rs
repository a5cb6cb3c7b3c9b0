//! Refreshes of idle connections. Salesforce ends a refresh token that was not used for 30 days (`FACTS.md` 2.4); Ferry
//! uses each at least every 20 days.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::Connection;
use crate::ids::NAMESPACE;

/// The longest time that a refresh token may be unused.
pub const MAX_IDLE: SignedDuration = SignedDuration::from_hours(20 * 24);

/// The span over which the refreshes of connections made at the same time are spread.
pub const SPREAD: SignedDuration = SignedDuration::from_hours(24);

/// The time that is left before [`MAX_IDLE`] when the last connection is due. The check runs hourly, and one may fail.
pub const MARGIN: SignedDuration = SignedDuration::from_hours(2);

/// Returns whether the refresh token must be used now, by the stored time of its last use.
#[must_use]
pub fn is_due(connection: &Connection, now: Timestamp) -> bool {
    let refreshed_at = connection.refreshed_at.unwrap_or(connection.connected_at);
    is_due_since(connection, refreshed_at.max(connection.connected_at), now)
}

/// Returns whether the refresh token must be used now, given the time of its last use.
#[must_use]
pub fn is_due_since(connection: &Connection, last_use: Timestamp, now: Timestamp) -> bool {
    now.duration_since(last_use) >= MAX_IDLE - MARGIN - SPREAD + offset(connection)
}

/// Returns the connection's offset within [`SPREAD`]: constant, and evenly distributed over all connections.
fn offset(connection: &Connection) -> SignedDuration {
    let name = format!("keep-alive/{}/{}", connection.org_id, connection.connection_id);
    let hash = Uuid::new_v5(&NAMESPACE, name.as_bytes()).as_u128();
    let seconds = hash % u128::from(SPREAD.as_secs().unsigned_abs());
    SignedDuration::from_secs(i64::try_from(seconds).unwrap_or_default())
}

#[cfg(test)]
mod tests;
