//! Configuration and dependencies.

use mirroring::{FieldCache, MirroredFields};
use runtime::{Aws, Env, EnvError, Salesforce, SalesforceConfig};
use salesforce::Clock;
use store::{Budgets, ChangeHint, Deliveries, Queue, Records};

use crate::org_backoff::OrgBackoff;

/// The function's configuration, from environment variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `RECORDS_TABLE`: the mirror.
    pub records_table: String,
    /// `DELIVERIES_TABLE`: the ledger of deliveries.
    pub deliveries_table: String,
    /// `BUDGETS_TABLE`: the orgs' API calls.
    pub budgets_table: String,
    /// `RECORD_UPSERT_QUEUE_URL`: the queue of hints; deferred hints are sent to it again.
    pub record_upsert_queue_url: String,
    /// `DEAD_LETTERS_QUEUE_URL`: the queue of dead letters.
    pub dead_letters_queue_url: String,
    /// `MIRRORED_FIELDS`: the fields to mirror, by object: `Account:Name,Industry;Contact:Email`. An object that is not listed is
    /// mirrored with all of its fields.
    pub mirrored_fields: MirroredFields,
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
            records_table: env.required("RECORDS_TABLE")?,
            deliveries_table: env.required("DELIVERIES_TABLE")?,
            budgets_table: env.required("BUDGETS_TABLE")?,
            record_upsert_queue_url: env.required("RECORD_UPSERT_QUEUE_URL")?,
            dead_letters_queue_url: env.required("DEAD_LETTERS_QUEUE_URL")?,
            mirrored_fields: env.parsed_or("MIRRORED_FIELDS", MirroredFields::default())?,
            salesforce: SalesforceConfig::from_env(env)?,
        })
    }
}

/// The function's dependencies.
pub struct Deps {
    /// Salesforce clients for each connection.
    pub salesforce: Salesforce,
    /// The mirror.
    pub records: Records,
    /// The ledger of deliveries.
    pub deliveries: Deliveries,
    /// The orgs' API calls.
    pub budgets: Budgets,
    /// The queue of hints.
    pub hints: Queue<ChangeHint>,
    /// The queue of dead letters.
    pub dead_letters: Queue<ChangeHint>,
    /// The clock.
    pub clock: Clock,
    /// The fields of each object, cached by this execution environment.
    pub fields: FieldCache,
    /// The orgs that are left alone for a while, cached by this execution environment.
    pub org_backoff: OrgBackoff,
}

impl Deps {
    /// Builds the dependencies of a deployed function.
    ///
    /// # Errors
    /// This machine has no TLS.
    pub fn new(aws: &Aws, config: Config) -> Result<Self, salesforce::Error> {
        Ok(Self {
            salesforce: Salesforce::from_config(aws, config.salesforce)?,
            records: Records::new(aws.dynamodb(), config.records_table),
            deliveries: Deliveries::new(aws.dynamodb(), config.deliveries_table),
            budgets: Budgets::new(aws.dynamodb(), config.budgets_table),
            hints: Queue::new(aws.sqs(), config.record_upsert_queue_url, aws.clock()),
            dead_letters: Queue::new(aws.sqs(), config.dead_letters_queue_url, aws.clock()),
            clock: aws.clock(),
            fields: FieldCache::new(config.mirrored_fields),
            org_backoff: OrgBackoff::default(),
        })
    }
}
