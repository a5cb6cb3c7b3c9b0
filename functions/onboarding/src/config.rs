//! Configuration and dependencies.

use std::time::Duration;

use connecting::disconnect::Disconnect;
use runtime::invoke::LambdaFunction;
use runtime::{Aws, ConnectionManager, Env, EnvError, Salesforce, SalesforceConfig};
use salesforce::Clock;
use soap_receiver::RequiredClient;
use store::{Connections, Orgs, Queue, RefreshTask};

/// The default of [`Deps::setup_timeout`]; an admin waits for the page after the consent.
const SETUP_TIMEOUT: Duration = Duration::from_secs(6);

/// The function's configuration, from environment variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `WEBHOOK_URL`: the URL at which Salesforce reaches the webhooks, without a trailing slash.
    pub webhook_url: String,
    /// `WEBHOOK_CLIENT_NAME`: the common name of the certificate that the License Management Org must have, on a domain with
    /// mutual TLS.
    pub client: RequiredClient,
    /// `ORGS_TABLE`.
    pub orgs_table: String,
    /// `CONNECTIONS_TABLE`.
    pub connections_table: String,
    /// `BACKFILL_QUEUE_URL`: the queue of backfills.
    pub backfill_queue: String,
    /// `CONNECTION_MANAGER_FUNCTION`: revokes the grants of an org whose package was removed.
    pub connection_manager: String,
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
            webhook_url: env.required("WEBHOOK_URL")?.trim_end_matches('/').to_owned(),
            client: RequiredClient::from_env(env),
            orgs_table: env.required("ORGS_TABLE")?,
            connections_table: env.required("CONNECTIONS_TABLE")?,
            backfill_queue: env.required("BACKFILL_QUEUE_URL")?,
            connection_manager: env.required("CONNECTION_MANAGER_FUNCTION")?,
            salesforce: SalesforceConfig::from_env(env)?,
        })
    }
}

/// The function's dependencies.
#[derive(Clone)]
pub struct Deps {
    /// The `orgs` table.
    pub orgs: Orgs,
    /// The `connections` table; connections end when the package is removed.
    pub connections: Connections,
    /// Salesforce clients for each connection.
    pub salesforce: Salesforce,
    /// Revokes the grants of an org whose package was removed.
    pub connection_manager: ConnectionManager,
    /// The queue of refresh tasks.
    pub refreshes: Queue<RefreshTask>,
    /// The URL at which Salesforce reaches the webhooks, without a trailing slash.
    pub webhook_url: String,
    /// The certificate that the License Management Org must have.
    pub client: RequiredClient,
    /// The time limit for each half of the set-up of an org's outbound messages.
    pub setup_timeout: Duration,
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
            orgs: Orgs::new(aws.dynamodb(), config.orgs_table),
            connections: Connections::new(aws.dynamodb(), config.connections_table),
            salesforce: Salesforce::from_config(aws, config.salesforce)?,
            connection_manager: ConnectionManager::new(LambdaFunction::new(aws.lambda(), config.connection_manager)),
            refreshes: Queue::new(aws.sqs(), config.backfill_queue, aws.clock()),
            webhook_url: config.webhook_url,
            client: config.client,
            setup_timeout: SETUP_TIMEOUT,
            clock: aws.clock(),
        })
    }

    pub(crate) fn disconnect(&self) -> Disconnect {
        Disconnect {
            orgs: self.orgs.clone(),
            connections: self.connections.clone(),
            connection_manager: self.connection_manager.clone(),
            clock: self.clock.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trailing_slash_of_the_url_is_dropped() {
        let env = Env::from_pairs([
            ("WEBHOOK_URL", "https://ferry.example.com/"),
            ("ORGS_TABLE", "orgs"),
            ("CONNECTIONS_TABLE", "connections"),
            ("BACKFILL_QUEUE_URL", "https://sqs.example.com/backfill"),
            ("TOKEN_BROKER_FUNCTION", "token-broker"),
            ("CONNECTION_MANAGER_FUNCTION", "connection-manager"),
        ]);
        assert_eq!(Config::from_env(&env).unwrap().webhook_url, "https://ferry.example.com");
    }

    #[test]
    fn a_missing_variable_is_named() {
        let env = Env::from_pairs([("WEBHOOK_URL", "https://ferry.example.com")]);
        assert_eq!(Config::from_env(&env), Err(EnvError::Missing { name: "ORGS_TABLE" }));
    }
}
