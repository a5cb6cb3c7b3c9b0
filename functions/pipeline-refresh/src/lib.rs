//! Keeps pipelines and the mirror complete: the nightly refresh, backfills, polls, and the upkeep of connections.
//!
//! | | |
//! |---|---|
//! | trigger | the schedules (nightly, hourly, polls); the queues `pipeline-refresh`, `backfill` and `frequent-refresh`, one task for each org |
//! | input | from a schedule its kind; from the queue the org, and an object where the task is about one only |
//! | output | for a schedule one task for each active or polled org; for a task the org's pipelines, and rows of the mirror, tombstones among them |
//! | failures | a failed task is queued again with a growing delay while a retry can help, and becomes a dead letter when it makes no progress for long; each object goes on from its own checkpoint, and its cursor says why it is not up to date |
//!
//! The cursor moves past a page only after the rows of the complete page are stored (invariant 13 of `ARCHITECTURE.md`).
//! Work that does not fit into one invocation leaves a checkpoint in the cursors and is queued again, object by object
//! (invariant 14).

pub mod audit;
pub mod backfill;
mod budget_warnings;
pub mod computed;
mod config;
pub mod deletions;
mod error;
#[cfg(test)]
mod error_texts;
mod fields;
mod id_ranges;
mod left_out;
mod limits;
pub mod next;
mod object;
mod org;
pub mod org_schedule;
mod overdue;
pub mod pipelines;
pub mod progress;
mod query_jobs;
mod queues;
mod reading;
pub mod removal;
mod run;
pub mod scan;
mod schedule;
pub mod selection;
mod storing;
mod tasks;
mod upkeep;

use jiff::Timestamp;
use runtime::schedule::Schedule;
use serde::Deserialize;

pub use config::{Config, Deps, NightlyAudit};
pub use error::Error;
pub use object::{ObjectReport, Outcome};
pub use queues::Queues;
pub use run::Stop;
pub use schedule::Scheduled;

/// The events that invoke the function.
pub type Event = runtime::schedule::Event<ScheduleKind>;
/// The function's response: to the queue the tasks to retry, to a schedule the number of queued tasks.
pub type Reply = runtime::schedule::Reply<Scheduled>;

/// The tasks that a schedule queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleKind {
    /// For every active org: pipelines, changed and deleted records, and the upkeep of connections.
    Nightly,
    /// For every active org: all records, read from the beginning.
    Backfill,
    /// For every active org: the upkeep of connections that cannot wait for the night.
    Connections,
    /// For every polled org: records that changed since the last refresh.
    Poll,
}

/// Queues a schedule's tasks, or works on tasks until shortly before `deadline`, when the invocation ends.
///
/// # Errors
/// A schedule's tasks could not be queued. Failures of a task are in the response.
pub async fn handle(deps: &Deps, event: Event, deadline: Timestamp) -> Result<Reply, Error> {
    match event {
        Event::Schedule(Schedule { kind }) => schedule::handle(deps, kind, deadline).await.map(Reply::Schedule),
        Event::Tasks(event) => Ok(Reply::Tasks(tasks::handle(deps, event, deadline).await)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(event: serde_json::Value) -> Option<Event> {
        serde_json::from_value(event).ok()
    }

    #[test]
    fn each_schedule_names_its_kind() {
        for (kind, expected) in [
            ("nightly", ScheduleKind::Nightly),
            ("backfill", ScheduleKind::Backfill),
            ("connections", ScheduleKind::Connections),
            ("poll", ScheduleKind::Poll),
        ] {
            let Some(Event::Schedule(schedule)) = parse(json!({ "kind": kind })) else { panic!("{kind} is refused") };
            assert_eq!(schedule.kind, expected);
        }
    }

    #[test]
    fn an_unknown_event_is_refused() {
        for event in [
            json!({}),
            json!({ "key1": "value1", "key2": "value2" }),
            json!({ "kind": "weekly" }),
            json!({ "kind": "nightly", "org": "00D5e000000KQ2eEAG" }),
            json!({ "Records": "none" }),
            json!({ "version": "0", "detail-type": "Scheduled Event", "source": "aws.events", "detail": {} }),
            json!([]),
            json!("nightly"),
        ] {
            let parsed = parse(event.clone());
            assert!(parsed.is_none(), "{event} is taken for {parsed:?}");
        }
    }
}
