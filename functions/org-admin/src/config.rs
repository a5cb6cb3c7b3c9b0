//! Configuration and dependencies.

use runtime::{Aws, DEFAULT_MIRRORED_OBJECTS, Env, EnvError, Salesforce, SalesforceConfig, Schemas};
use salesforce::{Clock, ObjectName};
use store::{Audits, Budgets, Cursors, OrgSettingsTable, Orgs, Queue, RefreshTask};

/// The function's configuration, from environment variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `ORGS_TABLE`.
    pub orgs_table: String,
    /// `ORG_SETTINGS_TABLE`.
    pub org_settings_table: String,
    /// `BUDGETS_TABLE`: the orgs' API calls.
    pub budgets_table: String,
    /// `AUDITS_TABLE`: the reports of audits.
    pub audits_table: String,
    /// `CURSORS_TABLE`: the progress of backfills.
    pub cursors_table: String,
    /// `BACKFILL_QUEUE_URL`: the queue of backfills.
    pub backfill_queue_url: String,
    /// `PIPELINE_REFRESH_QUEUE_URL`: the queue of nightly tasks.
    pub pipeline_refresh_queue_url: String,
    /// `MIRRORED_OBJECTS`: the objects that are mirrored in an org without settings of its own.
    pub mirrored_objects: Vec<ObjectName>,
    /// `TOKEN_BROKER_FUNCTION`, `SALESFORCE_API_VERSION`, `SALESFORCE_HOSTS`.
    pub salesforce: SalesforceConfig,
}

impl Config {
    /// Reads the configuration.
    ///
    /// # Errors
    /// A variable is missing or invalid.
    pub fn from_env(env: &Env) -> Result<Self, EnvError> {
        Ok(Self {
            orgs_table: env.required("ORGS_TABLE")?,
            org_settings_table: env.required("ORG_SETTINGS_TABLE")?,
            budgets_table: env.required("BUDGETS_TABLE")?,
            audits_table: env.required("AUDITS_TABLE")?,
            cursors_table: env.required("CURSORS_TABLE")?,
            backfill_queue_url: env.required("BACKFILL_QUEUE_URL")?,
            pipeline_refresh_queue_url: env.required("PIPELINE_REFRESH_QUEUE_URL")?,
            mirrored_objects: env.list_or("MIRRORED_OBJECTS", DEFAULT_MIRRORED_OBJECTS)?,
            salesforce: SalesforceConfig::from_env(env)?,
        })
    }
}

/// The function's dependencies.
#[derive(Clone)]
pub struct Deps {
    /// The `orgs` table.
    pub orgs: Orgs,
    /// The settings of orgs.
    pub settings: OrgSettingsTable,
    /// The orgs' API calls.
    pub budgets: Budgets,
    /// The reports of audits.
    pub audits: Audits,
    /// The progress of backfills.
    pub cursors: Cursors,
    /// The queue of backfills.
    pub backfills: Queue<RefreshTask>,
    /// The queue of nightly tasks.
    pub refreshes: Queue<RefreshTask>,
    /// The objects that are mirrored in an org without settings of its own.
    pub mirrored_objects: Vec<ObjectName>,
    /// Salesforce clients for each connection.
    pub salesforce: Salesforce,
    /// The objects as the connections' users see them.
    pub schemas: Schemas,
    /// The clock.
    pub clock: Clock,
}

impl Deps {
    /// Builds the dependencies of a deployed function.
    ///
    /// # Errors
    /// The machine has no usable TLS configuration.
    pub fn new(aws: &Aws, config: Config) -> Result<Self, salesforce::Error> {
        Ok(Self {
            orgs: Orgs::new(aws.dynamodb(), config.orgs_table),
            settings: OrgSettingsTable::new(aws.dynamodb(), config.org_settings_table),
            budgets: Budgets::new(aws.dynamodb(), config.budgets_table),
            audits: Audits::new(aws.dynamodb(), config.audits_table),
            cursors: Cursors::new(aws.dynamodb(), config.cursors_table),
            backfills: Queue::new(aws.sqs(), config.backfill_queue_url, aws.clock()),
            refreshes: Queue::new(aws.sqs(), config.pipeline_refresh_queue_url, aws.clock()),
            mirrored_objects: config.mirrored_objects,
            salesforce: Salesforce::from_config(aws, config.salesforce)?,
            schemas: Schemas::default(),
            clock: aws.clock(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 8] = [
        "ORGS_TABLE",
        "ORG_SETTINGS_TABLE",
        "BUDGETS_TABLE",
        "AUDITS_TABLE",
        "CURSORS_TABLE",
        "BACKFILL_QUEUE_URL",
        "PIPELINE_REFRESH_QUEUE_URL",
        "TOKEN_BROKER_FUNCTION",
    ];

    fn env_without(missing: &'static str) -> Env {
        Env::new(move |name| (NAMES.contains(&name) && name != missing).then(|| name.to_lowercase()))
    }

    #[test]
    fn every_variable_without_a_default_is_required() {
        assert_eq!(Config::from_env(&env_without("")).unwrap().org_settings_table, "org_settings_table");
        for missing in NAMES {
            assert_eq!(Config::from_env(&env_without(missing)), Err(EnvError::Missing { name: missing }));
        }
    }
}
