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

mod config;
mod error;
#[cfg(test)]
mod error_texts;
pub mod hints;
mod known_orgs;
mod receive;

pub use config::{Config, Deps};
pub use error::Error;
pub use known_orgs::KnownOrgs;
pub use receive::router;
