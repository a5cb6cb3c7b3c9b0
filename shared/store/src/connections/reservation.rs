//! A consent takes its connection before its tokens are stored: of two tenants at the same org, and of two consents for the
//! same connection, one goes first.

use jiff::{SignedDuration, Timestamp};
use salesforce::{OrgId, RecordId};

use super::{Connection, ConnectionKind, ConnectionState, Lease, LeaseRequest, LeaseSlot, PendingGrant};
use crate::ids::Tenant;

/// The reason of a connection whose first tokens are not stored yet.
pub const NOT_CONNECTED_YET: &str = "not_connected_yet";

/// A consent that Salesforce turned into tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// The org that answered.
    pub org_id: OrgId,
    /// Whose connection it makes.
    pub kind: ConnectionKind,
    /// For whom.
    pub tenant: Tenant,
    /// The Salesforce user who gave it.
    pub user_id: RecordId,
    /// The app registration it was given to.
    pub app: String,
    /// The login host.
    pub login_url: String,
    /// Where API calls go.
    pub instance_url: String,
    /// When Salesforce opened the grant, by its own clock.
    pub granted_at: Timestamp,
    /// The user's name in the org, where it is known.
    pub username: Option<String>,
}

impl Consent {
    /// The grant behind it.
    #[must_use]
    pub fn grant(&self) -> PendingGrant {
        PendingGrant { user_id: self.user_id, app: self.app.clone(), granted_at: self.granted_at }
    }
}

/// A connection that is the caller's to connect until the lease ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// The right to connect it.
    pub lease: Lease,
    /// What was there before, possibly another tenant's abandoned attempt.
    pub before: Option<Connection>,
}

/// How long an attempt that came to nothing keeps others from the connection. No function lives that long.
const ABANDONED_AFTER: SignedDuration = SignedDuration::from_mins(15);

/// The row was not changed since it was read.
pub(super) const IS_AS_SEEN: &str = "#lease_fence = :seen_fence AND #updated_at = :seen_updated_at";

/// The connection's row with the consent pending and the lease the caller's. `None` when it is another tenant's, unless
/// that one has ended it, or never finished it.
pub(super) fn reserve(before: Option<&Connection>, consent: &Consent, request: &LeaseRequest) -> Option<Connection> {
    let slot = before.map(|before| before.lease.clone()).unwrap_or_default();
    let lease = slot.granted(&request.owner, request.deadline());
    let known = match before {
        Some(before) if before.tenant == consent.tenant => before.clone(),
        Some(before) if !is_free(before, request.now) => return None,
        _ => begun(consent, request.now),
    };
    Some(Connection { lease, pending: Some(consent.grant()), ..known })
}

/// Whether another tenant may take the connection.
fn is_free(connection: &Connection, now: Timestamp) -> bool {
    match &connection.state {
        ConnectionState::Revoked => true,
        ConnectionState::ReauthRequired { reason } => {
            reason == NOT_CONNECTED_YET && now.duration_since(connection.updated_at) >= ABANDONED_AFTER
        }
        ConnectionState::Active | ConnectionState::Uncertain => false,
    }
}

/// A connection that nobody has made before.
fn begun(consent: &Consent, now: Timestamp) -> Connection {
    let consent = consent.clone();
    Connection {
        org_id: consent.org_id,
        connection_id: consent.kind.connection_id(),
        kind: consent.kind,
        tenant: consent.tenant,
        user_id: consent.user_id,
        username: consent.username,
        app: consent.app,
        login_url: consent.login_url,
        instance_url: consent.instance_url,
        state: ConnectionState::ReauthRequired { reason: NOT_CONNECTED_YET.to_owned() },
        lease: LeaseSlot::default(),
        sunset_warning: None,
        token_version: None,
        created_at: now,
        connected_at: now,
        granted_at: None,
        pending: None,
        refreshed_at: None,
        updated_at: now,
    }
}

#[cfg(test)]
mod tests;
