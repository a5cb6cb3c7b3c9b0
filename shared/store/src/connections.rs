//! OAuth grants: one `team` connection an org, one `personal` connection a rep. The tokens themselves are in the
//! [`crate::TokenVault`]; here is what may be looked at.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use salesforce::{OrgId, RecordId};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::ids::{ConnectionId, PlatformUser, Tenant, TokenVersion};
use crate::table::{Conditional, Expression, Item, Table, Update, from_item, key, number, text, to_item};
use crate::time;

pub mod grants;
pub mod keep_alive;
pub mod lease;
pub mod reservation;
mod sunset;
mod update;

pub use grants::PendingGrant;
pub use lease::{Lease, LeaseClaim, LeaseOutcome, LeaseRequest, LeaseSlot};
pub use reservation::{Consent, Reservation};
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
    /// The user's name in the org, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
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
    /// The version of its secret that was stored last; `None` before there was any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_version: Option<TokenVersion>,
    /// When it was first made; a reconnect keeps it.
    #[serde(with = "crate::time::millis")]
    pub created_at: Timestamp,
    /// When its person last gave consent.
    #[serde(with = "crate::time::millis")]
    pub connected_at: Timestamp,
    /// When Salesforce opened the grant, by its own clock.
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    pub granted_at: Option<Timestamp>,
    /// A newer consent, whose tokens are not stored yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<PendingGrant>,
    /// When its tokens were last refreshed.
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    pub refreshed_at: Option<Timestamp>,
    /// When anything here but the lease last changed.
    #[serde(with = "crate::time::millis")]
    pub updated_at: Timestamp,
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

    /// Keeps the connection for a consent before its tokens are stored, so that no two consents store theirs at once. A
    /// connection that is new gets a row that needs its person; one that is there stays as it is. Whoever holds the lease
    /// loses it to the caller, whatever `seen_fence` says: a new consent replaces what a refresh may still bring.
    ///
    /// # Errors
    /// [`Error::OwnedByAnotherTenant`]; [`Error::Conflict`] when others kept coming in between.
    pub async fn reserve(&self, consent: &Consent, request: &LeaseRequest) -> Result<Reservation, Error> {
        let operation = "reserve the connection";
        for _ in 0..RESERVE_ATTEMPTS {
            let before = self.load(consent.org_id, &consent.kind.connection_id()).await?;
            let next = reservation::reserve(before.as_ref(), consent, request);
            let next = next.ok_or(Error::OwnedByAnotherTenant { org: consent.org_id })?;
            let when = match &before {
                None => Expression { text: "attribute_not_exists(#org_id)", values: Vec::new() },
                Some(seen) => Expression { text: reservation::IS_AS_SEEN, values: as_seen(seen) },
            };
            if let Conditional::Done(()) = self.table.put(operation, to_item(operation, &next)?, when).await? {
                let lease = next.lease.lease().ok_or(Error::Conflict { operation })?;
                return Ok(Reservation { lease, before });
            }
        }
        Err(Error::Conflict { operation })
    }

    /// Makes a reserved connection active with the consent's tokens, which are in the vault, and gives the lease back. It
    /// keeps its id and the time it was first made.
    ///
    /// # Errors
    /// [`Error::LeaseLost`]: another consent for this connection came in between, and nothing was noted.
    pub async fn connect(
        &self,
        consent: &Consent,
        tokens: &TokenVersion,
        lease: &Lease,
        now: Timestamp,
    ) -> Result<Connection, Error> {
        let operation = "activate the connection";
        let mut update = update::connected(consent, tokens, now);
        (update.when, update.values) = (lease::IS_HOLDER, holder(lease));
        match self.table.update(operation, row_key(consent.org_id, &consent.kind.connection_id()), update).await? {
            Conditional::Done(item) => from_item(operation, item),
            Conditional::Refused(item) => {
                // An attempt whose answer was lost, and which was sent again, has given the lease back itself.
                let known: Option<Connection> = item.map(|item| from_item(operation, item)).transpose()?;
                let granted_at = Some(time::to_millis(consent.granted_at));
                let is_done =
                    |known: &Connection| known.token_version.as_ref() == Some(tokens) && known.granted_at == granted_at;
                known.filter(is_done).ok_or(Error::LeaseLost { operation })
            }
        }
    }

    /// Gives up a reservation: the connection is as it was before.
    ///
    /// # Errors
    /// [`Error::LeaseLost`].
    pub async fn cancel_reservation(&self, consent: &Consent, lease: &Lease) -> Result<(), Error> {
        let operation = "cancel the reservation";
        let remove = vec!["pending", "lease_owner", "lease_deadline"];
        let update = Update { remove, when: lease::IS_HOLDER, values: holder(lease), ..Update::default() };
        match self.table.update(operation, row_key(consent.org_id, &consent.kind.connection_id()), update).await? {
            Conditional::Done(_) => Ok(()),
            Conditional::Refused(_) => Err(Error::LeaseLost { operation }),
        }
    }

    /// Notes that Salesforce ended this connection's grant in favour of a newer one of the same user and app; a refresh that
    /// is under way may note nothing more. `false` when the connection has another grant by now, is about to get one, or is
    /// not in use.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn mark_displaced(&self, connection: &Connection, now: Timestamp) -> Result<bool, Error> {
        let displaced = ConnectionState::ReauthRequired { reason: grants::DISPLACED.to_owned() };
        let mut update = update::state_change(&displaced, now);
        update.add = vec![("lease_fence", 1)];
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
            set: vec![
                ("lease_owner", text(&request.owner)),
                ("lease_deadline", text(time::format(request.deadline()))),
            ],
            add: vec![("lease_fence", 1)],
            when: lease::IS_FREE,
            values: vec![(":now", text(time::format(request.now)))],
            ..Update::default()
        };
        if let Some(fence) = request.seen_fence {
            update.when = lease::IS_FREE_AS_SEEN;
            update.values.push((":seen_fence", number(fence)));
        }
        match self.table.update(operation, row_key(org, connection), update).await? {
            Conditional::Done(item) => lease_of(operation, item).map(LeaseClaim::Granted),
            Conditional::Refused(Some(item)) => {
                let slot: LeaseSlot = from_item(operation, item)?;
                // An attempt whose answer was lost, and which was sent again, meets its own lease.
                let own = slot.lease().filter(|lease| lease.owner == request.owner);
                Ok(own.map_or(LeaseClaim::Held(slot), LeaseClaim::Granted))
            }
            Conditional::Refused(None) => Err(Error::NotFound { operation, entity: "connection" }),
        }
    }

    /// Gives the lease back and notes what came of it, in one conditional write.
    ///
    /// # Errors
    /// [`Error::LeaseLost`]: someone else was allowed to refresh meanwhile, and nothing was noted.
    pub async fn release_lease(
        &self,
        org: OrgId,
        connection: &ConnectionId,
        lease: &Lease,
        settlement: &LeaseOutcome,
    ) -> Result<Connection, Error> {
        let operation = "release the lease";
        let mut update = Update { when: lease::IS_HOLDER, values: holder(lease), ..update::settlement(settlement) };
        update.remove.extend(["lease_owner", "lease_deadline"]);
        match self.table.update(operation, row_key(org, connection), update).await? {
            Conditional::Done(item) => from_item(operation, item),
            Conditional::Refused(_) => Err(Error::LeaseLost { operation }),
        }
    }
}

/// A connection has few writers; this many in a row means that something is wrong.
const RESERVE_ATTEMPTS: usize = 5;

fn as_seen(seen: &Connection) -> Vec<(&'static str, AttributeValue)> {
    vec![(":seen_fence", number(seen.lease.fence)), (":seen_updated_at", text(time::format(seen.updated_at)))]
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
