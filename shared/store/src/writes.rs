//! The outbound ledger, which is also what makes a write happen once: who asked for what, through which connection, and
//! what came of it.

use aws_sdk_dynamodb::Client;
use jiff::{SignedDuration, Timestamp};
use salesforce::{ObjectName, OrgId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Error;
use crate::ids::{ConnectionId, IdempotencyKey, PlatformUser, WriteId};
use crate::owner_policy::{OwnerChoice, OwnerReason};
use crate::table::Table;

pub mod rule;

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteKind {
    /// Records, by external id.
    Records,
    /// A new note.
    Note,
    /// A note's new text.
    NoteUpdate,
}

/// Where a write stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteState {
    /// Someone is at it, until the deadline.
    InProgress,
    /// It waits in a queue.
    Queued,
    /// It has its answer.
    Finished,
}

/// A write that the platform asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct NewWrite {
    /// In which org.
    pub org_id: OrgId,
    /// The platform's key for it.
    pub idempotency_key: IdempotencyKey,
    /// What it is.
    pub kind: WriteKind,
    /// Of which object.
    pub object: Option<ObjectName>,
    /// On whose behalf.
    pub platform_user: Option<PlatformUser>,
    /// Everything that was asked for. Its digest tells a retry from another request under the same key.
    pub request: Value,
    /// When.
    pub now: Timestamp,
    /// For how long the caller may be at it before someone else may take it over.
    pub patience: SignedDuration,
}

/// Which way a write went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteRoute {
    /// Through which connection.
    pub connection_id: ConnectionId,
    /// Who owns what it made.
    pub owner_choice: OwnerChoice,
    /// Why.
    pub owner_reason: OwnerReason,
}

/// A write in the ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Write {
    /// In which org.
    pub org_id: OrgId,
    /// Its id.
    pub write_id: WriteId,
    /// What it is.
    pub kind: WriteKind,
    /// Of which object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectName>,
    /// On whose behalf.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform_user: Option<PlatformUser>,
    /// Where it stands.
    pub state: WriteState,
    /// Which way it went, once that is decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<WriteRoute>,
    /// What was asked for, while it waits in a queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Value>,
    /// What the platform was answered, once it is finished: every record's outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Value>,
    /// The digest of what was asked for.
    pub request_digest: String,
    /// Counts those who were at it. Only the last of them may finish it.
    pub attempt: u64,
    /// Until when the last of them may be at it.
    #[serde(with = "crate::time::millis")]
    pub deadline: Timestamp,
    /// When it was asked for.
    #[serde(with = "crate::time::millis")]
    pub created_at: Timestamp,
    /// When it last changed.
    #[serde(with = "crate::time::millis")]
    pub updated_at: Timestamp,
}

/// What asking for a write came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Begin {
    /// The caller is at it. `attempt` above 1 means that someone before may have done part of it.
    New(Write),
    /// It is finished, or waits in the queue: this is how it stands.
    Replay(Write),
    /// Someone else is at it.
    InProgress(Write),
}

/// The `writes` table.
#[derive(Clone, Debug)]
pub struct Writes {
    table: Table,
}

impl Writes {
    /// On this table.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table::new(client, table) }
    }

    /// Asks for the write. Of any number of callers with the same key, one is at it.
    ///
    /// # Errors
    /// [`Error::IdempotencyKeyReused`]: the key was used for another request.
    pub async fn begin(&self, write: &NewWrite) -> Result<Begin, Error> {
        let _ = (&self.table, write);
        todo!()
    }

    /// Takes a queued write up: like [`Writes::begin`] for the worker behind the queue.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn resume(
        &self,
        org: OrgId,
        write: WriteId,
        now: Timestamp,
        patience: SignedDuration,
    ) -> Result<Begin, Error> {
        let _ = (org, write, now, patience);
        todo!()
    }

    /// Keeps the request, for the worker behind the queue.
    ///
    /// # Errors
    /// [`Error::Conflict`] when someone else took the write over; [`Error::TooLarge`] when it does not fit.
    pub async fn queue(&self, write: &Write, request: &Value, now: Timestamp) -> Result<Write, Error> {
        let _ = (write, request, now);
        todo!()
    }

    /// Keeps the answer, for every later caller.
    ///
    /// # Errors
    /// [`Error::Conflict`] when someone else took the write over.
    pub async fn finish(
        &self,
        write: &Write,
        route: Option<&WriteRoute>,
        answer: &Value,
        now: Timestamp,
    ) -> Result<Write, Error> {
        let _ = (write, route, answer, now);
        todo!()
    }

    /// Forgets a write that did not take effect, so that the same key may be used again at once.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn abandon(&self, write: &Write) -> Result<(), Error> {
        let _ = write;
        todo!()
    }

    /// The write, or `None` when there is none with this id.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn load(&self, org: OrgId, write: WriteId) -> Result<Option<Write>, Error> {
        let _ = (org, write);
        todo!()
    }
}
