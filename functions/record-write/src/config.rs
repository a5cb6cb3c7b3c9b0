//! Configuration and dependencies.

use runtime::{Aws, DEFAULT_MIRRORED_OBJECTS, Env, EnvError};
use salesforce::ObjectName;
use store::{ChangeHint, ClientKeys, OrgSettingsTable, Origins, Pipelines, Queue, SettingsCache};

use crate::{Metadata, WritableObjects};

/// The function's configuration, from environment variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The variables of the ledger.
    pub ledger: writes::Config,
    /// `ORIGINS_TABLE`: the origins of changes that writes made.
    pub origins_table: String,
    /// `PIPELINES_TABLE`: the pipelines, against which stages are checked.
    pub pipelines_table: String,
    /// `ORG_SETTINGS_TABLE`: the settings of orgs.
    pub org_settings_table: String,
    /// `RECORD_UPSERT_QUEUE_URL`: the queue of hints.
    pub record_upsert_queue_url: String,
    /// `MIRRORED_OBJECTS`: the mirrored objects, separated by commas. [`DEFAULT_MIRRORED_OBJECTS`] by default.
    pub mirrored_objects: Vec<ObjectName>,
    /// `WRITABLE_OBJECTS`: the objects whose records the platform may write, separated by commas, or `*`. The
    /// default is [`WritableObjects::default`].
    pub writable_objects: WritableObjects,
}

impl Config {
    /// Reads the configuration.
    ///
    /// # Errors
    /// A variable is missing or invalid.
    pub fn from_env(env: &Env) -> Result<Self, EnvError> {
        Ok(Self {
            ledger: writes::Config::from_env(env)?,
            origins_table: env.required("ORIGINS_TABLE")?,
            pipelines_table: env.required("PIPELINES_TABLE")?,
            org_settings_table: env.required("ORG_SETTINGS_TABLE")?,
            record_upsert_queue_url: env.required("RECORD_UPSERT_QUEUE_URL")?,
            mirrored_objects: env.list_or("MIRRORED_OBJECTS", DEFAULT_MIRRORED_OBJECTS)?,
            writable_objects: env.parsed_or("WRITABLE_OBJECTS", WritableObjects::default())?,
        })
    }
}

/// The function's dependencies.
#[derive(Clone)]
pub struct Deps {
    /// The dependencies of the ledger, which include the Salesforce clients.
    pub ledger: writes::Deps,
    /// The records that writes changed, so that `record-events` can mark their events as echoes.
    pub origins: Origins,
    /// The queue of hints, which bring the written records into the mirror.
    pub hints: Queue<ChangeHint>,
    /// The settings of orgs, cached by this execution environment.
    pub settings: SettingsCache,
    /// The mirrored objects of orgs without settings of their own.
    pub mirrored_objects: Vec<ObjectName>,
    /// The objects whose records the platform may write.
    pub writable_objects: WritableObjects,
    /// The client keys of records without an external id.
    pub client_keys: ClientKeys,
    /// The objects as the connections' users see them, for a time.
    pub metadata: Metadata,
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
        let client_keys = ClientKeys::new(aws.dynamodb(), config.ledger.write_order_table.clone());
        let client_keys = client_keys.with_retention(config.ledger.retention.duration());
        Ok(Self {
            ledger: writes::Deps::new(aws, config.ledger)?,
            origins: Origins::new(aws.dynamodb(), config.origins_table),
            hints: Queue::new(aws.sqs(), config.record_upsert_queue_url, aws.clock()),
            settings: SettingsCache::new(OrgSettingsTable::new(aws.dynamodb(), config.org_settings_table)),
            mirrored_objects: config.mirrored_objects,
            writable_objects: config.writable_objects,
            client_keys,
            metadata: Metadata::new(Pipelines::new(aws.dynamodb(), config.pipelines_table), aws.clock()),
        })
    }
}
