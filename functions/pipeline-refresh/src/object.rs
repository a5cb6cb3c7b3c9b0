//! Scans one object into the mirror: a page is read, judged and stored, and only then the cursor moves.

use futures::future::try_join;
use jiff::Timestamp;
use runtime::StateError;
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

/// What a refresh did about one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ObjectReport {
    /// The object.
    pub object: ObjectName,
    /// How it ended.
    pub outcome: Outcome,
    /// Pages read.
    pub pages: u64,
    /// Rows read.
    pub rows: u64,
    /// Rows that changed the mirror.
    pub applied: u64,
    /// Rows that the mirror had already, or had newer.
    pub unchanged: u64,
    /// Rows that cannot be kept, being too large.
    pub unstorable: u64,
}

/// How the scan of an object ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All rows are stored.
    Complete,
    /// There was nothing to do.
    AlreadyDone,
    /// Another task is at work on it.
    LeftAlone,
    /// It goes on later from its checkpoint.
    Stopped(Stop),
    /// It is left out.
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

/// Brings the mirror of `object` up to date, as far as time and budget allow.
pub(crate) async fn refresh_object(run: &Run<'_>, object: &ObjectName) -> Result<ObjectReport, Error> {
    let mut report = ObjectReport::new(object);
    let stored = load_cursors(run, object).await?;
    let (name, mut scan) = match plan(run.task, object, &stored, run.deps.clock.now()) {
        Plan::Scan(name, scan) => (name, scan),
        Plan::Done => return Ok(report.ended(Outcome::AlreadyDone)),
        Plan::LeaveAlone => return Ok(report.ended(Outcome::LeftAlone)),
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
        let Read { rows, changes, step } = scanning.read(&scan).await?;
        report.pages += 1;
        report.rows += rows.len() as u64;
        scanning.store(changes, &mut report).await?;
        let progress = Progress { seen: position, last_row: rows.last().copied(), state: scan.state_after(&step) };
        let moved = run.deps.cursors.advance(run.org(), &name, &progress, run.deps.clock.now()).await;
        position = moved.map_err(StateError::during("advance the cursor"))?;
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
    let (backfill, incremental) = try_join(cursors.load(run.org(), &backfill), cursors.load(run.org(), &incremental))
        .await
        .map_err(StateError::during("load the cursor"))?;
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

/// A scan at work.
struct Scanning<'a> {
    run: &'a Run<'a>,
    object: &'a ObjectName,
    selection: Selection,
}

/// A page that can be believed.
struct Read {
    rows: Vec<Position>,
    changes: Vec<Change>,
    step: Step,
}

impl Scanning<'_> {
    async fn read(&self, scan: &Scan) -> Result<Read, Error> {
        let read_at = self.run.deps.clock.now();
        let query = scan.next_rows(Soql::select(self.selection.queried()).from(self.object));
        let page = self.run.client.query_all(&query).await.map_err(|error| self.unread(error))?;
        let rows = positions(&page.records).map_err(|fault| self.unbelieved(fault))?;
        let shape = PageShape { rows: &rows, total_size: page.total_size, done: page.done };
        let step = scan.after(&shape).map_err(|fault| self.unbelieved(fault))?;
        let changes = match &self.selection {
            Selection::Rows(_) => page.records.into_iter().map(|record| Change::from_row(record, read_at)).collect(),
            Selection::KeysThenRows { fields, .. } => self.retrieve(&page.records, fields, read_at).await?,
        };
        Ok(Read { rows, changes, step })
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
            let records = retrieved.map_err(|error| self.unread(error))?;
            // A record that is missing by now has a later change, which the scan has not reached yet.
            changes.extend(records.into_iter().flatten().map(|record| Change::Upsert { record, read_at }));
        }
        Ok(changes)
    }

    async fn store(&self, changes: Vec<Change>, report: &mut ObjectReport) -> Result<(), Error> {
        let org = self.run.org();
        for applied in self.run.deps.records.apply_all(org, self.object, changes).await {
            match applied {
                Ok(ApplyOutcome::Applied) => report.applied += 1,
                Ok(ApplyOutcome::Unchanged | ApplyOutcome::Stale) => report.unchanged += 1,
                // A row that no retry will make smaller must not hold up all rows after it.
                Err(store::Error::TooLarge { size_bytes, .. }) => {
                    report.unstorable += 1;
                    warn!(org.id = %org, sf.object = %self.object, size_bytes, "a row is too large for the mirror");
                }
                Err(source) => return Err(StateError { operation: "store the page", source }.into()),
            }
        }
        Ok(())
    }

    /// What is known of the object's fields may be why: it is learned again before the next attempt.
    fn unread(&self, source: salesforce::Error) -> Error {
        if !source.problems().is_empty() {
            self.run.deps.fields.invalidate(self.run.org(), self.object);
        }
        Error::Rows { org: self.run.org(), object: self.object.clone(), source }
    }

    fn unbelieved(&self, source: PageFault) -> Error {
        Error::Page { org: self.run.org(), object: self.object.clone(), source }
    }
}
