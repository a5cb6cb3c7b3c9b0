//! A job of Bulk API 1.0 and its batches.

use crate::model::bulk::job::{Job, State};

/// The state of a Bulk API 1.0 job.
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

/// A Bulk API 1.0 job; each of its batches is processed as an ingest job of its own.
#[derive(Debug)]
pub(crate) struct AsyncJob {
    /// The job from which each batch is made; its head describes the whole job.
    pub(crate) template: Job,
    pub(crate) state: JobState,
    pub(crate) batches: Vec<Job>,
}

impl AsyncJob {
    pub(crate) fn count(&self, state: State) -> usize {
        self.batches.iter().filter(|batch| batch.head.state == state).count()
    }
}
