//! Connections: OAuth grants. An org has one `team` connection, and one `personal` connection a rep. This table holds
//! no secrets; the tokens are in the [`crate::TokenVault`].

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use salesforce::{ObjectName, OrgId, RecordId};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::ids::{ConnectionId, PlatformUser, Tenant, TokenVersion};
use crate::orgs::BindingRight;
use crate::table::{Conditional, Expression, Item, Table, Update, from_item, key, number, text, to_item};
use crate::time;

pub mod condition;
mod ending;
pub mod grants;
pub mod keep_alive;
pub mod lease;
mod page;
pub mod reservation;
mod sunset;
mod update;

pub use condition::ConditionState;
pub use grants::PendingGrant;
pub use lease::{Lease, LeaseClaim, LeaseOutcome, LeaseRequest, LeaseSlot};
pub use reservation::{Consent, Reservation};
pub use sunset::SunsetWarning;

/// The kind of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ConnectionKind {
    /// The org's connection, granted by an admin or an integration user.
    Team,
    /// A rep's connection.
    Personal {
        /// The rep.
        platform_user: PlatformUser,
    },
}

impl ConnectionKind {
    /// Returns the id of such a connection in its org.
    #[must_use]
    pub fn connection_id(&self) -> ConnectionId {
        match self {
            Self::Team => ConnectionId::team(),
            Self::Personal { platform_user } => ConnectionId::personal(platform_user),
        }
    }
}

/// The reason of [`ConnectionState::ReauthRequired`] of a user whom Salesforce reports as inactive. A frozen user is reported
/// so too, although `IsActive` of a frozen user is true.
pub const USER_INACTIVE: &str = "user_inactive";

/// The state of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ConnectionState {
    /// The grant is usable.
    Active,
    /// The response to a refresh was lost. The old access token is used until Salesforce refuses it.
    Uncertain,
    /// The user has to connect again.
    ReauthRequired {
        /// The reason, as a stable code.
        reason: String,
    },
    /// The connection was ended on purpose.
    Revoked,
}

/// The rights of a user in the org, as the org reported them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRights {
    /// `true` if the user is an administrator: has Customize Application or Modify All Data.
    pub administrator: bool,
    /// The mirrored objects of which the user may not see every record. Empty if the user sees everything.
    #[serde(default)]
    pub limited_objects: Vec<ObjectName>,
}

impl UserRights {
    /// Returns `full` or `limited`, as the API and events name it.
    #[must_use]
    pub fn access(&self) -> &'static str {
        if self.limited_objects.is_empty() { "full" } else { "limited" }
    }
}

/// Returns the right of a consent by a user with these rights to make the tenant the owner of an org that has these
/// connections.
#[must_use]
pub fn binding_right(rights: &UserRights, connections: &[Connection], tenant: &Tenant) -> BindingRight {
    let in_use = |connection: &Connection| connection.tenant != *tenant && grants::may_be_live(connection);
    if !rights.administrator {
        return BindingRight::None;
    }
    // The mirror may hold records of the former owner's time, so the user must see everything.
    let is_left = rights.limited_objects.is_empty() && !connections.iter().any(in_use);
    if is_left { BindingRight::Left } else { BindingRight::Unowned }
}

/// A connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// The org.
    pub org_id: OrgId,
    /// The id in the org.
    pub connection_id: ConnectionId,
    /// The kind.
    #[serde(flatten)]
    pub kind: ConnectionKind,
    /// The tenant that the org belongs to.
    pub tenant: Tenant,
    /// The Salesforce user who granted it.
    pub user_id: RecordId,
    /// The user's name in the org, if stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The app registration it was granted to.
    pub app: String,
    /// The login host that issues its tokens.
    pub login_url: String,
    /// The base URL of its API calls.
    pub instance_url: String,
    /// The rights of a team connection's user at the last consent; `None` for a personal connection, and for a row of a
    /// version that did not store them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rights: Option<UserRights>,
    /// The state.
    #[serde(flatten)]
    pub state: ConnectionState,
    /// The condition in which it cannot be used, if its grant has not ended; `None` for a connection that works as far as is known.
    #[serde(flatten)]
    pub condition: Option<ConditionState>,
    /// The lease on refreshing the tokens.
    #[serde(flatten)]
    pub lease: LeaseSlot,
    /// The last sunset warning that was published for its app.
    #[serde(flatten)]
    pub sunset_warning: Option<SunsetWarning>,
    /// The version of the secret that was stored last; `None` before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_version: Option<TokenVersion>,
    /// The time of the first connect. A reconnect keeps it.
    #[serde(with = "crate::time::millis")]
    pub created_at: Timestamp,
    /// The time of the last consent.
    #[serde(with = "crate::time::millis")]
    pub connected_at: Timestamp,
    /// The time of the grant, by Salesforce's clock.
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    pub granted_at: Option<Timestamp>,
    /// The grant of a newer consent whose tokens are not stored yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<PendingGrant>,
    /// The time of the last token refresh.
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    pub refreshed_at: Option<Timestamp>,
    /// The time of the last change, except changes of the lease.
    #[serde(with = "crate::time::millis")]
    pub updated_at: Timestamp,
}

/// The `connections` table.
#[derive(Clone, Debug)]
pub struct Connections {
    table: Table,
}

impl Connections {
    /// Creates a client for the table of this name.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table::new(client, table) }
    }

    /// Returns the connection, or `None` if it was never made.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn load(&self, org: OrgId, connection: &ConnectionId) -> Result<Option<Connection>, Error> {
        self.table.get("load the connection", row_key(org, connection)).await
    }

    /// Returns the org's connections, the team's last.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn list(&self, org: OrgId) -> Result<Vec<Connection>, Error> {
        self.table.query("list the connections", ("org_id", org.as_str())).await
    }

    /// Reserves the connection for a consent before its tokens are stored, so that two consents cannot store tokens at
    /// once. A new connection is stored as `reauth_required`; an existing one keeps its state. The caller takes the
    /// lease from a refresh and from another consent, whatever `seen_fence` says, because a new consent replaces their
    /// results.
    ///
    /// # Errors
    /// [`Error::OwnedByAnotherTenant`]; [`Error::Conflict`] after several concurrent changes, and while the connection is
    /// being disconnected.
    pub async fn reserve(&self, consent: &Consent, request: &LeaseRequest) -> Result<Reservation, Error> {
        let operation = "reserve the connection";
        for _ in 0..RESERVE_ATTEMPTS {
            let before = self.load(consent.org_id, &consent.kind.connection_id()).await?;
            let next = match reservation::reserve(before.as_ref(), consent, request) {
                Ok(next) => next,
                Err(reservation::Refusal::OwnedByAnotherTenant) => {
                    return Err(Error::OwnedByAnotherTenant { org: consent.org_id });
                }
                Err(reservation::Refusal::BeingDisconnected) => return Err(Error::Conflict { operation }),
            };
            let when = match &before {
                None => Expression { text: "attribute_not_exists(#org_id)", values: Vec::new() },
                Some(seen) => Expression { text: reservation::IS_AS_SEEN, values: unchanged_since(seen) },
            };
            if let Conditional::Done(()) = self.table.put(operation, to_item(operation, &next)?, when).await? {
                let lease = next.lease.lease().ok_or(Error::Conflict { operation })?;
                return Ok(Reservation { lease, before });
            }
        }
        Err(Error::Conflict { operation })
    }

    /// Activates a reserved connection with the consent's tokens, which must be in the vault, and releases the lease.
    /// The connection keeps its id and the time of the first connect.
    ///
    /// # Errors
    /// [`Error::LeaseLost`]: another consent reserved the connection in between. Nothing was stored.
    pub async fn connect(
        &self,
        consent: &Consent,
        tokens: &TokenVersion,
        lease: &Lease,
        now: Timestamp,
    ) -> Result<Connection, Error> {
        let operation = "activate the connection";
        let mut update = update::connected(operation, consent, tokens, now)?;
        (update.when, update.values) = (lease::IS_HOLDER, holder(lease));
        match self.table.update(operation, row_key(consent.org_id, &consent.kind.connection_id()), update).await? {
            Conditional::Done(item) => from_item(operation, item),
            Conditional::Refused(item) => {
                // The SDK may have retried a call whose response was lost: then the first attempt has released the
                // lease.
                let stored: Option<Connection> = item.map(|item| from_item(operation, item)).transpose()?;
                let granted_at = Some(time::to_millis(consent.granted_at));
                let is_done = |stored: &Connection| {
                    stored.token_version.as_ref() == Some(tokens) && stored.granted_at == granted_at
                };
                stored.filter(is_done).ok_or(Error::LeaseLost { operation })
            }
        }
    }

    /// Cancels a reservation. The connection is as it was before.
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

    /// Claims the lease, unless another caller holds it or has held it since `seen_fence`. One conditional write.
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
            add: vec![("lease_fence".into(), 1)],
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
                // The SDK may have retried a call whose response was lost: then the first attempt was granted the
                // lease.
                let own = slot.lease().filter(|lease| lease.owner == request.owner);
                Ok(own.map_or(LeaseClaim::Held(slot), LeaseClaim::Granted))
            }
            Conditional::Refused(None) => Err(Error::NotFound { operation, entity: "connection" }),
        }
    }

    /// Releases the lease and stores the outcome, in one conditional write.
    ///
    /// # Errors
    /// [`Error::LeaseLost`]: another caller has claimed the lease since. Nothing was stored.
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

/// A connection has few writers; more conflicts in a row than this are a bug.
const RESERVE_ATTEMPTS: usize = 5;

fn unchanged_since(seen: &Connection) -> Vec<(&'static str, AttributeValue)> {
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
