//! Erases the data of an org, or of one person in it. The only function that may delete rows of the mirror.
//!
//! | | |
//! |---|---|
//! | trigger | HTTP API: `DELETE /v1/orgs/{org}/data`, `POST` and `GET` below `/v1/orgs/{org}/erasures`; SQS, one task for each erasure; a nightly schedule |
//! | input | an org that is not active; or a contact or lead of any org |
//! | output | 202 with the erasure; its progress, the number of deleted rows in each table, and what is left |
//! | failures | an RFC 9457 problem; a task is retried, goes on from its checkpoint, and in the end becomes a dead letter |
//!
//! [`steps`] says which tables are erased and in which order; `work` deletes them page by page. After each page the place is
//! stored, so that a killed function loses no more than one page, which is then deleted again. Work that does not fit into
//! one invocation is queued again.
//!
//! An org is erased 16 minutes after the request: by then every invocation has ended that began while the org was active
//! and could store rows. An org that is connected again keeps the rest of its data.
//!
//! A deletion makes no event: `record-events` publishes rows, not their removal.

mod config;
mod error;
#[cfg(test)]
mod error_texts;
mod http;
pub mod schedule;
pub mod steps;
mod views;
mod work;

use jiff::Timestamp;
use runtime::schedule::Schedule;
use serde::Deserialize;

pub use config::{Config, Deps};
pub use error::Error;
pub use http::router;
pub use schedule::Scheduled;

/// The events that invoke the function, beside requests.
pub type Event = runtime::schedule::Event<ScheduleKind>;
/// The function's response to an event: to the queue the tasks to retry, to the schedule the number of started erasures.
pub type Reply = runtime::schedule::Reply<Scheduled>;

/// The work that the schedule starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleKind {
    /// The erasure of every org that has been closed for longer than the retention.
    Nightly,
}

/// Works on tasks until shortly before `deadline`, when the invocation ends, or starts the erasures of the schedule.
///
/// # Errors
/// The orgs could not be listed. Failures of a task are in the response.
pub async fn handle(deps: &Deps, event: Event, deadline: Timestamp) -> Result<Reply, Error> {
    match event {
        Event::Schedule(Schedule { kind: ScheduleKind::Nightly }) => schedule::handle(deps).await.map(Reply::Schedule),
        Event::Tasks(event) => Ok(Reply::Tasks(work::handle(deps, event, deadline).await)),
    }
}
