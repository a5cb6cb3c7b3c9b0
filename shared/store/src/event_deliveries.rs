//! The events that wait for an endpoint of the platform, in order for each partition key, and those whose delivery has ended.
//!
//! An event that waits is the item `waiting#{partition key}#{order}`, so the first item with that beginning is the one to send.
//! Once it is delivered or given up, an item `ended#{time}#{event}` without the event's content takes its place. All of it
//! expires.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::event_endpoints::EndpointId;
use crate::queues::Message;
use crate::table::{
    Expression, Item, Table, Update, delete_request, from_items, key, number, put_request, text, to_item,
};
use crate::{BusEvent, Error, EventKind, Tenant, time};

pub mod rule;

/// The time for which an event is sent again, from its acceptance.
pub const KEPT: SignedDuration = SignedDuration::from_hours(3 * 24);
/// The time after which an item is deleted, from the acceptance of the event.
const RETENTION: SignedDuration = SignedDuration::from_hours(4 * 24);
/// The items of one page of waiting events.
const PAGE: i32 = 200;

/// An attempt to deliver an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The time.
    #[serde(with = "crate::time::millis")]
    pub at: Timestamp,
    /// The status of the response, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// A stable code of the failure: `status`, `timed_out`, `not_connected`, `address_refused`, `no_response`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// An event that waits for an endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WaitingEvent {
    /// The endpoint.
    pub endpoint_id: EndpointId,
    /// The sort key: the partition key of the event, and its order in it.
    pub place: String,
    /// The event's id.
    pub event_id: String,
    /// The event's type.
    pub kind: EventKind,
    /// The event's subject.
    pub subject: String,
    /// The body of the request.
    pub body: String,
    /// The number of attempts that failed.
    #[serde(default)]
    pub attempts: u32,
    /// The last attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Attempt>,
    /// The time before which it is not sent.
    #[serde(with = "crate::time::millis")]
    pub next_attempt_at: Timestamp,
    /// The time at which it was stored.
    #[serde(with = "crate::time::millis")]
    pub accepted_at: Timestamp,
}

impl WaitingEvent {
    /// Creates the item of an event that was just accepted.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the event cannot be serialized.
    pub fn new(endpoint_id: EndpointId, event: &BusEvent, now: Timestamp) -> Result<Self, Error> {
        let corrupt =
            |source| Error::Corrupt { operation: "store the event for the endpoint", source: Box::new(source) };
        let now = time::to_millis(now);
        let time = time::format(event.time);
        let order = event.sequence.as_deref().unwrap_or(&time);
        Ok(Self {
            endpoint_id,
            place: format!("{}{order}#{}", lane(&event.partitionkey), event.id),
            event_id: event.id.clone(),
            kind: event.kind,
            subject: event.subject.clone(),
            body: serde_json::to_string(event).map_err(corrupt)?,
            attempts: 0,
            last: None,
            next_attempt_at: now,
            accepted_at: now,
        })
    }

    /// Returns the task that delivers the event.
    #[must_use]
    pub fn task(&self, tenant: Tenant) -> EventDeliveryTask {
        EventDeliveryTask::Deliver { tenant, endpoint_id: self.endpoint_id.clone(), place: self.place.clone() }
    }
}

/// The end of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The endpoint accepted the event.
    Delivered,
    /// It was not accepted for [`KEPT`].
    GivenUp,
}

/// An event whose delivery has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedEvent {
    /// The endpoint.
    pub endpoint_id: EndpointId,
    /// The sort key.
    pub place: String,
    /// The event's id.
    pub event_id: String,
    /// The event's type.
    pub kind: EventKind,
    /// The event's subject.
    pub subject: String,
    /// The end.
    pub end: End,
    /// The number of attempts that failed.
    pub attempts: u32,
    /// The last attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Attempt>,
    /// The time at which it was stored.
    #[serde(with = "crate::time::millis")]
    pub accepted_at: Timestamp,
    /// The time of the end.
    #[serde(with = "crate::time::millis")]
    pub ended_at: Timestamp,
}

/// A message to the function that delivers events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case")]
pub enum EventDeliveryTask {
    /// Sends the events with the partition key of an event, beginning with that one.
    Deliver {
        /// The tenant of the endpoint.
        tenant: Tenant,
        /// The endpoint.
        endpoint_id: EndpointId,
        /// The event that the message was sent for.
        place: String,
    },
    /// Queues a delivery for each partition key of which events wait, after a pause.
    Resume {
        /// The tenant of the endpoint.
        tenant: Tenant,
        /// The endpoint.
        endpoint_id: EndpointId,
        /// The place after which it goes on; `None` at the beginning.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<String>,
    },
}

impl Message for EventDeliveryTask {
    fn group(&self) -> &str {
        let (Self::Deliver { endpoint_id, .. } | Self::Resume { endpoint_id, .. }) = self;
        endpoint_id.as_str()
    }
}

/// The `event_deliveries` table.
#[derive(Clone, Debug)]
pub struct EventDeliveries {
    table: Table,
}

impl EventDeliveries {
    /// Creates a client for the table of this name.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table::new(client, table) }
    }

    /// Stores an event that waits, unless it waits already.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn accept(&self, event: &WaitingEvent) -> Result<(), Error> {
        let operation = "store the event for the endpoint";
        let item = expiring(to_item(operation, event)?, event.accepted_at);
        let when = Expression { text: "attribute_not_exists(#endpoint_id)", values: Vec::new() };
        self.table.put(operation, item, when).await.map(drop)
    }

    /// Returns the first event that waits with the partition key of this place. The read is consistent.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn first(&self, endpoint: &EndpointId, place: &str) -> Result<Option<WaitingEvent>, Error> {
        let query = self.begins_with(endpoint, lane_of(place)).consistent_read(true).limit(1);
        let events: Vec<WaitingEvent> = page("find the next event of the endpoint", query).await?;
        Ok(events.into_iter().next())
    }

    /// Returns events that wait for the endpoint, in the order of their places, after a place. The read is consistent.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn waiting(&self, endpoint: &EndpointId, after: Option<&str>) -> Result<Vec<WaitingEvent>, Error> {
        let after = after.map(|place| row_key(endpoint, place));
        let query = self.begins_with(endpoint, WAITING).consistent_read(true).limit(PAGE);
        page("list the events that wait for the endpoint", query.set_exclusive_start_key(after)).await
    }

    fn begins_with(&self, endpoint: &EndpointId, beginning: &str) -> QueryFluentBuilder {
        self.table
            .query_partition(("endpoint_id", endpoint.as_str()))
            .key_condition_expression("#partition = :partition AND begins_with(#place, :beginning)")
            .expression_attribute_names("#place", "place")
            .expression_attribute_values(":beginning", text(beginning))
    }

    /// Stores a failed attempt. Nothing is stored if the event does not wait any more.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn store_failure(&self, event: &WaitingEvent) -> Result<(), Error> {
        let operation = "store the failed attempt";
        let last = event.last.as_ref().map(serde_dynamo::to_attribute_value).transpose();
        let last = last.map_err(|source| Error::Corrupt { operation, source: Box::new(source) })?;
        let mut set =
            vec![("attempts", number(event.attempts)), ("next_attempt_at", text(time::format(event.next_attempt_at)))];
        set.extend(last.map(|last| ("last", last)));
        let update = Update { set, when: "attribute_exists(#endpoint_id)", ..Update::default() };
        self.table.update(operation, row_key(&event.endpoint_id, &event.place), update).await.map(drop)
    }

    /// Stores the end of a delivery and deletes the event that waits, in one request. A caller that is killed before it finds the
    /// event again: it is delivered twice, or given up twice.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn end(
        &self,
        event: &WaitingEvent,
        end: End,
        last: Option<Attempt>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let operation = "store the end of the delivery";
        let ended = EndedEvent {
            endpoint_id: event.endpoint_id.clone(),
            place: format!("{ENDED}{}#{}", time::format(event.accepted_at), event.event_id),
            event_id: event.event_id.clone(),
            kind: event.kind,
            subject: event.subject.clone(),
            end,
            attempts: event.attempts,
            last: last.or_else(|| event.last.clone()),
            accepted_at: event.accepted_at,
            ended_at: time::to_millis(now),
        };
        let put = put_request(operation, expiring(to_item(operation, &ended)?, event.accepted_at))?;
        let delete = delete_request(operation, row_key(&event.endpoint_id, &event.place))?;
        self.table.write_all(operation, vec![put, delete]).await
    }

    /// Deletes an event that waits.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn drop_waiting(&self, event: &WaitingEvent) -> Result<(), Error> {
        let operation = "delete the event";
        let delete = delete_request(operation, row_key(&event.endpoint_id, &event.place))?;
        self.table.write_all(operation, vec![delete]).await
    }

    /// Returns at most `limit` deliveries that have ended, the last accepted first: all, or those with this end.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn ended(&self, endpoint: &EndpointId, end: Option<End>, limit: usize) -> Result<Vec<EndedEvent>, Error> {
        let operation = "list the deliveries of the endpoint";
        let mut query = self.begins_with(endpoint, ENDED).scan_index_forward(false);
        match end {
            // The limit counts the items before the filter, so a page with one could be empty.
            Some(end) => {
                let end = serde_dynamo::to_attribute_value(end)
                    .map_err(|source| Error::Corrupt { operation, source: Box::new(source) })?;
                query = query
                    .filter_expression("#end = :end")
                    .expression_attribute_names("#end", "end")
                    .expression_attribute_values(":end", end);
            }
            None => query = query.limit(i32::try_from(limit).unwrap_or(PAGE)),
        }
        let mut found: Vec<EndedEvent> = Vec::new();
        let mut after = None;
        loop {
            let page = query.clone().set_exclusive_start_key(after).send().await.map_err(Error::aws(operation))?;
            found.extend(from_items::<EndedEvent>(operation, page.items.unwrap_or_default())?);
            after = page.last_evaluated_key;
            if after.is_none() || found.len() >= limit {
                found.truncate(limit);
                return Ok(found);
            }
        }
    }
}

async fn page<T: DeserializeOwned>(operation: &'static str, query: QueryFluentBuilder) -> Result<Vec<T>, Error> {
    let page = query.send().await.map_err(Error::aws(operation))?;
    from_items(operation, page.items.unwrap_or_default())
}

const WAITING: &str = "waiting#";
const ENDED: &str = "ended#";

/// Returns the beginning of the places of the events with a partition key. No partition key contains `#`.
fn lane(partition_key: &str) -> String {
    format!("{WAITING}{}#", partition_key.replace('#', "_"))
}

/// Returns the beginning of the place of an event that waits, up to its order.
fn lane_of(place: &str) -> &str {
    let key = place.strip_prefix(WAITING).unwrap_or_default();
    key.find('#').and_then(|end| place.get(..=WAITING.len() + end)).unwrap_or(place)
}

/// Returns the last place that an event with the partition key of this place can have.
#[must_use]
pub fn end_of_lane(place: &str) -> String {
    format!("{}\u{7f}", lane_of(place))
}

fn expiring(mut item: Item, accepted_at: Timestamp) -> Item {
    let expires_at = accepted_at.saturating_add(RETENTION).unwrap_or(accepted_at);
    item.insert("expires_at".to_owned(), number(expires_at.as_second()));
    item
}

fn row_key(endpoint: &EndpointId, place: &str) -> Item {
    key([("endpoint_id", endpoint.as_str()), ("place", place)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(subject: &str, sequence: Option<&str>, id: &str) -> WaitingEvent {
        let org = "00D5e000000KQ2eEAG".parse().unwrap();
        let mut event = BusEvent::new(org, EventKind::RecordChanged, subject, id);
        event.sequence = sequence.map(str::to_owned);
        let endpoint = EndpointId::generate(&mut rand::rng());
        WaitingEvent::new(endpoint, &event, Timestamp::UNIX_EPOCH).unwrap()
    }

    #[test]
    fn the_events_of_a_record_sort_by_their_sequence() {
        let record = "Opportunity/0065e00000AbCdEAAV";
        let first = event(record, Some("2026-11-22T10:15:30.000Z/2026-11-22T10:16:00.000Z"), "z");
        let second = event(record, Some("2026-11-22T10:15:30.000Z/2026-11-22T10:17:00.000Z"), "a");
        assert!(first.place < second.place);
        assert_eq!(lane_of(&first.place), lane_of(&second.place));
        assert!(second.place < end_of_lane(&first.place));
        let other = event("Opportunity/0065e00000AbCdFAAV", Some("2026"), "a");
        assert_ne!(lane_of(&first.place), lane_of(&other.place));
        assert!(end_of_lane(&first.place) < other.place);
    }

    #[test]
    fn an_event_without_a_sequence_sorts_by_its_time() {
        let ended = event("writes/f423aba7-be8a-50bd-b8cc-e92831fc51f8", None, "a");
        assert!(ended.place.ends_with("#1970-01-01T00:00:00.000Z#a"), "{}", ended.place);
    }
}
