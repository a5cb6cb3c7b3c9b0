//! Configuration and dependencies.

use std::str::FromStr;
use std::time::Duration;

use mirroring::{ComputedFields, FieldCache, MirroredFields};
use runtime::{Aws, DEFAULT_MIRRORED_OBJECTS, Days, Env, EnvError, Salesforce, SalesforceConfig};
use salesforce::{Clock, ObjectName, Timeouts};
use store::{
    Audits, Budgets, Connections, Cursors, Freshness, Objectives, OrgSettingsTable, Orgs, Pipelines, Queue, Records,
    SettingsCache, Writes,
};

use crate::backfill::Bulk;
use crate::queues::Queues;

/// Salesforce works on a query for up to 120 seconds (SOQL and SOSL Reference, "SOQL and SOSL Limits"), and sends the page after
/// that. An attempt that fails early is repeated; one that took minutes is left to the next invocation.
pub(crate) const TIMEOUTS: Timeouts =
    Timeouts { attempt: Duration::from_secs(130), total: Duration::from_secs(60), reserve: Duration::from_secs(20) };

/// The function's configuration, from environment variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `ORGS_TABLE`.
    pub orgs_table: String,
    /// `CONNECTIONS_TABLE`: read, to find idle connections.
    pub connections_table: String,
    /// `CURSORS_TABLE`: the position of each scan.
    pub cursors_table: String,
    /// `RECORDS_TABLE`: the mirror.
    pub records_table: String,
    /// `PIPELINES_TABLE`.
    pub pipelines_table: String,
    /// `BUDGETS_TABLE`: the orgs' API calls.
    pub budgets_table: String,
    /// `FRESHNESS_TABLE`: the latencies of changes.
    pub freshness_table: String,
    /// `FRESHNESS_OBJECTIVES`: the share of each object's changes that has to be in the mirror within a time:
    /// `Account=99%<60s;*=95%<300s`. None by default.
    pub objectives: Objectives,
    /// `ORG_SETTINGS_TABLE`: the settings of orgs.
    pub org_settings_table: String,
    /// `WRITES_TABLE`: of its index `by_next_attempt`, the overdue writes.
    pub writes_table: String,
    /// `AUDITS_TABLE`: the reports of audits.
    pub audits_table: String,
    /// `PIPELINE_REFRESH_QUEUE_URL`: the queue of nightly tasks.
    pub pipeline_refresh_queue_url: String,
    /// `BACKFILL_QUEUE_URL`: the queue of backfills.
    pub backfill_queue_url: String,
    /// `FREQUENT_REFRESH_QUEUE_URL`: the queue of polls and of the hourly upkeep of connections.
    pub frequent_refresh_queue_url: String,
    /// `DEAD_LETTERS_QUEUE_URL`: the queue of dead letters.
    pub dead_letters_queue_url: String,
    /// `RECORD_WRITE_QUEUE_URL`: the queue of tasks of writes of records.
    pub record_write_queue_url: String,
    /// `NOTE_WRITE_QUEUE_URL`: the queue of tasks of writes of notes.
    pub note_write_queue_url: String,
    /// `FILE_WRITE_QUEUE_URL`: the queue of tasks of writes of files.
    pub file_write_queue_url: String,
    /// `REFRESH_WINDOW_MINUTES`: the minutes within which the tasks of a night begin; 120 by default.
    pub refresh_window: Duration,
    /// `NIGHTLY_AUDIT`: `on` (default), or `off`.
    pub nightly_audit: NightlyAudit,
    /// `BACKFILL_BULK_ROWS`: the rows from which an object is copied, and the records after which it is audited, by Bulk API 2.0; 20,000 by default.
    pub backfill_bulk_rows: u64,
    /// `BACKFILL_PARALLEL_PAGES`: the pages of an object that are copied at the same time; 3 by default.
    pub backfill_parallel_pages: u32,
    /// `COMPUTED_FIELDS`: the formulas and roll-up summaries that are read again every night: `all` (default), `none`, or a list as
    /// in `MIRRORED_FIELDS`.
    pub computed_fields: ComputedFields,
    /// `TOMBSTONE_RETENTION_DAYS`: the days for which a tombstone is stored; 90 by default.
    pub tombstone_retention: Days,
    /// `MIRRORED_OBJECTS`: the objects to mirror, separated by commas. [`DEFAULT_MIRRORED_OBJECTS`] by default.
    pub mirrored_objects: Vec<ObjectName>,
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
            connections_table: env.required("CONNECTIONS_TABLE")?,
            cursors_table: env.required("CURSORS_TABLE")?,
            records_table: env.required("RECORDS_TABLE")?,
            pipelines_table: env.required("PIPELINES_TABLE")?,
            budgets_table: env.required("BUDGETS_TABLE")?,
            freshness_table: env.required("FRESHNESS_TABLE")?,
            objectives: env.parsed_or("FRESHNESS_OBJECTIVES", Objectives::default())?,
            org_settings_table: env.required("ORG_SETTINGS_TABLE")?,
            writes_table: env.required("WRITES_TABLE")?,
            audits_table: env.required("AUDITS_TABLE")?,
            pipeline_refresh_queue_url: env.required("PIPELINE_REFRESH_QUEUE_URL")?,
            backfill_queue_url: env.required("BACKFILL_QUEUE_URL")?,
            frequent_refresh_queue_url: env.required("FREQUENT_REFRESH_QUEUE_URL")?,
            dead_letters_queue_url: env.required("DEAD_LETTERS_QUEUE_URL")?,
            record_write_queue_url: env.required("RECORD_WRITE_QUEUE_URL")?,
            note_write_queue_url: env.required("NOTE_WRITE_QUEUE_URL")?,
            file_write_queue_url: env.required("FILE_WRITE_QUEUE_URL")?,
            refresh_window: Duration::from_mins(env.parsed_or("REFRESH_WINDOW_MINUTES", 120)?),
            nightly_audit: env.parsed_or("NIGHTLY_AUDIT", NightlyAudit::default())?,
            backfill_bulk_rows: env.parsed_or("BACKFILL_BULK_ROWS", 20_000)?,
            backfill_parallel_pages: env.parsed_or("BACKFILL_PARALLEL_PAGES", 3)?,
            computed_fields: env.parsed_or("COMPUTED_FIELDS", ComputedFields::default())?,
            tombstone_retention: env.parsed_or("TOMBSTONE_RETENTION_DAYS", Days(90))?,
            mirrored_objects: env.list_or("MIRRORED_OBJECTS", DEFAULT_MIRRORED_OBJECTS)?,
            mirrored_fields: env.parsed_or("MIRRORED_FIELDS", MirroredFields::default())?,
            salesforce: SalesforceConfig::from_env(env)?,
        })
    }
}

/// The setting for the audit of every night.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NightlyAudit {
    /// Each object is audited after its refresh of the night.
    #[default]
    On,
    /// An object is audited when that is requested, and after a long pause.
    Off,
}

impl FromStr for NightlyAudit {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "on" => Ok(Self::On),
            "off" => Ok(Self::Off),
            _ => Err("the value must be on or off"),
        }
    }
}

/// The function's dependencies.
pub struct Deps {
    /// Salesforce clients for each connection.
    pub salesforce: Salesforce,
    /// The `orgs` table.
    pub orgs: Orgs,
    /// The `connections` table.
    pub connections: Connections,
    /// The position of each scan.
    pub cursors: Cursors,
    /// The mirror.
    pub records: Records,
    /// The `pipelines` table.
    pub pipelines: Pipelines,
    /// The orgs' API calls.
    pub budgets: Budgets,
    /// The latencies of changes.
    pub freshness: Freshness,
    /// The objectives for them.
    pub objectives: Objectives,
    /// The settings of orgs, cached by this execution environment.
    pub settings: SettingsCache,
    /// The ledger of writes.
    pub writes: Writes,
    /// The reports of audits.
    pub audits: Audits,
    /// The queues of refresh tasks and of writes.
    pub queues: Queues,
    /// The time within which the tasks of a night begin.
    pub refresh_window: Duration,
    /// The audit of every object after its refresh of the night.
    pub nightly_audit: NightlyAudit,
    /// The settings of backfills by Bulk API 2.0.
    pub bulk: Bulk,
    /// The formulas and roll-up summaries that are read again every night.
    pub computed_fields: ComputedFields,
    /// The objects to mirror in an org without settings of its own.
    pub mirrored_objects: Vec<ObjectName>,
    /// The fields of each object, cached by this execution environment.
    pub fields: FieldCache,
    /// The clock.
    pub clock: Clock,
}

impl Deps {
    /// Builds the dependencies of a deployed function.
    ///
    /// # Errors
    /// This machine has no TLS.
    pub fn new(aws: &Aws, config: Config) -> Result<Self, salesforce::Error> {
        Ok(Self {
            salesforce: Salesforce::from_config(aws, config.salesforce)?.with_timeouts(TIMEOUTS),
            orgs: Orgs::new(aws.dynamodb(), config.orgs_table),
            connections: Connections::new(aws.dynamodb(), config.connections_table),
            cursors: Cursors::new(aws.dynamodb(), config.cursors_table),
            records: Records::new(aws.dynamodb(), config.records_table)
                .with_clock(aws.clock())
                .with_tombstone_retention(config.tombstone_retention.duration()),
            pipelines: Pipelines::new(aws.dynamodb(), config.pipelines_table),
            budgets: Budgets::new(aws.dynamodb(), config.budgets_table),
            freshness: Freshness::new(aws.dynamodb(), config.freshness_table),
            objectives: config.objectives,
            settings: SettingsCache::new(OrgSettingsTable::new(aws.dynamodb(), config.org_settings_table)),
            writes: Writes::new(aws.dynamodb(), config.writes_table),
            audits: Audits::new(aws.dynamodb(), config.audits_table),
            queues: Queues {
                refreshes: Queue::new(aws.sqs(), config.pipeline_refresh_queue_url, aws.clock()),
                backfills: Queue::new(aws.sqs(), config.backfill_queue_url, aws.clock()),
                frequent: Queue::new(aws.sqs(), config.frequent_refresh_queue_url, aws.clock()),
                dead_letters: Queue::new(aws.sqs(), config.dead_letters_queue_url, aws.clock()),
                record_writes: Queue::new(aws.sqs(), config.record_write_queue_url, aws.clock()),
                note_writes: Queue::new(aws.sqs(), config.note_write_queue_url, aws.clock()),
                file_writes: Queue::new(aws.sqs(), config.file_write_queue_url, aws.clock()),
            },
            refresh_window: config.refresh_window,
            nightly_audit: config.nightly_audit,
            bulk: Bulk::new(config.backfill_bulk_rows, config.backfill_parallel_pages),
            computed_fields: config.computed_fields,
            mirrored_objects: config.mirrored_objects,
            fields: FieldCache::new(config.mirrored_fields),
            clock: aws.clock(),
        })
    }
}
