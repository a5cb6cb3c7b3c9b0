//! Takes Salesforce's outbound messages: believes those that prove whose they are, queues what they say has changed, and
//! acknowledges exactly those.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /webhooks/salesforce/{org_id}/{secret}` |
//! | input | a SOAP outbound message of up to 100 notifications |
//! | output | one hint a notification on the `record-upsert` queue, then `<Ack>true</Ack>` |
//! | failures | a problem and no Ack: 404 for an address that is nobody's, 405, 413 and 415 before anything is read, 400 for a body that is no outbound message, 403 for one of another org, 503 when the queue did not take everything |
//!
//! A warm call for an org that proved itself within the last minute makes no request but those to the queue ([`KnownOrgs`]).
//! Salesforce sends a message again for 24 hours until it is acknowledged, so that everything short of a full queue write
//! may fail (invariants 7 and 8 of `ARCHITECTURE.md`).
//! Only an active org has an address: a claimed one has no secret yet, and messages of one that was uninstalled or
//! quarantined are refused like those of an unknown org. If it becomes active within the day, nothing was lost.

mod error;
pub mod hints;
mod known_orgs;
mod receive;

use runtime::{Env, EnvError};
use salesforce::Clock;
use soap_receiver::RequiredClient;
use store::{ChangeHint, Orgs, Queue};

pub use error::Error;
pub use known_orgs::KnownOrgs;
pub use receive::router;

/// The function's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `ORGS_TABLE`: the orgs and their webhook secrets.
    pub orgs_table: String,
    /// `RECORD_UPSERT_QUEUE_URL`: where the hints go.
    pub record_upsert_queue_url: String,
    /// `WEBHOOK_CLIENT_NAME`: whose certificate a sender must have, where webhooks have a domain with mutual TLS.
    pub client: RequiredClient,
}

impl Config {
    /// Reads the settings.
    ///
    /// # Errors
    /// A setting is missing.
    pub fn from_env(env: &Env) -> Result<Self, EnvError> {
        Ok(Self {
            orgs_table: env.required("ORGS_TABLE")?,
            record_upsert_queue_url: env.required("RECORD_UPSERT_QUEUE_URL")?,
            client: RequiredClient::from_env(env),
        })
    }
}

/// What the function works with.
#[derive(Debug, Clone)]
pub struct Deps {
    /// The orgs and their webhook secrets.
    pub orgs: Orgs,
    /// Those of them that proved themselves a moment ago.
    pub known_orgs: KnownOrgs,
    /// Where the hints go.
    pub hints: Queue<ChangeHint>,
    /// Whose certificate a sender must have.
    pub client: RequiredClient,
    /// The time at which messages arrive.
    pub clock: Clock,
}
