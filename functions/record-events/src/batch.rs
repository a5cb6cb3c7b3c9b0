//! A batch of the stream: which events it makes, and what is answered when some of them did not get through.

use aws_lambda_events::dynamodb::EventRecord;
use aws_lambda_events::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use runtime::{Outcome, Report};
use serde::de::DeserializeOwned;
use serde::{Serialize, Serializer};
use store::{BusEvent, Connection, Org};

use crate::{Error, change, connection, org};

/// What is to be told of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// A change of a record.
    Record(BusEvent),
    /// A change of an org.
    Org(BusEvent),
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
        return Ok(kind.map(|kind| Told::Org(org::event(&new, kind, &record.event_id))));
    }
    if new.contains_key(ONLY_IN_THE_VENDORS_ORG) {
        return Ok(None);
    }
    let Some(new) = image(new)? else { return Ok(None) };
    let old = image(old)?;
    let difference = change::compare(old.as_ref(), &new);
    Ok(difference.map(|difference| Told::Record(change::event(&new, &difference, &record.event_id))))
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
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use store::MirrorRecord;

    use super::*;

    fn row(stage: &str) -> Value {
        let row = MirrorRecord {
            org_id: "00D5e000000KQ2eEAG".parse().unwrap(),
            object: "Opportunity".parse().unwrap(),
            record_id: "0065e00000AbCdEAAV".parse().unwrap(),
            fields: json!({"StageName": stage}).as_object().unwrap().clone(),
            system_modstamp: "2026-11-22T10:15:30Z".parse().unwrap(),
            read_at: "2026-11-22T10:16:00Z".parse().unwrap(),
            deleted: false,
            master_record_id: None,
        };
        let item: serde_dynamo::Item = serde_dynamo::to_item(row).unwrap();
        serde_json::to_value(item).unwrap()
    }

    fn change(number: usize, old: Value, new: Value) -> EventRecord {
        serde_json::from_value(json!({
            "awsRegion": "eu-central-1", "eventID": format!("event-{number}"), "eventName": "MODIFY",
            "dynamodb": { "Keys": {}, "OldImage": old, "NewImage": new, "SequenceNumber": number.to_string(), "SizeBytes": 1 },
        }))
        .unwrap()
    }

    #[test]
    fn a_batch_makes_the_events_of_its_changes_in_order() {
        let batch = Batch::read(vec![
            change(1, json!({}), row("Prospecting")),
            change(2, row("Prospecting"), row("Prospecting")),
            change(3, row("Prospecting"), row("Closed Won")),
            change(4, row("Closed Won"), json!({})),
        ]);

        let id = |told: &Told| match told {
            Told::Record(event) | Told::Org(event) => event.id.clone(),
            Told::Connection { change_id, .. } => change_id.clone(),
        };
        let events: Vec<_> = batch.events.iter().map(|(number, told)| (number.clone(), id(told))).collect();
        assert_eq!(events, [("1", "event-1"), ("3", "event-3")].map(|(number, id)| (number.to_owned(), id.to_owned())));
        assert_eq!((batch.silent, batch.unreadable.is_none()), (2, true));
    }

    #[test]
    fn an_unreadable_row_stops_the_stream_where_it_stands() {
        let foreign = json!({"org_id": {"S": "no org"}});
        let batch = Batch::read(vec![
            change(1, json!({}), row("Prospecting")),
            change(2, json!({}), foreign),
            change(3, row("Prospecting"), row("Closed Won")),
        ]);

        assert_eq!(batch.events.len(), 1);
        assert_eq!(resume_at(&batch, &[true]), Some("2"));
        assert_eq!(resume_at(&batch, &[false]), Some("1"));
    }

    #[test]
    fn the_answer_names_the_first_record_that_did_not_get_through() {
        let answer = Answer { resume_at: Some("7".to_owned()), ..Answer::default() };
        assert_eq!(serde_json::to_value(answer).unwrap(), json!({"batchItemFailures": [{"itemIdentifier": "7"}]}));
        assert_eq!(serde_json::to_value(Answer::default()).unwrap(), json!({"batchItemFailures": []}));
    }

    proptest! {
        #[test]
        fn nothing_before_the_place_to_go_on_from_was_lost(published in prop::collection::vec(any::<bool>(), 1..40)) {
            let stages = (0..published.len()).map(|n| (row(&n.to_string()), row(&(n + 1).to_string())));
            let records = stages.enumerate().map(|(n, (old, new))| change(n, old, new)).collect();
            let batch = Batch::read(records);

            let resume_at = resume_at(&batch, &published).map_or(published.len(), |number| number.parse().unwrap());
            prop_assert!(published[..resume_at].iter().all(|published| *published));
            prop_assert!(resume_at == published.len() || !published[resume_at]);
        }
    }
}
