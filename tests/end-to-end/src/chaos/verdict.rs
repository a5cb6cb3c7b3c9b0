//! The checks at the end of a run, which compare Ferry's state with the org.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use local::stack::Stack;
use serde_json::{Map, Value};
use store::records::rule::changed_fields;
use store::{Deliveries, DeliveryOutcome, Records};

use super::edits::EditedRecord;

/// The number of rows that are compared concurrently.
const CONCURRENCY: usize = 8;

/// Checks that every acknowledged notification is in the ledger with a final outcome. Returns the differences.
pub(super) async fn check_ledger(stack: &Stack, acknowledged: &BTreeSet<String>) -> Result<Vec<String>> {
    let dynamodb = aws_sdk_dynamodb::Client::new(stack.sdk_config());
    let deliveries = Deliveries::new(dynamodb, stack.output("DeliveriesTable")?);
    let org = stack.simulator().org_id().parse()?;
    let checked = stream::iter(acknowledged)
        .map(async |notification| {
            let delivery = deliveries.load(org, &notification.parse()?).await?;
            Ok(match delivery.map(|delivery| delivery.outcome) {
                None => Some(format!("notification {notification} was acknowledged and is not in the ledger")),
                Some(
                    DeliveryOutcome::Deferred { reason }
                    | DeliveryOutcome::Failed { reason }
                    | DeliveryOutcome::LeftToRefresh { reason },
                ) => Some(format!("notification {notification} ended as {reason}")),
                Some(_) => None,
            })
        })
        .buffer_unordered(CONCURRENCY);
    let wrong: Vec<Option<String>> = checked.map(|wrong: Result<_>| wrong).try_collect().await?;
    Ok(wrong.into_iter().flatten().collect())
}

/// Checks that the mirror has the org's values of each record. Returns the differences.
pub(super) async fn check_mirror(stack: &Stack, records: impl AsRef<[EditedRecord]>) -> Result<Vec<String>> {
    let dynamodb = aws_sdk_dynamodb::Client::new(stack.sdk_config());
    let mirror = Records::new(dynamodb, stack.output("RecordsTable")?);
    let org = stack.simulator().org_id().parse()?;
    let compared = stream::iter(records.as_ref())
        .map(async |record| {
            let (object, id) = (record.object.parse()?, record.id.parse()?);
            let row = mirror.load(org, &object, id).await?;
            let truth =
                stack.simulator().record(record.object, &record.id).context("the org does not have the record")?;
            let subject = format!("{}/{}", record.object, record.id);
            let Some(row) = row else { return Ok(Some(format!("{subject} is not in the mirror"))) };
            let gone = truth.get("IsDeleted") == Some(&Value::Bool(true));
            if row.deleted != gone {
                return Ok(Some(format!("{subject}: deleted is {} in the mirror and {gone} in the org", row.deleted)));
            }
            if gone {
                return Ok(None);
            }
            let differ: Vec<String> = changed_fields(&row.fields, &truth);
            let read = |name: &String| row.fields.contains_key(name);
            let differ: Vec<_> = differ.into_iter().filter(read).collect();
            Ok((!differ.is_empty()).then(|| format!("{subject} differs in {differ:?}")))
        })
        .buffer_unordered(CONCURRENCY);
    let wrong: Vec<Option<String>> = compared.map(|wrong: Result<_>| wrong).try_collect().await?;
    Ok(wrong.into_iter().flatten().collect())
}

/// Checks that every event reports a change, and that the events of a record have no gap: the old values of an event are the new
/// values of the one before it. Returns the differences.
pub(super) fn check_events(events: &[Value]) -> Vec<String> {
    let mut by_subject: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for event in events {
        by_subject.entry(event["subject"].as_str().unwrap_or_default()).or_default().push(event);
    }
    let mut wrong = Vec::new();
    for (subject, mut events) in by_subject {
        events.sort_by_key(|event| event["sequence"].as_str().unwrap_or_default().to_owned());
        let mut shown: Option<Map<String, Value>> = None;
        for event in events {
            wrong.extend(check_event(event, shown.as_ref()).map(|reason| format!("{subject}: {reason}")));
            shown = Some(apply(event, shown));
        }
    }
    wrong
}

/// Returns what is wrong with an event, given the values after the events before it.
fn check_event(event: &Value, shown: Option<&Map<String, Value>>) -> Option<String> {
    let changes = event["data"]["values"].as_object();
    let kind = event["type"].as_str().unwrap_or_default();
    for (field, change) in changes.into_iter().flatten() {
        if change["old"] == change["new"] {
            return Some(format!("a {kind} reports a change of {field} between equal values"));
        }
        let before = shown.map(|shown| shown.get(field).cloned().unwrap_or_default());
        if kind == "record.changed" && before.is_some_and(|before| before != change["old"]) {
            return Some(format!("the old {field} of a {kind} is not the new one of the event before it"));
        }
    }
    let empty = changes.is_none_or(Map::is_empty);
    (kind == "record.changed" && empty).then(|| "a record.changed reports no change".to_owned())
}

/// Returns the values of a record after an event.
fn apply(event: &Value, shown: Option<Map<String, Value>>) -> Map<String, Value> {
    let mut shown = shown.unwrap_or_default();
    if event["type"] == "record.deleted" || event["type"] == "record.merged" {
        return Map::new();
    }
    for (field, change) in event["data"]["values"].as_object().into_iter().flatten() {
        shown.insert(field.clone(), change["new"].clone());
    }
    shown
}

/// Returns the URL of the worker's dead-letter queue.
pub(super) async fn dead_letters_url(sqs: &aws_sdk_sqs::Client) -> Result<String> {
    let response = sqs.get_queue_url().queue_name("ferry-record-upsert-dead-letters").send().await?;
    response.queue_url.context("the dead-letter queue has no URL")
}
