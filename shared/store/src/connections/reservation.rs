//! Reservations: a consent claims its connection before its tokens are stored. Of two tenants that connect the same
//! org, or two consents for the same connection, one goes first.

use jiff::{SignedDuration, Timestamp};
use salesforce::{OrgId, RecordId};

use super::{
    Connection, ConnectionKind, ConnectionState, Lease, LeaseRequest, LeaseSlot, PendingGrant, UserRights, grants,
};
use crate::ids::Tenant;

/// The reason of a connection whose first tokens are not stored yet.
pub const NOT_CONNECTED_YET: &str = "not_connected_yet";

/// A consent that was exchanged for tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// The org that issued the tokens.
    pub org_id: OrgId,
    /// The kind of the connection.
    pub kind: ConnectionKind,
    /// The tenant.
    pub tenant: Tenant,
    /// The Salesforce user who granted it.
    pub user_id: RecordId,
    /// The app registration it was granted to.
    pub app: String,
    /// The login host.
    pub login_url: String,
    /// The base URL of API calls.
    pub instance_url: String,
    /// The time of the grant, by Salesforce's clock.
    pub granted_at: Timestamp,
    /// The user's name in the org, if known.
    pub username: Option<String>,
    /// The rights of a team's user; `None` for a personal connection.
    pub rights: Option<UserRights>,
}

impl Consent {
    /// Returns the grant of the consent.
    #[must_use]
    pub fn grant(&self) -> PendingGrant {
        PendingGrant { user_id: self.user_id, app: self.app.clone(), granted_at: self.granted_at }
    }
}

/// A connection that only the caller may connect until the lease expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// The lease on the connection.
    pub lease: Lease,
    /// The connection before the reservation; it may be another tenant's abandoned attempt.
    pub before: Option<Connection>,
}

/// The time after which an unfinished attempt no longer blocks other tenants. No invocation runs this long.
const ABANDONED_AFTER: SignedDuration = SignedDuration::from_mins(15);

/// The row is unchanged since it was read.
pub(super) const IS_AS_SEEN: &str = "#lease_fence = :seen_fence AND #updated_at = :seen_updated_at";

/// A reason why a consent cannot reserve its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The connection belongs to another tenant, and its grant has not ended.
    OwnedByAnotherTenant,
    /// The connection is being disconnected, until its lease is released or expires.
    BeingDisconnected,
}

/// Returns the connection with the consent pending and the lease granted to the caller. Another tenant's connection passes to
/// the caller if its grant has ended, or that tenant never finished connecting it.
///
/// The caller takes the lease from a refresh and from another consent, but not from a disconnection, which would delete the
/// caller's new tokens.
pub(super) fn reserve(
    before: Option<&Connection>,
    consent: &Consent,
    request: &LeaseRequest,
) -> Result<Connection, Refusal> {
    let slot = before.map(|before| before.lease.clone()).unwrap_or_default();
    let lease = slot.granted(&request.owner, request.deadline());
    let known = match before {
        Some(before) if is_being_disconnected(before, request.now) => return Err(Refusal::BeingDisconnected),
        Some(before) if before.tenant == consent.tenant => before.clone(),
        Some(before) if !is_free(before, request.now) => return Err(Refusal::OwnedByAnotherTenant),
        _ => unconnected(consent, request.now),
    };
    Ok(Connection { lease, pending: Some(consent.grant()), ..known })
}

/// Returns whether the holder of the lease is a disconnection: the holder of a revoked connection's lease is either that or a
/// consent, and a consent is pending.
fn is_being_disconnected(connection: &Connection, now: Timestamp) -> bool {
    let is_leased = connection.lease.lease().is_some_and(|lease| now < lease.deadline);
    is_leased && connection.state == ConnectionState::Revoked && connection.pending.is_none()
}

/// Returns whether another tenant may take the connection: its grant is not live, and its tenant's first consent was
/// abandoned. The caller has checked that this tenant may connect the org.
fn is_free(connection: &Connection, now: Timestamp) -> bool {
    match &connection.state {
        ConnectionState::ReauthRequired { reason } if reason == NOT_CONNECTED_YET => {
            now.duration_since(connection.updated_at) >= ABANDONED_AFTER
        }
        _ => !grants::may_be_live(connection),
    }
}

/// Returns a new connection without tokens.
fn unconnected(consent: &Consent, now: Timestamp) -> Connection {
    let consent = consent.clone();
    Connection {
        org_id: consent.org_id,
        connection_id: consent.kind.connection_id(),
        kind: consent.kind,
        tenant: consent.tenant,
        user_id: consent.user_id,
        username: consent.username,
        rights: None,
        app: consent.app,
        login_url: consent.login_url,
        instance_url: consent.instance_url,
        state: ConnectionState::ReauthRequired { reason: NOT_CONNECTED_YET.to_owned() },
        condition: None,
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
