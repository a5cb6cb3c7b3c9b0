//! Stores the rows that a scan, a backfill or an audit has read.

use mirroring::Filtered;
use salesforce::ObjectName;
use store::{ApplyOutcome, Change, ChangeLane};
use tracing::warn;

use crate::error::Error;
use crate::left_out::TOO_LARGE;
use crate::object::{ObjectReport, Scanning};

impl Scanning<'_> {
    /// Stores the changes that the filter of the org's settings includes.
    pub(crate) async fn store(
        &self,
        object: &ObjectName,
        changes: Vec<Change>,
        report: &mut ObjectReport,
    ) -> Result<(), Error> {
        let changes = self.filter(object, changes).await?;
        self.apply(object, changes, report).await
    }

    /// Stores changes, whatever the filter is.
    pub(crate) async fn apply(
        &self,
        object: &ObjectName,
        mut changes: Vec<Change>,
        report: &mut ObjectReport,
    ) -> Result<(), Error> {
        let org = self.run.org();
        // The job of a backfill that began before the settings changed still has what they leave out.
        changes.iter_mut().for_each(|change| self.run.mirror.retain_in(change));
        let patience = self.run.time_left();
        let saved: Vec<_> = changes.iter().map(|change| (change.record_id(), change.system_modstamp())).collect();
        // Most rows of a backfill are old, so that neither they nor their events are measured.
        let records = &self.run.deps.records;
        let records = if report.is_copy { records.clone() } else { records.in_lane(ChangeLane::Incremental) };
        let applied = records.apply_all_within(org, object, changes, patience).await;
        let now = self.run.deps.clock.now();
        for ((id, saved_at), applied) in saved.into_iter().zip(applied) {
            match applied {
                Ok(ApplyOutcome::Applied) => {
                    report.applied += 1;
                    if let Some(saved_at) = saved_at.filter(|_| !report.is_copy) {
                        report.measured.add(org, object, ChangeLane::Incremental, (saved_at, now));
                    }
                }
                Ok(ApplyOutcome::Unchanged | ApplyOutcome::Stale) => report.unchanged += 1,
                // No retry makes the row smaller, and it must not stop the rows after it.
                Err(store::Error::TooLarge { size_bytes, .. }) => {
                    report.unstorable += 1;
                    warn!(org.id = %org, sf.object = %self.object, record.id = %id, size_bytes,
                        "could not store a row: it is too large for the mirror");
                    self.mark(id, TOO_LARGE).await?;
                    continue;
                }
                Err(source) => return Err(source.into()),
            }
            self.take_in(id).await?;
        }
        Ok(())
    }

    /// Leaves out the records that the filter of the org's settings excludes. Those that the mirror has become tombstones.
    async fn filter(&self, object: &ObjectName, changes: Vec<Change>) -> Result<Vec<Change>, Error> {
        let filter = self.run.settings.filter(object);
        let filtered = mirroring::filter(&self.run.client, object, filter, changes).await;
        let Filtered { mut kept, excluded } = filtered.map_err(|error| self.rows_error(error))?;
        let excluded = self.run.deps.records.live_among(self.run.org(), object, excluded).await?;
        kept.extend(excluded.into_iter().map(Change::Tombstone));
        Ok(kept)
    }
}
