//! A page of a backfill by Bulk: its rows are stored, and then the page is done.

use std::time::Duration;

use jiff::Timestamp;
use salesforce::Record;
use salesforce::bulk::{JobId, Locator, PageStream, RowError};
use store::{BackfillProgress, Change, RefreshKind, RefreshTask};
use tracing::warn;

use super::Backfill;
use super::machine::{BulkScan, Work};
use crate::error::Error;
use crate::left_out::{LeftOutRows, Unreadable};
use crate::object::{ObjectReport, Outcome, Scanning};
use crate::run::Stop;
use crate::scan::PageFault;

/// The rows that are stored at once: few enough to notice the end of the invocation.
const CHUNK: usize = 1_000;

/// A page that a worker has taken. A message is about one page, so that the report of the run is that of the page.
struct Taken {
    job: JobId,
    /// The age of the job's rows.
    read_at: Timestamp,
    number: u32,
    locator: Option<Locator>,
    page_rows: u32,
    /// `true` if all rows of the job meet the filter of the org's settings.
    filtered: bool,
}

/// The result of copying a page.
enum Copied {
    /// All rows are stored.
    All {
        /// The page after it.
        next: Option<Locator>,
        /// The size of the CSV.
        bytes: u64,
    },
    /// The invocation ends before all rows are stored.
    Part,
    /// Salesforce does not have the rows any more.
    Lost,
}

impl Backfill<'_> {
    /// Copies a page, unless it is done or another worker has it.
    pub(super) async fn copy_page(&self, number: u32, report: &mut ObjectReport) -> Result<Outcome, Error> {
        let now = self.run.deps.clock.now();
        let taken = self.change(|bulk, _| (bulk.take(number, now), bulk.clone())).await?;
        let Some(((work, bulk), _)) = taken else { return Ok(Outcome::Stopped(Stop::OutOfTime)) };
        let BulkScan { job, page_rows, read_at, filtered, .. } = bulk;
        match work {
            Work::Nothing => Ok(Outcome::Busy),
            Work::Later(delay) => {
                self.send(bulk.started_at, Some(number), delay).await?;
                Ok(Outcome::Busy)
            }
            Work::Read(locator) => {
                let taken = Taken { job, read_at, number, locator, page_rows, filtered };
                let throttles = self.run.deps.records.throttles();
                let copied = self.copy_rows(&taken, report).await;
                let was_throttled = self.run.deps.records.throttles() > throttles;
                match copied {
                    Ok(Copied::All { next, bytes }) => self.finish(&taken, next, (bytes, was_throttled), report).await,
                    Ok(Copied::Part) => {
                        self.give_back(&taken, was_throttled, BulkScan::shorten_pages).await;
                        Ok(Outcome::Stopped(Stop::OutOfTime))
                    }
                    Ok(Copied::Lost) => self.lose(job, None).await,
                    Err(error) => {
                        self.give_back(&taken, was_throttled, |_| ()).await;
                        Err(error)
                    }
                }
            }
        }
    }

    /// Opens a page and stores its rows.
    async fn copy_rows(&self, taken: &Taken, report: &mut ObjectReport) -> Result<Copied, Error> {
        let columns = self.run.deps.bulk.columns(self.run, self.object, taken.read_at).await?;
        let Some(columns) = columns else { return Err(self.hidden()) };
        let (client, rows) = (&self.run.client, Some(taken.page_rows));
        let opened = client.open_query_page(&taken.job, taken.locator.as_ref(), rows, &columns).await;
        let mut page = match opened {
            Ok(page) => page,
            Err(error) if error.is_not_found() || error.has_code("INVALID_QUERY_LOCATOR") => {
                // The job has expired, or what it found has. An odd answer is asked again.
                return match self.jobs().find(taken.job).await? {
                    Some(_) if error.is_not_found() => Err(self.rows_error(error)),
                    _ => Ok(Copied::Lost),
                };
            }
            Err(error) => return Err(self.rows_error(error)),
        };
        let next = page.next_page().cloned();
        if next.is_some() && next == taken.locator {
            let (org, object, source) = (self.run.org(), self.object.clone(), PageFault::NoProgress);
            return Err(Error::Page { org, object, source });
        }
        // The page after it is read while the rows of this one are stored.
        self.change(|bulk, _| bulk.open(taken.job, taken.number, next.as_ref())).await?;
        let is_whole = match self.store_page(taken, &mut page, report).await {
            // A field was hidden or removed since the job was created: another job reads the fields that are left.
            Err(Error::Rows { source, .. }) if source.is_unknown_column() => return Ok(Copied::Lost),
            stored => stored?,
        };
        Ok(if is_whole { Copied::All { next, bytes: page.bytes() } } else { Copied::Part })
    }

    /// Notes that the rows of a page are stored, and ends the backfill with the last one.
    async fn finish(
        &self,
        taken: &Taken,
        next: Option<Locator>,
        (bytes, was_throttled): (u64, bool),
        report: &mut ObjectReport,
    ) -> Result<Outcome, Error> {
        report.pages += 1;
        let (rows, most) = (report.rows, self.run.deps.bulk.parallel_pages);
        let finish = |bulk: &mut BulkScan, progress: &mut BackfillProgress| {
            if bulk.finish(taken.job, taken.number, next.as_ref()) {
                bulk.adapt(was_throttled, most);
                *progress = progress.clone().after_page(rows, bytes);
            }
        };
        let finished = self.change(finish).await?;
        let left_out = [(report.unstorable, "rows_too_large"), (report.unreadable, "rows_unreadable")];
        if let Some((_, reason)) = left_out.iter().find(|(rows, _)| *rows > 0) {
            self.run.record_failure(&self.name, reason).await;
        }
        match finished {
            Some((_, true)) => self.complete(taken.job).await,
            _ => Ok(Outcome::Busy),
        }
    }

    /// Stores the rows of a page. They are as old as the job: a row that the mirror has read since is newer, and stays. One that
    /// cannot be read or stored is left out, and holds up no other.
    /// Returns `false` if the invocation ends before the last row.
    async fn store_page(
        &self,
        taken: &Taken,
        page: &mut PageStream<'_>,
        report: &mut ObjectReport,
    ) -> Result<bool, Error> {
        let Some(selection) = self.selection().await? else { return Err(self.hidden()) };
        let left_out = LeftOutRows::load(self.run, self.object).await?;
        let storing = Scanning { run: self.run, object: self.object, selection, left_out };
        loop {
            let (rows, has_more) = self.next_rows(&storing, page, report).await?;
            let object = rows.first().map_or_else(|| self.object.clone(), |row| row.object.clone());
            report.rows += rows.len() as u64;
            let changes = rows.into_iter().map(|row| Change::from_row(row, taken.read_at)).collect();
            if taken.filtered {
                storing.apply(&object, changes, report).await?;
            } else {
                storing.store(&object, changes, report).await?;
            }
            if !has_more {
                return Ok(true);
            }
            if self.run.time_left().is_zero() {
                return Ok(false);
            }
        }
    }

    /// Reads the next rows of a page, and whether more follow.
    async fn next_rows(
        &self,
        storing: &Scanning<'_>,
        page: &mut PageStream<'_>,
        report: &mut ObjectReport,
    ) -> Result<(Vec<Record>, bool), Error> {
        let mut rows = Vec::new();
        while rows.len() < CHUNK {
            match page.next_record().await.map_err(|error| self.rows_error(error))? {
                None => return Ok((rows, false)),
                Some(Ok(row)) => rows.push(row),
                Some(Err(RowError { id: Some(id), what })) => {
                    let error = RowError { id: Some(id), what }.into();
                    storing.leave_out(vec![Unreadable { id, error }], report).await?;
                }
                Some(Err(error)) => {
                    report.unreadable += 1;
                    warn!(org.id = %self.run.org(), sf.object = %self.object, "left out a row without an id: {error}");
                }
            }
        }
        Ok((rows, true))
    }

    /// Gives the page back, whose message is queued again.
    async fn give_back(&self, taken: &Taken, was_throttled: bool, also: fn(&mut BulkScan)) {
        let (now, most) = (self.run.deps.clock.now(), self.run.deps.bulk.parallel_pages);
        let give_back = |bulk: &mut BulkScan, _: &mut BackfillProgress| {
            bulk.release(taken.job, taken.number, now);
            also(bulk);
            if was_throttled {
                bulk.adapt(true, most);
            }
        };
        if let Err(error) = self.change(give_back).await {
            // Its message waits until the page counts as left.
            warn!(org.id = %self.run.org(), sf.object = %self.object, "{}", runtime::Chain(&error));
        }
    }

    /// Ends the backfill: the rows that changed while it ran are read, and the rows of the job are deleted.
    async fn complete(&self, job: JobId) -> Result<Outcome, Error> {
        let (deps, org) = (self.run.deps, self.run.org());
        let rest = RefreshTask::new(org, RefreshKind::Incremental, deps.clock.now()).for_object(self.object.clone());
        deps.queues.send(&rest, false, Duration::ZERO).await?;
        self.jobs().delete(job).await;
        Ok(Outcome::Complete)
    }

    /// Returns the error of an object that the connection does not see any more.
    fn hidden(&self) -> Error {
        Error::Jobs { org: self.run.org(), object: self.object.clone(), code: Some("object_not_visible".to_owned()) }
    }
}
