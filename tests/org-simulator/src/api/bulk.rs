//! Bulk API 2.0: query and ingest jobs below `/services/data/vNN.0/jobs`; [`v1`] has Bulk API 1.0.
//!
//! A job is worked on as the org's clock runs: [`settle`] is called around every request to the data API and does
//! what has fallen due. With a processing time of zero (the default) a job is done when it is first looked at; with
//! a longer one, clients have to poll, and the rows of an ingest job are written little by little.
//! Facts are from the Bulk API 2.0 guide and recorded answers; where neither says what is right, the doc comment does.

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
