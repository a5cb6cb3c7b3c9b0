//! Configuration and dependencies.

use runtime::{Aws, Days, Env, EnvError};
use salesforce::Clock;
use store::{ChangeHint, Deliveries, Orgs, Queue, RefreshTask};

/// The function's configuration, from environment variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `ORGS_TABLE`: read, to check that the org is active.
    pub orgs_table: String,
    /// `DELIVERIES_TABLE`: the ledger of deliveries.
    pub deliveries_table: String,
    /// `DELIVERY_RETENTION_DAYS`: the days for which a delivery is stored; 14 by default.
    pub delivery_retention: Days,
    /// `RECORD_UPSERT_QUEUE_URL`: the queue of hints.
    pub record_upsert_queue_url: String,
    /// `PIPELINE_REFRESH_QUEUE_URL`: the queue of refresh tasks, for events that do not list all records.
    pub pipeline_refresh_queue_url: String,
}

impl Config {
    /// Reads the configuration.
    ///
    /// # Errors
    /// A variable is missing or invalid.
    pub fn from_env(env: &Env) -> Result<Self, EnvError> {
        Ok(Self {
            orgs_table: env.required("ORGS_TABLE")?,
            deliveries_table: env.required("DELIVERIES_TABLE")?,
            delivery_retention: env.parsed_or("DELIVERY_RETENTION_DAYS", Days(14))?,
            record_upsert_queue_url: env.required("RECORD_UPSERT_QUEUE_URL")?,
            pipeline_refresh_queue_url: env.required("PIPELINE_REFRESH_QUEUE_URL")?,
        })
    }
}

/// The function's dependencies.
#[derive(Clone, Debug)]
pub struct Deps {
    /// The `orgs` table.
    pub orgs: Orgs,
    /// The ledger of deliveries.
    pub deliveries: Deliveries,
    /// The queue of hints.
    pub hints: Queue<ChangeHint>,
    /// The queue of refresh tasks.
    pub refreshes: Queue<RefreshTask>,
    /// The clock.
    pub clock: Clock,
}

impl Deps {
    /// Builds the dependencies of a deployed function.
    #[must_use]
    pub fn new(aws: &Aws, config: Config) -> Self {
        Self {
            orgs: Orgs::new(aws.dynamodb(), config.orgs_table),
            deliveries: Deliveries::new(aws.dynamodb(), config.deliveries_table)
                .with_retention(config.delivery_retention.duration()),
            hints: Queue::new(aws.sqs(), config.record_upsert_queue_url, aws.clock()),
            refreshes: Queue::new(aws.sqs(), config.pipeline_refresh_queue_url, aws.clock()),
            clock: aws.clock(),
        }
    }
}
