//! Writes the platform's records to Salesforce, as the rep where the rep is connected.
//!
//! | | |
//! |---|---|
//! | trigger | HTTP API: `POST /v1/orgs/{org}/records/{object}` and `POST /v1/orgs/{org}/records`, `DELETE .../records/{object}/{id}`, `POST .../{id}/undelete` and `.../merge`, `POST /v1/orgs/{org}/leads/{id}/convert`, `GET /v1/orgs/{org}/writes` and `.../writes/{id}`, `POST .../writes/{id}/retry`; SQS for writes that had to wait |
//! | input | 1 to 200 records with their external ids or client keys, or one record to delete, restore, merge or convert; an `Idempotency-Key`, optionally the acting user (`?as=`) |
//! | output | each record's outcome; 202 where Salesforce is unavailable or an earlier write of a record is unfinished: the write continues from the queue |
//! | failures | an RFC 9457 problem; a queued write is tried again until it is finished or failed, which an event tells |
//!
//! Five steps: [`batch`] parses and validates, `store::owner_policy` and `ownership` decide which connection writes and who
//! owns, `check` compares the records with the object as the connection's user sees it (`metadata`), `upsert` and `attempt`, or
//! [`create`] for records without an external id, call Salesforce (`rows` decides which records are sent again) and publish what
//! they changed (`effects`), and the ledger (`writes`) stores the outcome. `graph` writes records of several objects, and
//! `duplicates` decides about records that duplicate rules found. Operations on single records (`delete`, `merge`, `convert`) are
//! checked by `access`, and sent by `decided`. `operation` lists the operations. With `?dry_run=true` `plan` says what would
//! happen, and nothing is written or stored.

mod access;
mod adoption;
mod age;
mod attempt;
pub mod batch;
mod check;
mod config;
mod convert;
pub mod create;
mod decided;
mod delete;
mod deleted;
mod duplicates;
mod effects;
mod graph;
mod hints;
mod http;
mod list;
mod merge;
mod metadata;
mod operation;
mod origins;
mod ownership;
mod plan;
mod rows;
mod target;
mod upsert;
mod writable;

use aws_lambda_events::sqs::SqsEvent;
use runtime::sqs::BatchReport;
use writes::Error;

pub use config::{Config, Deps};
pub use convert::ConvertLead;
pub use create::Create;
pub use delete::{Delete, Undelete};
pub use duplicates::Duplicates;
pub use graph::{Graph, GraphRecord, GraphRequest};
pub use http::router;
pub use merge::MergeRecords;
pub use metadata::Metadata;
pub use operation::RecordWrite;
pub use plan::RecordsPlan;
pub use upsert::Upsert;
pub use writable::WritableObjects;

/// Carries out queued upserts, one after the other. Those that have to wait longer are queued again.
///
/// # Errors
/// None: failures are reported in the response.
pub async fn handle(deps: &Deps, event: SqsEvent) -> Result<BatchReport, Error> {
    writes::handle::<RecordWrite>(deps, event).await
}
