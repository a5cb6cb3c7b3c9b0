//! Bulk API 2.0: query and ingest jobs below `/services/data/vNN.0/jobs`; [`v1`] has Bulk API 1.0.
//!
//! A job is worked on as the org's clock runs: [`settle`] is called around every request to the data API and does
//! what has fallen due. With a processing time of zero (the default) a job is done when it is first looked at; with
//! a longer one, clients have to poll, and the rows of an ingest job are written little by little.
//! Facts are from the Bulk API 2.0 guide and recorded answers; where neither says what is right, the doc comment does.

mod create;
mod csv;
mod http;
mod ingest;
mod job;
mod list;
mod multipart;
mod query;
mod results;
mod rows;
mod settings;
pub(crate) mod v1;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use job::{Head, Job, State, Work};

pub(crate) use http::{MAX_UPLOAD, serve};
pub use settings::BulkSettings;
pub(crate) use settings::apply;

/// Jobs, and with them their results, are kept that long after they were made (limits guide).
const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// A job that was never closed is open for that long.
const OPEN: SignedDuration = SignedDuration::from_hours(24);
/// Rows in one of the batches that the org counts.
const BATCH: usize = 10_000;
/// Records of a page of results; the real number depends on the service.
const PAGE: usize = 50_000;
/// Part of the processing time, one in so many, that a job waits before it is begun.
const WAITS: i64 = 10;

/// All jobs of an org and its allowances for them.
#[derive(Debug)]
pub(crate) struct Bulk {
    jobs: BTreeMap<RecordId, Job>,
    active: BTreeSet<RecordId>,
    /// Jobs of Bulk API 1.0.
    v1: BTreeMap<RecordId, v1::AsyncJob>,
    /// From the hand-over of a job to its end.
    pub(crate) processing: Duration,
    /// Records of a page of results, unless the client asks for fewer or more.
    pub(crate) page: usize,
    /// Reasons why the next jobs fail, as the owner of the simulator ordered.
    pub(crate) failures: VecDeque<String>,
    /// Users with the permission "Bulk API Hard Delete"; nobody has it by default.
    pub(crate) hard_deleters: BTreeSet<RecordId>,
    pub(crate) query_jobs: Allowance,
    pub(crate) batches: Allowance,
    pub(crate) records: Allowance,
    pub(crate) result_kb: Allowance,
}

impl Default for Bulk {
    fn default() -> Self {
        Self {
            jobs: BTreeMap::new(),
            active: BTreeSet::new(),
            v1: BTreeMap::new(),
            processing: Duration::ZERO,
            page: PAGE,
            failures: VecDeque::new(),
            hard_deleters: BTreeSet::new(),
            query_jobs: Allowance::new(10_000),
            batches: Allowance::new(15_000),
            records: Allowance::new(150_000_000),
            result_kb: Allowance::new(1_000_000_000),
        }
    }
}

/// What may be used up in 24 hours of the org's clock.
#[derive(Debug)]
pub(crate) struct Allowance {
    pub(crate) max: u64,
    by_hour: BTreeMap<i64, u64>,
}

impl Allowance {
    fn new(max: u64) -> Self {
        Self { max, by_hour: BTreeMap::new() }
    }

    /// What is left now.
    pub(crate) fn left(&self, now: Timestamp) -> u64 {
        let hour = now.as_second().div_euclid(3_600);
        let used: u64 = self.by_hour.range(hour - 23..).map(|(_, used)| used).sum();
        self.max.saturating_sub(used)
    }

    /// Uses up so much, unless less is left.
    fn take(&mut self, now: Timestamp, amount: u64) -> bool {
        let fits = self.left(now) >= amount;
        if fits {
            let hour = now.as_second().div_euclid(3_600);
            self.by_hour.retain(|known, _| *known > hour - 24);
            *self.by_hour.entry(hour).or_default() += amount;
        }
        fits
    }
}

impl Bulk {
    fn add(&mut self, job: Job) {
        self.note(job.head.id, job.head.state);
        self.jobs.insert(job.head.id, job);
    }

    fn note(&mut self, id: RecordId, state: State) {
        if state.is_active() {
            self.active.insert(id);
        } else {
            self.active.remove(&id);
        }
    }

    /// Forgets what is too old to be kept.
    fn expire(&mut self, now: Timestamp) {
        let older = |head: &Head, than: SignedDuration| now.duration_since(head.created) > than;
        self.jobs.retain(|_, job| !older(&job.head, KEPT) || job.head.state.is_active());
        let heads = self.jobs.values_mut().map(|job| &mut job.head);
        for head in heads.filter(|head| head.state == State::Open && older(head, OPEN)) {
            head.enter(State::Aborted, now);
        }
    }
}

/// Does the work that has fallen due.
pub(crate) fn settle(org: &mut Org) {
    if org.bulk.jobs.is_empty() && org.bulk.v1.is_empty() {
        return;
    }
    let now = org.clock.now();
    v1::settle(org, now);
    let active: Vec<RecordId> = org.bulk.active.iter().copied().collect();
    for id in active {
        let Some(mut job) = org.bulk.jobs.remove(&id) else { continue };
        advance(org, &mut job, now);
        org.bulk.add(job);
    }
    org.bulk.expire(now);
}

/// Brings a job to where it stands at `now`.
fn advance(org: &mut Org, Job { head, work }: &mut Job, now: Timestamp) {
    let time = i64::try_from(org.bulk.processing.as_millis()).unwrap_or(i64::MAX);
    let (waits, waited) = (time / WAITS, now.as_millisecond() - head.queued.as_millisecond());
    if head.state == State::UploadComplete {
        if waited < waits {
            return;
        }
        head.enter(State::InProgress, now);
        if let Some(reason) = org.bulk.failures.pop_front() {
            return head.fail(reason, now);
        }
    }
    let is_due = waited >= time;
    let outcome = match work {
        Work::Ingest(ingest) => {
            let begun = head.queued.saturating_add(SignedDuration::from_millis(waits)).unwrap_or(head.queued);
            ingest_rows(org, head, ingest, (begun, now, time - waits))
        }
        Work::Query(query) if is_due => query.run(org, head),
        Work::Query(_) => Ok(()),
    };
    match outcome {
        Err(reason) => head.fail(reason, now),
        Ok(()) if is_due => head.enter(State::JobComplete, now),
        Ok(()) => {}
    }
}

/// Works off the rows that are due; the times are those of the beginning, of now, and how long all takes.
fn ingest_rows(
    org: &mut Org,
    job: &Head,
    ingest: &mut ingest::Ingest,
    (begun, now, time): (Timestamp, Timestamp, i64),
) -> Result<(), String> {
    let is_first = ingest.outcomes.is_empty();
    ingest.prepare(org, job)?;
    let rows = ingest.table.len();
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    if is_first && rows > 0 && !ingest.counted {
        ingest.counted = true;
        if !org.bulk.batches.take(now, count(rows.div_ceil(BATCH))) {
            return Err("ExceededQuota : ApiBatchItems Limit exceeded.".to_owned());
        }
        if !org.bulk.records.take(now, count(rows)) {
            return Err("ExceededQuota : ApiRecords Limit exceeded.".to_owned());
        }
    }
    ingest.work(org, job, ingest::share(rows, begun, now, time));
    Ok(())
}

/// Refuses a query job above the org's allowance, in the recorded words.
fn take_query_job(org: &mut Org) -> Result<(), ApiError> {
    let now = org.clock.now();
    let max = org.bulk.query_jobs.max;
    if org.bulk.query_jobs.take(now, 1) {
        return Ok(());
    }
    Err(ApiError::new("LIMIT_EXCEEDED", format!("Max bulk v2 query jobs ({max}) per 24 hrs has been reached")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allowance_comes_back_after_a_day() {
        let mut jobs = Allowance::new(2);
        let start = Timestamp::UNIX_EPOCH;
        assert!(jobs.take(start, 2) && !jobs.take(start, 1));
        assert_eq!(jobs.left(start + SignedDuration::from_hours(23)), 0);
        assert_eq!(jobs.left(start + SignedDuration::from_hours(24)), 2);
    }
}
