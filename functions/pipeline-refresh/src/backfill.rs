//! Backfills of large objects by Bulk API 2.0, and the progress of every backfill.
//!
//! The state machine ([`machine`]) decides; here its steps are carried out. The state is the checkpoint of the backfill's cursor,
//! which is replaced only if it is still what was read, because several workers share it. Messages are sent after that: one for
//! each poll of the job, delayed, and one for each page.
//!
//! An object is copied by Bulk where that takes fewer calls. With N rows, REST takes N / 2,000 calls; Bulk takes N / 10,000, one to
//! create the job, and about five to poll it. They meet at 15,000 rows; a job also waits for its turn in Salesforce, so that the
//! default of `BACKFILL_BULK_ROWS` is 20,000. The count of the rows costs one more call either way.

mod columns;
mod job;
pub mod machine;
mod page;
pub(crate) mod resume;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use mirroring::Excess;
use salesforce::bulk::Columns;
use salesforce::soql::Filter;
use salesforce::{ObjectName, Soql};
use store::cursors::ScanState;
use store::{BackfillMethod, BackfillProgress, Cursor, CursorName, Lane, RefreshKind, RefreshTask};

use crate::error::Error;
use crate::fields::notice_changes;
use crate::object::{ObjectReport, Outcome, describe};
use crate::progress::Stored;
use crate::query_jobs::QueryJobs;
use crate::run::{Run, Stop};
use crate::scan::Scan;
use crate::selection::Selection;
use columns::ColumnsCache;
use machine::{BulkScan, PAGE_ROWS};

/// The attempts to store a step while other workers store theirs.
const ATTEMPTS: u32 = 20;

/// The settings of backfills by Bulk, and what the execution environment remembers for them.
#[derive(Debug)]
pub struct Bulk {
    rows: u64,
    parallel_pages: u32,
    page_rows: u32,
    columns: ColumnsCache,
}

impl Bulk {
    /// Copies objects of at least `rows` rows by Bulk, of each at most `parallel_pages` pages at the same time.
    #[must_use]
    pub fn new(rows: u64, parallel_pages: u32) -> Self {
        Self { rows, parallel_pages, page_rows: PAGE_ROWS, columns: ColumnsCache::default() }
    }

    /// Returns the number of rows from which an object is read by Bulk.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Returns the number of rows that a page of a backfill is asked for.
    pub(crate) fn page_rows(&self) -> u32 {
        self.page_rows
    }

    /// Returns the types of an object's fields for the rows of a job that was created at this time. `None` if the connection cannot
    /// see the object.
    pub(crate) async fn columns(
        &self,
        run: &Run<'_>,
        object: &ObjectName,
        created_at: Timestamp,
    ) -> Result<Option<Arc<Columns>>, Error> {
        self.columns.load(run, object, created_at).await
    }

    /// Asks for other pages than of [`PAGE_ROWS`] rows.
    #[must_use]
    pub fn with_page_rows(self, page_rows: u32) -> Self {
        Self { page_rows, ..self }
    }
}

/// Goes on with a backfill by Bulk, or begins one of a large object. `None` if the object is copied by REST.
pub(crate) async fn copy(
    run: &Run<'_>,
    object: &ObjectName,
    (stored, scan): (&Stored, &Scan),
    report: &mut ObjectReport,
) -> Result<Option<Outcome>, Error> {
    let backfill = Backfill { run, object, name: CursorName::backfill(object) };
    let ended = backfill.go_on((stored, scan), report).await;
    let failure = match &ended {
        Ok(Some(Outcome::Stopped(Stop::OverBudget))) => Some("over_budget".to_owned()),
        Ok(_) => None,
        Err(error) => Some(error.reason()),
    };
    if let Some(reason) = failure {
        run.record_failure(&backfill.name, &reason).await;
    }
    ended
}

/// Counts a page that a backfill by REST has stored. `is_last` if the backfill is complete.
pub(crate) async fn count_page(
    run: &Run<'_>,
    name: &CursorName,
    scan: &Scan,
    (rows, is_last): (u64, bool),
) -> Result<(), Error> {
    let (cursors, now) = (&run.deps.cursors, run.deps.clock.now());
    let known = cursors.load(run.org(), name).await?.and_then(|cursor| cursor.progress);
    // The time is stored in milliseconds.
    let is_same = |known: &BackfillProgress| known.started_at.as_millisecond() == scan.started_at.as_millisecond();
    let known = known.filter(|known| is_same(known) && known.method == BackfillMethod::Rest);
    let progress = known.unwrap_or_else(|| BackfillProgress::new(BackfillMethod::Rest, scan.started_at));
    let completed_at = is_last.then_some(now);
    let progress = BackfillProgress { completed_at, ..progress.after_page(rows, 0) };
    Ok(cursors.record_progress(run.org(), name, &progress, now).await?)
}

/// The backfill of one object.
struct Backfill<'a> {
    run: &'a Run<'a>,
    object: &'a ObjectName,
    name: CursorName,
}

impl Backfill<'_> {
    async fn go_on(
        &self,
        (stored, scan): (&Stored, &Scan),
        report: &mut ObjectReport,
    ) -> Result<Option<Outcome>, Error> {
        let checkpoint = stored.backfill.as_ref().and_then(|cursor| cursor.checkpoint.as_deref());
        let task = self.run.task;
        let bulk = checkpoint.and_then(BulkScan::resume);
        let goes_on = bulk.filter(|bulk| bulk.is_for(task));
        if goes_on.is_none() && checkpoint.and_then(Scan::resume).as_ref() == Some(scan) {
            return Ok(None);
        }
        if let Some(stop) = self.run.stop_before_any_call(Lane::Backfill) {
            return Ok(Some(Outcome::Stopped(stop)));
        }
        match goes_on {
            None => self.begin((checkpoint, is_new(stored)), scan).await,
            Some(bulk) if bulk.pages.is_none() => self.poll(&bulk).await.map(Some),
            Some(_) => match task.part {
                Some(number) => self.copy_page(number, report).await.map(Some),
                // What the messages of the pages do not do is done by them.
                None => self.send_pages().await.map(Some),
            },
        }
    }

    /// Counts the rows, and begins a job if there are many.
    async fn begin(&self, (checkpoint, is_new): (Option<&str>, bool), scan: &Scan) -> Result<Option<Outcome>, Error> {
        let (run, now) = (self.run, self.run.deps.clock.now());
        // The backfill may be for a field that another execution environment has noticed.
        run.deps.fields.invalidate(run.org(), self.object);
        // Every other object is left to the scan, which says why it cannot be read.
        let Some(fields) = describe(run, self.object).await? else { return Ok(None) };
        let Ok(selection) = Selection::of(&fields) else { return Ok(None) };
        // Where `SystemModstamp` is no filter, all rows are read.
        let from = scan.position.filter(|_| fields.key.is_default()).map(|position| position.system_modstamp);
        if run.task.kind != RefreshKind::Poll {
            notice_changes(run, self.object, (&fields, from.is_none())).await?;
        }
        let mut total = self.count(from, None).await?;
        let since = run.task.since.filter(|_| from.is_some());
        let is_large = total.is_none_or(|total| total >= run.deps.bulk.rows);
        let filtered = is_large && is_new && self.filter().is_some();
        let job = if is_large { self.create_job(selection.fields(), (from, filtered)).await? } else { None };
        if filtered && job.is_some() {
            total = self.count(from, self.filter()).await?;
        }
        let progress = |method| BackfillProgress { total, since, ..BackfillProgress::new(method, scan.started_at) };
        let Some(job) = job else {
            // The decision is stored, so that an invocation that ends here is not in vain: the next one reads a page.
            let state = ScanState::Running(scan.checkpoint());
            let is_first = self.replace(checkpoint, (&state, &progress(BackfillMethod::Rest)), now).await?;
            return Ok((!is_first).then_some(Outcome::Stopped(Stop::OutOfTime)));
        };
        let page_rows = run.deps.bulk.page_rows;
        let bulk = BulkScan { started_at: scan.started_at, filtered, page_rows, ..BulkScan::new(job, from, now) };
        let state = ScanState::Running(render(&bulk)?);
        if !self.replace(checkpoint, (&state, &progress(BackfillMethod::Bulk)), now).await? {
            // The task finds the state of the worker that was first.
            self.jobs().stop(job).await;
            return Ok(Some(Outcome::Stopped(Stop::OutOfTime)));
        }
        self.send(bulk.started_at, None, bulk.poll_delay(now)).await?;
        Ok(Some(Outcome::Busy))
    }

    /// Puts a new backfill into the place of the stored checkpoint, whose job is stopped. Returns `false` if another worker was first.
    async fn replace(
        &self,
        checkpoint: Option<&str>,
        new: (&ScanState, &BackfillProgress),
        now: Timestamp,
    ) -> Result<bool, Error> {
        let place = (self.run.org(), &self.name);
        let is_first = self.run.deps.cursors.replace_checkpoint(place, checkpoint, new, now).await?;
        if let Some(old) = checkpoint.and_then(BulkScan::resume).filter(|_| is_first) {
            self.jobs().stop(old.job).await;
        }
        Ok(is_first)
    }

    /// Returns the fields that are read; `None` if the object cannot be read any more.
    async fn selection(&self) -> Result<Option<Selection>, Error> {
        let fields = describe(self.run, self.object).await?;
        Ok(fields.and_then(|fields| Selection::of(&fields).ok()))
    }

    /// Returns the filter of the org's settings.
    fn filter(&self) -> Option<&Filter> {
        self.run.settings.filter(self.object)
    }

    /// Returns the number of rows of the object; `None` if Salesforce takes too long to count them.
    async fn count(&self, from: Option<Timestamp>, filter: Option<&Filter>) -> Result<Option<u64>, Error> {
        let count = BulkScan::rows(Soql::count().from(self.object), from, filter);
        match self.run.client.count(&count).await {
            Ok(rows) => Ok(Some(rows)),
            Err(error) if Excess::of(&error).is_some() => Ok(None),
            Err(error) => Err(self.rows_error(error)),
        }
    }

    /// Sends the messages of pages that have none.
    async fn send_pages(&self) -> Result<Outcome, Error> {
        self.change(|_, _| ()).await?;
        Ok(Outcome::Busy)
    }

    /// Applies a step to the stored state, stores the result if it differs, and sends the messages of the pages that the step has
    /// made known. Returns what the step returns and whether the backfill is complete; `None` if the stored state is no longer that
    /// of a backfill by Bulk.
    async fn change<T>(
        &self,
        step: impl Fn(&mut BulkScan, &mut BackfillProgress) -> T,
    ) -> Result<Option<(T, bool)>, Error> {
        let (deps, org) = (self.run.deps, self.run.org());
        for _ in 0..ATTEMPTS {
            let now = deps.clock.now();
            let Some(cursor) = deps.cursors.load(org, &self.name).await? else { return Ok(None) };
            let Some(checkpoint) = cursor.checkpoint.as_deref() else { return Ok(None) };
            let Some(before) = BulkScan::resume(checkpoint) else { return Ok(None) };
            let known = cursor.progress.clone();
            let mut progress = known.unwrap_or_else(|| BackfillProgress::new(BackfillMethod::Bulk, before.started_at));
            let mut bulk = before.clone();
            let result = step(&mut bulk, &mut progress);
            let pages = bulk.send(now);
            if bulk == before {
                return Ok(Some((result, false)));
            }
            let is_complete = bulk.is_complete();
            let state = if is_complete {
                progress.completed_at = Some(now);
                ScanState::Complete(bulk.started_at)
            } else {
                ScanState::Running(render(&bulk)?)
            };
            let place = (org, &self.name);
            if deps.cursors.replace_checkpoint(place, Some(checkpoint), (&state, &progress), now).await? {
                for page in pages {
                    self.send(bulk.started_at, Some(page), Duration::ZERO).await?;
                }
                return Ok(Some((result, is_complete)));
            }
        }
        Err(store::Error::Conflict { operation: "replace the checkpoint of the backfill" }.into())
    }

    /// Queues a message of the backfill that began at this time: of a page, or of a poll.
    async fn send(&self, started_at: Timestamp, part: Option<u32>, delay: Duration) -> Result<(), Error> {
        let task = RefreshTask::new(self.run.org(), RefreshKind::Backfill, started_at);
        let task = RefreshTask { part, since: self.run.task.since, ..task.for_object(self.object.clone()) };
        Ok(self.run.deps.queues.backfills.send(&task, delay).await?)
    }

    fn jobs(&self) -> QueryJobs<'_> {
        QueryJobs { run: self.run, object: self.object }
    }

    fn rows_error(&self, source: salesforce::Error) -> Error {
        Error::Rows { org: self.run.org(), object: self.object.clone(), source }
    }
}

/// Returns whether no backfill of the object has stored anything yet.
fn is_new(stored: &Stored) -> bool {
    let is_new = |cursor: &Cursor| {
        cursor.position.is_none()
            && cursor.checkpoint.is_none()
            && cursor.progress.is_none()
            && cursor.covered_until.is_none()
    };
    stored.backfill.as_ref().is_none_or(is_new)
}

fn render(bulk: &BulkScan) -> Result<String, Error> {
    let corrupt = |source| store::Error::Corrupt { operation: "store the backfill", source: Box::new(source) };
    Ok(bulk.checkpoint().map_err(corrupt)?)
}
