//! Configuration and dependencies.

use mirroring::{FieldCache, MirroredFields};
use runtime::{Aws, DEFAULT_MIRRORED_OBJECTS, Days, Env, EnvError, Salesforce, SalesforceConfig};
use salesforce::{Clock, ObjectName};
use store::{
    Budgets, ChangeHint, Cursors, Deliveries, Freshness, Objectives, OrgSettingsTable, Orgs, Queue, Records,
    SettingsCache,
};

use crate::org_backoff::OrgBackoff;

/// The function's configuration, from environment variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `ORGS_TABLE`: read, because the hints of an org that is not active are dropped.
    pub orgs_table: String,
    /// `RECORDS_TABLE`: the mirror.
    pub records_table: String,
    /// `DELIVERIES_TABLE`: the ledger of deliveries.
    pub deliveries_table: String,
    /// `BUDGETS_TABLE`: the orgs' API calls.
    pub budgets_table: String,
    /// `FRESHNESS_TABLE`: the latencies of changes.
    pub freshness_table: String,
    /// `FRESHNESS_OBJECTIVES`: the share of each object's changes that has to be in the mirror within a time:
    /// `Account=99%<60s;*=95%<300s`. None by default.
    pub objectives: Objectives,
    /// `ORG_SETTINGS_TABLE`: the settings of orgs.
    pub org_settings_table: String,
    /// `CURSORS_TABLE`: read, to know which objects the refresh scans.
    pub cursors_table: String,
    /// `MIRRORED_OBJECTS`: the objects that the refresh scans, separated by commas.
    /// [`DEFAULT_MIRRORED_OBJECTS`] by default.
    pub mirrored_objects: Vec<ObjectName>,
    /// `RECORD_UPSERT_QUEUE_URL`: the queue of hints; deferred hints are sent to it again.
    pub record_upsert_queue_url: String,
    /// `DEAD_LETTERS_QUEUE_URL`: the queue of dead letters.
    pub dead_letters_queue_url: String,
    /// `DELIVERY_RETENTION_DAYS`: the days for which a delivery is stored; 14 by default.
    pub delivery_retention: Days,
    /// `TOMBSTONE_RETENTION_DAYS`: the days for which a tombstone is stored; 90 by default.
    pub tombstone_retention: Days,
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
            orgs_table: env.required("ORGS_TABLE")?,
            records_table: env.required("RECORDS_TABLE")?,
            deliveries_table: env.required("DELIVERIES_TABLE")?,
            budgets_table: env.required("BUDGETS_TABLE")?,
            freshness_table: env.required("FRESHNESS_TABLE")?,
            objectives: env.parsed_or("FRESHNESS_OBJECTIVES", Objectives::default())?,
            org_settings_table: env.required("ORG_SETTINGS_TABLE")?,
            cursors_table: env.required("CURSORS_TABLE")?,
            mirrored_objects: env.list_or("MIRRORED_OBJECTS", DEFAULT_MIRRORED_OBJECTS)?,
            record_upsert_queue_url: env.required("RECORD_UPSERT_QUEUE_URL")?,
            dead_letters_queue_url: env.required("DEAD_LETTERS_QUEUE_URL")?,
            delivery_retention: env.parsed_or("DELIVERY_RETENTION_DAYS", Days(14))?,
            tombstone_retention: env.parsed_or("TOMBSTONE_RETENTION_DAYS", Days(90))?,
            mirrored_fields: env.parsed_or("MIRRORED_FIELDS", MirroredFields::default())?,
            salesforce: SalesforceConfig::from_env(env)?,
        })
    }
}

/// The function's dependencies.
pub struct Deps {
    /// Salesforce clients for each connection.
    pub salesforce: Salesforce,
    /// The `orgs` table.
    pub orgs: Orgs,
    /// The mirror.
    pub records: Records,
    /// The ledger of deliveries.
    pub deliveries: Deliveries,
    /// The orgs' API calls.
    pub budgets: Budgets,
    /// The latencies of changes.
    pub freshness: Freshness,
    /// The objectives for them.
    pub objectives: Objectives,
    /// The settings of orgs, cached by this execution environment.
    pub settings: SettingsCache,
    /// The scans of each org's objects.
    pub cursors: Cursors,
    /// The objects that the refresh scans in an org without settings of its own.
    pub mirrored_objects: Vec<ObjectName>,
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
            orgs: Orgs::new(aws.dynamodb(), config.orgs_table),
            records: Records::new(aws.dynamodb(), config.records_table)
                .with_clock(aws.clock())
                .with_tombstone_retention(config.tombstone_retention.duration()),
            deliveries: Deliveries::new(aws.dynamodb(), config.deliveries_table)
                .with_retention(config.delivery_retention.duration()),
            budgets: Budgets::new(aws.dynamodb(), config.budgets_table),
            freshness: Freshness::new(aws.dynamodb(), config.freshness_table),
            objectives: config.objectives,
            settings: SettingsCache::new(OrgSettingsTable::new(aws.dynamodb(), config.org_settings_table)),
            cursors: Cursors::new(aws.dynamodb(), config.cursors_table),
            mirrored_objects: config.mirrored_objects,
            hints: Queue::new(aws.sqs(), config.record_upsert_queue_url, aws.clock()),
            dead_letters: Queue::new(aws.sqs(), config.dead_letters_queue_url, aws.clock()),
            clock: aws.clock(),
            fields: FieldCache::new(config.mirrored_fields),
            org_backoff: OrgBackoff::default(),
        })
    }
}
