//! Writes enhanced notes to Salesforce, each linked to several records, as the rep where the rep is connected.
//!
//! | | |
//! |---|---|
//! | trigger | HTTP API: `POST /v1/orgs/{org}/notes`, `GET` and `PATCH /v1/orgs/{org}/notes/{id}`; SQS for writes that had to wait |
//! | input | a title, a text or HTML, the records to link; an `Idempotency-Key`, perhaps the acting user (`?as=`) |
//! | output | the note's id; 202 where Salesforce is unavailable, and the write goes on from the queue |
//! | failures | an RFC 9457 problem; a queued write comes again until Salesforce answers, or ends among the dead letters |
//!
//! Salesforce gives notes no external id, so nothing there stops a second copy. [`creation`] is the rule that does: an
//! attempt that follows another one looks for its note (by link, title, time and text, see [`matching`]) before it creates.

pub mod creation;
mod http;
pub mod matching;
mod note;
mod read;
pub mod request;

use aws_lambda_events::sqs::SqsEvent;
use runtime::sqs::BatchReport;
use writes::Error;

pub use http::router;
pub use note::{NoteWork, Operation};
pub use writes::{Config, Deps};

/// Carries out queued writes of notes, one after the other. Those that have to wait longer are reported as failed.
///
/// # Errors
/// None: failures are reported in the response.
pub async fn handle(deps: &Deps, event: SqsEvent) -> Result<BatchReport, Error> {
    writes::handle::<NoteWork>(deps, event).await
}
