//! The event bus: events for the platform.

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use jiff::Timestamp;
use salesforce::OrgId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{EndpointId, Error, batch};

pub mod kind;
pub mod order;

use kind::EventKind;
use order::{Entry, Publication};

/// An event in the form of CloudEvents 1.0. It is the `Detail` of the EventBridge envelope.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BusEvent {
    /// Always `1.0`.
    pub specversion: String,
    /// The same for the same change, so that a receiver can drop duplicates.
    pub id: String,
    /// `ferry/{org}`, or `ferry/webhook-endpoints`.
    pub source: String,
    /// The event type; also the envelope's `DetailType`.
    #[serde(rename = "type")]
    pub kind: EventKind,
    /// The subject: `{object}/{record}`.
    pub subject: String,
    /// The time of the event.
    #[serde(with = "crate::time::millis")]
    pub time: Timestamp,
    /// Always `application/json`.
    pub datacontenttype: String,
    /// The ordering key: an event is published only after all earlier events with its key (Partitioning extension).
    pub partitionkey: String,
    /// The order among events with the same partition key: a later event never has a smaller text (Sequence extension).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<String>,
    /// The payload.
    pub data: Value,
}

impl BusEvent {
    /// Creates an event of an org.
    #[must_use]
    pub fn new(org: OrgId, kind: EventKind, subject: impl Into<String>, id: impl Into<String>) -> Self {
        Self::from_source(org.as_str(), kind, subject.into(), id.into())
    }

    /// Creates an event of a webhook endpoint, which belongs to a tenant and to no org.
    #[must_use]
    pub fn of_endpoint(kind: EventKind, endpoint: &EndpointId, id: impl Into<String>) -> Self {
        Self::from_source("webhook-endpoints", kind, format!("webhook-endpoints/{endpoint}"), id.into())
    }

    fn from_source(source: &str, kind: EventKind, subject: String, id: String) -> Self {
        Self {
            specversion: "1.0".to_owned(),
            id,
            source: format!("ferry/{source}"),
            kind,
            partitionkey: format!("{source}/{subject}"),
            subject,
            time: Timestamp::UNIX_EPOCH,
            datacontenttype: "application/json".to_owned(),
            sequence: None,
            data: Value::Null,
        }
    }

    /// Returns whether the event fits the bus: EventBridge's limit is 256 KB with the envelope. (Some regions accept
    /// more; Ferry does not rely on that.)
    #[must_use]
    pub fn fits(&self) -> bool {
        self.detail().is_ok_and(|detail| self.bytes(&detail) <= batch::MESSAGES.bytes)
    }

    fn detail(&self) -> Result<String, Error> {
        serde_json::to_string(self).map_err(|_| not_published("MalformedDetail"))
    }

    /// Returns the size that EventBridge counts.
    fn bytes(&self, detail: &str) -> usize {
        detail.len() + self.kind.as_str().len() + ENVELOPE_BYTES
    }
}

/// The event bus.
#[derive(Clone, Debug)]
pub struct EventBus {
    client: Client,
    name: String,
}

impl EventBus {
    /// Creates a client for the bus of this name.
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Self { client, name: name.into() }
    }

    /// Publishes events. Returns one result an event; after an error, the event may be on the bus. Events with the same
    /// partition key stay in order: after a failed call, the remaining events are not sent.
    pub async fn publish(&self, events: &[BusEvent]) -> Vec<Result<(), Error>> {
        let details: Vec<String> = match events.iter().map(BusEvent::detail).collect() {
            Ok(details) => details,
            Err(_) => return events.iter().map(|_| Err(not_published("MalformedDetail"))).collect(),
        };
        let sized = events.iter().zip(&details);
        let entries: Vec<_> =
            sized.map(|(event, detail)| Entry { key: &event.partitionkey, bytes: event.bytes(detail) }).collect();
        let mut publication = Publication::plan(&entries);
        let mut results = Vec::with_capacity(events.len());
        while let Some(call) = publication.next_call() {
            let responses = self.put(&events[call.clone()], &details[call.clone()]).await;
            publication.record_results(call, &responses.iter().map(Result::is_ok).collect::<Vec<_>>());
            results.extend(responses);
        }
        results.resize_with(events.len(), || Err(not_published("HeldBack")));
        results
    }

    async fn put(&self, events: &[BusEvent], details: &[String]) -> Vec<Result<(), Error>> {
        let entries = events.iter().zip(details).map(|(event, detail)| self.entry(event, detail)).collect();
        match self.client.put_events().set_entries(Some(entries)).send().await {
            Ok(response) => {
                let mut outcomes = response.entries.unwrap_or_default().into_iter().map(|entry| entry.error_code);
                events
                    .iter()
                    .map(|_| match outcomes.next() {
                        Some(None) => Ok(()),
                        Some(Some(code)) => Err(not_published(&code)),
                        None => Err(not_published("NoResult")),
                    })
                    .collect()
            }
            Err(error) => {
                let first = Err(Error::aws("publish the events")(error));
                let others = events.iter().skip(1).map(|_| Err(not_published("BatchFailed")));
                std::iter::once(first).chain(others).collect()
            }
        }
    }

    fn entry(&self, event: &BusEvent, detail: &str) -> PutEventsRequestEntry {
        PutEventsRequestEntry::builder()
            .event_bus_name(&self.name)
            .source(ENVELOPE_SOURCE)
            .detail_type(event.kind.as_str())
            .detail(detail)
            .build()
    }
}

/// The `Source` of the envelope, the same for every org.
const ENVELOPE_SOURCE: &str = "ferry";
/// An upper bound for the size of the envelope without detail and type.
const ENVELOPE_BYTES: usize = 1024;

fn not_published(code: &str) -> Error {
    Error::NotPublished { code: code.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_fits_up_to_the_limit_of_the_bus() {
        let mut event =
            BusEvent::new("00D5e000000KQ2eEAG".parse().unwrap(), EventKind::RecordChanged, "Account/1", "1");
        event.data = Value::String(String::new());
        let free = batch::MESSAGES.bytes - event.bytes(&event.detail().unwrap());
        event.data = Value::String("x".repeat(free));
        assert!(event.fits());
        event.data = Value::String("x".repeat(free + 1));
        assert!(!event.fits());
    }
}
