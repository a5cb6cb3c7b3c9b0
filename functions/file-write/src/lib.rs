//! Writes files to Salesforce, each linked to several records, as the rep where the rep is connected.
//!
//! | | |
//! |---|---|
//! | trigger | HTTP API: `POST /v1/orgs/{org}/files`, `POST /v1/orgs/{org}/file-uploads`; SQS for writes that had to wait or take longer than a request |
//! | input | a title, a file name, the content or the id of an upload, the records to link; an `Idempotency-Key`, optionally the acting user (`?as=`) |
//! | output | the ids of the file and the outcome of each link; 202 where the write continues from the queue; the address of an upload |
//! | failures | an RFC 9457 problem; a queued write is tried again until it is finished or failed, which an event tells |
//!
//! Every content is in the bucket of staged files before its write is accepted, and streams from there to Salesforce. Files have
//! no external id: an attempt that follows another one searches for the earlier file by its mark ([`matching`]), and creates one
//! only when no earlier request can take effect ([`writes::creation`]). The links follow the file ([`links`]).

mod config;
mod file;
mod http;
pub mod links;
pub mod matching;
pub mod request;
mod staged;

use aws_lambda_events::sqs::SqsEvent;
use runtime::sqs::BatchReport;
use writes::Error;

pub use config::{Config, Deps};
pub use file::FileWrite;
pub use http::router;

/// Carries out queued writes of files, one after the other. Those that have to wait longer are queued again.
///
/// # Errors
/// None: failures are reported in the response.
pub async fn handle(deps: &Deps, event: SqsEvent) -> Result<BatchReport, Error> {
    writes::handle::<FileWrite>(deps, event).await
}
