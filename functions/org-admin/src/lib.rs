//! Sets how an org is mirrored, and starts work on it.
//!
//! | | |
//! |---|---|
//! | trigger | HTTP API: `GET` and `PUT /v1/orgs/{org}/settings`, `GET /v1/orgs/{org}/settings/history`, `GET` and `POST /v1/orgs/{org}/audits`, `GET` and `POST /v1/orgs/{org}/backfills`; direct invocation by `cargo ferry settings import` and `cargo ferry backfill` |
//! | input | the settings of an org, and the version that the caller has seen; an object to audit or to copy again |
//! | output | the settings, with their version, their author and what they changed; the reports of audits, and audits in the queue `pipeline-refresh`; the progress of backfills, and backfills in the queue `backfill` |
//! | failures | an RFC 9457 problem that lists every defect of the settings |
//!
//! [`check`] says which settings an org accepts. The backfills that follow a change are queued before it is stored:
//! of the objects that are new, or have other fields or another filter.

mod audits;
mod backfills;
pub mod check;
mod config;
mod error;
#[cfg(test)]
mod error_texts;
mod http;
mod objects;
mod operator;
mod settings;
mod views;

pub use config::{Config, Deps};
pub use error::Error;
pub use http::router;
pub use operator::{Operation, Reply, operate};
