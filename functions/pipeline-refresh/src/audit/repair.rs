//! Repairs what an audit finds. A row of the mirror changes by the apply rule only, as with every other reader.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use mirroring::{Filtered, ObjectFields, Retrieved};
use runtime::Chain;
use salesforce::{FieldName, MAX_RETRIEVE_IDS, ObjectName, Record, RecordId, Soql, soql};
use store::{ApplyOutcome, AuditCounts, Change, DeletionReason, RowState, Tombstone};
use tracing::warn;

use super::bucket::{Bucket, Differences};
use crate::error::Error;
use crate::run::Run;

/// The ids of one query: with the fields they fit into a URL.
const IDS_OF_A_QUERY: usize = 400;

/// The reach of `getDeleted`, within the 30 days that Salesforce allows.
const DELETED_WITHIN: SignedDuration = SignedDuration::from_hours(29 * 24);

/// The repairs of one object.
pub(crate) struct Repairs<'a> {
    pub(crate) run: &'a Run<'a>,
    pub(crate) object: &'a ObjectName,
    /// The object as Salesforce spells it, under which its rows are stored.
    pub(crate) stored_as: ObjectName,
    pub(crate) fields: &'a ObjectFields,
}

impl Repairs<'_> {
    /// Reads the missing and stale records again and applies them.
    pub(crate) async fn repair(&self, differences: &Differences, counts: &mut AuditCounts) -> Result<(), Error> {
        counts.stale += differences.ahead.len() as u64;
        for id in &differences.ahead {
            warn!(org.id = %self.run.org(), sf.object = %self.object, sf.record = %id, "a row is newer than its record");
        }
        for (ids, count) in
            [(&differences.missing, &mut counts.missing as &mut u64), (&differences.stale, &mut counts.stale)]
        {
            let (found, repaired) = self.read_again(ids).await?;
            *count += found;
            counts.repaired += repaired;
        }
        Ok(())
    }

    /// Returns how many of the records the org still has, and how many of these the mirror has now.
    pub(crate) async fn read_again(&self, ids: &[RecordId]) -> Result<(u64, u64), Error> {
        let (mut found, mut repaired) = (0, 0);
        for ids in ids.chunks(MAX_RETRIEVE_IDS) {
            let mut changes = Vec::new();
            let (cache, read_at) = (&self.run.deps.fields, self.run.deps.clock.now());
            let object = (self.run.org(), self.object);
            let read = cache.retrieve(&self.run.client, object, ids, &self.fields.selected).await;
            for retrieved in read.map_err(|error| self.error(error))? {
                match retrieved {
                    Retrieved::Record(record) => changes.push(Change::Upsert { record, read_at }),
                    // It was deleted meanwhile.
                    Retrieved::Missing => continue,
                    Retrieved::Changing | Retrieved::Unreadable(_) => {}
                }
                found += 1;
            }
            repaired += self.apply(changes).await?;
        }
        Ok((found, repaired))
    }

    /// Returns the tombstones of those records that the filter of the org's settings excludes.
    async fn excluded(
        &self,
        found: &HashMap<RecordId, Record>,
        read_at: Timestamp,
    ) -> Result<HashMap<RecordId, Tombstone>, Error> {
        let filter = self.run.settings.filter(self.object);
        let records =
            found.values().filter(|_| filter.is_some()).cloned().map(|record| Change::from_row(record, read_at));
        let filtered = mirroring::filter(&self.run.client, self.object, filter, records.collect()).await;
        let Filtered { excluded, .. } = filtered.map_err(|error| self.error(error))?;
        Ok(excluded.into_iter().map(|tombstone| (tombstone.record_id, tombstone)).collect())
    }

    /// Looks up the records of the bucket's unseen rows. Deletions that Salesforce tells are applied; the ids of records that
    /// it does not return at all are added to `vanished`.
    pub(crate) async fn look_up(
        &self,
        bucket: &mut Bucket,
        vanished: &mut Vec<RecordId>,
        counts: &mut AuditCounts,
        cutoff: Timestamp,
    ) -> Result<(), Error> {
        let has_deletions = !self.fields.deletion_fields.is_empty();
        let keys = [FieldName::ID, FieldName::SYSTEM_MODSTAMP];
        let selected = if has_deletions { self.fields.deletion_fields.as_slice() } else { &keys };
        let rows = bucket.take_unseen();
        for rows in rows.chunks(IDS_OF_A_QUERY) {
            let read_at = self.run.deps.clock.now();
            let ids = rows.iter().map(|(id, _)| *id);
            let query = Soql::select(selected).from(self.object).where_(soql::in_(&FieldName::ID, ids));
            let page = self.run.client.query_all(&query).await.map_err(|error| self.error(error))?;
            if !page.done || (page.records.len() as u64) < page.total_size {
                let (org, object) = (self.run.org(), self.object.clone());
                return Err(Error::Page { org, object, source: crate::scan::PageFault::Short });
            }
            let found: HashMap<RecordId, _> = page.records.into_iter().map(|record| (record.id, record)).collect();
            let mut deletions = Vec::new();
            let (mut recent, mut deleted) = (0, 0);
            let excluded = self.excluded(&found, read_at).await?;
            for row in rows {
                let Some(record) = found.get(&row.0) else {
                    vanished.push(row.0);
                    bucket.add_surplus(*row);
                    continue;
                };
                match (Tombstone::from_row(record, read_at), record.system_modstamp()) {
                    (Some(tombstone), _) => {
                        // The next scan would have read a deletion after the cutoff.
                        if tombstone.system_modstamp > cutoff {
                            recent += 1;
                        } else {
                            bucket.add_surplus(*row);
                            deleted += 1;
                        }
                        deletions.push(Change::Tombstone(tombstone));
                    }
                    (None, Some(_)) if excluded.contains_key(&row.0) => {
                        bucket.add_surplus(*row);
                        deleted += 1;
                        deletions.extend(excluded.get(&row.0).copied().map(Change::Tombstone));
                    }
                    (None, Some(version)) => bucket.compare_found(*row, version),
                    (None, None) => {}
                }
            }
            counts.surplus += deleted;
            let applied = self.apply(deletions).await?;
            counts.repaired += applied.saturating_sub(recent).min(deleted);
        }
        Ok(())
    }

    /// Returns the vanished records that Salesforce lists as deleted. Where it cannot tell, none are.
    pub(crate) async fn known_as_deleted(&self, vanished: &[RecordId]) -> HashSet<RecordId> {
        let now = self.run.deps.clock.now();
        if vanished.is_empty() {
            return HashSet::new();
        }
        let start = now.saturating_sub(DELETED_WITHIN).unwrap_or(now);
        match self.run.client.get_deleted(self.object, start, now).await {
            Ok(deleted) => {
                let listed: HashSet<RecordId> = deleted.deleted_records.iter().map(|record| record.id).collect();
                vanished.iter().copied().filter(|id| listed.contains(id)).collect()
            }
            Err(error) => {
                warn!(org.id = %self.run.org(), sf.object = %self.object, "{}", Chain(&error));
                HashSet::new()
            }
        }
    }

    /// Asks for the vanished records once more, by id. Those that Salesforce does not return become tombstones. Returns how
    /// many are gone, and how many of these are tombstones now.
    pub(crate) async fn retire(
        &self,
        vanished: &[RecordId],
        deleted: &HashSet<RecordId>,
        cutoff: Timestamp,
    ) -> Result<(u64, u64), Error> {
        let (records, (mut gone, mut tombstones)) = (&self.run.deps.records, (0, Vec::new()));
        for ids in vanished.chunks(MAX_RETRIEVE_IDS) {
            let read_at = self.run.deps.clock.now();
            let retrieved = self.run.client.retrieve(self.object, ids, &[FieldName::ID]).await;
            let retrieved = retrieved.map_err(|error| self.error(error))?;
            let absent = ids.iter().zip(retrieved).filter(|(_, record)| record.is_none()).map(|(id, _)| *id);
            let absent: Vec<RecordId> = absent.collect();
            for row in records.load_versions(self.run.org(), &self.stored_as, &absent).await? {
                // A row that was stored since was visible since.
                if matches!(row.state, RowState::Live(mirrored) if mirrored <= cutoff) {
                    let is_deleted = deleted.contains(&row.record_id);
                    let reason = if is_deleted { DeletionReason::Deleted } else { DeletionReason::PurgedOrHidden };
                    gone += 1;
                    tombstones.push(Change::Tombstone(Tombstone {
                        record_id: row.record_id,
                        // The later read makes it the newer version; a record that becomes visible again is newer still.
                        system_modstamp: row.system_modstamp,
                        read_at,
                        master_record_id: None,
                        reason: Some(reason),
                    }));
                }
            }
        }
        let applied = self.apply(tombstones).await?;
        Ok((gone, applied))
    }

    /// Applies changes and returns how many the mirror has now, or in a newer version.
    async fn apply(&self, changes: Vec<Change>) -> Result<u64, Error> {
        let (org, patience) = (self.run.org(), self.run.time_left());
        let mut applied = 0;
        for result in self.run.deps.records.apply_all_within(org, &self.stored_as, changes, patience).await {
            match result {
                Ok(ApplyOutcome::Applied | ApplyOutcome::Unchanged | ApplyOutcome::Stale) => applied += 1,
                Err(store::Error::TooLarge { size_bytes, .. }) => {
                    warn!(org.id = %org, sf.object = %self.object, size_bytes, "could not store a row: it is too large for the mirror");
                }
                Err(source) => return Err(source.into()),
            }
        }
        Ok(applied)
    }

    pub(crate) fn error(&self, source: salesforce::Error) -> Error {
        Error::Rows { org: self.run.org(), object: self.object.clone(), source }
    }
}
