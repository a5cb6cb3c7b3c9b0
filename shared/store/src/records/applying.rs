//! Applying versions of records to the mirror.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::atomic::Ordering;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use futures::stream::FuturesUnordered;
use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use salesforce::{ObjectName, OrgId, RecordId};

use super::concurrency::Concurrency;
use super::index::{self, Stored};
use super::rule::{self, ApplyOutcome, Decision};
use super::{Change, MirrorRecord, Records, row_key};
use crate::table::{BATCH_KEYS, Conditional, Expression, Item, from_item, text};
use crate::{Error, batch, time};

const PARALLEL_READS: usize = 4;
/// The time for which a throttled write is tried again, unless the caller has more: a hint is deferred after it.
pub const THROTTLE_TIMEOUT: Duration = Duration::from_secs(5);
const APPLY: &str = "apply the change";
/// Each refusal returns the row stored in between. One more attempt settles it, unless many rows differ within one
/// millisecond.
pub(super) const STORE_ATTEMPTS: usize = 12;

impl Records {
    /// Applies one change.
    ///
    /// # Errors
    /// [`Error::Incomplete`] for a record without `SystemModstamp`.
    pub async fn apply(&self, org: OrgId, object: &ObjectName, change: Change) -> Result<ApplyOutcome, Error> {
        let row = change.into_row(org, object)?;
        let known = self.table.get(APPLY, row_key(org, object, row.record_id)).await?;
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
                    self.throttles.fetch_add(1, Ordering::Relaxed);
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
    async fn load_known(&self, org: OrgId, object: &ObjectName, ids: &BTreeSet<RecordId>) -> HashMap<RecordId, Stored> {
        let ids: Vec<RecordId> = ids.iter().copied().collect();
        let pages: Vec<Vec<Item>> = stream::iter(ids.chunks(BATCH_KEYS))
            .map(|ids| self.table.get_batch(APPLY, ids.iter().map(|id| row_key(org, object, *id)).collect()))
            .buffer_unordered(PARALLEL_READS)
            .map(|page| page.unwrap_or_default().0)
            .collect()
            .await;
        let rows = pages.into_iter().flatten().filter_map(|item| from_item::<Stored>(APPLY, item).ok());
        rows.map(|stored| (stored.row.record_id, stored)).collect()
    }

    /// Decides against the known row, and writes if no other row was stored in between; otherwise decides again.
    async fn store(&self, mut known: Option<Stored>, given: MirrorRecord) -> Result<ApplyOutcome, Error> {
        for _ in 0..STORE_ATTEMPTS {
            let known_row = known.as_ref().map(|known| &known.row);
            let (row, apply) = match rule::decide(known_row, &given) {
                Decision::Keep(apply) => return Ok(apply),
                Decision::Replace(row, apply) => (*row, apply),
            };
            // The time is taken when the put is sent, not while it waits.
            let _turn = self.table.turn().await;
            let changed_at = index::changed_at(known.as_ref(), &row, self.clock.now());
            let item = match self.item(&row, changed_at) {
                Err(error @ Error::TooLarge { .. }) => {
                    self.mark_outdated(known, row.system_modstamp).await?;
                    return Err(error);
                }
                item => item?,
            };
            let (when, values) = is_seen(known.as_ref(), &given)?;
            match self.table.put_now(APPLY, item, Expression { text: &when, values }).await? {
                Conditional::Done(()) => return Ok(apply),
                Conditional::Refused(item) => known = item.map(|item| from_item(APPLY, item)).transpose()?,
            }
        }
        Err(Error::Conflict { operation: APPLY })
    }

    /// Marks the known row as older than a version that is too large. A row that another writer has replaced meanwhile is
    /// newer, and stays as it is.
    async fn mark_outdated(&self, known: Option<Stored>, newer: Timestamp) -> Result<(), Error> {
        let is_older = |known: &Stored| !known.row.erased && known.row.system_modstamp < newer;
        let Some(Stored { row, changed }) = known.filter(is_older) else { return Ok(()) };
        let values =
            vec![(":modstamp", text(time::format(row.system_modstamp))), (":read_at", text(time::format(row.read_at)))];
        let changed_at = changed.map_or(self.clock.now(), |key| key.changed_at);
        let item = self.item(&MirrorRecord { outdated_since: Some(newer), ..row }, changed_at)?;
        self.table.put_now("mark the record as outdated", item, Expression { text: IS_SEEN, values }).await.map(drop)
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

/// Returns the condition that the stored row is the known one, so that the decision and the row's place in the indexes still
/// hold at the time of the write.
pub(super) fn is_seen(known: Option<&Stored>, given: &MirrorRecord) -> Result<(String, Values), Error> {
    let Some(Stored { row, changed }) = known else { return Ok((IS_NEW.to_owned(), Values::new())) };
    let mut seen = row.to_item()?;
    seen.extend(changed.map(|changed| ("changed".to_owned(), text(changed.to_string()))));
    // The fields follow from the others, but for reads that were sent in the same millisecond.
    let attributes = if rule::is_tied(row, given) { &SEEN[..] } else { &SEEN[1..] };
    let (mut conditions, mut values) = (Vec::new(), Values::new());
    for (attribute, placeholder) in attributes {
        match seen.remove(*attribute) {
            Some(value) => {
                conditions.push(format!("#{attribute} = {placeholder}"));
                values.push((placeholder, value));
            }
            None => conditions.push(format!("attribute_not_exists(#{attribute})")),
        }
    }
    Ok((conditions.join(" AND "), values))
}

pub(super) type Values = Vec<(&'static str, AttributeValue)>;

/// The attributes that tell the rows of a record apart.
const SEEN: [(&str, &str); 7] = [
    ("fields", ":fields"),
    ("system_modstamp", ":system_modstamp"),
    ("read_at", ":read_at"),
    ("deleted", ":deleted"),
    ("master_record_id", ":master_record_id"),
    ("carried", ":carried"),
    ("changed", ":changed"),
];
const IS_NEW: &str = "attribute_not_exists(#record_id)";
const IS_SEEN: &str = "#system_modstamp = :modstamp AND #read_at = :read_at";
