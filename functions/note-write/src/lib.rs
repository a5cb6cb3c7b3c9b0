//! Writes enhanced notes to Salesforce, each linked to several records, as the rep where the rep is connected.
//!
//! | | |
//! |---|---|
//! | trigger | HTTP API: notes, their links and versions, and the notes of a record; SQS for writes that had to wait |
//! | input | a title, a text, HTML or Markdown, the records to link; an `Idempotency-Key`, optionally the acting user (`?as=`) |
//! | output | the note's id; 202 where Salesforce is unavailable: the write continues from the queue |
//! | failures | an RFC 9457 problem; a queued write is tried again until it is finished or failed, which an event tells |
//!
//! Notes have no external id, so Salesforce does not prevent a second copy. [`writes::creation`] does: an attempt that follows another
//! one searches for the earlier note by its mark ([`matching`]), and creates one only when no earlier request can take effect.

mod change;
mod config;
mod create;
mod http;
pub mod matching;
mod note;
mod read;
pub mod request;

use aws_lambda_events::sqs::SqsEvent;
use runtime::sqs::BatchReport;
use writes::Error;

pub use config::Deps;
pub use http::router;
pub use note::{NoteWrite, Operation};
pub use writes::Config;

/// Carries out queued writes of notes, one after the other. Those that have to wait longer are queued again.
///
/// # Errors
/// None: failures are reported in the response.
pub async fn handle(deps: &Deps, event: SqsEvent) -> Result<BatchReport, Error> {
    writes::handle::<NoteWrite>(deps, event).await
}
