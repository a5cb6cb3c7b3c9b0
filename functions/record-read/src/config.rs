//! Configuration and dependencies.

use std::str::FromStr;

use jiff::SignedDuration;
use mirroring::MirroredFields;
use runtime::invoke::LambdaFunction;
use runtime::{
    AppList, Aws, DEFAULT_MIRRORED_OBJECTS, Days, Env, EnvError, Salesforce, SalesforceConfig, Schemas, Users,
};
use salesforce::{Clock, ObjectName};
use store::{
    Audits, Budgets, Connections, Cursors, Deliveries, Freshness, Objectives, OrgSettingsTable, Orgs, Pipelines,
    Records, SettingsCache, UserMappings, Writes,
};

use crate::changes::PollInterval;

/// The function's configuration, from environment variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `ORGS_TABLE`.
    pub orgs_table: String,
    /// `CONNECTIONS_TABLE`.
    pub connections_table: String,
    /// `CURSORS_TABLE`.
    pub cursors_table: String,
    /// `RECORDS_TABLE`: the mirror.
    pub records_table: String,
    /// `PIPELINES_TABLE`.
    pub pipelines_table: String,
    /// `AUDITS_TABLE`: the reports of audits.
    pub audits_table: String,
    /// `USERS_TABLE`: the Salesforce users to whom the platform's users are mapped.
    pub users_table: String,
    /// `ORG_SETTINGS_TABLE`: the settings of orgs.
    pub org_settings_table: String,
    /// `BUDGETS_TABLE`: the orgs' API calls.
    pub budgets_table: String,
    /// `FRESHNESS_TABLE`: the latencies of changes.
    pub freshness_table: String,
    /// `FRESHNESS_OBJECTIVES`: the objectives for them. None by default.
    pub objectives: Objectives,
    /// `DELIVERIES_TABLE`: the messages that could not be applied.
    pub deliveries_table: String,
    /// `WRITES_TABLE`: the writes that wait or failed.
    pub writes_table: String,
    /// `MIRRORED_OBJECTS`: the mirrored objects, separated by commas. [`DEFAULT_MIRRORED_OBJECTS`] by default.
    pub mirrored_objects: Vec<ObjectName>,
    /// `MIRRORED_FIELDS`: the mirrored fields, by object. All fields by default.
    pub mirrored_fields: MirroredFields,
    /// `POLL_SCHEDULE`: the interval between polls of an org, as `rate(15 minutes)`.
    pub poll_interval: PollInterval,
    /// `TOMBSTONE_RETENTION_DAYS`: the time for which deletions are kept. 90 days by default.
    pub tombstone_retention: Days,
    /// `SERVE_DISCONNECTED_ORGS`: `off` (default), or `on` to return the mirror of orgs that are not active.
    pub serve_disconnected: ServeDisconnected,
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
            audits_table: env.required("AUDITS_TABLE")?,
            users_table: env.required("USERS_TABLE")?,
            org_settings_table: env.required("ORG_SETTINGS_TABLE")?,
            budgets_table: env.required("BUDGETS_TABLE")?,
            freshness_table: env.required("FRESHNESS_TABLE")?,
            objectives: env.parsed_or("FRESHNESS_OBJECTIVES", Objectives::default())?,
            deliveries_table: env.required("DELIVERIES_TABLE")?,
            writes_table: env.required("WRITES_TABLE")?,
            mirrored_objects: env.list_or("MIRRORED_OBJECTS", DEFAULT_MIRRORED_OBJECTS)?,
            mirrored_fields: env.parsed_or("MIRRORED_FIELDS", MirroredFields::default())?,
            poll_interval: env.parsed_or("POLL_SCHEDULE", PollInterval::default())?,
            tombstone_retention: env.parsed_or("TOMBSTONE_RETENTION_DAYS", Days(90))?,
            serve_disconnected: env.parsed_or("SERVE_DISCONNECTED_ORGS", ServeDisconnected::default())?,
            salesforce: SalesforceConfig::from_env(env)?,
        })
    }
}

/// The setting for the mirror of orgs that are not active.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServeDisconnected {
    /// It is refused.
    #[default]
    Off,
    /// It is returned until it is erased.
    On,
}

impl FromStr for ServeDisconnected {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self::Off),
            "on" => Ok(Self::On),
            _ => Err("the value must be on or off"),
        }
    }
}

/// The function's dependencies.
#[derive(Clone)]
pub struct Deps {
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
    /// The reports of audits.
    pub audits: Audits,
    /// The Salesforce users to whom the platform's users are mapped.
    pub user_mappings: UserMappings,
    /// The Salesforce users that the team's connections found.
    pub users: Users,
    /// The orgs' API calls.
    pub budgets: Budgets,
    /// The latencies of changes.
    pub freshness: Freshness,
    /// The objectives for them.
    pub objectives: Objectives,
    /// The messages that could not be applied.
    pub deliveries: Deliveries,
    /// The writes that wait or failed.
    pub writes: Writes,
    /// The settings of orgs, cached by this execution environment.
    pub settings: SettingsCache,
    /// The mirrored objects.
    pub mirrored_objects: Vec<ObjectName>,
    /// The mirrored fields.
    pub mirrored_fields: MirroredFields,
    /// The interval between polls of an org.
    pub poll_interval: PollInterval,
    /// The time for which deletions are kept, and so the reach of the change feed.
    pub tombstone_retention: SignedDuration,
    /// The setting for orgs that are not active.
    pub serve_disconnected: ServeDisconnected,
    /// The registered apps, for the name of the newest.
    pub apps: AppList,
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
        let token_broker = LambdaFunction::new(aws.lambda(), config.salesforce.token_broker.clone());
        Ok(Self {
            orgs: Orgs::new(aws.dynamodb(), config.orgs_table),
            connections: Connections::new(aws.dynamodb(), config.connections_table),
            cursors: Cursors::new(aws.dynamodb(), config.cursors_table),
            records: Records::new(aws.dynamodb(), config.records_table)
                .with_clock(aws.clock())
                .with_tombstone_retention(config.tombstone_retention.duration()),
            pipelines: Pipelines::new(aws.dynamodb(), config.pipelines_table),
            audits: Audits::new(aws.dynamodb(), config.audits_table),
            user_mappings: UserMappings::new(aws.dynamodb(), config.users_table),
            users: Users::new(aws.clock()),
            budgets: Budgets::new(aws.dynamodb(), config.budgets_table),
            freshness: Freshness::new(aws.dynamodb(), config.freshness_table),
            objectives: config.objectives,
            deliveries: Deliveries::new(aws.dynamodb(), config.deliveries_table),
            writes: Writes::new(aws.dynamodb(), config.writes_table),
            settings: SettingsCache::new(OrgSettingsTable::new(aws.dynamodb(), config.org_settings_table)),
            mirrored_objects: config.mirrored_objects,
            mirrored_fields: config.mirrored_fields,
            poll_interval: config.poll_interval,
            tombstone_retention: config.tombstone_retention.duration(),
            serve_disconnected: config.serve_disconnected,
            apps: AppList::new(token_broker, aws.clock()),
            salesforce: Salesforce::from_config(aws, config.salesforce)?,
            schemas: Schemas::default(),
            clock: aws.clock(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 13] = [
        "ORGS_TABLE",
        "CONNECTIONS_TABLE",
        "CURSORS_TABLE",
        "RECORDS_TABLE",
        "PIPELINES_TABLE",
        "AUDITS_TABLE",
        "USERS_TABLE",
        "BUDGETS_TABLE",
        "FRESHNESS_TABLE",
        "DELIVERIES_TABLE",
        "WRITES_TABLE",
        "ORG_SETTINGS_TABLE",
        "TOKEN_BROKER_FUNCTION",
    ];

    fn env_without(missing: &'static str) -> Env {
        Env::new(move |name| (NAMES.contains(&name) && name != missing).then(|| name.to_lowercase()))
    }

    #[test]
    fn every_table_has_its_variable() {
        let config = Config::from_env(&env_without("")).unwrap();
        assert_eq!(config.cursors_table, "cursors_table");
        assert_eq!(config.poll_interval, PollInterval::default());
    }

    #[test]
    fn every_variable_without_a_default_is_required() {
        for missing in NAMES {
            assert_eq!(Config::from_env(&env_without(missing)), Err(EnvError::Missing { name: missing }));
        }
    }

    #[test]
    fn the_template_mirrors_the_same_objects_by_default() {
        let path = local::workspace::Workspace::here().root().join("infra/template.yaml");
        let template = local::template::Template::load(&path).unwrap();
        assert_eq!(template.parameter_default("MirroredObjects"), Some(DEFAULT_MIRRORED_OBJECTS));
    }

    #[test]
    fn the_poll_interval_is_that_of_the_schedule() {
        let env = Env::new(|name| match name {
            "POLL_SCHEDULE" => Some("rate(1 hour)".to_owned()),
            name => NAMES.contains(&name).then(|| name.to_lowercase()),
        });
        assert_eq!(Ok(Config::from_env(&env).unwrap().poll_interval), "rate(60 minutes)".parse());
    }
}
