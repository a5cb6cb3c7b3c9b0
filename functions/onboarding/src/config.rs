//! What the environment says.

use runtime::{Env, EnvError};
use soap_receiver::RequiredClient;

/// The function's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `WEBHOOK_URL`: where Salesforce reaches the webhooks, without a trailing slash.
    pub webhook_url: String,
    /// `WEBHOOK_CLIENT_NAME`: whose certificate the License Management Org must have, where webhooks have a domain with
    /// mutual TLS.
    pub client: RequiredClient,
    /// `ORGS_TABLE`: the orgs.
    pub orgs_table: String,
    /// `CONNECTIONS_TABLE`: the connections.
    pub connections_table: String,
    /// `PIPELINE_REFRESH_QUEUE_URL`: where the first copy is asked for.
    pub pipeline_refresh_queue: String,
}

impl Config {
    /// Reads it.
    ///
    /// # Errors
    /// A variable is missing.
    pub fn from_env(env: &Env) -> Result<Self, EnvError> {
        Ok(Self {
            webhook_url: env.required("WEBHOOK_URL")?.trim_end_matches('/').to_owned(),
            client: RequiredClient::from_env(env),
            orgs_table: env.required("ORGS_TABLE")?,
            connections_table: env.required("CONNECTIONS_TABLE")?,
            pipeline_refresh_queue: env.required("PIPELINE_REFRESH_QUEUE_URL")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trailing_slash_of_the_url_is_dropped() {
        let env = Env::of([
            ("WEBHOOK_URL", "https://ferry.example.com/"),
            ("ORGS_TABLE", "orgs"),
            ("CONNECTIONS_TABLE", "connections"),
            ("PIPELINE_REFRESH_QUEUE_URL", "https://sqs.example.com/refresh"),
        ]);
        assert_eq!(Config::from_env(&env).unwrap().webhook_url, "https://ferry.example.com");
    }

    #[test]
    fn a_missing_variable_is_named() {
        let env = Env::of([("WEBHOOK_URL", "https://ferry.example.com")]);
        assert_eq!(Config::from_env(&env), Err(EnvError::Missing { name: "ORGS_TABLE" }));
    }
}
