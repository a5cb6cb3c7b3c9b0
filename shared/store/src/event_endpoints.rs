//! The endpoints of the platform that events are delivered to as signed webhooks, one item for each endpoint of a tenant.
//!
//! An item has the endpoint's secrets. They only sign: they open nothing of a customer's. So they are not in Secrets Manager,
//! where each would cost a monthly fee and each delivery a call, but in this table, which is encrypted with the key of
//! `KmsKey`, and which `event-delivery` alone may read.

use std::str::FromStr;

use aws_sdk_dynamodb::Client;
use jiff::{SignedDuration, Timestamp};
use rand::Rng;
use salesforce::OrgId;
use serde::{Deserialize, Serialize};

use crate::table::{Conditional, Expression, Item, Table, key, number, text, to_item};
use crate::{Error, EventKind, InvalidText, Tenant, time};

pub mod health;
mod secret;

use health::Health;
pub use secret::SigningSecret;

/// The highest number of endpoints of a tenant.
pub const MAX_ENDPOINTS: usize = 20;
/// The time for which a replaced secret signs beside the new one.
pub const OVERLAP: SignedDuration = SignedDuration::from_hours(24);
/// The highest number of secrets of an endpoint: those that were replaced within [`OVERLAP`], and the newest.
pub const MAX_SECRETS: usize = 5;

/// The attempts of a read and a conditional write that lost a race.
const CHANGE_ATTEMPTS: u32 = 8;

/// The id of an endpoint: `we_` and 32 hexadecimal digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EndpointId(String);

impl EndpointId {
    /// Generates an id from `rng`.
    pub fn generate(rng: &mut impl Rng) -> Self {
        let mut bytes = [0_u8; 16];
        rng.fill_bytes(&mut bytes);
        Self(format!("we_{:032x}", u128::from_be_bytes(bytes)))
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EndpointId {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, InvalidText> {
        let is_digit = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        let digits = text.strip_prefix("we_").filter(|digits| digits.len() == 32 && digits.bytes().all(is_digit));
        digits
            .map(|_| Self(text.to_owned()))
            .ok_or(InvalidText::new("an endpoint id", "`we_` and 32 hexadecimal digits"))
    }
}

salesforce::text_traits!(EndpointId);

/// The state of an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointState {
    /// Events are sent to it.
    #[default]
    Active,
    /// Its events wait until somebody resumes it.
    Paused,
}

/// The reason for which an endpoint was paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PauseReason {
    /// Everything that was sent to it has failed for [`health::PAUSE_AFTER`].
    Failing,
    /// It answered 410.
    Gone,
}

/// A pause of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// The time.
    #[serde(with = "crate::time::millis")]
    pub at: Timestamp,
    /// The reason.
    pub reason: PauseReason,
}

/// A secret of an endpoint, and the time from which it does not sign any more; `None` for the newest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveSecret {
    /// The secret.
    pub secret: SigningSecret,
    /// The time at which it was generated.
    #[serde(with = "crate::time::millis")]
    pub created_at: Timestamp,
    /// The time from which it does not sign.
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
}

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventEndpoint {
    /// The tenant whose events it gets.
    pub tenant: Tenant,
    /// The id.
    pub endpoint_id: EndpointId,
    /// The URL. It was checked when it was stored; the address is checked again at each connection.
    pub url: String,
    /// The types of events that it gets; empty for all.
    #[serde(default)]
    pub events: Vec<EventKind>,
    /// The orgs whose events it gets; empty for all of the tenant.
    #[serde(default)]
    pub orgs: Vec<OrgId>,
    /// A text of the platform's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The secrets, the newest first.
    pub secrets: Vec<LiveSecret>,
    /// The pause, if it is paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Pause>,
    /// The time at which it was resumed last.
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    pub resumed_at: Option<Timestamp>,
    /// The outcomes of the last attempts.
    #[serde(default)]
    pub health: Health,
    /// The time at which it was created.
    #[serde(with = "crate::time::millis")]
    pub created_at: Timestamp,
    /// The time of the last change by the platform, or of a pause.
    #[serde(with = "crate::time::millis")]
    pub updated_at: Timestamp,
    /// The revision of the item. Every write is conditional on the revision that it read.
    #[serde(default)]
    pub revision: u64,
}

impl EventEndpoint {
    /// Creates an endpoint that gets every event of the tenant, with an id and a secret from `rng`, which must be a cryptographic
    /// one.
    pub fn new(tenant: Tenant, url: impl Into<String>, now: Timestamp, rng: &mut impl Rng) -> Self {
        let now = time::to_millis(now);
        Self {
            tenant,
            endpoint_id: EndpointId::generate(rng),
            url: url.into(),
            events: Vec::new(),
            orgs: Vec::new(),
            description: None,
            secrets: vec![LiveSecret { secret: SigningSecret::generate(rng), created_at: now, ends_at: None }],
            paused: None,
            resumed_at: None,
            health: Health::default(),
            created_at: now,
            updated_at: now,
            revision: 0,
        }
    }

    /// Returns the state.
    #[must_use]
    pub fn state(&self) -> EndpointState {
        if self.paused.is_some() { EndpointState::Paused } else { EndpointState::Active }
    }

    /// Returns whether the endpoint gets an event of this type about this org. An event about no org passes the filter by org.
    #[must_use]
    pub fn wants(&self, kind: EventKind, org: Option<OrgId>) -> bool {
        (self.events.is_empty() || self.events.contains(&kind))
            && (self.orgs.is_empty() || org.is_none_or(|org| self.orgs.contains(&org)))
    }

    /// Returns the secrets that sign at a time.
    pub fn signing_secrets(&self, now: Timestamp) -> impl Iterator<Item = &SigningSecret> {
        self.secrets.iter().filter(move |live| live.ends_at.is_none_or(|end| now < end)).map(|live| &live.secret)
    }

    /// Replaces the newest secret, which signs for [`OVERLAP`] beside the new one. Secrets that have ended are dropped.
    pub fn rotate(&mut self, secret: SigningSecret, now: Timestamp) {
        let now = time::to_millis(now);
        let end = now.saturating_add(OVERLAP).unwrap_or(now);
        self.secrets.retain(|live| live.ends_at.is_none_or(|end| now < end));
        for live in &mut self.secrets {
            live.ends_at.get_or_insert(end);
        }
        self.secrets.insert(0, LiveSecret { secret, created_at: now, ends_at: None });
        self.secrets.truncate(MAX_SECRETS);
        self.updated_at = now;
    }

    /// Ends a pause. The failures before it do not count any more, and their delays are over.
    pub fn resume(&mut self, now: Timestamp) {
        self.paused = None;
        self.health = Health::default();
        self.updated_at = time::to_millis(now);
        self.resumed_at = Some(self.updated_at);
    }
}

/// The `event_endpoints` table.
#[derive(Clone, Debug)]
pub struct EventEndpoints {
    table: Table,
}

impl EventEndpoints {
    /// Creates a client for the table of this name.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table::new(client, table) }
    }

    /// Returns the endpoints of a tenant, in no particular order.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn list(&self, tenant: &Tenant) -> Result<Vec<EventEndpoint>, Error> {
        self.table.query("list the endpoints", ("tenant", tenant.as_str())).await
    }

    /// Returns the endpoint, or `None` if the tenant has none of this id.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn load(&self, tenant: &Tenant, id: &EndpointId) -> Result<Option<EventEndpoint>, Error> {
        self.table.get("load the endpoint", row_key(tenant, id)).await
    }

    /// Stores a new endpoint, or one that was changed since it was loaded, and increments its revision.
    ///
    /// # Errors
    /// [`Error::Conflict`] if somebody else changed or deleted it since it was loaded.
    pub async fn save(&self, endpoint: &mut EventEndpoint) -> Result<(), Error> {
        let operation = "store the endpoint";
        let before = endpoint.revision;
        let next = EventEndpoint { revision: before.saturating_add(1), ..endpoint.clone() };
        let when = match before {
            0 => Expression { text: "attribute_not_exists(#tenant)", values: Vec::new() },
            _ => Expression { text: "#revision = :before", values: vec![(":before", number(before))] },
        };
        match self.table.put(operation, to_item(operation, &next)?, when).await? {
            Conditional::Done(()) => {
                *endpoint = next;
                Ok(())
            }
            Conditional::Refused(_) => Err(Error::Conflict { operation }),
        }
    }

    /// Loads the endpoint, changes it and stores it, again if somebody else changed it meanwhile. Returns the endpoint as stored,
    /// or `None` if the tenant has none of this id. `change` returns `false` to leave it as it is.
    ///
    /// # Errors
    /// [`Error::Conflict`] if others changed it each time.
    pub async fn change(
        &self,
        tenant: &Tenant,
        id: &EndpointId,
        mut change: impl FnMut(&mut EventEndpoint) -> bool,
    ) -> Result<Option<EventEndpoint>, Error> {
        for _ in 0..CHANGE_ATTEMPTS {
            let Some(mut endpoint) = self.load(tenant, id).await? else { return Ok(None) };
            if !change(&mut endpoint) {
                return Ok(Some(endpoint));
            }
            match self.save(&mut endpoint).await {
                Ok(()) => return Ok(Some(endpoint)),
                Err(Error::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Conflict { operation: "change the endpoint" })
    }

    /// Deletes the endpoint. Returns `false` if the tenant has none of this id.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn delete(&self, tenant: &Tenant, id: &EndpointId) -> Result<bool, Error> {
        let when = Expression { text: "attribute_exists(#tenant)", values: Vec::new() };
        let deleted = self.table.delete("delete the endpoint", row_key(tenant, id), when).await?;
        Ok(matches!(deleted, Conditional::Done(_)))
    }
}

fn row_key(tenant: &Tenant, id: &EndpointId) -> Item {
    let mut item = key([("tenant", tenant.as_str())]);
    item.insert("endpoint_id".to_owned(), text(id.as_str()));
    item
}

#[cfg(test)]
mod tests;
