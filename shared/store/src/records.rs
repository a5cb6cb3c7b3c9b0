//! The mirror: Ferry's copy of the org's records. Events are published from the table's stream.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use futures::stream::FuturesUnordered;
use futures::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use salesforce::{ObjectName, OrgId, Record, RecordId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::ITEM_LIMIT;
use crate::table::{
    Conditional, Expression, Item, MAX_ITEM_BYTES, Table, from_item, item_bytes, key, number, text, to_item,
};
use crate::time;
use crate::{Error, batch};

mod erasing;
mod pace;
pub mod rule;

pub(crate) use erasing::rows_of_org;

use pace::Pace;
pub use rule::ApplyOutcome;
use rule::Decision;

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
    /// `true` if the record was erased on request. No version replaces such a row.
    #[serde(default, skip_serializing_if = "erasing::is_false")]
    pub erased: bool,
    /// The `SystemModstamp` of a newer version that is too large for the mirror. `None` if this version is the newest.
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    pub outdated_since: Option<Timestamp>,
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
        Self { table: Table::new(client, table), tombstone_retention: TOMBSTONE_RETENTION }
    }

    /// Sets the time for which a tombstone is stored, counted from the read that found the deletion.
    #[must_use]
    pub fn with_tombstone_retention(self, tombstone_retention: SignedDuration) -> Self {
        Self { tombstone_retention, ..self }
    }

    /// Applies one change.
    ///
    /// # Errors
    /// [`Error::Incomplete`] for a record without `SystemModstamp`.
    pub async fn apply(&self, org: OrgId, object: &ObjectName, change: Change) -> Result<ApplyOutcome, Error> {
        let row = change.into_row(org, object)?;
        let known = self.load(org, object, row.record_id).await?;
        self.store(known, row).await
    }

    /// Applies changes of one object, in parallel and in any order. Returns one result a change, in the order given.
    /// Costs one read for every 100 records, and one write for each version newer than those before it, whether its
    /// fields differ or not.
    ///
    /// A result is [`Error::TooLarge`] for a row that exceeds the item limit. A write that is throttled is tried again for
    /// at most [`PATIENCE`].
    pub async fn apply_all(
        &self,
        org: OrgId,
        object: &ObjectName,
        changes: Vec<Change>,
    ) -> Vec<Result<ApplyOutcome, Error>> {
        self.apply_all_within(org, object, changes, PATIENCE).await
    }

    /// Does the same as [`Self::apply_all`], and tries a write that is throttled again until its pauses take `patience`.
    /// Throttles lower the number of writes at the same time, as [`pace`] says.
    pub async fn apply_all_within(
        &self,
        org: OrgId,
        object: &ObjectName,
        changes: Vec<Change>,
        patience: Duration,
    ) -> Vec<Result<ApplyOutcome, Error>> {
        let rows: Vec<_> = changes.into_iter().map(|change| change.into_row(org, object)).collect();
        let ids: BTreeSet<RecordId> = rows.iter().flatten().map(|row| row.record_id).collect();
        let known = &self.load_known(org, object, &ids).await;
        let attempt = |mut write: Pending, round: u32| async move {
            tokio::time::sleep(write.pause()).await;
            let stored = self.store(known.get(&write.row.record_id).cloned(), write.row.clone()).await;
            write.attempts += 1;
            (write, round, stored)
        };
        let mut results: Vec<Option<Result<ApplyOutcome, Error>>> = Vec::with_capacity(rows.len());
        let mut pending = VecDeque::new();
        for (index, row) in rows.into_iter().enumerate() {
            match row {
                Ok(row) => {
                    pending.push_back(Pending { index, row, attempts: 0, paused: Duration::ZERO });
                    results.push(None);
                }
                Err(error) => results.push(Some(Err(error))),
            }
        }
        let (mut pace, mut running) = (Pace::default(), FuturesUnordered::new());
        loop {
            while running.len() < pace.parallel() {
                let Some(write) = pending.pop_front() else { break };
                running.push(attempt(write, pace.round()));
            }
            let Some((mut write, round, stored)) = running.next().await else { break };
            match stored {
                Err(Error::Unavailable { .. }) if write.paused < patience => {
                    pace = pace.after_throttle(round);
                    write.paused += write.pause();
                    pending.push_back(write);
                }
                stored => {
                    pace = pace.after_success();
                    if let Some(result) = results.get_mut(write.index) {
                        *result = Some(stored);
                    }
                }
            }
        }
        results.into_iter().map(|result| result.unwrap_or(Err(Error::Conflict { operation: APPLY }))).collect()
    }

    /// Returns the stored rows. Rows that cannot be read are left out: the read only saves writes, and the conditions
    /// decide.
    async fn load_known(
        &self,
        org: OrgId,
        object: &ObjectName,
        ids: &BTreeSet<RecordId>,
    ) -> HashMap<RecordId, MirrorRecord> {
        let ids: Vec<RecordId> = ids.iter().copied().collect();
        let pages: Vec<Vec<Item>> = stream::iter(ids.chunks(BATCH_KEYS))
            .map(|ids| self.batch_get(org, object, ids))
            .buffer_unordered(PARALLEL_READS)
            .map(|page| page.unwrap_or_default())
            .collect()
            .await;
        let rows =
            pages.into_iter().flatten().filter_map(|item| from_item::<MirrorRecord>("load the records", item).ok());
        rows.map(|row| (row.record_id, row)).collect()
    }

    async fn batch_get(&self, org: OrgId, object: &ObjectName, ids: &[RecordId]) -> Result<Vec<Item>, Error> {
        let operation = "load the records";
        let keys = ids.iter().map(|id| row_key(org, object, *id)).collect();
        let request = KeysAndAttributes::builder()
            .set_keys(Some(keys))
            .consistent_read(true)
            .build()
            .map_err(|source| Error::Corrupt { operation, source: Box::new(source) })?;
        let request = self.table.client().batch_get_item().request_items(self.table.name(), request);
        let response = request.send().await.map_err(Error::aws(operation))?;
        Ok(response.responses.unwrap_or_default().into_values().flatten().collect())
    }

    /// Decides against the known row, and writes if no newer row was stored in between; otherwise decides again.
    async fn store(&self, mut known: Option<MirrorRecord>, mut row: MirrorRecord) -> Result<ApplyOutcome, Error> {
        let operation = "apply the change";
        for _ in 0..STORE_ATTEMPTS {
            let apply = match rule::decide(known.as_ref(), &row) {
                Decision::Keep(apply) => return Ok(apply),
                Decision::Replace(apply) => apply,
            };
            row.outdated_since = rule::outdated_since(known.as_ref(), &row);
            let item = match self.item(&row) {
                Err(error @ Error::TooLarge { .. }) => {
                    self.mark_outdated(known, row.system_modstamp).await?;
                    return Err(error);
                }
                item => item?,
            };
            match self.table.put(operation, item, decision_holds(known.as_ref(), &row)?).await? {
                Conditional::Done(()) => return Ok(apply),
                Conditional::Refused(item) => known = item.map(|item| from_item(operation, item)).transpose()?,
            }
        }
        Err(Error::Conflict { operation })
    }

    /// Marks the known row as older than a version that is too large. A row that another writer has replaced meanwhile is
    /// newer, and stays as it is.
    async fn mark_outdated(&self, known: Option<MirrorRecord>, newer: Timestamp) -> Result<(), Error> {
        let Some(known) = known.filter(|known| !known.erased && known.system_modstamp < newer) else { return Ok(()) };
        let seen = vec![
            (":modstamp", text(time::format(known.system_modstamp))),
            (":read_at", text(time::format(known.read_at))),
        ];
        let item = self.item(&MirrorRecord { outdated_since: Some(newer), ..known })?;
        self.table.put("mark the record as outdated", item, Expression { text: IS_SEEN, values: seen }).await.map(drop)
    }

    /// Returns the item of a row. A tombstone expires.
    fn item(&self, row: &MirrorRecord) -> Result<Item, Error> {
        let mut item = row.to_item()?;
        if row.deleted {
            let expires_at = row.read_at.saturating_add(self.tombstone_retention).unwrap_or(row.read_at);
            item.insert("expires_at".to_owned(), number(expires_at.as_second()));
        }
        Ok(item)
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

/// The keys of one BatchGetItem call.
const BATCH_KEYS: usize = 100;
const PARALLEL_READS: usize = 4;
/// The time for which a throttled write is tried again, unless the caller has more: a hint is deferred after it.
pub const PATIENCE: Duration = Duration::from_secs(5);
const APPLY: &str = "apply the change";
/// Each refusal returns the row stored in between. One more attempt settles it, unless many rows differ within one
/// millisecond.
const STORE_ATTEMPTS: usize = 12;

/// A row to be written.
struct Pending {
    index: usize,
    row: MirrorRecord,
    attempts: u32,
    paused: Duration,
}

impl Pending {
    /// Returns the pause before the next attempt; none before the first.
    fn pause(&self) -> Duration {
        self.attempts.checked_sub(1).map_or(Duration::ZERO, |retry| batch::BACKOFF.pause(retry))
    }
}

impl Tombstone {
    /// Returns the tombstone of a row of `queryAll`, or `None` if the row is not deleted or has no `SystemModstamp`.
    #[must_use]
    pub fn from_row(row: &Record, read_at: Timestamp) -> Option<Self> {
        let is_deleted = row.fields.get("IsDeleted").and_then(Value::as_bool).unwrap_or_default();
        let system_modstamp = row.system_modstamp().filter(|_| is_deleted)?;
        let master_record_id = row.text("MasterRecordId").and_then(|id| id.parse().ok());
        Some(Self { record_id: row.id, system_modstamp, read_at, master_record_id })
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
                    erased: false,
                    outdated_since: None,
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
                erased: false,
                outdated_since: None,
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

/// Returns the condition under which the decision of [`rule::decide`] still holds at the time of the write.
fn decision_holds(known: Option<&MirrorRecord>, row: &MirrorRecord) -> Result<Expression<'static>, Error> {
    let mut values =
        vec![(":modstamp", text(time::format(row.system_modstamp))), (":read_at", text(time::format(row.read_at)))];
    // A tie is decided by content, which a condition can only compare for equality.
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

const IS_SEEN: &str = "#system_modstamp = :modstamp AND #read_at = :read_at";
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
