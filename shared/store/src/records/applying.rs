//! Applying versions of records to the mirror.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use futures::stream::FuturesUnordered;
use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use salesforce::{ObjectName, OrgId, RecordId};

use super::concurrency::Concurrency;
use super::rule::{self, ApplyOutcome, Decision};
use super::{Change, MirrorRecord, Records, row_key};
use crate::table::{Conditional, Expression, Item, from_item, text};
use crate::{Error, batch, time};

/// The keys of one BatchGetItem call.
const BATCH_KEYS: usize = 100;
const PARALLEL_READS: usize = 4;
/// The time for which a throttled write is tried again, unless the caller has more: a hint is deferred after it.
pub const THROTTLE_TIMEOUT: Duration = Duration::from_secs(5);
const APPLY: &str = "apply the change";
/// Each refusal returns the row stored in between. One more attempt settles it, unless many rows differ within one
/// millisecond.
const STORE_ATTEMPTS: usize = 12;

impl Records {
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
    /// at most [`THROTTLE_TIMEOUT`].
    pub async fn apply_all(
        &self,
        org: OrgId,
        object: &ObjectName,
        changes: Vec<Change>,
    ) -> Vec<Result<ApplyOutcome, Error>> {
        self.apply_all_within(org, object, changes, THROTTLE_TIMEOUT).await
    }

    /// Does the same as [`Self::apply_all`], and tries a write that is throttled again until its pauses take `time_limit`.
    /// Throttles lower the number of writes at the same time, as the module `concurrency` says.
    pub async fn apply_all_within(
        &self,
        org: OrgId,
        object: &ObjectName,
        changes: Vec<Change>,
        time_limit: Duration,
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
        let (mut concurrency, mut running) = (Concurrency::default(), FuturesUnordered::new());
        loop {
            while running.len() < concurrency.parallel() {
                let Some(write) = pending.pop_front() else { break };
                running.push(attempt(write, concurrency.round()));
            }
            let Some((mut write, round, stored)) = running.next().await else { break };
            match stored {
                Err(Error::Unavailable { .. }) if write.paused < time_limit => {
                    concurrency = concurrency.after_throttle(round);
                    write.paused += write.pause();
                    pending.push_back(write);
                }
                stored => {
                    concurrency = concurrency.after_success();
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
}

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
