//! Writes the platform's records to Salesforce, as the rep where the rep is connected.
//!
//! | | |
//! |---|---|
//! | trigger | HTTP API: `POST /v1/orgs/{org}/records/{object}`, `GET /v1/orgs/{org}/writes`, `GET /v1/orgs/{org}/writes/{id}`, `POST /v1/orgs/{org}/writes/{id}/retry`; SQS for writes that had to wait |
//! | input | 1 to 200 records with their external ids, an `Idempotency-Key`, optionally the acting user (`?as=`) |
//! | output | each record's outcome; 202 where Salesforce is unavailable or an earlier write of a record is unfinished: the write continues from the queue |
//! | failures | an RFC 9457 problem; a queued write is tried again until it is finished or failed, which an event tells |
//!
//! Four steps: [`batch`] parses and validates, `store::owner_policy` and `ownership` decide which connection writes and who
//! owns, `upsert` and `attempt` call Salesforce (`rows` decides which records are sent again) and publish what they changed
//! (`effects`), and the ledger (`writes`) stores the outcome. `operation` lists the operations.

mod attempt;
pub mod batch;
mod config;
mod effects;
mod hints;
mod http;
mod list;
mod operation;
mod origins;
mod ownership;
mod rows;
mod target;
mod upsert;
mod writable;

use aws_lambda_events::sqs::SqsEvent;
use runtime::sqs::BatchReport;
use writes::Error;

pub use config::{Config, Deps, Targets};
pub use http::router;
pub use operation::RecordWrite;
pub use upsert::Upsert;
pub use writable::WritableObjects;

/// Carries out queued upserts, one after the other. Those that have to wait longer are queued again.
///
/// # Errors
/// None: failures are reported in the response.
pub async fn handle(deps: &Deps, event: SqsEvent) -> Result<BatchReport, Error> {
    writes::handle::<RecordWrite>(deps, event).await
}
