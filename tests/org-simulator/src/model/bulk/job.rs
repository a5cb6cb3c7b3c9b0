//! A Bulk API 2.0 job: its settings and its state.

use jiff::Timestamp;

use crate::model::actor::Actor;
use crate::model::bulk::csv::Format;
use crate::model::bulk::ingest::Ingest;
use crate::model::bulk::query::Query;
use crate::model::ids::RecordId;

/// The state of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Open,
    UploadComplete,
    InProgress,
    Aborted,
    JobComplete,
    Failed,
}

impl State {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Open => "Open",
            Self::UploadComplete => "UploadComplete",
            Self::InProgress => "InProgress",
            Self::Aborted => "Aborted",
            Self::JobComplete => "JobComplete",
            Self::Failed => "Failed",
        }
    }

    /// Returns whether the job has ended.
    pub(crate) fn is_final(self) -> bool {
        matches!(self, Self::Aborted | Self::JobComplete | Self::Failed)
    }

    /// Returns whether the org processes the job, or is about to.
    pub(crate) fn is_active(self) -> bool {
        matches!(self, Self::UploadComplete | Self::InProgress)
    }
}

/// The part of a job that depends on its kind.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    Ingest(Ingest),
    Query(Query),
}

/// The kind of a job. Query jobs and ingest jobs have resources of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ingest,
    Query,
}

impl Kind {
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Query => "query",
        }
    }

    pub(crate) fn job_type(self) -> &'static str {
        match self {
            Self::Ingest => "V2Ingest",
            Self::Query => "V2Query",
        }
    }
}

/// A Bulk API 2.0 job.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) head: Head,
    pub(crate) work: Work,
}

/// The properties that all jobs have.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) id: RecordId,
    pub(crate) actor: Actor,
    /// API version of the request that created the job, for example `66.0`.
    pub(crate) version: String,
    pub(crate) object: String,
    pub(crate) created: Timestamp,
    pub(crate) changed: Timestamp,
    /// The time at which the job entered `UploadComplete`.
    pub(crate) queued: Timestamp,
    pub(crate) state: State,
    pub(crate) format: Format,
    pub(crate) error: Option<String>,
    /// Milliseconds from `UploadComplete` to the end.
    pub(crate) took_ms: i64,
}

impl Head {
    /// Changes the state; `now` is the time of the change.
    pub(crate) fn enter(&mut self, state: State, now: Timestamp) {
        self.state = state;
        self.changed = now;
        if state.is_final() && self.queued <= now {
            self.took_ms = now.as_millisecond() - self.queued.as_millisecond();
        }
    }

    /// Ends the job as failed; the text is its `errorMessage`.
    pub(crate) fn fail(&mut self, error: impl Into<String>, now: Timestamp) {
        self.error = Some(error.into());
        self.enter(State::Failed, now);
    }
}

impl Job {
    pub(crate) fn kind(&self) -> Kind {
        match self.work {
            Work::Ingest(_) => Kind::Ingest,
            Work::Query(_) => Kind::Query,
        }
    }
}
