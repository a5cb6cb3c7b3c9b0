//! Configuration and dependencies.

use runtime::{Aws, Env, EnvError};
use store::Origins;

/// The function's configuration, from environment variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The variables that every function that writes reads.
    pub ledger: writes::Config,
    /// `ORIGINS_TABLE`: records which changes of the mirror a write made.
    pub origins_table: String,
}

impl Config {
    /// Reads the configuration.
    ///
    /// # Errors
    /// A variable is missing or invalid.
    pub fn from_env(env: &Env) -> Result<Self, EnvError> {
        Ok(Self { ledger: writes::Config::from_env(env)?, origins_table: env.required("ORIGINS_TABLE")? })
    }
}

/// The function's dependencies.
#[derive(Clone)]
pub struct Deps {
    /// The ledger of writes, and the way to Salesforce.
    pub ledger: writes::Deps,
    /// The records that writes changed, so that `record-events` can mark their events as echoes.
    pub origins: Origins,
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
    /// This machine has no TLS.
    pub fn new(aws: &Aws, config: Config) -> Result<Self, salesforce::Error> {
        Ok(Self {
            ledger: writes::Deps::new(aws, config.ledger)?,
            origins: Origins::new(aws.dynamodb(), config.origins_table),
        })
    }
}
