//! The progress of an audit over its buckets, as a pure state machine; its JSON is the checkpoint.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use salesforce::bulk::{JobId, Locator};
use salesforce::{FieldName, RecordId, Soql, soql};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{AuditCounts, Position, RowsHash};

use super::bucket::Compared;
use crate::scan::{OVERLAP, PageFault, PageShape};

/// The way in which the org's records are read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// REST, until so many are compared that a query job for those that follow costs fewer calls.
    #[default]
    Rest,
    /// A query job in the order of the ids.
    Job(IdJob),
    /// REST for all records: Bulk cannot read the object, or a job was lost.
    RestOnly,
}

/// A query job that reads the keys of records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdJob {
    /// The job.
    pub id: JobId,
    /// The time of its creation.
    pub created_at: Timestamp,
    /// `true` if its results can be read.
    pub is_complete: bool,
    /// The time at which it is asked next, for which a message is in the queue; `None` before that is known.
    #[serde(default)]
    pub poll_at: Option<Timestamp>,
    /// The next page; `None` for the first one.
    pub locator: Option<Locator>,
}

/// An audit in progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The start of the audit by our clock.
    pub started_at: Timestamp,
    /// The last record of the org that is compared, in Salesforce's order of ids.
    pub after: Option<RecordId>,
    /// The greatest id up to which the mirror's rows are compared, in the order of bytes.
    pub mirrored_to: Option<RecordId>,
    /// `true` if the last bucket is compared.
    pub is_compared: bool,
    /// The live rows whose records Salesforce does not return any more. They become tombstones at the end, once it is known how
    /// many they are.
    pub vanished: Vec<RecordId>,
    /// The counts.
    pub counts: AuditCounts,
    /// The hash of the org's records.
    pub org_hash: RowsHash,
    /// The hash of the mirror's rows.
    pub mirror_hash: RowsHash,
    /// The reason for which the audit could not go on, until it is finished.
    #[serde(default)]
    pub obstacle: Option<String>,
    /// `true` if the audit was given up. The next one begins anew.
    #[serde(default)]
    pub is_given_up: bool,
    /// The way in which the org's records are read.
    #[serde(default)]
    pub reading: Reading,
}

/// The age at which an interrupted audit is not resumed: what it compared first may have changed since.
const TOO_OLD: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The time by which the message of a poll may be early: SQS counts in seconds, by its own clock.
const EARLY: SignedDuration = SignedDuration::from_secs(5);

/// The number of vanished rows that an audit keeps in mind, in a checkpoint of at most 400 KB.
pub const MAX_VANISHED: usize = 10_000;

/// The number of records of an object that may vanish at once whatever their share.
const FEW: u64 = 20;

impl Progress {
    /// Begins an audit.
    #[must_use]
    pub fn fresh(now: Timestamp) -> Self {
        Self {
            started_at: now,
            after: None,
            mirrored_to: None,
            is_compared: false,
            vanished: Vec::new(),
            counts: AuditCounts::default(),
            org_hash: RowsHash::default(),
            mirror_hash: RowsHash::default(),
            obstacle: None,
            is_given_up: false,
            reading: Reading::Rest,
        }
    }

    /// Begins to compare from the first record again, by REST, after a query job was lost: the order of what it had returned is
    /// not known to be that of REST. What is repaired stays counted.
    #[must_use]
    pub fn without_job(self) -> Self {
        let counts = AuditCounts { checked: 0, mirrored: 0, buckets: 0, ..self.counts };
        Self { counts, obstacle: self.obstacle, reading: Reading::RestOnly, ..Self::fresh(self.started_at) }
    }

    /// Parses a checkpoint; `None` when another version wrote it, or when the audit is given up or too old.
    #[must_use]
    pub fn resume(checkpoint: &str, now: Timestamp) -> Option<Self> {
        let progress: Self = serde_json::from_str(checkpoint).ok()?;
        let is_resumed = !progress.is_given_up && now.duration_since(progress.started_at) < TOO_OLD;
        is_resumed.then_some(progress)
    }

    /// Returns the start of the audit if its checkpoint says that it was given up: a task that was requested before is answered.
    #[must_use]
    pub fn given_up_at(checkpoint: &str) -> Option<Timestamp> {
        let progress: Self = serde_json::from_str(checkpoint).ok()?;
        progress.is_given_up.then_some(progress.started_at)
    }

    /// Renders the checkpoint from which another process goes on.
    #[must_use]
    pub fn checkpoint(&self) -> String {
        json!(self).to_string()
    }

    /// Notes that the query job is asked after this delay.
    pub fn poll_after(&mut self, delay: Duration, now: Timestamp) {
        if let Reading::Job(job) = &mut self.reading {
            job.poll_at = SignedDuration::try_from(delay).ok().and_then(|delay| now.checked_add(delay).ok());
        }
    }

    /// Returns the time until the query job is asked next; `None` if that is due, or if there is no job at work. A task that comes
    /// earlier is not the message of the poll, and would begin a chain of polls of its own. One that comes later may be: the first
    /// asks and queues the next message, which makes the other one early. So a lost message is no loss either.
    #[must_use]
    pub fn poll_in(&self, now: Timestamp) -> Option<Duration> {
        let Reading::Job(IdJob { is_complete: false, poll_at: Some(poll_at), .. }) = &self.reading else { return None };
        let left = poll_at.duration_since(now);
        Duration::try_from(left).ok().filter(|_| left > EARLY)
    }

    /// Returns the time after which a change is no difference: it may have been committed behind the last scan.
    #[must_use]
    pub fn cutoff(&self) -> Timestamp {
        self.started_at.checked_sub(OVERLAP).unwrap_or(Timestamp::MIN)
    }

    /// Narrows `query` to the next records, at most `limit`.
    #[must_use]
    pub fn next_records(&self, query: Soql, limit: Option<u32>) -> Soql {
        let query = match self.after {
            Some(id) => query.where_(soql::gt(&FieldName::ID, id)),
            None => query,
        };
        let query = query.order_by(&FieldName::ID);
        match limit {
            Some(limit) => query.limit(limit),
            None => query,
        }
    }

    /// Validates a page of the org's records and returns the greatest id of the mirror's rows that belong to the bucket; `None`
    /// for all of the rest, because the page is the last.
    ///
    /// # Errors
    /// The page is not valid and must not be compared.
    pub fn bucket_end(&self, page: &PageShape<'_>) -> Result<Option<RecordId>, PageFault> {
        if page.done && (page.rows.len() as u64) < page.total_size {
            return Err(PageFault::Short);
        }
        if page.rows.iter().any(|row| Some(row.record_id) == self.after) {
            return Err(PageFault::NoProgress);
        }
        if page.done && page.total_size < u64::from(page.limit) {
            return Ok(None);
        }
        let greatest = page.rows.iter().map(|row| row.record_id).max().ok_or(PageFault::Short)?;
        Ok(Some(greatest.max(self.mirrored_to.unwrap_or(greatest))))
    }

    /// Returns the greatest id of the mirror's rows that belong to the bucket of a page of a query job; `None` for all of the rest,
    /// because no page follows.
    ///
    /// # Errors
    /// The page must not be compared: it leads to itself.
    pub fn job_bucket_end(&self, rows: &[Position], next: Option<&Locator>) -> Result<Option<RecordId>, PageFault> {
        let Some(next) = next else { return Ok(None) };
        if matches!(&self.reading, Reading::Job(job) if job.locator.as_ref() == Some(next)) {
            return Err(PageFault::NoProgress);
        }
        let greatest = rows.iter().map(|row| row.record_id).max();
        greatest.max(self.mirrored_to).map(Some).ok_or(PageFault::NoProgress)
    }

    /// Goes on after a bucket whose differences are repaired.
    pub fn advance(&mut self, records: &[Position], end: Option<RecordId>, compared: &Compared) {
        self.after = records.last().map(|record| record.record_id).or(self.after);
        self.mirrored_to = end.or(self.mirrored_to);
        self.is_compared = end.is_none();
        self.counts.checked += records.len() as u64;
        self.counts.buckets += 1;
        self.org_hash = self.org_hash.and(compared.org_hash);
        self.mirror_hash = self.mirror_hash.and(compared.mirror_hash);
    }
}

/// Returns whether `vanished` of the mirror's `mirrored` live rows may become tombstones. Where more than a tenth of an object
/// vanishes at once, the connection has more probably lost its access than the org its records.
#[must_use]
pub fn is_plausible(vanished: u64, mirrored: u64) -> bool {
    vanished <= FEW.max(mirrored / 10)
}

#[cfg(test)]
mod tests;
