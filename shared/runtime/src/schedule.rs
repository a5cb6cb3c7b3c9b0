//! The events and responses of a function that a queue and schedules invoke.

use aws_lambda_events::sqs::SqsEvent;
use serde::{Deserialize, Serialize};

use crate::sqs::BatchReport;
use crate::{Outcome, Report};

/// The events that invoke the function. Any other event is refused, so that a test event from the console starts nothing.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Event<Kind> {
    /// Tasks from the queue.
    Tasks(SqsEvent),
    /// A schedule of the template.
    Schedule(Schedule<Kind>),
}

/// The input of a schedule: `{"kind": "nightly"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule<Kind> {
    /// The work to start.
    pub kind: Kind,
}

/// The function's response.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Reply<Scheduled> {
    /// To the queue: the tasks to retry.
    Tasks(BatchReport),
    /// To a schedule: what was started.
    Schedule(Scheduled),
}

impl<Scheduled: Report> Report for Reply<Scheduled> {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Tasks(report) => report.outcome(),
            Self::Schedule(scheduled) => scheduled.outcome(),
        }
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        match self {
            Self::Tasks(report) => report.counts(),
            Self::Schedule(scheduled) => scheduled.counts(),
        }
    }

    fn samples(&self) -> Vec<(&'static str, Vec<u64>)> {
        match self {
            Self::Tasks(report) => report.samples(),
            Self::Schedule(scheduled) => scheduled.samples(),
        }
    }
}
