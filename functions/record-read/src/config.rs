//! What the function needs to know, and what it works with.

use runtime::{Aws, Env, EnvError, Salesforce};
use salesforce::Clock;
use store::{Apps, Budgets, Connections, Cursors, Orgs, Pipelines, Records};

use crate::changes::PollInterval;

/// The function's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `ORGS_TABLE`.
    pub orgs_table: String,
    /// `CONNECTIONS_TABLE`.
    pub connections_table: String,
    /// `CURSORS_TABLE`.
    pub cursors_table: String,
    /// `RECORDS_TABLE`.
    pub records_table: String,
    /// `PIPELINES_TABLE`.
    pub pipelines_table: String,
    /// `BUDGETS_TABLE`.
    pub budgets_table: String,
    /// `POLL_SCHEDULE`: how often polled orgs are polled, as `rate(15 minutes)`.
    pub poll_interval: PollInterval,
    /// `APPS_SECRET_ARN`: read, to see which app is the newest.
    pub apps_secret: String,
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// A variable is missing.
    pub fn from_env(env: &Env) -> Result<Self, EnvError> {
        Ok(Self {
            orgs_table: env.required("ORGS_TABLE")?,
            connections_table: env.required("CONNECTIONS_TABLE")?,
            cursors_table: env.required("CURSORS_TABLE")?,
            records_table: env.required("RECORDS_TABLE")?,
            pipelines_table: env.required("PIPELINES_TABLE")?,
            budgets_table: env.required("BUDGETS_TABLE")?,
            poll_interval: env.parsed_or("POLL_SCHEDULE", PollInterval::default())?,
            apps_secret: env.required("APPS_SECRET_ARN")?,
        })
    }
}

/// What the function works with.
#[derive(Clone)]
pub struct Deps {
    /// The orgs.
    pub orgs: Orgs,
    /// Their connections.
    pub connections: Connections,
    /// How far their scans have come.
    pub cursors: Cursors,
    /// The mirror.
    pub records: Records,
    /// Their pipelines.
    pub pipelines: Pipelines,
    /// Their calls.
    pub budgets: Budgets,
    /// How often polled orgs are polled.
    pub poll_interval: PollInterval,
    /// The app registrations.
    pub apps: Apps,
    /// The way to Salesforce.
    pub salesforce: Salesforce,
    /// The clock.
    pub clock: Clock,
}

impl Deps {
    /// The real ones.
    pub fn new(aws: &Aws, config: Config, salesforce: Salesforce) -> Self {
        let table = || aws.dynamodb();
        Self {
            orgs: Orgs::new(table(), config.orgs_table),
            connections: Connections::new(table(), config.connections_table),
            cursors: Cursors::new(table(), config.cursors_table),
            records: Records::new(table(), config.records_table),
            pipelines: Pipelines::new(table(), config.pipelines_table),
            budgets: Budgets::new(table(), config.budgets_table),
            poll_interval: config.poll_interval,
            apps: Apps::new(aws.secrets_manager(), config.apps_secret, aws.clock()),
            salesforce,
            clock: aws.clock(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 7] = [
        "ORGS_TABLE",
        "CONNECTIONS_TABLE",
        "CURSORS_TABLE",
        "RECORDS_TABLE",
        "PIPELINES_TABLE",
        "BUDGETS_TABLE",
        "APPS_SECRET_ARN",
    ];

    #[test]
    fn every_table_has_its_variable() {
        let given = |name: &str| if name == "POLL_SCHEDULE" { "rate(1 hour)".to_owned() } else { name.to_lowercase() };
        let config = Config::from_env(&Env::new(move |name| Some(given(name)))).unwrap();
        assert_eq!(config.cursors_table, "cursors_table");
        assert_eq!(Ok(config.poll_interval), "rate(60 minutes)".parse());
    }

    #[test]
    fn each_variable_is_needed() {
        for missing in NAMES {
            let env = Env::new(move |name| (name != missing && name != "POLL_SCHEDULE").then(|| name.to_owned()));
            assert_eq!(Config::from_env(&env), Err(EnvError::Missing { name: missing }));
        }
    }
}
