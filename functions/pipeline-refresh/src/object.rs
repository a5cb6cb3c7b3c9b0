//! Scans one object into the mirror: a page is read, judged and stored, and only then the cursor moves.

use futures::future::try_join;
use salesforce::{ObjectName, Page, Record, Soql};
use serde::Serialize;
use store::{Apply, Change, CursorName};
use tracing::warn;

use crate::error::{Error, state};
use crate::progress::{Plan, Stored, plan};
use crate::run::{Run, Stop};
use crate::scan::{PageShape, RowKey, Scan, Step};
use crate::selection::{Selection, Skip, change, is_deleted, keys};

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
    let (name, mut scan) = match plan(run.task, object, &load_cursors(run, object).await?, run.deps.clock.now()) {
        Plan::Scan(name, scan) => (name, scan),
        Plan::Done => return Ok(report.ended(Outcome::AlreadyDone)),
    };
    if let Some(stop) = run.stop() {
        return Ok(report.ended(Outcome::Stopped(stop)));
    }
    let selection = match select(run, object).await? {
        Ok(selection) => selection,
        Err(skip) => return Ok(report.ended(Outcome::Skipped(skip))),
    };
    loop {
        match scan_page(run, object, &selection, &scan, &mut report).await? {
            Step::Complete => break,
            Step::Next(next) => scan = next,
        }
        checkpoint(run, &name, &scan).await?;
        if let Some(stop) = run.stop() {
            return Ok(report.ended(Outcome::Stopped(stop)));
        }
    }
    run.deps.cursors.finish(run.org(), &name, scan.started_at).await.map_err(state("finishing a scan"))?;
    Ok(report)
}

async fn load_cursors(run: &Run<'_>, object: &ObjectName) -> Result<Stored, Error> {
    let (backfill, incremental) = (CursorName::backfill(object), CursorName::incremental(object));
    let cursors = &run.deps.cursors;
    let (backfill, incremental) = try_join(cursors.load(run.org(), &backfill), cursors.load(run.org(), &incremental))
        .await
        .map_err(state("loading a cursor"))?;
    Ok(Stored { backfill, incremental })
}

async fn checkpoint(run: &Run<'_>, name: &CursorName, scan: &Scan) -> Result<(), Error> {
    let (checkpoint, now) = (scan.checkpoint(), run.deps.clock.now());
    let stored = run.deps.cursors.store_checkpoint(run.org(), name, &checkpoint, now).await;
    stored.map_err(state("storing a checkpoint"))
}

async fn select(run: &Run<'_>, object: &ObjectName) -> Result<Result<Selection, Skip>, Error> {
    match run.call(run.client.describe(object)).await {
        Ok(describe) => Ok(Selection::of(&describe)),
        Err(error) if error.has_code("NOT_FOUND") || error.has_code("INVALID_TYPE") => Ok(Err(Skip::Invisible)),
        Err(source) => Err(rows_error(run, object)(source)),
    }
}

async fn scan_page(
    run: &Run<'_>,
    object: &ObjectName,
    selection: &Selection,
    scan: &Scan,
    report: &mut ObjectReport,
) -> Result<Step, Error> {
    let read_at = run.deps.clock.now();
    let query = scan.next_rows(Soql::select(selection.queried()).from(object));
    let page = run.call(run.client.query_all(&query)).await.map_err(rows_error(run, object))?;
    let fault = |source| Error::Page { org: run.org(), object: object.clone(), source };
    let keys = keys(&page.records).map_err(fault)?;
    let shape = PageShape { rows: &keys, total_size: page.total_size, done: page.done };
    let step = scan.after(&shape).map_err(fault)?;
    report.pages += 1;
    report.rows += keys.len() as u64;
    let mut changes: Vec<Change> = Vec::with_capacity(keys.len());
    match selection {
        Selection::Rows(_) => changes.extend(rows(page, &keys).map(|(record, key)| change(record, key, read_at))),
        Selection::KeysThenRows { fields, .. } => {
            let (gone, live): (Vec<_>, Vec<_>) = rows(page, &keys).partition(|(record, _)| is_deleted(record));
            changes.extend(gone.into_iter().map(|(record, key)| change(record, key, read_at)));
            let ids: Vec<_> = live.iter().map(|(_, key)| key.id).collect();
            let read_at = run.deps.clock.now();
            let records = run.call(run.client.retrieve(object, &ids, fields)).await.map_err(rows_error(run, object))?;
            // One that is gone by now has a later change, which the scan has still to come to.
            changes.extend(records.into_iter().flatten().map(|record| Change::Upsert { record, read_at }));
        }
    }
    store_rows(run, object, changes, report).await?;
    Ok(step)
}

fn rows(page: Page, keys: &[RowKey]) -> impl Iterator<Item = (Record, RowKey)> {
    page.records.into_iter().zip(keys.iter().copied())
}

fn rows_error(run: &Run<'_>, object: &ObjectName) -> impl FnOnce(salesforce::Error) -> Error {
    let (org, object) = (run.org(), object.clone());
    move |source| Error::Rows { org, object, source }
}

async fn store_rows(
    run: &Run<'_>,
    object: &ObjectName,
    changes: Vec<Change>,
    report: &mut ObjectReport,
) -> Result<(), Error> {
    for applied in run.deps.records.apply_all(run.org(), object, changes).await {
        match applied {
            Ok(Apply::Applied) => report.applied += 1,
            Ok(Apply::Unchanged | Apply::Stale) => report.unchanged += 1,
            // A row that no retry will make smaller must not hold up all rows after it.
            Err(store::Error::TooLarge { size_bytes, .. }) => {
                report.unstorable += 1;
                warn!(org.id = %run.org(), sf.object = %object, size_bytes, "a row is too large for the mirror");
            }
            Err(source) => return Err(Error::State { operation: "storing a page", source }),
        }
    }
    Ok(())
}
