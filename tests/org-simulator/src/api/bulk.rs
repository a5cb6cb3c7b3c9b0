//! Bulk API 2.0: query and ingest jobs below `/services/data/vNN.0/jobs`; [`v1`] has Bulk API 1.0.
//!
//! Jobs progress with the org's clock: [`settle`] runs around every request to the data API and processes what is due.
//! With a processing time of zero (the default) a job has ended when it is first read; with a longer one, clients have
//! to poll, and the rows of an ingest job are written gradually. Facts are from the Bulk API 2.0 guide and recorded
//! responses; the doc comment says so where neither covers a case.

pub(crate) mod advance;
mod create;
mod http;
mod ingest;
mod job;
mod list;
mod multipart;
mod query;
mod results;
pub(crate) mod rows;
mod settings;
pub(crate) mod v1;
pub(crate) mod work;

pub(crate) use http::{MAX_UPLOAD, serve};
pub use settings::BulkSettings;
pub(crate) use settings::apply;
