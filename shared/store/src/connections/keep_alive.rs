//! When an idle connection is refreshed only to stay alive. Salesforce ends a refresh token that was not used for 30 days
//! (`FACTS.md` 2.4); Ferry uses each at least every 20.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::Connection;
use crate::ids::NAMESPACE;

/// The longest that a refresh token is left unused.
pub const MAX_IDLE: SignedDuration = SignedDuration::from_hours(20 * 24);

/// Connections that were made at the same time are refreshed over this span, each at a time of its own.
pub const SPREAD: SignedDuration = SignedDuration::from_hours(24);

/// What is left before [`MAX_IDLE`] once the last one is due: the question comes every hour, and one may fail.
pub const MARGIN: SignedDuration = SignedDuration::from_hours(2);

/// Whether the connection's refresh token is to be used now, by what its row knows of the last use.
#[must_use]
pub fn is_due(connection: &Connection, now: Timestamp) -> bool {
    let refreshed_at = connection.refreshed_at.unwrap_or(connection.connected_at);
    is_due_since(connection, refreshed_at.max(connection.connected_at), now)
}

/// The same, when the last use is known otherwise.
#[must_use]
pub fn is_due_since(connection: &Connection, last_use: Timestamp, now: Timestamp) -> bool {
    now.duration_since(last_use) >= MAX_IDLE - MARGIN - SPREAD + own_share(connection)
}

/// The connection's place within the spread: always the same, and even over a fleet.
fn own_share(connection: &Connection) -> SignedDuration {
    let name = format!("keep-alive/{}/{}", connection.org_id, connection.connection_id);
    let hash = Uuid::new_v5(&NAMESPACE, name.as_bytes()).as_u128();
    let seconds = hash % u128::from(SPREAD.as_secs().unsigned_abs());
    SignedDuration::from_secs(i64::try_from(seconds).unwrap_or_default())
}

#[cfg(test)]
mod tests;
