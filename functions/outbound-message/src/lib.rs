//! Receives Salesforce's outbound messages: authenticates the sender, queues a hint for each notification, and acknowledges.
//!
//! | | |
//! |---|---|
//! | trigger | `POST /webhooks/salesforce/{org_id}/{secret}` |
//! | input | a SOAP outbound message of up to 100 notifications |
//! | output | one hint for each notification on the `record-upsert` queue, then `<Ack>true</Ack>` |
//! | failures | a problem and no acknowledgement: 404 for an unknown address, 405 and 415 before the body is read, 413 before or while it is read, 400 for a body that is not an outbound message, 403 for a message of another org, 503 when not every hint was queued or the org has queued too many in a minute |
//!
//! `receive.rs` authenticates: first the client certificate, where one is required, then the org's secret in the address
//! (from [`OrgCache`] or the `orgs` table), then the org that the body names. A warm call for an org that authenticated
//! within the last minute makes no request but those to the queue.
//! Salesforce sends a message again for 24 hours until it is acknowledged, so any failure before the hints are queued loses
//! nothing (invariants 7 and 8 of `ARCHITECTURE.md`).
//! A message that names another org than its address is refused and noted on the item of the address's org, as a copy of
//! it; nothing happens to the org that it names.
//! Only an active org has an address: a claimed org has no secret yet, and messages of an uninstalled or disconnected org are
//! refused like those of an unknown one. If the org becomes active within a day, Salesforce sends them again.

mod config;
mod error;
#[cfg(test)]
mod error_texts;
pub mod hints;
mod limits;
mod org_cache;
mod receive;

pub use config::{Config, Deps};
pub use error::Error;
pub use limits::{NOTIFICATIONS_PER_MINUTE, OrgLimits};
pub use org_cache::OrgCache;
pub use receive::router;
