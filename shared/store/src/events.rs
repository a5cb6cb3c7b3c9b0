//! The event bus: what the platform hears.

use aws_sdk_eventbridge::Client;
use jiff::Timestamp;
use salesforce::OrgId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Error;

/// An event in the form of CloudEvents 1.0; it is the `Detail` of the bus's own envelope.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BusEvent {
    /// Always `1.0`.
    pub specversion: String,
    /// The same for the same change: a receiver may drop what it has seen.
    pub id: String,
    /// `ferry/{org}`.
    pub source: String,
    /// What happened; also the envelope's `DetailType`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it happened to: `{object}/{record}`.
    pub subject: String,
    /// When.
    #[serde(with = "crate::time::millis")]
    pub time: Timestamp,
    /// The rest.
    pub data: Value,
}

impl BusEvent {
    /// An event of an org's.
    #[must_use]
    pub fn new(org: OrgId, kind: impl Into<String>, subject: impl Into<String>, id: impl Into<String>) -> Self {
        Self {
            specversion: "1.0".to_owned(),
            id: id.into(),
            source: format!("ferry/{org}"),
            kind: kind.into(),
            subject: subject.into(),
            time: Timestamp::UNIX_EPOCH,
            data: Value::Null,
        }
    }
}

/// The bus.
#[derive(Clone, Debug)]
pub struct EventBus {
    client: Client,
    name: String,
}

impl EventBus {
    /// The bus with this name.
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Self { client, name: name.into() }
    }

    /// Publishes events in their order, and gives one result an event: after an error the event may not be on the bus.
    pub async fn publish(&self, events: &[BusEvent]) -> Vec<Result<(), Error>> {
        let _ = (&self.client, &self.name, events);
        todo!()
    }
}
