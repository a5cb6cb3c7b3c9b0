//! Configuration and dependencies.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use runtime::invoke::LambdaFunction;
use runtime::{Aws, ConnectionManager, Days, Env, EnvError};
use salesforce::Clock;
use store::{
    Connections, DeadLetters, ErasureTask, Erasures, OrgData, OrgTable, Orgs, Queue, Records, StagedFiles, Writes,
};

/// The function's configuration, from environment variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `ORGS_TABLE`.
    pub orgs_table: String,
    /// `CONNECTIONS_TABLE`.
    pub connections_table: String,
    /// `ERASURES_TABLE`: the erasures and their progress.
    pub erasures_table: String,
    /// `RECORDS_TABLE`, `PIPELINES_TABLE`, `CURSORS_TABLE`, `DELIVERIES_TABLE`, `WRITES_TABLE`,
    /// `WRITE_ORDER_TABLE`, `ORIGINS_TABLE`, `BUDGETS_TABLE`, `FRESHNESS_TABLE`, `AUTHORIZATIONS_TABLE`, `USERS_TABLE`,
    /// `ORG_SETTINGS_TABLE`, `AUDITS_TABLE`: the tables to erase.
    pub tables: BTreeMap<OrgTable, String>,
    /// `STAGED_FILES_BUCKET`: the contents of files that were not written to Salesforce yet.
    pub staged_files_bucket: String,
    /// `DATA_ERASURE_QUEUE_URL`: the function's own queue.
    pub data_erasure_queue_url: String,
    /// `DEAD_LETTER_QUEUE_URLS`: the dead-letter queues, separated by commas.
    pub dead_letter_queue_urls: Vec<String>,
    /// `DISCONNECTED_RETENTION_DAYS`: the days after which the data of a closed org are erased, 30 by default; 0 for never.
    pub disconnected_retention: Days,
    /// `CONNECTION_MANAGER_FUNCTION`: revokes what is left of an org's grants.
    pub connection_manager_function: String,
}

impl Config {
    /// Reads the configuration.
    ///
    /// # Errors
    /// A variable is missing or invalid.
    pub fn from_env(env: &Env) -> Result<Self, EnvError> {
        let tables = [
            (OrgTable::Records, env.required("RECORDS_TABLE")?),
            (OrgTable::Pipelines, env.required("PIPELINES_TABLE")?),
            (OrgTable::Cursors, env.required("CURSORS_TABLE")?),
            (OrgTable::Deliveries, env.required("DELIVERIES_TABLE")?),
            (OrgTable::Writes, env.required("WRITES_TABLE")?),
            (OrgTable::WriteOrder, env.required("WRITE_ORDER_TABLE")?),
            (OrgTable::Origins, env.required("ORIGINS_TABLE")?),
            (OrgTable::Budgets, env.required("BUDGETS_TABLE")?),
            (OrgTable::Freshness, env.required("FRESHNESS_TABLE")?),
            (OrgTable::Authorizations, env.required("AUTHORIZATIONS_TABLE")?),
            (OrgTable::Users, env.required("USERS_TABLE")?),
            (OrgTable::OrgSettings, env.required("ORG_SETTINGS_TABLE")?),
            (OrgTable::Audits, env.required("AUDITS_TABLE")?),
        ];
        Ok(Self {
            orgs_table: env.required("ORGS_TABLE")?,
            connections_table: env.required("CONNECTIONS_TABLE")?,
            erasures_table: env.required("ERASURES_TABLE")?,
            tables: tables.into(),
            staged_files_bucket: env.required("STAGED_FILES_BUCKET")?,
            data_erasure_queue_url: env.required("DATA_ERASURE_QUEUE_URL")?,
            dead_letter_queue_urls: env.list_or("DEAD_LETTER_QUEUE_URLS", "")?,
            disconnected_retention: env.parsed_or("DISCONNECTED_RETENTION_DAYS", Days(30))?,
            connection_manager_function: env.required("CONNECTION_MANAGER_FUNCTION")?,
        })
    }
}

/// The function's dependencies.
#[derive(Clone)]
pub struct Deps {
    /// The `orgs` table.
    pub orgs: Orgs,
    /// The `connections` table.
    pub connections: Connections,
    /// The erasures.
    pub erasures: Erasures,
    /// The tables to erase.
    pub data: OrgData,
    /// The mirror, for the erasure of one record.
    pub records: Records,
    /// The writes, for the erasure of one record.
    pub writes: Writes,
    /// The contents of files that were not written to Salesforce yet.
    pub staged_files: StagedFiles,
    /// The queue of erasures.
    pub tasks: Queue<ErasureTask>,
    /// The dead-letter queues.
    pub dead_letters: Vec<DeadLetters>,
    /// The time after which the data of a closed org are erased; `None` for never.
    pub disconnected_retention: Option<SignedDuration>,
    /// The function that revokes grants and deletes tokens.
    pub connection_manager: ConnectionManager,
    /// The clock.
    pub clock: Clock,
}

impl Deps {
    /// Builds the dependencies of a deployed function.
    #[must_use]
    pub fn new(aws: &Aws, config: Config) -> Self {
        let name_of = |table| config.tables.get(&table).cloned().unwrap_or_default();
        let dead_letters = config.dead_letter_queue_urls.iter().map(|url| DeadLetters::new(aws.sqs(), url));
        let retention = config.disconnected_retention;
        let manager = LambdaFunction::new(aws.lambda(), config.connection_manager_function);
        Self {
            orgs: Orgs::new(aws.dynamodb(), config.orgs_table),
            connections: Connections::new(aws.dynamodb(), config.connections_table),
            erasures: Erasures::new(aws.dynamodb(), config.erasures_table),
            data: OrgData::new(&aws.dynamodb(), name_of),
            records: Records::new(aws.dynamodb(), name_of(OrgTable::Records)).with_clock(aws.clock()),
            writes: Writes::new(aws.dynamodb(), name_of(OrgTable::Writes)),
            staged_files: StagedFiles::new(aws.s3(), config.staged_files_bucket),
            tasks: Queue::new(aws.sqs(), config.data_erasure_queue_url, aws.clock()),
            dead_letters: dead_letters.collect(),
            disconnected_retention: (retention.0 > 0).then(|| retention.duration()),
            connection_manager: ConnectionManager::new(manager),
            clock: aws.clock(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 19] = [
        "ORGS_TABLE",
        "CONNECTIONS_TABLE",
        "ERASURES_TABLE",
        "RECORDS_TABLE",
        "PIPELINES_TABLE",
        "CURSORS_TABLE",
        "DELIVERIES_TABLE",
        "WRITES_TABLE",
        "WRITE_ORDER_TABLE",
        "ORIGINS_TABLE",
        "BUDGETS_TABLE",
        "FRESHNESS_TABLE",
        "AUTHORIZATIONS_TABLE",
        "USERS_TABLE",
        "ORG_SETTINGS_TABLE",
        "AUDITS_TABLE",
        "STAGED_FILES_BUCKET",
        "DATA_ERASURE_QUEUE_URL",
        "CONNECTION_MANAGER_FUNCTION",
    ];

    fn env_without(missing: &'static str) -> Env {
        Env::new(move |name| (NAMES.contains(&name) && name != missing).then(|| name.to_lowercase()))
    }

    #[test]
    fn every_table_has_its_variable() {
        let config = Config::from_env(&env_without("")).unwrap();
        for table in OrgTable::ALL {
            assert_eq!(config.tables[&table], format!("{}_table", table.name()));
        }
    }

    #[test]
    fn every_variable_without_a_default_is_required() {
        for missing in NAMES {
            assert_eq!(Config::from_env(&env_without(missing)), Err(EnvError::Missing { name: missing }));
        }
    }
}
