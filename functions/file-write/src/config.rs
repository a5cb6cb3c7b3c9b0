//! Configuration and dependencies.

use std::time::Duration;

use runtime::{Aws, Env, EnvError, Schemas};
use salesforce::Timeouts;
use store::StagedFiles;

/// The time limits of calls to Salesforce: an attempt sends the whole file. In a request, the end of the request is sooner.
const TIMEOUTS: Timeouts = Timeouts {
    attempt: Duration::from_secs(270),
    total: Duration::from_secs(20),
    // To look for a file whose response was lost, and to store the outcome.
    reserve: Duration::from_secs(5),
};

/// The function's configuration, from environment variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The variables of the ledger.
    pub ledger: writes::Config,
    /// `STAGED_FILES_BUCKET`: the contents that wait to be written.
    pub staged_files_bucket: String,
}

impl Config {
    /// Reads the configuration.
    ///
    /// # Errors
    /// A variable is missing or invalid.
    pub fn from_env(env: &Env) -> Result<Self, EnvError> {
        Ok(Self { ledger: writes::Config::from_env(env)?, staged_files_bucket: env.required("STAGED_FILES_BUCKET")? })
    }
}

/// The function's dependencies.
#[derive(Clone)]
pub struct Deps {
    /// The dependencies of the ledger, which include the Salesforce clients.
    pub ledger: writes::Deps,
    /// The contents that wait to be written.
    pub staged_files: StagedFiles,
    /// The objects of files as the connections' users see them.
    pub schemas: Schemas,
}

impl AsRef<writes::Deps> for Deps {
    fn as_ref(&self) -> &writes::Deps {
        &self.ledger
    }
}

impl Deps {
    /// Builds the dependencies of a deployed function.
    ///
    /// # Errors
    /// The machine has no usable TLS configuration.
    pub fn new(aws: &Aws, config: Config) -> Result<Self, salesforce::Error> {
        let mut ledger = writes::Deps::new(aws, config.ledger)?;
        ledger.salesforce = ledger.salesforce.with_timeouts(TIMEOUTS);
        Ok(Self {
            ledger,
            staged_files: StagedFiles::new(aws.s3(), config.staged_files_bucket),
            schemas: Schemas::default(),
        })
    }
}
