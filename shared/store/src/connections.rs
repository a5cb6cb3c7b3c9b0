//! OAuth grants: one `team` connection an org, one `personal` connection a rep. The tokens themselves are in the
//! [`crate::TokenVault`]; here is what may be looked at.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};
use salesforce::{OrgId, RecordId};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::ids::{ConnectionId, PlatformUser, Tenant, TokenVersion};
use crate::table::{Conditional, Item, Table, Update, from_item, key, number, text};
use crate::time;

pub mod lease;
mod sunset;

pub use lease::{Lease, LeaseSlot};
pub use sunset::SunsetWarning;

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
    /// What was told of the end of its app.
    #[serde(flatten)]
    pub sunset_warning: Option<SunsetWarning>,
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
    /// The fence that the caller saw: the lease is granted only if nobody has had it since. `None` takes it from whoever
    /// had it last.
    pub seen_fence: Option<u64>,
}

impl LeaseRequest {
    fn deadline(&self) -> Timestamp {
        self.now.saturating_add(self.length).unwrap_or(self.now)
    }
}

/// What an attempt to take a lease came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseClaim {
    /// It is the caller's until its deadline.
    Granted(Lease),
    /// Someone else has it, or has had it since the caller looked.
    Held(LeaseSlot),
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
        self.table.get("load the connection", row_key(org, connection)).await
    }

    /// The org's connections, the team's last.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn list(&self, org: OrgId) -> Result<Vec<Connection>, Error> {
        self.table.query("list the connections", ("org_id", org.as_str())).await
    }

    /// Makes the connection active, new or again. It keeps its id and the time it was first made; a lease that someone had
    /// on it is void.
    ///
    /// # Errors
    /// [`Error::OwnedByAnotherTenant`].
    pub async fn upsert_connected(&self, connected: &Connected) -> Result<Connection, Error> {
        let operation = "store the connection";
        let key = row_key(connected.org_id, &connected.kind.connection_id());
        let update = connected_update(connected);
        match self.table.update(operation, key, update).await? {
            Conditional::Done(item) => from_item(operation, item),
            Conditional::Refused(_) => Err(Error::OwnedByAnotherTenant { org: connected.org_id }),
        }
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
        let operation = "mark the connection";
        let update = Update { when: "attribute_exists(#org_id)", ..state_change(state, now) };
        match self.table.update(operation, row_key(org, connection), update).await? {
            Conditional::Done(item) => from_item(operation, item),
            Conditional::Refused(_) => Err(Error::NotFound { operation }),
        }
    }

    /// Takes the right to refresh, unless someone has it or has had it since the caller looked. One conditional write.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn claim_lease(
        &self,
        org: OrgId,
        connection: &ConnectionId,
        request: &LeaseRequest,
    ) -> Result<LeaseClaim, Error> {
        let operation = "claim the lease";
        let mut update = Update {
            set: vec![("lease_owner", text(&request.owner)), ("lease_deadline", text(time::text(request.deadline())))],
            add: vec![("lease_fence", 1)],
            when: lease::IS_FREE,
            values: vec![(":now", text(time::text(request.now)))],
            ..Update::default()
        };
        if let Some(fence) = request.seen_fence {
            update.when = lease::IS_FREE_AS_SEEN;
            update.values.push((":seen_fence", number(fence)));
        }
        match self.table.update(operation, row_key(org, connection), update).await? {
            Conditional::Done(item) => lease_of(operation, item).map(LeaseClaim::Granted),
            Conditional::Refused(Some(item)) => from_item(operation, item).map(LeaseClaim::Held),
            Conditional::Refused(None) => Err(Error::NotFound { operation }),
        }
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
        let operation = "renew the lease";
        let update = Update {
            set: vec![("lease_deadline", text(time::text(deadline)))],
            when: lease::IS_HOLDER,
            values: holder(lease),
            ..Update::default()
        };
        match self.table.update(operation, row_key(org, connection), update).await? {
            Conditional::Done(item) => lease_of(operation, item),
            Conditional::Refused(_) => Err(Error::LeaseLost { operation }),
        }
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
        let operation = "settle the lease";
        let mut update = Update { when: lease::IS_HOLDER, values: holder(lease), ..settlement_update(settlement) };
        update.remove.extend(["lease_owner", "lease_deadline"]);
        match self.table.update(operation, row_key(org, connection), update).await? {
            Conditional::Done(item) => from_item(operation, item),
            Conditional::Refused(_) => Err(Error::LeaseLost { operation }),
        }
    }
}

fn holder(lease: &Lease) -> Vec<(&'static str, AttributeValue)> {
    vec![(":holder", text(&lease.owner)), (":fence", number(lease.fence))]
}

fn row_key(org: OrgId, connection: &ConnectionId) -> Item {
    key([("org_id", org.as_str()), ("connection_id", connection.as_str())])
}

fn lease_of(operation: &'static str, item: Item) -> Result<Lease, Error> {
    let slot: LeaseSlot = from_item(operation, item)?;
    slot.lease().ok_or(Error::Conflict { operation })
}

fn connected_update(connected: &Connected) -> Update {
    let now = || text(time::text(connected.now));
    let mut set = vec![
        ("tenant", text(connected.tenant.as_str())),
        ("user_id", text(connected.user_id.as_str())),
        ("app", text(&connected.app)),
        ("login_url", text(&connected.login_url)),
        ("instance_url", text(&connected.instance_url)),
        ("token_version", text(connected.token_version.as_str())),
        ("state", text("active")),
        ("connected_at", now()),
        ("updated_at", now()),
    ];
    match &connected.kind {
        ConnectionKind::Team => set.push(("kind", text("team"))),
        ConnectionKind::Personal { platform_user } => {
            set.extend([("kind", text("personal")), ("platform_user", text(platform_user.as_str()))]);
        }
    }
    Update {
        set,
        set_once: vec![("created_at", now())],
        add: vec![("lease_fence", 1)],
        remove: vec!["reason", "lease_owner", "lease_deadline", "sunset_on", "sunset_warned_days"],
        when: "attribute_not_exists(#org_id) OR #tenant = :tenant",
        values: vec![(":tenant", text(connected.tenant.as_str()))],
    }
}

fn state_change(state: &ConnectionState, now: Timestamp) -> Update {
    let mut update = Update { set: vec![("updated_at", text(time::text(now)))], ..Update::default() };
    let (name, reason) = match state {
        ConnectionState::Active => ("active", None),
        ConnectionState::Uncertain => ("uncertain", None),
        ConnectionState::ReauthRequired { reason } => ("reauth_required", Some(reason)),
        ConnectionState::Revoked => ("revoked", None),
    };
    update.set.push(("state", text(name)));
    match reason {
        Some(reason) => update.set.push(("reason", text(reason))),
        None => update.remove.push("reason"),
    }
    update
}

fn settlement_update(settlement: &Settlement) -> Update {
    match settlement {
        Settlement::Released => Update::default(),
        Settlement::State { state, now } => state_change(state, *now),
        Settlement::Refreshed { instance_url, token_version, now } => {
            let mut update = state_change(&ConnectionState::Active, *now);
            update.set.extend([
                ("instance_url", text(instance_url)),
                ("token_version", text(token_version.as_str())),
                ("refreshed_at", text(time::text(*now))),
            ]);
            update
        }
    }
}
