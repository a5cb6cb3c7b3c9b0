//! Scans one object into the mirror: reads a page, validates it, stores its rows, and only then moves the cursor.

use futures::future::try_join;
use jiff::Timestamp;
use salesforce::{FieldName, ObjectName, Record, Soql};
use serde::Serialize;
use store::cursors::Progress;
use store::{ApplyOutcome, Change, CursorName, Position, Tombstone};
use tracing::warn;

use crate::error::Error;
use crate::progress::{Plan, Stored, plan};
use crate::run::{Run, Stop};
use crate::scan::{PageFault, PageShape, Scan, Step};
use crate::selection::{Selection, Skip, positions};

/// The result of refreshing one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ObjectReport {
    /// The object.
    pub object: ObjectName,
    /// The end of the scan.
    pub outcome: Outcome,
    /// Pages read.
    pub pages: u64,
    /// Rows read.
    pub rows: u64,
    /// Rows that changed the mirror.
    pub applied: u64,
    /// Rows that the mirror already had in this or a newer version.
    pub unchanged: u64,
    /// Rows that are too large for the mirror.
    pub unstorable: u64,
}

/// The end of an object's scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All rows are stored.
    Complete,
    /// A complete scan is newer than the task.
    AlreadyDone,
    /// Another task is scanning the object.
    Busy,
    /// A later invocation goes on from the checkpoint.
    Stopped(Stop),
    /// The object cannot be scanned.
    Skipped(Skip),
}

impl ObjectReport {
    fn new(object: &ObjectName) -> Self {
        let object = object.clone();
        Self { object, outcome: Outcome::Complete, pages: 0, rows: 0, applied: 0, unchanged: 0, unstorable: 0 }
    }

    fn ended(self, outcome: Outcome) -> Self {
        Self { outcome, ..self }
    }
}

/// Brings the object's rows in the mirror up to date, as far as time and budget allow.
pub(crate) async fn refresh_object(run: &Run<'_>, object: &ObjectName) -> Result<ObjectReport, Error> {
    let mut report = ObjectReport::new(object);
    let stored = load_cursors(run, object).await?;
    let (name, mut scan) = match plan(run.task, object, &stored, run.deps.clock.now()) {
        Plan::Scan(name, scan) => (name, scan),
        Plan::Done => return Ok(report.ended(Outcome::AlreadyDone)),
        Plan::Busy => return Ok(report.ended(Outcome::Busy)),
    };
    if let Some(stop) = run.stop() {
        return Ok(report.ended(Outcome::Stopped(stop)));
    }
    let selection = match select(run, object).await? {
        Ok(selection) => selection,
        Err(skip) => return Ok(report.ended(Outcome::Skipped(skip))),
    };
    let mut position = stored.position(&name);
    let scanning = Scanning { run, object, selection };
    loop {
        let ValidPage { object: stored_as, rows, changes, step } = scanning.read(&scan).await?;
        report.pages += 1;
        report.rows += rows.len() as u64;
        scanning.store(&stored_as, changes, &mut report).await?;
        let progress = Progress { seen: position, last_row: rows.last().copied(), state: scan.state_after(&step) };
        let moved = run.deps.cursors.advance(run.org(), &name, &progress, run.deps.clock.now()).await;
        position = moved?;
        scan = match step {
            Step::Complete => return Ok(report),
            Step::Next(next) => next,
        };
        if let Some(stop) = run.stop() {
            return Ok(report.ended(Outcome::Stopped(stop)));
        }
    }
}

async fn load_cursors(run: &Run<'_>, object: &ObjectName) -> Result<Stored, Error> {
    let (backfill, incremental) = (CursorName::backfill(object), CursorName::incremental(object));
    let cursors = &run.deps.cursors;
    let (backfill, incremental) =
        try_join(cursors.load(run.org(), &backfill), cursors.load(run.org(), &incremental)).await?;
    Ok(Stored { backfill, incremental })
}

async fn select(run: &Run<'_>, object: &ObjectName) -> Result<Result<Selection, Skip>, Error> {
    let (org, cache, now) = (run.org(), &run.deps.fields, run.deps.clock.now());
    if let Some(fields) = cache.get(org, object, now) {
        return Ok(Selection::of(&fields));
    }
    match run.client.describe(object).await {
        Ok(describe) => Ok(Selection::of(&cache.insert(org, object, &describe, now))),
        Err(error) if error.is_hidden() => Ok(Err(Skip::Invisible)),
        Err(source) => Err(Error::Rows { org, object: object.clone(), source }),
    }
}

/// A running scan.
struct Scanning<'a> {
    run: &'a Run<'a>,
    object: &'a ObjectName,
    selection: Selection,
}

/// A valid page.
struct ValidPage {
    /// The object as Salesforce spells it. Rows are stored under this name, however the object is configured.
    object: ObjectName,
    rows: Vec<Position>,
    changes: Vec<Change>,
    step: Step,
}

impl Scanning<'_> {
    async fn read(&self, scan: &Scan) -> Result<ValidPage, Error> {
        let read_at = self.run.deps.clock.now();
        let query = scan.next_rows(Soql::select(self.selection.queried()).from(self.object));
        let page = self.run.client.query_all(&query).await.map_err(|error| self.rows_error(error))?;
        let rows = positions(&page.records).map_err(|fault| self.page_error(fault))?;
        let shape = PageShape { rows: &rows, total_size: page.total_size, done: page.done };
        let step = scan.after(&shape).map_err(|fault| self.page_error(fault))?;
        let object = page.records.first().map_or_else(|| self.object.clone(), |record| record.object.clone());
        let changes = match &self.selection {
            Selection::Rows(_) => page.records.into_iter().map(|record| Change::from_row(record, read_at)).collect(),
            Selection::KeysThenRows { fields, .. } => self.retrieve(&page.records, fields, read_at).await?,
        };
        Ok(ValidPage { object, rows, changes, step })
    }

    /// Returns the changes behind rows of which only the keys were read: tombstones are complete, other rows are fetched.
    async fn retrieve(&self, rows: &[Record], fields: &[FieldName], read_at: Timestamp) -> Result<Vec<Change>, Error> {
        let (mut changes, mut ids) = (Vec::new(), Vec::new());
        for row in rows {
            match Tombstone::from_row(row, read_at) {
                Some(tombstone) => changes.push(Change::Tombstone(tombstone)),
                None => ids.push(row.id),
            }
        }
        if !ids.is_empty() {
            let read_at = self.run.deps.clock.now();
            let retrieved = self.run.client.retrieve(self.object, &ids, fields).await;
            let records = retrieved.map_err(|error| self.rows_error(error))?;
            // A record that is missing by now has a later change, which the scan has not reached yet.
            changes.extend(records.into_iter().flatten().map(|record| Change::Upsert { record, read_at }));
        }
        Ok(changes)
    }

    async fn store(&self, object: &ObjectName, changes: Vec<Change>, report: &mut ObjectReport) -> Result<(), Error> {
        let org = self.run.org();
        for applied in self.run.deps.records.apply_all(org, object, changes).await {
            match applied {
                Ok(ApplyOutcome::Applied) => report.applied += 1,
                Ok(ApplyOutcome::Unchanged | ApplyOutcome::Stale) => report.unchanged += 1,
                // No retry makes the row smaller, and it must not stop the rows after it.
                Err(store::Error::TooLarge { size_bytes, .. }) => {
                    report.unstorable += 1;
                    warn!(org.id = %org, sf.object = %self.object, size_bytes, "could not store a row: it is too large for the mirror");
                }
                Err(source) => return Err(source.into()),
            }
        }
        Ok(())
    }

    /// Drops the cached fields of the object, which may be the cause: the next attempt describes it again.
    fn rows_error(&self, source: salesforce::Error) -> Error {
        if !source.problems().is_empty() {
            self.run.deps.fields.invalidate(self.run.org(), self.object);
        }
        Error::Rows { org: self.run.org(), object: self.object.clone(), source }
    }

    fn page_error(&self, source: PageFault) -> Error {
        Error::Page { org: self.run.org(), object: self.object.clone(), source }
    }
}
