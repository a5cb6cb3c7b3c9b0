//! Configuration and dependencies.

use runtime::{Aws, Env, EnvError};
use salesforce::Clock;
use soap_receiver::RequiredClient;
use store::{ChangeHint, Orgs, Queue};

use crate::{OrgCache, OrgLimits};

/// The function's configuration, from environment variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `ORGS_TABLE`: the orgs and their webhook secrets.
    pub orgs_table: String,
    /// `RECORD_UPSERT_QUEUE_URL`: the queue of hints.
    pub record_upsert_queue_url: String,
    /// `WEBHOOK_CLIENT_NAME`: the common name of the certificate that a sender must have, on a domain with mutual TLS.
    pub client: RequiredClient,
}

impl Config {
    /// Reads the configuration.
    ///
    /// # Errors
    /// A variable is missing or invalid.
    pub fn from_env(env: &Env) -> Result<Self, EnvError> {
        Ok(Self {
            orgs_table: env.required("ORGS_TABLE")?,
            record_upsert_queue_url: env.required("RECORD_UPSERT_QUEUE_URL")?,
            client: RequiredClient::from_env(env),
        })
    }
}

/// The function's dependencies.
#[derive(Clone, Debug)]
pub struct Deps {
    /// The orgs and their webhook secrets.
    pub orgs: Orgs,
    /// A cache of the orgs whose secret was verified less than a minute ago.
    pub org_cache: OrgCache,
    /// The notifications that each org queued in its current minute.
    pub limits: OrgLimits,
    /// The queue of hints.
    pub hints: Queue<ChangeHint>,
    /// The certificate that a sender must have.
    pub client: RequiredClient,
    /// The clock.
    pub clock: Clock,
}

impl Deps {
    /// Builds the dependencies of a deployed function.
    #[must_use]
    pub fn new(aws: &Aws, config: Config) -> Self {
        Self {
            orgs: Orgs::new(aws.dynamodb(), config.orgs_table),
            org_cache: OrgCache::default(),
            limits: OrgLimits::default(),
            hints: Queue::new(aws.sqs(), config.record_upsert_queue_url, aws.clock()),
            client: config.client,
            clock: aws.clock(),
        }
    }
}
