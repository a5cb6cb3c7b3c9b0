//! Scans one object into the mirror: reads a page, validates it, stores its rows, and only then moves the cursor.

use std::sync::Arc;

use futures::future::try_join;
use jiff::Timestamp;
use mirroring::{Excess, Narrowing, ObjectFields, Retrieved};
use runtime::{Chain, record_freshness};
use salesforce::{FieldName, ObjectName, Record};
use serde::Serialize;
use store::cursors::Progress;
use store::{AuditCounts, Change, CursorName, Lane, Measured, Position, RefreshKind, ScanKey, Tombstone, VisibleIn};
use tracing::warn;

use crate::backfill;
use crate::computed;
use crate::deletions;
use crate::error::Error;
use crate::fields::notice_changes;
use crate::left_out::{LeftOutRows, Unreadable};
use crate::progress::{Plan, Stored, plan};
use crate::removal;
use crate::run::{Run, Stop};
use crate::scan::{PageFault, PageShape, Scan, Step};
use crate::selection::{Selection, Skip, positions_by};

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
    /// Rows of which something was removed that is not mirrored any more.
    pub removed: u64,
    /// Rows that the mirror already had in this or a newer version.
    pub unchanged: u64,
    /// Rows that are too large for the mirror.
    pub unstorable: u64,
    /// Rows that Salesforce cannot return.
    pub unreadable: u64,
    /// Requests that were too much for Salesforce, and were narrowed.
    pub narrowed: u64,
    /// `true` if the object was scanned for its backfill.
    pub is_copy: bool,
    /// `true` if an audit has to follow the complete scan, because deletions may be unknown.
    #[serde(skip)]
    pub is_doubtful: bool,
    /// `true` if the computed fields have to be read again after the scan.
    #[serde(skip)]
    pub computed_is_due: bool,
    /// The counts of an audit so far; `None` for a scan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit: Option<AuditCounts>,
    /// The latencies of the rows that changed the mirror; none of a backfill.
    #[serde(skip)]
    pub measured: Measured,
}

/// The end of an object's scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All rows are stored.
    Complete,
    /// A complete scan is newer than the task, or a poll leaves the object to the night.
    AlreadyDone,
    /// Another task is scanning the object.
    Busy,
    /// A later invocation goes on from the checkpoint.
    Stopped(Stop),
    /// The object cannot be scanned.
    Skipped(Skip),
    /// More records have vanished at once than an audit deletes without confirmation.
    RecordsVanished,
    /// A page could not be read or stored.
    Failed,
}

impl ObjectReport {
    pub(crate) fn new(object: &ObjectName) -> Self {
        let object = object.clone();
        Self {
            object,
            outcome: Outcome::Failed,
            pages: 0,
            rows: 0,
            applied: 0,
            removed: 0,
            unchanged: 0,
            unstorable: 0,
            unreadable: 0,
            narrowed: 0,
            is_copy: false,
            is_doubtful: false,
            computed_is_due: false,
            audit: None,
            measured: Measured::default(),
        }
    }

    /// Returns the lane of the scan's calls.
    fn lane(&self) -> Lane {
        if self.is_copy { Lane::Backfill } else { Lane::Incremental }
    }
}

/// Brings the object's rows in the mirror up to date, as far as time and budget allow. The report says what was done before
/// a failure too.
pub(crate) async fn refresh_object(run: &Run<'_>, object: &ObjectName) -> (ObjectReport, Option<Error>) {
    let mut report = ObjectReport::new(object);
    let failure = match scan_object(run, object, &mut report).await {
        Ok(outcome) => {
            report.outcome = outcome;
            let due = computed::is_due(run, object, outcome).await;
            due.map(|is_due| report.computed_is_due = is_due).err()
        }
        Err(error) => Some(error),
    };
    run.record_calls(report.lane()).await;
    record_freshness(&run.deps.freshness, VisibleIn::Mirror, &report.measured, &run.deps.clock).await;
    (report, failure)
}

/// Scans until the object is covered up to the time of the task: a scan that an earlier task began covers less.
async fn scan_object(run: &Run<'_>, object: &ObjectName, report: &mut ObjectReport) -> Result<Outcome, Error> {
    if run.task.kind != RefreshKind::Poll
        && let Some(stopped) = removal::go_on(run, object, report).await?
    {
        return Ok(stopped);
    }
    loop {
        let stored = load_cursors(run, object).await?;
        let (name, scan) = match plan(run.task, object, &stored, run.deps.clock.now()) {
            Plan::Scan(name, scan) => (name, scan),
            Plan::Done => {
                report.is_doubtful = deletions::notice(run, object).await?;
                return Ok(if report.pages > 0 { Outcome::Complete } else { Outcome::AlreadyDone });
            }
            Plan::Busy => return Ok(Outcome::Busy),
        };
        report.is_copy = name == CursorName::backfill(object);
        if report.is_copy
            && let Some(outcome) = backfill::copy(run, object, (&stored, &scan), report).await?
        {
            return Ok(outcome);
        }
        deletions::prepare(run, object, (&stored, &scan)).await?;
        let ended = scan_once(run, object, (&name, scan, &stored), report).await;
        if matches!(ended, Ok(Outcome::Complete)) {
            report.is_doubtful = deletions::notice(run, object).await?;
        }
        let failure = match &ended {
            Ok(Outcome::Skipped(skip)) => Some(skip.reason().to_owned()),
            Ok(Outcome::Stopped(Stop::OverBudget)) => Some("over_budget".to_owned()),
            Ok(_) if report.unstorable > 0 => Some("rows_too_large".to_owned()),
            Ok(_) if report.unreadable > 0 => Some("rows_unreadable".to_owned()),
            Ok(_) => None,
            Err(error) => Some(error.reason()),
        };
        if let Some(reason) = failure {
            run.record_failure(&name, &reason).await;
        }
        match ended {
            Ok(Outcome::Complete) if scan.started_at < run.task.requested_at => {}
            ended => return ended,
        }
    }
}

/// Stores that the object is not refreshed for a reason that stops the org's other objects as well.
pub(crate) async fn record_failure(run: &Run<'_>, object: &ObjectName, reason: &str) {
    match load_cursors(run, object).await {
        Ok(stored) if stored.is_copied() => run.record_failure(&CursorName::incremental(object), reason).await,
        Ok(_) => run.record_failure(&CursorName::backfill(object), reason).await,
        Err(error) => warn!(org.id = %run.org(), sf.object = %object, "{}", Chain(&error)),
    }
}

/// Runs a scan from its position.
async fn scan_once(
    run: &Run<'_>,
    object: &ObjectName,
    (name, scan, stored): (&CursorName, Scan, &Stored),
    report: &mut ObjectReport,
) -> Result<Outcome, Error> {
    if let Some(stop) = run.stop(report.lane()) {
        return Ok(Outcome::Stopped(stop));
    }
    let Some(fields) = describe(run, object).await? else { return Ok(Outcome::Skipped(Skip::Invisible)) };
    let selection = match Selection::of(&fields) {
        Ok(selection) => selection,
        Err(skip) => return Ok(Outcome::Skipped(skip)),
    };
    if run.task.kind != RefreshKind::Poll {
        notice_changes(run, object, (&fields, false)).await?;
    }
    if run.task.kind == RefreshKind::Poll && fields.key == ScanKey::Id {
        return Ok(Outcome::AlreadyDone);
    }
    let (mut scan, mut position) = (stored.keyed(name, scan, fields.key), stored.position(name));
    let left_out = LeftOutRows::load(run, object).await?;
    let scanning = Scanning { run, object, selection, left_out };
    scanning.retry_left_out(report).await?;
    loop {
        let ValidPage { object: stored_as, rows, changes, unreadable, step } = scanning.read(&scan, report).await?;
        report.pages += 1;
        report.rows += rows.len() as u64;
        scanning.leave_out(unreadable, report).await?;
        scanning.store(&stored_as, changes, report).await?;
        let progress = Progress { seen: position, last_row: scan.last_row(&rows), state: scan.state_after(&step) };
        let moved = run.deps.cursors.advance(run.org(), name, &progress, run.deps.clock.now()).await;
        position = moved?;
        if report.is_copy {
            backfill::count_page(run, name, &scan, (rows.len() as u64, step == Step::Complete)).await?;
        }
        scan = match step {
            Step::Complete => return Ok(Outcome::Complete),
            Step::Next(next) => next,
        };
        if let Some(stop) = run.stop(report.lane()) {
            return Ok(Outcome::Stopped(stop));
        }
    }
}

pub(crate) async fn load_cursors(run: &Run<'_>, object: &ObjectName) -> Result<Stored, Error> {
    let (backfill, incremental) = (CursorName::backfill(object), CursorName::incremental(object));
    let cursors = &run.deps.cursors;
    let (backfill, incremental) =
        try_join(cursors.load(run.org(), &backfill), cursors.load(run.org(), &incremental)).await?;
    Ok(Stored { backfill, incremental })
}

/// Returns the fields of the object, cached or described anew; `None` if the connection cannot see it.
pub(crate) async fn describe(run: &Run<'_>, object: &ObjectName) -> Result<Option<Arc<ObjectFields>>, Error> {
    let (org, cache, now) = (run.org(), &run.deps.fields, run.deps.clock.now());
    if let Some(fields) = cache.get(org, object, now) {
        return Ok(Some(fields));
    }
    let described = run.client.find_object(object).await;
    let described = described.map_err(|source| Error::Rows { org, object: object.clone(), source })?;
    Ok(described.map(|describe| cache.insert(org, object, &describe, now)))
}

/// A running scan.
pub(crate) struct Scanning<'a> {
    pub(crate) run: &'a Run<'a>,
    pub(crate) object: &'a ObjectName,
    pub(crate) selection: Selection,
    pub(crate) left_out: LeftOutRows,
}

/// A valid page.
struct ValidPage {
    /// The object as Salesforce spells it. Rows are stored under this name, however the object is configured.
    object: ObjectName,
    rows: Vec<Position>,
    changes: Vec<Change>,
    unreadable: Vec<Unreadable>,
    step: Step,
}

impl Scanning<'_> {
    /// Reads the next page. What is too much for Salesforce is narrowed, and read again within the time of the run.
    async fn read(&self, scan: &Scan, report: &mut ObjectReport) -> Result<ValidPage, Error> {
        let (fields, mut narrowing) = (&self.run.deps.fields, Narrowing::of_range(scan.range()));
        loop {
            let error = match self.read_page(scan).await {
                Err(Error::Rows { source, .. }) => source,
                read => return read,
            };
            let count = self.selection.fields().len();
            let is_narrowed = fields.narrow((self.run.org(), self.object), count, &error, &mut narrowing);
            report.narrowed += u64::from(is_narrowed);
            if !is_narrowed || self.run.stop(report.lane()).is_some() {
                return Err(self.rows_error(error));
            }
        }
    }

    async fn read_page(&self, scan: &Scan) -> Result<ValidPage, Error> {
        let (cache, org) = (&self.run.deps.fields, self.run.org());
        let (read_at, extent) = (self.run.deps.clock.now(), cache.extent(org, self.object));
        let selection = if extent.parts() > 1 { self.selection.by_keys() } else { self.selection.clone() };
        let next = self.next_rows(scan, &selection, extent).await?;
        let page = self.run.client.query_all(&next.query).await.map_err(|error| self.rows_error(error))?;
        let is_empty = page.records.is_empty();
        cache.set_extent(org, self.object, if is_empty { extent.after_nothing() } else { extent.after_success() });
        let rows = positions_by(&page.records, scan.key).map_err(|fault| self.page_error(fault))?;
        let (total_size, done, limit, until) = (page.total_size, page.done, next.limit, next.until);
        let step = self.after(scan, &next, &PageShape { rows: &rows, total_size, done, limit, until });
        let step = step.map_err(|fault| self.page_error(fault))?;
        let object = page.records.first().map_or_else(|| self.object.clone(), |record| record.object.clone());
        let (changes, unreadable) = match &selection {
            Selection::Rows(_) => {
                (page.records.into_iter().map(|record| Change::from_row(record, read_at)).collect(), Vec::new())
            }
            Selection::KeysThenRows { fields, .. } => self.retrieve(&page.records, fields, read_at).await?,
        };
        Ok(ValidPage { object, rows, changes, unreadable, step })
    }

    /// Returns the changes behind rows of which only the keys were read: tombstones are complete, other rows are fetched.
    /// Records that cannot be returned are left out.
    async fn retrieve(
        &self,
        rows: &[Record],
        fields: &[FieldName],
        read_at: Timestamp,
    ) -> Result<(Vec<Change>, Vec<Unreadable>), Error> {
        let (mut changes, mut unreadable, mut ids) = (Vec::new(), Vec::new(), Vec::new());
        for row in rows {
            match Tombstone::from_row(row, read_at) {
                Some(tombstone) => changes.push(Change::Tombstone(tombstone)),
                None => ids.push(row.id),
            }
        }
        let (cache, read_at) = (&self.run.deps.fields, self.run.deps.clock.now());
        let retrieved = cache.retrieve(&self.run.client, (self.run.org(), self.object), &ids, fields).await;
        for (id, retrieved) in ids.into_iter().zip(retrieved.map_err(|error| self.rows_error(error))?) {
            match retrieved {
                Retrieved::Record(record) => changes.push(Change::Upsert { record, read_at }),
                // It has a later change, which the scan has not reached yet.
                Retrieved::Missing | Retrieved::Changing => {}
                Retrieved::Unreadable(error) => unreadable.push(Unreadable { id, error }),
            }
        }
        Ok((changes, unreadable))
    }

    /// Drops the cached fields of the object, which may be the cause: the next attempt describes it again.
    pub(crate) fn rows_error(&self, source: salesforce::Error) -> Error {
        if !source.problems().is_empty() && Excess::of(&source).is_none() {
            self.run.deps.fields.invalidate(self.run.org(), self.object);
        }
        Error::Rows { org: self.run.org(), object: self.object.clone(), source }
    }

    fn page_error(&self, source: PageFault) -> Error {
        Error::Page { org: self.run.org(), object: self.object.clone(), source }
    }
}
