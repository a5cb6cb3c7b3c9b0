//! Keeps pipelines and mirror complete whatever the webhooks missed: the first copy of an org, and everything that changed
//! since. Beside that it sees to the org's connections, so that none of them dies of idleness.
//!
//! | | |
//! |---|---|
//! | trigger | the schedules, by night, by the hour and for polls; the `pipeline-refresh` queue, one task an org |
//! | input | from a schedule which one it is; from the queue which org, and which object if not all |
//! | output | from the schedule one task an active or polled org; from the queue the org's pipelines, and rows of the mirror, tombstones among them |
//! | failures | a task comes again while a retry can help; each object goes on from its own checkpoint |
//!
//! The rows of a page are stored before the cursor moves past them, and nothing but a complete page moves it (invariant 13
//! of `ARCHITECTURE.md`). Work that does not fit into one invocation is put away in the cursors and queued again, object
//! by object (invariant 14).

mod config;
mod error;
#[cfg(test)]
mod error_texts;
mod object;
mod org;
pub mod pipelines;
pub mod progress;
mod run;
pub mod scan;
mod schedule;
pub mod selection;
mod tasks;
mod upkeep;

use aws_lambda_events::sqs::SqsEvent;
use jiff::Timestamp;
use runtime::Report;
use runtime::sqs::BatchReport;
use serde::{Deserialize, Serialize};

pub use config::{Config, Deps};
pub use error::Error;
pub use object::{ObjectReport, Outcome};
pub use run::Stop;
pub use schedule::Scheduled;

/// What the function is invoked with.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Event {
    /// Tasks from the queue.
    Tasks(SqsEvent),
    /// A schedule.
    Schedule(Schedule),
}

/// What a schedule says.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Schedule {
    /// What is asked of which orgs. By default all that the night does.
    #[serde(default)]
    pub kind: ScheduleKind,
}

/// What a schedule asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleKind {
    /// Every active org: everything that the night does.
    #[default]
    Nightly,
    /// Every active org: its records again from the beginning.
    Backfill,
    /// Every active org: what its connections need by the hour.
    Connections,
    /// Every active org that is polled: what changed since the last time.
    Poll,
}

/// What the function answers.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Reply {
    /// To the queue: which tasks come again.
    Tasks(BatchReport),
    /// To the schedule: how many tasks were queued.
    Schedule(Scheduled),
}

impl Report for Reply {
    fn outcome(&self) -> runtime::Outcome {
        match self {
            Self::Tasks(answer) => answer.outcome(),
            Self::Schedule(scheduled) => scheduled.outcome(),
        }
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        match self {
            Self::Tasks(answer) => answer.counts(),
            Self::Schedule(scheduled) => scheduled.counts(),
        }
    }
}

/// Queues the night's tasks, or works on one; puts its work away in time for `deadline`, when the invocation ends.
///
/// # Errors
/// The night's tasks could not be queued. What failed of a task is in the answer.
pub async fn handle(deps: &Deps, event: Event, deadline: Timestamp) -> Result<Reply, Error> {
    match event {
        Event::Schedule(Schedule { kind }) => schedule::handle(deps, kind, deadline).await.map(Reply::Schedule),
        Event::Tasks(event) => Ok(Reply::Tasks(tasks::handle(deps, event, deadline).await)),
    }
}
