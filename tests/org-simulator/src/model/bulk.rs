//! The jobs of the Bulk APIs and their daily limits.

pub(crate) mod columns;
pub(crate) mod csv;
pub(crate) mod ingest;
pub(crate) mod job;
pub(crate) mod listing;
pub(crate) mod query;
pub(crate) mod v1;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::model::bulk::job::{Head, Job, State};
use crate::model::ids::RecordId;
use crate::model::limits::Allowance;

/// The time after which a job and its results are deleted, counted from its creation (limits guide).
pub(crate) const RETENTION: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The time after which a job that was never closed is aborted.
const MAX_OPEN: SignedDuration = SignedDuration::from_hours(24);

/// Records in a page of results by default; the real number depends on the service.
const PAGE: usize = 50_000;

/// All Bulk API jobs of an org and their daily limits.
#[derive(Debug)]
pub(crate) struct Bulk {
    pub(crate) jobs: BTreeMap<RecordId, Job>,
    pub(crate) active: BTreeSet<RecordId>,
    /// Jobs of Bulk API 1.0.
    pub(crate) v1: BTreeMap<RecordId, v1::AsyncJob>,
    /// The time a job takes from `UploadComplete` to its end, by the org's clock.
    pub(crate) processing: Duration,
    /// Records of a page of results, unless the client asks for fewer or more.
    pub(crate) page: usize,
    /// Error messages with which the next jobs fail, set by a test.
    pub(crate) failures: VecDeque<String>,
    /// Users with the permission "Bulk API Hard Delete"; no user has it by default.
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

impl Bulk {
    pub(crate) fn add(&mut self, job: Job) {
        self.update_active(job.head.id, job.head.state);
        self.jobs.insert(job.head.id, job);
    }

    pub(crate) fn update_active(&mut self, id: RecordId, state: State) {
        if state.is_active() {
            self.active.insert(id);
        } else {
            self.active.remove(&id);
        }
    }

    /// Deletes the jobs that are older than the retention time and aborts those that stayed open too long.
    pub(crate) fn expire(&mut self, now: Timestamp) {
        let older = |head: &Head, than: SignedDuration| now.duration_since(head.created) > than;
        self.jobs.retain(|_, job| !older(&job.head, RETENTION) || job.head.state.is_active());
        let heads = self.jobs.values_mut().map(|job| &mut job.head);
        for head in heads.filter(|head| head.state == State::Open && older(head, MAX_OPEN)) {
            head.enter(State::Aborted, now);
        }
    }
}
