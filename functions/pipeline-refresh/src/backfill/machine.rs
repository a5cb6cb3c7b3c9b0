//! A backfill by Bulk API 2.0 as a pure state machine: the job, its pages, and the messages that read them.
//!
//! Several workers share the state. Each reads it, applies one step, and stores it if it is still what they read; what a step
//! says to send is sent after that. A message names a page by its number. The rows of the job lie between the locators of its
//! pages, so that a page is known as soon as the page before it is opened, and may be read while the rows of that one are stored:
//!
//! ```text
//! open:  [1 ......)[2 ......)[3 ......          the end of the last open page is not known yet, or is the end of the rows
//! done:            [2 ......)                   pages end in any order
//! ```
//!
//! A page is removed after its rows are stored and the page after it is known. So no page is open only when every row of the job
//! is stored, and a worker may be killed, and a message delivered again, between any two steps.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use salesforce::bulk::{JobId, Locator};
use salesforce::soql::{self, Filter};
use salesforce::{FieldName, Soql};
use serde::{Deserialize, Serialize};
use store::deferral::MAX_DELAY;
use store::{RefreshKind, RefreshTask};

use crate::query_jobs::{self, PATIENCE};

/// The jobs of one backfill: a job that fails or expires is begun again until there were so many.
pub const MAX_JOBS: u32 = 3;

/// The rows of a page: as many as are stored within a minute or two.
pub const PAGE_ROWS: u32 = 10_000;

/// The smallest page that is asked for when an invocation was too short for a larger one. [`PAGE_ROWS`] halved again and again comes
/// to it exactly, so that shorter pages end where the page that they divide ends.
const MIN_PAGE_ROWS: u32 = 625;

/// The time after which the worker of a page must have ended: longer than an invocation.
const LEASE: SignedDuration = SignedDuration::from_mins(20);

/// The time after which the message of a page counts as lost. SQS delivers the message of a killed function again 90 minutes after
/// the function began: by then, what the function did not send counts as lost and is sent.
const LOST: SignedDuration = SignedDuration::from_hours(1);

/// The number of pages that are read at the same time at first.
const FIRST_PARALLEL: u32 = 2;

/// A backfill; its JSON is the checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkScan {
    /// The start of the backfill by our clock: the watermark of the complete scan.
    pub started_at: Timestamp,
    /// The `SystemModstamp` from which rows are read; `None` for all.
    pub from: Option<Timestamp>,
    /// `true` if the job reads only the rows that meet the filter of the org's settings. That of an object that was copied before
    /// reads all, so that those that do not meet it any more become tombstones.
    #[serde(default)]
    pub filtered: bool,
    /// The jobs so far, this one included.
    pub jobs: u32,
    /// The job.
    pub job: JobId,
    /// A time before the job was created. Its rows are at least as new, and may be no newer.
    pub read_at: Timestamp,
    /// The time after which the message of the next poll counts as lost; `None` before the first.
    #[serde(default)]
    pub poll_lost_at: Option<Timestamp>,
    /// The time at which the last job that was allowed has failed.
    pub failed_at: Option<Timestamp>,
    /// The rows that a page is asked for.
    pub page_rows: u32,
    /// The number of pages that are read at the same time.
    pub parallel: u32,
    /// The open pages; `None` while the job runs.
    pub pages: Option<Vec<Page>>,
}

/// A page whose rows are not stored yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Its number, from 1.
    pub number: u32,
    /// Its beginning; `None` for that of the results.
    pub locator: Option<Locator>,
    /// Its end.
    pub end: End,
    /// Its message.
    pub message: Message,
}

/// The end of a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The page was not opened yet, or is the last one.
    Open,
    /// The beginning of the page after it.
    At(Locator),
}

/// The message of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// Not sent yet.
    Waits,
    /// Queued; counts as lost after this time.
    Sent(Timestamp),
    /// Taken by a worker, which has ended after this time.
    Taken(Timestamp),
}

/// The work that a message finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// The rows of the page from this locator on.
    Read(Option<Locator>),
    /// Another worker has the page. The message is delivered again after this time, in case that the worker ends early.
    Later(Duration),
    /// The page is done.
    Nothing,
}

/// A job that has ended without rows, or whose rows are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// Create another job.
    Again,
    /// It was the last one that is allowed.
    Exhausted,
}

impl BulkScan {
    /// Begins a backfill whose job was created after `read_at`.
    #[must_use]
    pub fn new(job: JobId, from: Option<Timestamp>, read_at: Timestamp) -> Self {
        Self {
            started_at: read_at,
            from,
            filtered: false,
            jobs: 1,
            job,
            read_at,
            poll_lost_at: Some(after(read_at, LOST)),
            failed_at: None,
            page_rows: PAGE_ROWS,
            parallel: FIRST_PARALLEL,
            pages: None,
        }
    }

    /// Renders the checkpoint.
    ///
    /// # Errors
    /// Never fails in practice: every part is JSON.
    pub fn checkpoint(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// Parses a checkpoint; `None` for that of a scan by REST or of another version.
    #[must_use]
    pub fn resume(checkpoint: &str) -> Option<Self> {
        serde_json::from_str(checkpoint).ok()
    }

    /// Returns whether a task goes on with this backfill. A backfill that was requested later, or of all rows where this one is of
    /// those since a time, begins anew, and so does every task that was requested after the last job has failed.
    #[must_use]
    pub fn is_for(&self, task: &RefreshTask) -> bool {
        let reads_enough = self.from.is_none() || task.since.is_some();
        let is_answer = task.kind != RefreshKind::Backfill || self.started_at >= task.requested_at && reads_enough;
        is_answer && self.failed_at.is_none_or(|failed_at| task.requested_at <= failed_at)
    }

    /// Narrows a query to the rows of the backfill. It has no order and no limit: with either, Salesforce does not split the query
    /// by id, and large ones time out.
    #[must_use]
    pub fn rows(query: Soql, from: Option<Timestamp>, filter: Option<&Filter>) -> Soql {
        let since = from.map(|from| soql::ge(&FieldName::SYSTEM_MODSTAMP, from));
        since.into_iter().chain(filter.map(Filter::condition)).fold(query, Soql::where_)
    }

    /// Returns the delay of the next poll of the job.
    #[must_use]
    pub fn poll_delay(&self, now: Timestamp) -> Duration {
        query_jobs::poll_delay(self.read_at, now)
    }

    /// Decides whether a task that finds the job at work sends the message of the next poll: the message of this poll, or any task
    /// once that message counts as lost. Otherwise each task of the object would begin a chain of polls of its own.
    pub fn polls_again(&mut self, is_message: bool, now: Timestamp) -> bool {
        let polls = is_message || self.poll_lost_at.is_none_or(|lost_at| lost_at <= now);
        if polls {
            self.poll_lost_at = Some(after(now, LOST));
        }
        polls
    }

    /// Returns whether the job has run for longer than it may.
    #[must_use]
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.pages.is_none() && now.duration_since(self.read_at) >= PATIENCE
    }

    /// Begins to read the pages of the job, which is complete. Does nothing if another worker has begun.
    pub fn begin_reading(&mut self, job: JobId) {
        if self.job == job && self.pages.is_none() {
            self.pages = Some(vec![Page { number: 1, locator: None, end: End::Open, message: Message::Waits }]);
        }
    }

    /// Decides what is done about a job that is lost.
    #[must_use]
    pub fn lose(&mut self, now: Timestamp) -> Lost {
        if self.jobs < MAX_JOBS {
            return Lost::Again;
        }
        self.failed_at = self.failed_at.or(Some(now));
        Lost::Exhausted
    }

    /// Puts another job, created after `read_at`, into the place of a lost one. It is read from its beginning: the rows of two jobs
    /// need not have the same order, so that the pages of one say nothing about the rows of another.
    pub fn replace_job(&mut self, lost: JobId, job: JobId, read_at: Timestamp) -> bool {
        let is_first = self.job == lost;
        if is_first {
            (self.job, self.read_at, self.pages) = (job, read_at, None);
            self.poll_lost_at = Some(after(read_at, LOST));
            self.jobs += 1;
        }
        is_first
    }

    /// Takes a page for a worker.
    pub fn take(&mut self, number: u32, now: Timestamp) -> Work {
        let Some(page) = self.page(number) else { return Work::Nothing };
        match page.message {
            Message::Taken(until) if until > now => {
                let left = Duration::try_from(until.duration_since(now)).unwrap_or_default();
                Work::Later(left.min(MAX_DELAY))
            }
            _ => {
                page.message = Message::Taken(after(now, LEASE));
                Work::Read(page.locator.clone())
            }
        }
    }

    /// Notes that the page of a job was opened and where the rows that were read of it end: at the next page, or at the end of the
    /// results.
    pub fn open(&mut self, job: JobId, number: u32, next: Option<&Locator>) {
        let Some(next) = next.filter(|_| self.job == job) else { return };
        let Some(pages) = &mut self.pages else { return };
        let Some(page) = pages.iter_mut().find(|page| page.number == number && page.end == End::Open) else { return };
        page.end = End::At(next.clone());
        // Only the last page has an open end, so that the number is free.
        pages.push(Page { number: number + 1, locator: Some(next.clone()), end: End::Open, message: Message::Waits });
    }

    /// Notes that the rows of a page up to `next` are stored. Returns `false` if another worker was first, or the job is lost.
    ///
    /// A page that was read with fewer rows than before ends before the page after it: the rest of it stays open.
    pub fn finish(&mut self, job: JobId, number: u32, next: Option<&Locator>) -> bool {
        self.open(job, number, next);
        let Some(pages) = self.pages.as_mut().filter(|_| self.job == job) else { return false };
        let Some(index) = pages.iter().position(|page| page.number == number) else { return false };
        match (&pages[index].end, next) {
            (End::At(end), Some(next)) if next != end => {
                pages[index].locator = Some(next.clone());
                pages[index].message = Message::Waits;
            }
            _ => drop(pages.remove(index)),
        }
        true
    }

    /// Gives a page back whose rows could not be stored: its message is queued again.
    pub fn release(&mut self, job: JobId, number: u32, now: Timestamp) {
        if self.job == job
            && let Some(page) = self.page(number)
        {
            page.message = Message::Sent(after(now, LOST));
        }
    }

    /// Adapts the number of pages that are read at the same time to what DynamoDB takes: half of them after a throttle, one more
    /// after a page without.
    pub fn adapt(&mut self, was_throttled: bool, most: u32) {
        let parallel = if was_throttled { self.parallel / 2 } else { self.parallel + 1 };
        self.parallel = parallel.clamp(1, most.max(1));
    }

    /// Halves the rows of a page, after an invocation that was too short for one.
    pub fn shorten_pages(&mut self) {
        self.page_rows = (self.page_rows / 2).max(MIN_PAGE_ROWS);
    }

    /// Returns the pages whose messages are to be sent now: those that count as lost, and others as far as they may be read at the
    /// same time.
    pub fn send(&mut self, now: Timestamp) -> Vec<u32> {
        let Some(pages) = &mut self.pages else { return Vec::new() };
        let is_lost = |page: &Page| match page.message {
            Message::Waits => false,
            Message::Sent(until) | Message::Taken(until) => until <= now,
        };
        let mut busy = pages.iter().filter(|page| page.message != Message::Waits).count();
        let mut sent = Vec::new();
        for page in pages.iter_mut() {
            let begins = page.message == Message::Waits && busy < self.parallel as usize;
            if begins || is_lost(page) {
                busy += usize::from(begins);
                page.message = Message::Sent(after(now, LOST));
                sent.push(page.number);
            }
        }
        sent
    }

    /// Returns whether every row of the job is stored.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.pages.as_ref().is_some_and(Vec::is_empty)
    }

    fn page(&mut self, number: u32) -> Option<&mut Page> {
        self.pages.as_mut()?.iter_mut().find(|page| page.number == number)
    }
}

fn after(now: Timestamp, time: SignedDuration) -> Timestamp {
    now.saturating_add(time).unwrap_or(now)
}

#[cfg(test)]
mod tests;
