//! A batch of the stream: which events it makes, and what is answered when some of them did not get through.

use aws_lambda_events::dynamodb::EventRecord;
use aws_lambda_events::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use runtime::{Outcome, Report};
use serde::de::DeserializeOwned;
use serde::{Serialize, Serializer};
use store::{BusEvent, Connection, Org};

use crate::change::Change;
use crate::{Error, connection, org};

/// What is to be told of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// A change of a record.
    Record(Box<Change>),
    /// A change of an org.
    Org(Box<BusEvent>),
    /// A change of a connection, whose event may want a link.
    Connection {
        /// The connection as it is now.
        connection: Box<Connection>,
        /// What happened to it.
        kind: connection::Kind,
        /// The name of the change.
        change_id: String,
    },
}

/// What the stream records up to the first unreadable one amount to.
#[derive(Debug, Default)]
pub struct Batch {
    /// The events to publish, in the order of the stream, each with the sequence number of the record it comes from.
    pub events: Vec<(String, Told)>,
    /// Records that make no event: read again without a difference, or removed by an operator.
    pub silent: u64,
    /// The first record that cannot be read; what follows it waits, because the order must be kept.
    pub unreadable: Option<(String, Error)>,
}

impl Batch {
    /// Reads the records up to the first unreadable one.
    #[must_use]
    pub fn read(records: Vec<EventRecord>) -> Self {
        let mut batch = Self::default();
        for record in records {
            let sequence_number = record.change.sequence_number.clone().unwrap_or_default();
            match told(record) {
                Ok(Some(event)) => batch.events.push((sequence_number, event)),
                Ok(None) => batch.silent += 1,
                Err(error) => {
                    batch.unreadable = Some((sequence_number, error));
                    break;
                }
            }
        }
        batch
    }
}

/// Where the stream must go on: at the first record that did not get through. Lambda sends that one and all later ones
/// again, so that an event may come twice but never before an earlier one of its record was published.
#[must_use]
pub fn resume_at<'a>(batch: &'a Batch, published: &[bool]) -> Option<&'a str> {
    let lost = batch.events.iter().zip(published).find(|(_, published)| !**published);
    lost.map(|((sequence_number, _), _)| sequence_number)
        .or_else(|| batch.unreadable.as_ref().map(|(sequence_number, _)| sequence_number))
        .map(String::as_str)
}

/// The answer to the stream (`ReportBatchItemFailures`), with the numbers for the closing line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The sequence number from which the stream goes on; `None`: after the batch.
    pub resume_at: Option<String>,
    /// Events on the bus.
    pub published: u64,
    /// Records that make no event.
    pub silent: u64,
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut response = DynamoDbEventResponse::default();
        response.batch_item_failures.extend(self.resume_at.clone().map(|sequence_number| {
            let mut failure = DynamoDbBatchItemFailure::default();
            failure.item_identifier = Some(sequence_number);
            failure
        }));
        response.serialize(serializer)
    }
}

impl Report for Answer {
    fn outcome(&self) -> Outcome {
        if self.resume_at.is_none() { Outcome::Ok } else { Outcome::Partial }
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        vec![("events.published", self.published), ("records.silent", self.silent)]
    }
}

fn told(record: EventRecord) -> Result<Option<Told>, Error> {
    let (old, new) = (record.change.old_image, record.change.new_image);
    if new.contains_key(ONLY_IN_CONNECTIONS) {
        let (old, new) = (image(old)?, image::<Connection>(new)?);
        let Some(new) = new else { return Ok(None) };
        let kind = connection::compare(old.as_ref(), &new);
        let change_id = record.event_id;
        return Ok(kind.map(|kind| Told::Connection { connection: Box::new(new), kind, change_id }));
    }
    if new.contains_key(ONLY_IN_ORGS) {
        let (old, new) = (image(old)?, image::<Org>(new)?);
        let Some(new) = new else { return Ok(None) };
        let kind = org::compare(old.as_ref(), &new);
        return Ok(kind.map(|kind| Told::Org(Box::new(org::event(&new, kind, &record.event_id)))));
    }
    if new.contains_key(ONLY_IN_THE_VENDORS_ORG) {
        return Ok(None);
    }
    let Some(new) = image(new)? else { return Ok(None) };
    Ok(Change::between(image(old)?, new, record.event_id).map(|change| Told::Record(Box::new(change))))
}

/// The key that tells the `connections` table's rows from those of the mirror.
const ONLY_IN_CONNECTIONS: &str = "connection_id";
/// The attribute that tells the `orgs` table's rows from all others.
const ONLY_IN_ORGS: &str = "claimed_at";
/// The attribute of the vendor's License Management Org, which stands beside the orgs and makes no events.
const ONLY_IN_THE_VENDORS_ORG: &str = "license_management_org";

fn image<T: DeserializeOwned>(item: serde_dynamo::Item) -> Result<Option<T>, Error> {
    if item.is_empty() {
        return Ok(None);
    }
    serde_dynamo::from_item(item).map(Some).map_err(Error::Unreadable)
}

#[cfg(test)]
mod tests;
