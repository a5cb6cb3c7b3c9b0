//! A job of Bulk API 1.0 and its batches.

use crate::model::bulk::job::{Job, State};

/// Whether a job takes more batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JobState {
    Open,
    Closed,
    Aborted,
}

impl JobState {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Open => "Open",
            Self::Closed => "Closed",
            Self::Aborted => "Aborted",
        }
    }
}

/// One job; each of its batches is worked on as an ingest job of its own.
#[derive(Debug)]
pub(crate) struct AsyncJob {
    /// What every batch begins as; its head is the job's.
    pub(crate) template: Job,
    pub(crate) state: JobState,
    pub(crate) batches: Vec<Job>,
}

impl AsyncJob {
    pub(crate) fn count(&self, state: State) -> usize {
        self.batches.iter().filter(|batch| batch.head.state == state).count()
    }
}
