//! The mirror: Ferry's copy of the org's records. Events are published from the table's stream.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};
use salesforce::{Clock, ObjectName, OrgId, Record, RecordId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Error;
use crate::error::ITEM_LIMIT;
use crate::freshness::ChangeLane;
use crate::table::{Item, MAX_ITEM_BYTES, Table, from_item, item_bytes, key, number, text, to_item};
use crate::time;

mod applying;
mod carried;
mod concurrency;
mod erasing;
pub mod index;
mod removing;
pub mod rule;
mod versions;

pub(crate) use erasing::rows_of_org;

pub use applying::THROTTLE_TIMEOUT;
pub use carried::{Carried, Version};
pub use index::{ChangeKey, ChangedPage, ChangedRecord, ChangesFrom, SETTLING_TIME};
pub use removing::RemovedFields;
pub use rule::ApplyOutcome;
pub use versions::{RowState, RowVersion, VersionPage};

/// A row of the mirror. It deserializes from a stream image too (`serde_dynamo::from_item`). Its serialized form is the
/// stored row, with the fields as one JSON text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MirrorRecord {
    /// The org.
    pub org_id: OrgId,
    /// The object.
    pub object: ObjectName,
    /// The record's id.
    pub record_id: RecordId,
    /// The fields as Salesforce returned them; empty for a tombstone.
    #[serde(with = "crate::json_text")]
    pub fields: Map<String, Value>,
    /// The record's `SystemModstamp`.
    #[serde(with = "crate::time::millis")]
    pub system_modstamp: Timestamp,
    /// The time at which the read was sent.
    #[serde(with = "crate::time::millis")]
    pub read_at: Timestamp,
    /// `true` for a tombstone.
    pub deleted: bool,
    /// The record that this one was merged into, if a merge deleted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub master_record_id: Option<RecordId>,
    /// The reason of a tombstone, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_reason: Option<DeletionReason>,
    /// `true` if the record was erased on request. No version replaces such a row.
    #[serde(default, skip_serializing_if = "erasing::is_false")]
    pub erased: bool,
    /// The `SystemModstamp` of a newer version that is too large for the mirror. `None` if this version is the newest.
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    pub outdated_since: Option<Timestamp>,
    /// The fields whose values are of earlier reads, because the connection may not see them any more.
    #[serde(default, skip_serializing_if = "Carried::is_empty")]
    pub carried: Carried,
}

/// A version of a record, as read from Salesforce.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// The record exists. It must have its `SystemModstamp`.
    Upsert {
        /// The record.
        record: Record,
        /// The time at which the read was sent.
        read_at: Timestamp,
    },
    /// The record was deleted.
    Tombstone(Tombstone),
}

/// The reason for which a record is a tombstone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeletionReason {
    /// Salesforce says that the record was deleted.
    Deleted,
    /// Salesforce says that the record was merged into another one.
    Merged,
    /// Salesforce does not return the record any more, not even among the deleted ones: it was purged, or the connection may
    /// not see it any more.
    PurgedOrHidden,
    /// The record exists, and does not meet the filter of the org's settings.
    Excluded,
}

/// The deletion of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// The record's id.
    pub record_id: RecordId,
    /// The `SystemModstamp` of the deleted record, or the time of its deletion.
    pub system_modstamp: Timestamp,
    /// The time at which the read was sent.
    pub read_at: Timestamp,
    /// The record that this one was merged into.
    pub master_record_id: Option<RecordId>,
    /// The reason, if it is known.
    pub reason: Option<DeletionReason>,
}

/// A page of an object's rows, in the order of their ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordPage {
    /// The rows, including tombstones.
    pub records: Vec<MirrorRecord>,
    /// The id after which the next page starts; `None` at the end.
    pub next: Option<RecordId>,
}

/// The row counts of an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordCount {
    /// The number of records.
    pub live: u64,
    /// The number of tombstones.
    pub deleted: u64,
}

/// The `records` table.
#[derive(Clone, Debug)]
pub struct Records {
    table: Table,
    tombstone_retention: SignedDuration,
    clock: Clock,
    /// The writes that were throttled so far.
    throttles: Arc<AtomicU64>,
    lane: Option<ChangeLane>,
}

/// The time for which a tombstone is stored, unless the deployment sets another.
///
/// A tombstone protects from a version that was read before the deletion and is stored after it, which takes minutes, and
/// from a second event about the deletion while the record is in the recycle bin, for 15 days. It also lets a read say
/// which record a merge kept.
pub const TOMBSTONE_RETENTION: SignedDuration = SignedDuration::from_hours(90 * 24);

impl Records {
    /// Creates a client for the table of this name.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        let table = Table::new(client, table);
        let throttles = Arc::default();
        Self { table, tombstone_retention: TOMBSTONE_RETENTION, clock: Clock::system(), throttles, lane: None }
    }

    /// Returns the number of writes that DynamoDB has throttled since this client was created, so that a caller whose writes take
    /// long sees the reason.
    #[must_use]
    pub fn throttles(&self) -> u64 {
        self.throttles.load(Ordering::Relaxed)
    }

    /// Takes the times of changes from this clock, in place of the system's.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Sets the time for which a tombstone is stored, counted from the read that found the deletion.
    #[must_use]
    pub fn with_tombstone_retention(self, tombstone_retention: SignedDuration) -> Self {
        Self { tombstone_retention, ..self }
    }

    /// Marks what is applied with the lane that it came in, for the latency of its event. The mark is no part of the record.
    #[must_use]
    pub fn in_lane(&self, lane: ChangeLane) -> Self {
        Self { lane: Some(lane), ..self.clone() }
    }

    /// Returns the item of a row, with its place in the indexes. A tombstone expires, an erased row does not.
    fn item(&self, row: &MirrorRecord, changed_at: Timestamp) -> Result<Item, Error> {
        let mut item = row.to_item()?;
        item.extend(index::attributes(row, changed_at));
        item.extend(self.lane.map(|lane| ("lane".to_owned(), text(lane.as_str()))));
        if row.deleted && !row.erased {
            let expires_at = row.read_at.saturating_add(self.tombstone_retention).unwrap_or(row.read_at);
            item.insert("expires_at".to_owned(), number(expires_at.as_second()));
        }
        match item_bytes(&item) {
            0..=MAX_ITEM_BYTES => Ok(item),
            size_bytes => Err(Error::TooLarge { operation: "store the record", size_bytes, limit: ITEM_LIMIT }),
        }
    }

    /// Returns the row, which may be a tombstone, or `None` if the mirror has no such record.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn load(&self, org: OrgId, object: &ObjectName, id: RecordId) -> Result<Option<MirrorRecord>, Error> {
        self.table.get("load the record", row_key(org, object, id)).await
    }

    /// Counts the rows. Reads all of them.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn count(&self, org: OrgId, object: &ObjectName) -> Result<RecordCount, Error> {
        let mut pages = self
            .table
            .query_partition(("partition", &partition(org, object)))
            .projection_expression("#deleted")
            .expression_attribute_names("#deleted", "deleted")
            .into_paginator()
            .items()
            .send();
        let mut count = RecordCount::default();
        while let Some(item) = pages.next().await {
            let item = item.map_err(Error::aws("count the records"))?;
            let is_deleted = item.get("deleted") == Some(&AttributeValue::Bool(true));
            let counter = if is_deleted { &mut count.deleted } else { &mut count.live };
            *counter += 1;
        }
        Ok(count)
    }

    /// Returns up to `limit` rows after the id `after`, in the order of their ids.
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
        let operation = "list the records";
        let page = self
            .table
            .query_partition(("partition", &partition(org, object)))
            .limit(i32::from(limit.max(1)))
            .set_exclusive_start_key(after.map(|id| row_key(org, object, id)))
            .send()
            .await
            .map_err(Error::aws(operation))?;
        let rows = page.items.unwrap_or_default().into_iter().map(|item| from_item(operation, item));
        let records: Vec<MirrorRecord> = rows.collect::<Result<_, _>>()?;
        let next = page.last_evaluated_key.and_then(|_| records.last().map(|row| row.record_id));
        Ok(RecordPage { records, next })
    }
}

impl Tombstone {
    /// Returns the tombstone of a row of `queryAll`, or `None` if the row is not deleted or has no `SystemModstamp`.
    #[must_use]
    pub fn from_row(row: &Record, read_at: Timestamp) -> Option<Self> {
        let is_deleted = row.fields.get("IsDeleted").and_then(Value::as_bool).unwrap_or_default();
        let system_modstamp = row.system_modstamp().filter(|_| is_deleted)?;
        let master_record_id = row.text("MasterRecordId").and_then(|id| id.parse().ok());
        let reason = if master_record_id.is_some() { DeletionReason::Merged } else { DeletionReason::Deleted };
        Some(Self { record_id: row.id, system_modstamp, read_at, master_record_id, reason: Some(reason) })
    }

    /// Returns the tombstone of a record that exists, and that the org's settings exclude from the mirror. `None` for a
    /// deletion, and for a record without `SystemModstamp`.
    #[must_use]
    pub fn of_excluded(change: &Change) -> Option<Self> {
        let Change::Upsert { record, read_at } = change else { return None };
        let system_modstamp = record.system_modstamp()?;
        let reason = Some(DeletionReason::Excluded);
        Some(Self { record_id: record.id, system_modstamp, read_at: *read_at, master_record_id: None, reason })
    }
}

impl Change {
    /// Returns the change of a row of `queryAll`: a tombstone if the row is deleted, otherwise its fields.
    #[must_use]
    pub fn from_row(row: Record, read_at: Timestamp) -> Self {
        match Tombstone::from_row(&row, read_at) {
            Some(tombstone) => Self::Tombstone(tombstone),
            None => Self::Upsert { record: row, read_at },
        }
    }

    /// Returns the `SystemModstamp` of this version; `None` if the record has none.
    #[must_use]
    pub fn system_modstamp(&self) -> Option<Timestamp> {
        match self {
            Self::Upsert { record, .. } => record.system_modstamp(),
            Self::Tombstone(tombstone) => Some(tombstone.system_modstamp),
        }
    }

    /// Returns the id of the record.
    #[must_use]
    pub fn record_id(&self) -> RecordId {
        match self {
            Self::Upsert { record, .. } => record.id,
            Self::Tombstone(tombstone) => tombstone.record_id,
        }
    }

    fn into_row(self, org_id: OrgId, object: &ObjectName) -> Result<MirrorRecord, Error> {
        let object = object.clone();
        match self {
            Self::Upsert { record, read_at } => {
                let missing = Error::Incomplete { operation: "apply the change", field: "SystemModstamp" };
                let system_modstamp = time::to_millis(record.system_modstamp().ok_or(missing)?);
                Ok(MirrorRecord {
                    org_id,
                    object,
                    record_id: record.id,
                    fields: record.fields,
                    system_modstamp,
                    read_at: time::to_millis(read_at),
                    deleted: false,
                    master_record_id: None,
                    deletion_reason: None,
                    erased: false,
                    outdated_since: None,
                    carried: Carried::default(),
                })
            }
            Self::Tombstone(tombstone) => Ok(MirrorRecord {
                org_id,
                object,
                record_id: tombstone.record_id,
                fields: Map::new(),
                system_modstamp: time::to_millis(tombstone.system_modstamp),
                read_at: time::to_millis(tombstone.read_at),
                deleted: true,
                master_record_id: tombstone.master_record_id,
                deletion_reason: tombstone.reason,
                erased: false,
                outdated_since: None,
                carried: Carried::default(),
            }),
        }
    }
}

impl MirrorRecord {
    fn to_item(&self) -> Result<Item, Error> {
        let mut item = to_item("apply the change", self)?;
        item.insert("partition".to_owned(), text(partition(self.org_id, &self.object)));
        Ok(item)
    }
}

fn partition(org: OrgId, object: &ObjectName) -> String {
    format!("{org}#{object}")
}

fn row_key(org: OrgId, object: &ObjectName, id: RecordId) -> Item {
    key([("partition", &partition(org, object)), ("record_id", id.as_str())])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(fields: Value) -> Record {
        let Value::Object(fields) = fields else { panic!("not an object") };
        Record { object: ObjectName::from_static("Account"), id: "0015e00000ZkM3hAAF".parse().unwrap(), fields }
    }

    #[test]
    fn a_deleted_row_is_a_tombstone_with_its_master() {
        let read_at: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let stamp = "2026-11-22T09:59:00.000+0000";
        let merged = row(json!({"IsDeleted": true, "SystemModstamp": stamp, "MasterRecordId": "0015e00000ZkM3iAAF"}));
        let Change::Tombstone(tombstone) = Change::from_row(merged.clone(), read_at) else { panic!("not deleted") };
        assert_eq!((tombstone.record_id, tombstone.read_at), (merged.id, read_at));
        assert_eq!(tombstone.system_modstamp, "2026-11-22T09:59:00Z".parse().unwrap());
        assert_eq!(tombstone.master_record_id.unwrap().as_str(), "0015e00000ZkM3iAAF");
    }

    #[test]
    fn a_live_row_is_an_upsert() {
        let live = row(json!({"IsDeleted": false, "SystemModstamp": "2026-11-22T09:59:00.000+0000"}));
        let change = Change::from_row(live.clone(), Timestamp::UNIX_EPOCH);
        assert_eq!(change, Change::Upsert { record: live, read_at: Timestamp::UNIX_EPOCH });
    }
}
