//! Erasures: the deletion of the data of an org, or of one record of it, with its progress.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::Client;
use jiff::{SignedDuration, Timestamp};
use salesforce::{OrgId, RecordId};
use serde::{Deserialize, Serialize};

use crate::ids::ErasureId;
use crate::queues::{Message, Queue};
use crate::table::{Conditional, Expression, Item, Table, key, number, text, to_item};
use crate::{Error, time};

mod left;

pub use left::Left;

/// The state of an erasure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErasureState {
    /// It begins at `begins_at`.
    Waiting,
    /// It deletes rows.
    Running,
    /// Everything that it finds is deleted.
    Finished,
    /// The org was connected again, so the rest of its data is kept.
    Stopped,
}

/// An erasure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// The org.
    pub org_id: OrgId,
    /// The id.
    pub erasure_id: ErasureId,
    /// The record that is erased; `None` for the whole org, and once the record is erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record_id: Option<RecordId>,
    /// `true` for the erasure of one record.
    #[serde(default)]
    pub of_record: bool,
    /// The state.
    pub state: ErasureState,
    /// The place from which the erasure goes on, in the format of the function; `None` at its beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
    /// The number of deleted rows or messages, by table or queue.
    #[serde(default)]
    pub deleted: BTreeMap<String, u64>,
    /// The connections that remain, because their grants could not be revoked at Salesforce.
    #[serde(default)]
    pub connections_left: u64,
    /// The time of the request.
    #[serde(with = "crate::time::millis")]
    pub requested_at: Timestamp,
    /// The earliest time at which it deletes something.
    #[serde(with = "crate::time::millis")]
    pub begins_at: Timestamp,
    /// The time of the last change.
    #[serde(with = "crate::time::millis")]
    pub updated_at: Timestamp,
    /// The revision of the item. Every write is conditional on the revision that it read, so that of two workers one goes on.
    pub revision: u64,
}

/// The time after which every invocation has ended that began before the org was closed: the longest timeout of a function,
/// and a minute for the clocks. Before that, a refresh in progress could store rows behind the erasure.
pub const LONGEST_INVOCATION: SignedDuration = SignedDuration::from_mins(16);

impl Erasure {
    /// Creates the erasure of an org, or of a record of it.
    #[must_use]
    pub fn requested(org_id: OrgId, record_id: Option<RecordId>, now: Timestamp) -> Self {
        let now = time::to_millis(now);
        // The row of an erased record refuses late versions itself, so nothing has to end first.
        let wait = if record_id.is_some() { SignedDuration::ZERO } else { LONGEST_INVOCATION };
        Self {
            org_id,
            erasure_id: ErasureId::derive(org_id, record_id),
            record_id,
            of_record: record_id.is_some(),
            state: ErasureState::Waiting,
            checkpoint: None,
            deleted: BTreeMap::new(),
            connections_left: 0,
            requested_at: now,
            begins_at: now.saturating_add(wait).unwrap_or(now),
            updated_at: now,
            revision: 1,
        }
    }

    /// Returns whether it has nothing more to do.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.state, ErasureState::Finished | ErasureState::Stopped)
    }

    /// Returns what the erasure leaves, in the order of importance.
    #[must_use]
    pub fn left(&self) -> Vec<Left> {
        left::left(self)
    }

    /// Adds deleted rows or messages.
    pub fn count(&mut self, what: &str, deleted: u64) {
        let count = self.deleted.entry(what.to_owned()).or_default();
        *count = count.saturating_add(deleted);
    }
}

/// A request to go on with an erasure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureTask {
    /// The org.
    pub org_id: OrgId,
    /// The erasure.
    pub erasure_id: ErasureId,
}

impl Message for ErasureTask {
    fn group(&self) -> &str {
        self.org_id.as_str()
    }
}

/// The `erasures` table.
#[derive(Clone, Debug)]
pub struct Erasures {
    table: Table,
}

impl Erasures {
    /// Creates a client for the table of this name.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table::new(client, table) }
    }

    /// Starts the erasure of an org, or of a record of it, and queues its task. One that is waiting or running is returned
    /// as it is, and its task is queued again, because the first caller may have been killed before it queued the task. One
    /// that is over starts again.
    ///
    /// # Errors
    /// [`Error::Conflict`] if another caller starts it at the same time; those of the queue.
    pub async fn start(
        &self,
        tasks: &Queue<ErasureTask>,
        org: OrgId,
        record: Option<RecordId>,
        now: Timestamp,
    ) -> Result<Erasure, Error> {
        let mut erasure = Erasure::requested(org, record, now);
        let erasure = match self.load(org, erasure.erasure_id).await? {
            Some(known) if !known.is_over() => known,
            known => {
                erasure.revision = known.map_or(0, |known| known.revision).saturating_add(1);
                self.put("start the erasure", &erasure).await?;
                erasure
            }
        };
        let task = ErasureTask { org_id: org, erasure_id: erasure.erasure_id };
        tasks.send(&task, std::time::Duration::ZERO).await?;
        Ok(erasure)
    }

    /// Returns the erasure, or `None` if there is no such id.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn load(&self, org: OrgId, erasure: ErasureId) -> Result<Option<Erasure>, Error> {
        self.table.get("load the erasure", row_key(org, erasure)).await
    }

    /// Stores the progress of an erasure, and increments its revision.
    ///
    /// # Errors
    /// [`Error::Conflict`] if another worker stored its progress since the erasure was loaded.
    pub async fn save(&self, erasure: &mut Erasure, now: Timestamp) -> Result<(), Error> {
        let next = Erasure {
            revision: erasure.revision.saturating_add(1),
            updated_at: time::to_millis(now),
            ..erasure.clone()
        };
        self.put("store the progress of the erasure", &next).await?;
        *erasure = next;
        Ok(())
    }

    /// Puts the erasure over the revision before it.
    async fn put(&self, operation: &'static str, erasure: &Erasure) -> Result<(), Error> {
        let when = Expression {
            text: "attribute_not_exists(#org_id) OR #revision = :before",
            values: vec![(":before", number(erasure.revision.saturating_sub(1)))],
        };
        match self.table.put(operation, to_item(operation, erasure)?, when).await? {
            Conditional::Done(()) => Ok(()),
            Conditional::Refused(_) => Err(Error::Conflict { operation }),
        }
    }
}

fn row_key(org: OrgId, erasure: ErasureId) -> Item {
    let mut item = key([("org_id", org.as_str())]);
    item.insert("erasure_id".to_owned(), text(erasure.to_string()));
    item
}
