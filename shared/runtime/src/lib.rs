//! The runtime of every function: configuration, logs, AWS clients, events, HTTP problems, and the client of the token broker.
//!
//! A `main` starts the process, reads its configuration, and serves:
//!
//! ```no_run
//! use runtime::{BoxError, CallerRules, Env, Guard, TenantOrg};
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), BoxError> {
//!     let aws = runtime::start("record-read").await?;
//!     let orgs = store::Orgs::new(aws.dynamodb(), Env::process().required("ORGS_TABLE")?);
//!     let guard = Guard::new(orgs, CallerRules::from_env(&Env::process())?);
//!     let show = axum::routing::get(async |TenantOrg(org): TenantOrg| org.org_id.to_string());
//!     let router = axum::Router::new().route("/v1/orgs/{org}", show);
//!     runtime::serve_http(aws.clock(), guard.protect(router)).await
//! }
//! ```

mod api_calls;
mod audit_view;
mod aws;
mod backfill_view;
mod budget_view;
mod cache;
pub mod caller;
mod chain;
mod closing_line;
mod cursor;
mod diagnostic;
mod env;
mod error;
#[cfg(test)]
mod error_texts;
pub mod exposed;
pub mod failures;
mod faults;
pub mod guard;
pub mod http;
pub mod http_event;
pub mod invoke;
mod measured;
pub mod problem;
mod report;
mod salesforce_access;
pub mod schedule;
mod schema;
mod serve;
pub mod sqs;
mod start;
pub mod token_broker;
mod users;

pub use api_calls::record_api_calls;
pub use audit_view::AuditView;
pub use aws::Aws;
pub use backfill_view::{BackfillState, BackfillView};
pub use budget_view::BudgetView;
pub use cache::Cache;
pub use caller::{Caller, CallerRules};
pub use chain::Chain;
pub use cursor::{InvalidCursor, ListId};
pub use diagnostic::diagnostic;
pub use env::{DEFAULT_MIRRORED_OBJECTS, Days, Env, EnvError};
pub use error::Error;
pub use guard::{Guard, GuardedRouter, TenantOrg};
pub use http_event::ClientCertificate;
pub use measured::record_freshness;
pub use problem::{Defect, DefectCode, Problem, ProblemCode};
pub use report::{Outcome, Report};
pub use salesforce_access::{Salesforce, SalesforceConfig, host_policy};
pub use schema::{Schema, Schemas};
pub use serve::{serve_both, serve_both_until, serve_events, serve_events_until, serve_http};
pub use start::start;
pub use token_broker::{AppList, ConnectionManager, TokenBroker};
pub use users::{Criterion, Users};

/// An error of a `main`.
pub type BoxError = lambda_runtime::Error;
