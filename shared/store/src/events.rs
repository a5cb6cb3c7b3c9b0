//! The event bus: what the platform hears.

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use jiff::Timestamp;
use salesforce::OrgId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Error, batch};

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
        let mut results = Vec::with_capacity(events.len());
        let entries = events.iter().map(|event| serde_json::to_string(event).map(|detail| (event, detail)));
        let entries: Vec<_> = match entries.collect() {
            Ok(entries) => entries,
            Err(_) => return events.iter().map(|_| Err(not_published("MalformedDetail"))).collect(),
        };
        for batch in batch::split(entries, |(event, detail)| detail.len() + ENVELOPE_BYTES + event.kind.len()) {
            results.extend(self.publish_batch(&batch).await);
        }
        results
    }

    async fn publish_batch(&self, batch: &[(&BusEvent, String)]) -> Vec<Result<(), Error>> {
        let entries = batch.iter().map(|(event, detail)| self.entry(event, detail)).collect();
        match self.client.put_events().set_entries(Some(entries)).send().await {
            Ok(answer) => {
                let mut outcomes = answer.entries.unwrap_or_default().into_iter().map(|entry| entry.error_code);
                batch
                    .iter()
                    .map(|_| match outcomes.next() {
                        Some(None) => Ok(()),
                        Some(Some(code)) => Err(not_published(&code)),
                        None => Err(not_published("NoResult")),
                    })
                    .collect()
            }
            Err(error) => {
                let first = Err(Error::aws("publish events")(error));
                let others = batch.iter().skip(1).map(|_| Err(not_published("BatchFailed")));
                std::iter::once(first).chain(others).collect()
            }
        }
    }

    fn entry(&self, event: &BusEvent, detail: &str) -> PutEventsRequestEntry {
        PutEventsRequestEntry::builder()
            .event_bus_name(&self.name)
            .source(ENVELOPE_SOURCE)
            .detail_type(&event.kind)
            .detail(detail)
            .build()
    }
}

/// The envelope's `Source`, the same for every org.
const ENVELOPE_SOURCE: &str = "ferry";
/// What EventBridge counts beside the detail and its type.
const ENVELOPE_BYTES: usize = 64;

fn not_published(code: &str) -> Error {
    Error::NotPublished { code: code.to_owned() }
}
