//! The mirror: Ferry's copy of the org's records. Its stream is where events come from.

use aws_sdk_dynamodb::Client;
use jiff::Timestamp;
use salesforce::{ObjectName, OrgId, Record, RecordId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Error;
use crate::table::Table;

pub mod rule;

pub use rule::Apply;

/// A row of the mirror. It deserialises from a stream's image as well (`serde_dynamo::from_item`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MirrorRecord {
    /// Its org.
    pub org_id: OrgId,
    /// Its object.
    pub object: ObjectName,
    /// Its id.
    pub record_id: RecordId,
    /// Its fields as Salesforce gave them; a tombstone has none.
    pub fields: Map<String, Value>,
    /// Its version in Salesforce.
    #[serde(with = "crate::time::millis")]
    pub system_modstamp: Timestamp,
    /// When the call that read it was sent.
    #[serde(with = "crate::time::millis")]
    pub read_at: Timestamp,
    /// Whether it is a tombstone.
    pub deleted: bool,
    /// The record it was merged into, where that is why it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub master_record_id: Option<RecordId>,
}

/// What Salesforce says about a record.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// It is there, like this. The record must have its `SystemModstamp`.
    Upsert {
        /// The record as read.
        record: Record,
        /// When the call that read it was sent.
        read_at: Timestamp,
    },
    /// It was deleted.
    Tombstone(Tombstone),
}

/// A deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// The record.
    pub record_id: RecordId,
    /// The deleted record's SystemModstamp, or the time of its deletion.
    pub system_modstamp: Timestamp,
    /// When the call that told of it was sent.
    pub read_at: Timestamp,
    /// The record it was merged into.
    pub master_record_id: Option<RecordId>,
}

/// A page of an object's rows, by id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordPage {
    /// The rows, tombstones among them.
    pub records: Vec<MirrorRecord>,
    /// The id to go on after; `None` at the end.
    pub next: Option<RecordId>,
}

/// How many rows an object has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordCount {
    /// Records.
    pub live: u64,
    /// Tombstones.
    pub deleted: u64,
}

/// The `records` table.
#[derive(Clone, Debug)]
pub struct Records {
    table: Table,
}

impl Records {
    /// On this table.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table::new(client, table) }
    }

    /// Applies one change.
    ///
    /// # Errors
    /// [`Error::Incomplete`] for a record without `SystemModstamp`.
    pub async fn apply(&self, org: OrgId, object: &ObjectName, change: Change) -> Result<Apply, Error> {
        let _ = (&self.table, org, object, change);
        todo!()
    }

    /// Applies many changes of one object, in parallel and in any order; one result a change, in the order given. Costs one
    /// read for every 100 records and one write for each that changes.
    pub async fn apply_all(&self, org: OrgId, object: &ObjectName, changes: Vec<Change>) -> Vec<Result<Apply, Error>> {
        let _ = (org, object, changes);
        todo!()
    }

    /// The row, maybe a tombstone, or `None` when the mirror never heard of the record.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn load(&self, org: OrgId, object: &ObjectName, id: RecordId) -> Result<Option<MirrorRecord>, Error> {
        let _ = (org, object, id);
        todo!()
    }

    /// How many rows there are. Reads them all.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn count(&self, org: OrgId, object: &ObjectName) -> Result<RecordCount, Error> {
        let _ = (org, object);
        todo!()
    }

    /// Up to `limit` rows after the id `after`, by id.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn list(
        &self,
        org: OrgId,
        object: &ObjectName,
        after: Option<RecordId>,
        limit: u16,
    ) -> Result<RecordPage, Error> {
        let _ = (org, object, after, limit);
        todo!()
    }
}
