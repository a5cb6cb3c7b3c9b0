//! OAuth grants: one `team` connection an org, one `personal` connection a rep. The tokens themselves are in the
//! [`crate::TokenVault`]; here is what may be looked at.

use aws_sdk_dynamodb::Client;
use jiff::{SignedDuration, Timestamp};
use salesforce::{OrgId, RecordId};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::ids::{ConnectionId, PlatformUser, Tenant, TokenVersion};
use crate::table::Table;

pub mod lease;

pub use lease::{Lease, LeaseSlot};

/// Whose grant it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ConnectionKind {
    /// The org's: an admin's or an integration user's.
    Team,
    /// A rep's.
    Personal {
        /// The rep, as the platform calls them.
        platform_user: PlatformUser,
    },
}

impl ConnectionKind {
    /// The id that this connection has in its org.
    #[must_use]
    pub fn connection_id(&self) -> ConnectionId {
        match self {
            Self::Team => ConnectionId::team(),
            Self::Personal { platform_user } => ConnectionId::personal(platform_user),
        }
    }
}

/// How a connection is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ConnectionState {
    /// Good.
    Active,
    /// An answer to a refresh was lost: the old access token serves until Salesforce refuses it.
    Uncertain,
    /// Its person has to connect again.
    ReauthRequired {
        /// Why, as a stable code.
        reason: String,
    },
    /// Disconnected on purpose.
    Revoked,
}

/// A connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Its org.
    pub org_id: OrgId,
    /// Its id in the org.
    pub connection_id: ConnectionId,
    /// Whose grant it is.
    #[serde(flatten)]
    pub kind: ConnectionKind,
    /// Whose org it is.
    pub tenant: Tenant,
    /// The Salesforce user who granted it.
    pub user_id: RecordId,
    /// The app registration it was granted to.
    pub app: String,
    /// The login host that its tokens come from.
    pub login_url: String,
    /// Where its API calls go.
    pub instance_url: String,
    /// How it is.
    #[serde(flatten)]
    pub state: ConnectionState,
    /// Who may refresh it.
    #[serde(flatten)]
    pub lease: LeaseSlot,
    /// The version of its secret that was stored last.
    pub token_version: TokenVersion,
    /// When it was first made; a reconnect keeps it.
    #[serde(with = "crate::time::millis")]
    pub created_at: Timestamp,
    /// When its person last gave consent.
    #[serde(with = "crate::time::millis")]
    pub connected_at: Timestamp,
    /// When its tokens were last refreshed.
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    pub refreshed_at: Option<Timestamp>,
    /// When anything here but the lease last changed.
    #[serde(with = "crate::time::millis")]
    pub updated_at: Timestamp,
}

/// A consent that was given, whose tokens are in the vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connected {
    /// The org that answered.
    pub org_id: OrgId,
    /// Whose grant it is.
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
    /// The version of the secret.
    pub token_version: TokenVersion,
    /// When.
    pub now: Timestamp,
}

/// What came of a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// Nothing: the connection stays as it is.
    Released,
    /// New tokens, which are in the vault. The connection is active.
    Refreshed {
        /// Where API calls go now.
        instance_url: String,
        /// The version of the secret.
        token_version: TokenVersion,
        /// When.
        now: Timestamp,
    },
    /// Another state.
    State {
        /// Which one.
        state: ConnectionState,
        /// When.
        now: Timestamp,
    },
}

/// A wish for a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseRequest {
    /// Who wants it; the same for no two invocations.
    pub owner: String,
    /// When.
    pub now: Timestamp,
    /// For how long.
    pub length: SignedDuration,
}

/// What an attempt to take a lease came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseClaim {
    /// It is the caller's until its deadline.
    Granted(Lease),
    /// Someone else has it.
    Held(Lease),
}

/// The `connections` table.
#[derive(Clone, Debug)]
pub struct Connections {
    table: Table,
}

impl Connections {
    /// On this table.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table::new(client, table) }
    }

    /// The connection, or `None` when it was never made.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn load(&self, org: OrgId, connection: &ConnectionId) -> Result<Option<Connection>, Error> {
        let _ = (&self.table, org, connection);
        todo!()
    }

    /// The org's connections, the team's last.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn list(&self, org: OrgId) -> Result<Vec<Connection>, Error> {
        let _ = org;
        todo!()
    }

    /// Makes the connection active, new or again. It keeps its id and the time it was first made; a lease that someone had
    /// on it is void.
    ///
    /// # Errors
    /// [`Error::OwnedByAnotherTenant`].
    pub async fn upsert_connected(&self, connected: &Connected) -> Result<Connection, Error> {
        let _ = connected;
        todo!()
    }

    /// Puts the connection into `state`, whoever holds its lease.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn mark_state(
        &self,
        org: OrgId,
        connection: &ConnectionId,
        state: &ConnectionState,
        now: Timestamp,
    ) -> Result<Connection, Error> {
        let _ = (org, connection, state, now);
        todo!()
    }

    /// Takes the right to refresh, unless someone has it. One conditional write.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn claim_lease(
        &self,
        org: OrgId,
        connection: &ConnectionId,
        request: &LeaseRequest,
    ) -> Result<LeaseClaim, Error> {
        let _ = (org, connection, request);
        todo!()
    }

    /// Moves the deadline of a lease that is still the caller's.
    ///
    /// # Errors
    /// [`Error::LeaseLost`].
    pub async fn renew_lease(
        &self,
        org: OrgId,
        connection: &ConnectionId,
        lease: &Lease,
        deadline: Timestamp,
    ) -> Result<Lease, Error> {
        let _ = (org, connection, lease, deadline);
        todo!()
    }

    /// Gives the lease back and notes what came of it, in one conditional write.
    ///
    /// # Errors
    /// [`Error::LeaseLost`]: someone else was allowed to refresh meanwhile, and nothing was noted.
    pub async fn settle(
        &self,
        org: OrgId,
        connection: &ConnectionId,
        lease: &Lease,
        settlement: &Settlement,
    ) -> Result<Connection, Error> {
        let _ = (org, connection, lease, settlement);
        todo!()
    }
}
