//! Errors that end a run before or between checks.

use std::path::PathBuf;

/// An error that is no result of a check.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No org was named.
    #[error(
        "could not choose an org: pass --org ALIAS or --simulator, or set CONTRACT_INSTANCE_URL and CONTRACT_ACCESS_TOKEN"
    )]
    NoTarget,
    /// The Salesforce CLI is not on the path.
    #[error(
        "could not run `sf`: the Salesforce CLI is not installed. Install it (https://developer.salesforce.com/tools/salesforcecli), \
         or set CONTRACT_INSTANCE_URL and CONTRACT_ACCESS_TOKEN instead of --org"
    )]
    NoSalesforceCli,
    /// The Salesforce CLI does not know the org or its session.
    #[error("could not read the org from the Salesforce CLI: {0}")]
    SalesforceCli(String),
    /// The org does not answer, or not as a Salesforce org does.
    #[error("could not read the org: {0}")]
    Org(String),
    /// The org is in production.
    #[error(
        "could not start: this is a production org ({edition}). The checks create and delete records in it; \
         use a sandbox or a Developer Edition, or pass --production-i-know"
    )]
    Production {
        /// `Organization.OrganizationType`.
        edition: String,
    },
    /// The simulator did not start.
    #[error("could not start the simulator: {0}")]
    Simulator(String),
    /// No check has this area or name.
    #[error("could not select checks: no area or check is named {0:?} (see --list)")]
    NoCheck(String),
    /// The state file is of another org.
    #[error("could not resume: {} was written for another org", .0.display())]
    OtherOrg(PathBuf),
    /// A file cannot be read or written.
    #[error("could not use {}: {reason}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The reason, in one clause.
        reason: String,
    },
    /// The HTTP client or its runtime cannot be built.
    #[error("could not make the HTTP client: {0}")]
    Client(String),
}
