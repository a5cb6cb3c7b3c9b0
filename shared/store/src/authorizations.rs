//! Connect tickets, OAuth states and admin links, each valid once and for minutes; and the sessions of admins.

use aws_sdk_dynamodb::Client;
use jiff::Timestamp;
use salesforce::OrgId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::ids::sha256_hex;
use crate::table::{Conditional, Expression, Item, Place, Rows, Table, from_item, key, number, text};

/// The purpose of an authorization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A connect link.
    Ticket,
    /// The OAuth state of a consent in progress.
    State,
    /// A link that opens a session for a tenant's admin.
    AdminLink,
    /// The browser session of a tenant's admin.
    AdminSession,
}

/// The key of an authorization: a digest, so that the table does not contain the secret that a browser presents.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AuthorizationId(String);

impl AuthorizationId {
    /// Derives the id from the secret that a browser presents.
    #[must_use]
    pub fn derive(purpose: Purpose, presented: &str) -> Self {
        let prefix = match purpose {
            Purpose::Ticket => "ticket",
            Purpose::State => "state",
            Purpose::AdminLink => "admin-link",
            Purpose::AdminSession => "admin-session",
        };
        Self(format!("{prefix}#{}", sha256_hex(presented.as_bytes())))
    }
}

/// An authorization and its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization<T> {
    /// The key.
    pub id: AuthorizationId,
    /// The payload, stored as JSON.
    pub payload: T,
    /// The time from which it is no longer valid.
    pub expires_at: Timestamp,
}

/// The `authorizations` table.
#[derive(Clone, Debug)]
pub struct Authorizations {
    table: Table,
}

impl Authorizations {
    /// Creates a client for the table of this name.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table::new(client, table) }
    }

    /// Stores an authorization.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the id exists already.
    pub async fn store<T: Serialize + Sync>(&self, authorization: &Authorization<T>) -> Result<(), Error> {
        let operation = "store the authorization";
        let payload = serde_json::to_string(&authorization.payload)
            .map_err(|source| Error::Corrupt { operation, source: Box::new(source) })?;
        let mut item = row_key(&authorization.id);
        item.insert("payload".to_owned(), text(payload));
        item.insert("expires_at".to_owned(), number(authorization.expires_at.as_second()));
        let when = Expression { text: "attribute_not_exists(#authorization_id)", values: Vec::new() };
        match self.table.put(operation, item, when).await? {
            Conditional::Done(()) => Ok(()),
            Conditional::Refused(_) => Err(Error::Conflict { operation }),
        }
    }

    /// Deletes the authorization and returns its payload, or `None` if it is unknown, used or expired. Of concurrent
    /// callers, one gets the payload.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn consume<T: DeserializeOwned>(&self, id: &AuthorizationId, now: Timestamp) -> Result<Option<T>, Error> {
        let operation = "consume the authorization";
        let when = Expression {
            text: "attribute_exists(#authorization_id) AND #expires_at > :now",
            values: vec![(":now", number(now.as_second()))],
        };
        match self.table.delete(operation, row_key(id), when).await? {
            Conditional::Done(item) => payload_of(operation, item).map(Some),
            Conditional::Refused(_) => Ok(None),
        }
    }

    /// Returns the payload without using the authorization up.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn peek<T: DeserializeOwned>(&self, id: &AuthorizationId, now: Timestamp) -> Result<Option<T>, Error> {
        let operation = "load the authorization";
        let row: Option<Row> = self.table.get(operation, row_key(id)).await?;
        row.filter(|row| row.expires_at > now.as_second()).map(|row| row.read(operation)).transpose()
    }
}

#[derive(Deserialize)]
struct Row {
    payload: String,
    expires_at: i64,
}

impl Row {
    fn read<T: DeserializeOwned>(&self, operation: &'static str) -> Result<T, Error> {
        serde_json::from_str(&self.payload).map_err(|source| Error::Corrupt { operation, source: Box::new(source) })
    }
}

fn payload_of<T: DeserializeOwned>(operation: &'static str, item: Item) -> Result<T, Error> {
    from_item::<Row>(operation, item)?.read(operation)
}

/// Returns the connect links and consents of an org. Those that name no org, as the first link of a tenant, are not found.
/// Links and sessions of admins are about a tenant, even if the tenant's id is that of an org.
pub(crate) fn rows_of_org(org: OrgId) -> Rows {
    let only = Expression {
        text: "contains(#payload, :org) AND \
               (begins_with(#authorization_id, :ticket) OR begins_with(#authorization_id, :state))",
        values: vec![(":org", text(org.as_str())), (":ticket", text("ticket#")), (":state", text("state#"))],
    };
    Rows { keys: &["authorization_id"], place: Place::Anywhere { only } }
}

fn row_key(id: &AuthorizationId) -> Item {
    key([("authorization_id", &id.0)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_purpose_and_does_not_reveal_the_secret() {
        let purposes = [Purpose::Ticket, Purpose::State, Purpose::AdminLink, Purpose::AdminSession];
        let ids = purposes.map(|purpose| AuthorizationId::derive(purpose, "presented"));
        for (index, id) in ids.iter().enumerate() {
            assert!(!id.0.contains("presented") && !ids[index + 1..].contains(id));
        }
    }
}
