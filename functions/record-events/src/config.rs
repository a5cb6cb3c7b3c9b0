//! Configuration and dependencies.

use connecting::connect_links::ConnectLinks;
use runtime::{Aws, Env, EnvError};
use salesforce::Clock;
use store::{Authorizations, EventBus, Freshness, Orgs, Origins};

use crate::change::EventValues;
use crate::stream_tables::StreamTables;

/// The function's configuration, from environment variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `EVENT_BUS_NAME`: the bus that the platform subscribes to.
    pub event_bus_name: String,
    /// `RECORDS_TABLE`, `CONNECTIONS_TABLE`, `ORGS_TABLE`, `WRITES_TABLE`, `AUDITS_TABLE`, `PIPELINES_TABLE`,
    /// `CURSORS_TABLE`, `BUDGETS_TABLE`: the streamed tables. `ORGS_TABLE` is also read, for an org's environment and tenant.
    pub stream_tables: StreamTables,
    /// `AUTHORIZATIONS_TABLE`: the connect links of events.
    pub authorizations_table: String,
    /// `PUBLIC_URL`: the URL at which browsers reach the HTTP API, without a trailing slash.
    pub public_url: String,
    /// `ORIGINS_TABLE`: read, to find the changes that Ferry's own writes made.
    pub origins_table: String,
    /// `FRESHNESS_TABLE`: the latencies of events.
    pub freshness_table: String,
    /// `EVENT_VALUES`: `names` (default) or `values`.
    pub event_values: EventValues,
}

impl Config {
    /// Reads the configuration.
    ///
    /// # Errors
    /// A variable is missing or invalid.
    pub fn from_env(env: &Env) -> Result<Self, EnvError> {
        Ok(Self {
            event_bus_name: env.required("EVENT_BUS_NAME")?,
            stream_tables: StreamTables {
                records: env.required("RECORDS_TABLE")?,
                connections: env.required("CONNECTIONS_TABLE")?,
                orgs: env.required("ORGS_TABLE")?,
                writes: env.required("WRITES_TABLE")?,
                audits: env.required("AUDITS_TABLE")?,
                pipelines: env.required("PIPELINES_TABLE")?,
                cursors: env.required("CURSORS_TABLE")?,
                budgets: env.required("BUDGETS_TABLE")?,
            },
            authorizations_table: env.required("AUTHORIZATIONS_TABLE")?,
            public_url: env.required("PUBLIC_URL")?.trim_end_matches('/').to_owned(),
            origins_table: env.required("ORIGINS_TABLE")?,
            freshness_table: env.required("FRESHNESS_TABLE")?,
            event_values: env.parsed_or("EVENT_VALUES", EventValues::default())?,
        })
    }
}

/// The function's dependencies.
#[derive(Clone, Debug)]
pub struct Deps {
    /// The event bus.
    pub bus: EventBus,
    /// The `orgs` table.
    pub orgs: Orgs,
    /// The changes that Ferry's own writes made.
    pub origins: Origins,
    /// The latencies of events.
    pub freshness: Freshness,
    /// The content of events: names of changed fields only, or values too.
    pub values: EventValues,
    /// The streamed tables.
    pub stream_tables: StreamTables,
    /// Creates the connect links of events.
    pub links: ConnectLinks,
    /// The clock.
    pub clock: Clock,
}

impl Deps {
    /// Builds the dependencies of a deployed function.
    #[must_use]
    pub fn new(aws: &Aws, config: Config) -> Self {
        let authorizations = Authorizations::new(aws.dynamodb(), config.authorizations_table);
        Self {
            bus: EventBus::new(aws.eventbridge(), config.event_bus_name),
            orgs: Orgs::new(aws.dynamodb(), config.stream_tables.orgs.clone()),
            origins: Origins::new(aws.dynamodb(), config.origins_table),
            freshness: Freshness::new(aws.dynamodb(), config.freshness_table),
            values: config.event_values,
            stream_tables: config.stream_tables,
            links: ConnectLinks::new(authorizations, config.public_url),
            clock: aws.clock(),
        }
    }
}
