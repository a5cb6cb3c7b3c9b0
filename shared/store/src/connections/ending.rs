//! The ends of connections, and of their rows.

use jiff::Timestamp;
use salesforce::OrgId;

use super::{
    Connection, ConnectionState, Connections, Lease, grants, holder, lease, reservation, row_key, unchanged_since,
    update,
};
use crate::Error;
use crate::ids::ConnectionId;
use crate::table::{Conditional, Expression, from_item, text};
use crate::time;

impl Connections {
    /// Marks the connection as displaced: Salesforce ended its grant because of a newer grant of the same user to the
    /// same app. A refresh in progress loses its lease. Returns `false` if the connection has another grant by now, has
    /// a pending one, or is not in use.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn mark_displaced(&self, connection: &Connection, now: Timestamp) -> Result<bool, Error> {
        let displaced = ConnectionState::ReauthRequired { reason: grants::DISPLACED.to_owned() };
        let mut update = update::state_change(&displaced, now);
        // A new fencing token voids the lease of a refresh in progress, whose tokens belong to the ended grant.
        update.add = vec![("lease_fence".into(), 1)];
        update.remove.extend(["lease_owner", "lease_deadline"]);
        update.when = grants::IS_IN_USE_AS_SEEN;
        update.values = vec![
            (":seen_connected_at", text(time::format(connection.connected_at))),
            (":active", text("active")),
            (":uncertain", text("uncertain")),
            (":now", text(time::format(now))),
        ];
        let key = row_key(connection.org_id, &connection.connection_id);
        let update = self.table.update("mark the connection as displaced", key, update).await?;
        Ok(matches!(update, Conditional::Done(_)))
    }

    /// Marks the connection as revoked, and keeps the lease: until it is released or expires, no consent can reserve the
    /// connection. A consent that was pending has failed.
    ///
    /// # Errors
    /// [`Error::LeaseLost`]: a consent has reserved the connection since. Nothing was stored.
    pub async fn mark_revoked(
        &self,
        org: OrgId,
        connection: &ConnectionId,
        lease: &Lease,
        now: Timestamp,
    ) -> Result<Connection, Error> {
        let operation = "mark the connection as revoked";
        let mut update = update::state_change(&ConnectionState::Revoked, now);
        update.remove.push("pending");
        (update.when, update.values) = (lease::IS_HOLDER, holder(lease));
        match self.table.update(operation, row_key(org, connection), update).await? {
            Conditional::Done(item) => from_item(operation, item),
            Conditional::Refused(_) => Err(Error::LeaseLost { operation }),
        }
    }

    /// Deletes the row of another tenant's connection, unless the connection was changed since it was read. Its tokens must be
    /// gone from the vault. Returns whether it was deleted.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn forget(&self, connection: &Connection) -> Result<bool, Error> {
        let when = Expression { text: reservation::IS_AS_SEEN, values: unchanged_since(connection) };
        let key = row_key(connection.org_id, &connection.connection_id);
        let deleted = self.table.delete("delete the connection", key, when).await?;
        Ok(matches!(deleted, Conditional::Done(_)))
    }

    /// Deletes a connection that was ended on purpose. Returns `false` if it is in another state, as after a new consent.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn delete_revoked(&self, org: OrgId, connection: &ConnectionId) -> Result<bool, Error> {
        let when = Expression {
            text: "#state = :revoked AND attribute_not_exists(#pending)",
            values: vec![(":revoked", text("revoked"))],
        };
        let deleted = self.table.delete("delete the connection", row_key(org, connection), when).await?;
        Ok(matches!(deleted, Conditional::Done(_)))
    }
}
