//! The mirror: Ferry's copy of the org's records. Its stream is where events come from.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use salesforce::{ObjectName, OrgId, Record, RecordId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Error;
use crate::error::ITEM_LIMIT;
use crate::table::{Conditional, Expression, Item, MAX_ITEM_BYTES, Table, from_item, item_bytes, key, text, to_item};
use crate::time;

pub mod rule;

pub use rule::ApplyOutcome;
use rule::Decision;

/// A row of the mirror. It deserialises from a stream's image as well (`serde_dynamo::from_item`); serialised, it is the row
/// as it is stored, with its fields as one text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MirrorRecord {
    /// Its org.
    pub org_id: OrgId,
    /// Its object.
    pub object: ObjectName,
    /// Its id.
    pub record_id: RecordId,
    /// Its fields as Salesforce gave them; a tombstone has none.
    #[serde(with = "crate::json_text")]
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
    pub async fn apply(&self, org: OrgId, object: &ObjectName, change: Change) -> Result<ApplyOutcome, Error> {
        let row = change.into_row(org, object)?;
        let known = self.load(org, object, row.record_id).await?;
        self.settle(known, row).await
    }

    /// Applies many changes of one object, in parallel and in any order; one result a change, in the order given. Costs one
    /// read for every 100 records and one write for each version that is the newest so far, whether it shows something else
    /// or not.
    ///
    /// A result is [`Error::TooLarge`] for a row that does not fit into the table.
    pub async fn apply_all(
        &self,
        org: OrgId,
        object: &ObjectName,
        changes: Vec<Change>,
    ) -> Vec<Result<ApplyOutcome, Error>> {
        let rows: Vec<_> = changes.into_iter().map(|change| change.into_row(org, object)).collect();
        let ids: BTreeSet<RecordId> = rows.iter().flatten().map(|row| row.record_id).collect();
        let known = &self.look_up(org, object, &ids).await;
        stream::iter(rows)
            .map(|row| async move {
                let row = row?;
                self.settle(known.get(&row.record_id).cloned(), row).await
            })
            .buffered(PARALLEL_WRITES)
            .collect()
            .await
    }

    /// The rows that are there. What cannot be read is left out: this saves requests, and the writes' conditions decide.
    async fn look_up(
        &self,
        org: OrgId,
        object: &ObjectName,
        ids: &BTreeSet<RecordId>,
    ) -> HashMap<RecordId, MirrorRecord> {
        let ids: Vec<RecordId> = ids.iter().copied().collect();
        let pages: Vec<Vec<Item>> = stream::iter(ids.chunks(READ_TOGETHER))
            .map(|ids| self.read_together(org, object, ids))
            .buffer_unordered(PARALLEL_READS)
            .map(|page| page.unwrap_or_default())
            .collect()
            .await;
        let rows =
            pages.into_iter().flatten().filter_map(|item| from_item::<MirrorRecord>("read the mirror", item).ok());
        rows.map(|row| (row.record_id, row)).collect()
    }

    async fn read_together(&self, org: OrgId, object: &ObjectName, ids: &[RecordId]) -> Result<Vec<Item>, Error> {
        let operation = "read the mirror";
        let keys = ids.iter().map(|id| row_key(org, object, *id)).collect();
        let wanted = KeysAndAttributes::builder()
            .set_keys(Some(keys))
            .consistent_read(true)
            .build()
            .map_err(|source| Error::Corrupt { operation, source: Box::new(source) })?;
        let request = self.table.client().batch_get_item().request_items(self.table.name(), wanted);
        let answer = request.send().await.map_err(Error::aws(operation))?;
        Ok(answer.responses.unwrap_or_default().into_values().flatten().collect())
    }

    /// Decides against what is known, and writes on condition that nothing newer came in between; else decides again.
    async fn settle(&self, mut known: Option<MirrorRecord>, row: MirrorRecord) -> Result<ApplyOutcome, Error> {
        let operation = "apply the change";
        for _ in 0..SETTLE_ATTEMPTS {
            let apply = match rule::decide(known.as_ref(), &row) {
                Decision::Keep(apply) => return Ok(apply),
                Decision::Replace(apply) => apply,
            };
            let item = row.to_item()?;
            match self.table.put(operation, item, still_newer(known.as_ref(), &row)?).await? {
                Conditional::Done(()) => return Ok(apply),
                Conditional::Refused(item) => known = item.map(|item| from_item(operation, item)).transpose()?,
            }
        }
        Err(Error::Conflict { operation })
    }

    /// The row, maybe a tombstone, or `None` when the mirror never heard of the record.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn load(&self, org: OrgId, object: &ObjectName, id: RecordId) -> Result<Option<MirrorRecord>, Error> {
        self.table.get("load the record", row_key(org, object, id)).await
    }

    /// How many rows there are. Reads them all.
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

/// What one BatchGetItem takes.
const READ_TOGETHER: usize = 100;
const PARALLEL_READS: usize = 4;
const PARALLEL_WRITES: usize = 32;
/// Every refusal shows a row that came in between. One more settles it, unless many differ within one millisecond of reading.
const SETTLE_ATTEMPTS: usize = 12;

impl Tombstone {
    /// Returns the tombstone that a row of `queryAll` shows, or `None` when the row is not deleted or has no `SystemModstamp`.
    #[must_use]
    pub fn from_row(row: &Record, read_at: Timestamp) -> Option<Self> {
        let is_deleted = row.fields.get("IsDeleted").and_then(Value::as_bool).unwrap_or_default();
        let system_modstamp = row.system_modstamp().filter(|_| is_deleted)?;
        let master_record_id = row.text("MasterRecordId").and_then(|id| id.parse().ok());
        Some(Self { record_id: row.id, system_modstamp, read_at, master_record_id })
    }
}

impl Change {
    /// Returns the change that a row of `queryAll` shows: its fields, or a tombstone.
    #[must_use]
    pub fn from_row(row: Record, read_at: Timestamp) -> Self {
        match Tombstone::from_row(&row, read_at) {
            Some(tombstone) => Self::Tombstone(tombstone),
            None => Self::Upsert { record: row, read_at },
        }
    }

    /// The record that it is about.
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
            }),
        }
    }
}

impl MirrorRecord {
    fn to_item(&self) -> Result<Item, Error> {
        let mut item = to_item("apply the change", self)?;
        item.insert("partition".to_owned(), text(partition(self.org_id, &self.object)));
        match item_bytes(&item) {
            0..=MAX_ITEM_BYTES => Ok(item),
            size_bytes => Err(Error::TooLarge { operation: "store the record", size_bytes, limit: ITEM_LIMIT }),
        }
    }
}

/// The part of [`rule::decide`] that must still hold when the row is written.
fn still_newer(known: Option<&MirrorRecord>, row: &MirrorRecord) -> Result<Expression<'static>, Error> {
    let mut values =
        vec![(":modstamp", text(time::format(row.system_modstamp))), (":read_at", text(time::format(row.read_at)))];
    let Some(tied) = known.filter(|known| rule::is_tied(known, row)) else {
        return Ok(Expression { text: IS_OLDER, values });
    };
    let mut seen = tied.to_item()?;
    values.extend(seen.remove("fields").map(|fields| (":fields", fields)));
    values.push((":deleted", AttributeValue::Bool(tied.deleted)));
    let text = match tied.master_record_id {
        Some(master) => {
            values.push((":master", text(master.as_str())));
            IS_TIED_AND_MERGED
        }
        None => IS_TIED,
    };
    Ok(Expression { text, values })
}

const IS_OLDER: &str = "attribute_not_exists(#record_id) OR #system_modstamp < :modstamp \
     OR (#system_modstamp = :modstamp AND #read_at < :read_at)";
const IS_TIED: &str = "#system_modstamp = :modstamp AND #read_at = :read_at AND #fields = :fields \
     AND #deleted = :deleted AND attribute_not_exists(#master_record_id)";
const IS_TIED_AND_MERGED: &str = "#system_modstamp = :modstamp AND #read_at = :read_at AND #fields = :fields \
     AND #deleted = :deleted AND #master_record_id = :master";

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
