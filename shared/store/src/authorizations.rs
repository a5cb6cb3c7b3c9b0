//! Connect tickets and OAuth states: each is good once, for minutes.

use aws_sdk_dynamodb::Client;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::ids::sha256_hex;
use crate::table::Table;

/// What an authorization is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A connect link that someone may open.
    Ticket,
    /// A consent that someone has begun.
    State,
}

/// The key of an authorization: a digest, so that the table does not hold what a browser must present.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AuthorizationId(String);

impl AuthorizationId {
    /// The id of what a browser presents.
    #[must_use]
    pub fn of(purpose: Purpose, presented: &str) -> Self {
        let prefix = match purpose {
            Purpose::Ticket => "ticket",
            Purpose::State => "state",
        };
        Self(format!("{prefix}#{}", sha256_hex(presented.as_bytes())))
    }
}

/// An authorization with what was kept for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization<T> {
    /// Its key.
    pub id: AuthorizationId,
    /// What was kept for it, as JSON.
    pub payload: T,
    /// From then on it is no longer good.
    pub expires_at: Timestamp,
}

/// The `authorizations` table.
#[derive(Clone, Debug)]
pub struct Authorizations {
    table: Table,
}

impl Authorizations {
    /// On this table.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table::new(client, table) }
    }

    /// Keeps an authorization.
    ///
    /// # Errors
    /// [`Error::Conflict`] when there is one with this id.
    pub async fn store<T: Serialize + Sync>(&self, authorization: &Authorization<T>) -> Result<(), Error> {
        let _ = (&self.table, authorization);
        todo!()
    }

    /// Takes the authorization away and gives what was kept for it, or `None` when it is unknown, used or expired. Of any
    /// number of callers, one gets it.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn consume<T: DeserializeOwned>(&self, id: &AuthorizationId, now: Timestamp) -> Result<Option<T>, Error> {
        let _ = (id, now);
        todo!()
    }

    /// Looks at what was kept, without using it up.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn peek<T: DeserializeOwned>(&self, id: &AuthorizationId, now: Timestamp) -> Result<Option<T>, Error> {
        let _ = (id, now);
        todo!()
    }
}
