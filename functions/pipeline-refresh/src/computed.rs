//! Reads the values of computed fields again: formulas and roll-up summaries, which change with other records and with the day,
//! without a new `SystemModstamp` of their own record.
//!
//! The ids, versions and computed fields of all records are read in pages of 2,000, one call each. A record of which a value
//! differs from the mirror's, in the same version, is read again as a whole, and applied as every other read is. After each page
//! a checkpoint is stored. The calls count in the lane `audit`.

pub mod progress;

use std::sync::Arc;

use jiff::Timestamp;
use mirroring::{ComputedFields, Narrowing, ObjectFields, Retrieved};
use salesforce::{FieldName, ObjectName, Record, RecordId, Soql, soql};
use store::cursors::Progress as Stored;
use store::{CursorName, Lane, RefreshKind};

use crate::audit::repair::Repairs;
use crate::error::Error;
use crate::object::{ObjectReport, Outcome, describe, load_cursors};
use crate::run::{Run, Stop};
use crate::scan::{PageFault, PageShape};
use crate::selection::{Selection, Skip, positions};
use progress::{Progress, Step, differs};

/// The rows of the mirror that are compared at once.
const ROWS: usize = 500;

/// Returns whether a reading has to follow the refresh of the object: of a night that has refreshed it, if it has computed fields
/// which were not read since the night was requested.
///
/// # Errors
/// The object could not be described, or the cursor not be loaded.
pub(crate) async fn is_due(run: &Run<'_>, object: &ObjectName, outcome: Outcome) -> Result<bool, Error> {
    let is_refreshed = matches!(outcome, Outcome::Complete | Outcome::AlreadyDone);
    if run.task.kind != RefreshKind::Nightly || !is_refreshed || run.deps.computed_fields == ComputedFields::None {
        return Ok(false);
    }
    let Some(fields) = describe(run, object).await? else { return Ok(false) };
    if run.deps.computed_fields.of(object, &fields.computed).is_empty() {
        return Ok(false);
    }
    let cursor = run.deps.cursors.load(run.org(), &CursorName::computed(object)).await?;
    Ok(cursor.and_then(|cursor| cursor.covered_until) < Some(run.task.requested_at))
}

/// Reads the computed fields of the object again, as far as time and budget allow. The report says what was done before a failure
/// too.
pub(crate) async fn refresh_computed(run: &Run<'_>, object: &ObjectName) -> (ObjectReport, Option<Error>) {
    let mut report = ObjectReport::new(object);
    let ended = read_until_covered(run, object, &mut report).await;
    let reason = match &ended {
        Ok(Outcome::Skipped(skip)) => Some(skip.reason().to_owned()),
        Ok(Outcome::Stopped(Stop::OverBudget)) => Some("over_budget".to_owned()),
        Ok(_) => None,
        Err(error) => Some(error.reason()),
    };
    if let Some(reason) = reason {
        run.record_failure(&CursorName::computed(object), &reason).await;
    }
    run.record_calls(Lane::Audit).await;
    match ended {
        Ok(outcome) => {
            report.outcome = outcome;
            (report, None)
        }
        Err(error) => (report, Some(error)),
    }
}

/// Reads until a reading that began after the task was requested is complete: one that an earlier task began covers less.
async fn read_until_covered(run: &Run<'_>, object: &ObjectName, report: &mut ObjectReport) -> Result<Outcome, Error> {
    let name = CursorName::computed(object);
    loop {
        let cursor = run.deps.cursors.load(run.org(), &name).await?;
        if cursor.as_ref().and_then(|cursor| cursor.covered_until) >= Some(run.task.requested_at) {
            return Ok(if report.pages > 0 { Outcome::Complete } else { Outcome::AlreadyDone });
        }
        let checkpoint = cursor.as_ref().and_then(|cursor| cursor.checkpoint.as_deref());
        // The requester's clock may be ahead; a reading that seemed older than its task would be made twice.
        let now = run.deps.clock.now().max(run.task.requested_at);
        let progress = checkpoint.and_then(Progress::resume).unwrap_or_else(|| Progress::fresh(now));
        match read_on(run, object, progress, report).await? {
            Outcome::Complete if progress.started_at < run.task.requested_at => {}
            outcome => return Ok(outcome),
        }
    }
}

/// Reads page after page from the progress on.
async fn read_on(
    run: &Run<'_>,
    object: &ObjectName,
    mut progress: Progress,
    report: &mut ObjectReport,
) -> Result<Outcome, Error> {
    if let Some(stop) = run.stop(Lane::Audit) {
        return Ok(Outcome::Stopped(stop));
    }
    if !load_cursors(run, object).await?.is_copied() {
        return Ok(Outcome::Skipped(Skip::NotCopied));
    }
    let Some(fields) = describe(run, object).await? else { return Ok(Outcome::Skipped(Skip::Invisible)) };
    if let Err(skip) = Selection::of(&fields) {
        return Ok(Outcome::Skipped(skip));
    }
    let computed = run.deps.computed_fields.of(object, &fields.computed);
    let reading = Reading { run, object, computed, fields };
    loop {
        let step = reading.next_page(&progress, report).await?;
        report.pages += 1;
        let stored = Stored { seen: None, last_row: None, state: progress.state_after(&step) };
        let now = run.deps.clock.now();
        run.deps.cursors.advance(run.org(), &CursorName::computed(object), &stored, now).await?;
        progress = match step {
            Step::Complete => return Ok(Outcome::Complete),
            Step::Next(next) => next,
        };
        if let Some(stop) = run.stop(Lane::Audit) {
            return Ok(Outcome::Stopped(stop));
        }
    }
}

/// A running reading of one object.
struct Reading<'a> {
    run: &'a Run<'a>,
    object: &'a ObjectName,
    /// The fields whose values are compared.
    computed: Vec<FieldName>,
    fields: Arc<ObjectFields>,
}

/// A page of records with their computed fields.
struct Page {
    records: Vec<Record>,
    read_at: Timestamp,
    step: Step,
}

impl Reading<'_> {
    /// Reads the next page and stores the records of which a value differs.
    async fn next_page(&self, progress: &Progress, report: &mut ObjectReport) -> Result<Step, Error> {
        if self.computed.is_empty() {
            return Ok(Step::Complete);
        }
        let page = self.read(progress, report).await?;
        report.rows += page.records.len() as u64;
        let stored_as = page.records.first().map_or_else(|| self.object.clone(), |record| record.object.clone());
        let mut changed: Vec<RecordId> = Vec::new();
        for records in page.records.chunks(ROWS) {
            let ids: Vec<RecordId> = records.iter().map(|record| record.id).collect();
            let rows = self.run.deps.records.load_many(self.run.org(), &stored_as, &ids).await?;
            let is_changed = |record: &&Record| {
                let row = rows.get(&record.id);
                row.is_some_and(|(row, _)| differs(row, (*record, page.read_at), &self.computed))
            };
            changed.extend(records.iter().filter(is_changed).map(|record| record.id));
        }
        let repairs = Repairs { run: self.run, object: self.object, stored_as, fields: &self.fields };
        let (_, applied) = repairs.read_again(&changed).await?;
        report.applied += applied;
        Ok(page.step)
    }

    /// Reads the next page. What is too much for Salesforce is narrowed, and read again within the time of the run.
    async fn read(&self, progress: &Progress, report: &mut ObjectReport) -> Result<Page, Error> {
        let mut narrowing = Narrowing::default();
        loop {
            let error = match self.read_page(progress, report).await {
                Err(Error::Rows { source, .. }) => source,
                read => return read,
            };
            let place = (self.run.org(), self.object);
            let is_narrowed = self.run.deps.fields.narrow(place, self.computed.len(), &error, &mut narrowing);
            report.narrowed += u64::from(is_narrowed);
            if !is_narrowed || self.run.stop(Lane::Audit).is_some() {
                return Err(self.error(error));
            }
        }
    }

    async fn read_page(&self, progress: &Progress, report: &mut ObjectReport) -> Result<Page, Error> {
        let (cache, org, read_at) = (&self.run.deps.fields, self.run.org(), self.run.deps.clock.now());
        let extent = cache.extent(org, self.object);
        let keys = [FieldName::ID, FieldName::SYSTEM_MODSTAMP];
        let selected: Vec<FieldName> = keys.iter().chain(&self.computed).cloned().collect();
        let selection = Selection::fitting(selected);
        let selection = if extent.parts() > 1 { selection.by_keys() } else { selection };
        let mut query = Soql::select(selection.queried()).from(self.object);
        if !self.fields.deletion_fields.is_empty() {
            query = query.where_(soql::eq(&FieldName::from_static("IsDeleted"), false));
        }
        if let Some(filter) = self.run.settings.filter(self.object) {
            query = query.where_(filter.condition());
        }
        // With queryAll, because only it returns archived activities.
        let page = self.run.client.query_all(&progress.next_records(query, extent.rows())).await;
        let page = page.map_err(|error| self.error(error))?;
        cache.set_extent(org, self.object, extent.after_success());
        let rows = positions(&page.records).map_err(|fault| self.fault(fault))?;
        let (total_size, done, limit) = (page.total_size, page.done, extent.rows());
        let step = progress.after(&PageShape { rows: &rows, total_size, done, limit, until: None });
        let step = step.map_err(|fault| self.fault(fault))?;
        let Selection::KeysThenRows { fields, .. } = &selection else {
            return Ok(Page { records: page.records, read_at, step });
        };
        let ids: Vec<RecordId> = rows.iter().map(|row| row.record_id).collect();
        let read_at = self.run.deps.clock.now();
        let retrieved = cache.retrieve(&self.run.client, (org, self.object), &ids, fields).await;
        let mut records = Vec::with_capacity(ids.len());
        for (id, retrieved) in ids.into_iter().zip(retrieved.map_err(|error| self.error(error))?) {
            match retrieved {
                Retrieved::Record(record) => records.push(record),
                // A deletion or a change is a row of the next scan.
                Retrieved::Missing | Retrieved::Changing => {}
                Retrieved::Unreadable(error) => {
                    report.unreadable += 1;
                    let (reason, now) = (mirroring::reason(&error), self.run.deps.clock.now());
                    self.run.deps.cursors.leave_out(org, (self.object, id), reason, now).await?;
                }
            }
        }
        Ok(Page { records, read_at, step })
    }

    fn error(&self, source: salesforce::Error) -> Error {
        // A field that has gone refuses the query: the object is described again.
        if source.has_code("INVALID_FIELD") {
            self.run.deps.fields.invalidate(self.run.org(), self.object);
        }
        Error::Rows { org: self.run.org(), object: self.object.clone(), source }
    }

    fn fault(&self, source: PageFault) -> Error {
        Error::Page { org: self.run.org(), object: self.object.clone(), source }
    }
}
