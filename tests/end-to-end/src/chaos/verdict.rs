//! What must be so in the end, compared with the org itself.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use local::stack::Stack;
use serde_json::{Map, Value};
use store::records::rule::changed_fields;
use store::{Deliveries, DeliveryOutcome, Records};

use super::edits::Known;

/// How many rows are compared at the same time.
const AT_ONCE: usize = 8;

/// Every acknowledged notification is in the ledger, with an outcome that is final.
pub(super) async fn of_ledger(stack: &Stack, acknowledged: &BTreeSet<String>) -> Result<Vec<String>> {
    let dynamodb = aws_sdk_dynamodb::Client::new(stack.sdk_config());
    let deliveries = Deliveries::new(dynamodb, stack.output("DeliveriesTable")?);
    let org = stack.simulator().org_id().parse()?;
    let known = stream::iter(acknowledged)
        .map(async |notification| {
            let delivery = deliveries.load(org, &notification.parse()?).await?;
            Ok(match delivery.map(|delivery| delivery.outcome) {
                None => Some(format!("notification {notification} was acknowledged and is not in the ledger")),
                Some(DeliveryOutcome::Deferred { reason } | DeliveryOutcome::Failed { reason }) => {
                    Some(format!("notification {notification} ended as {reason}"))
                }
                Some(_) => None,
            })
        })
        .buffer_unordered(AT_ONCE);
    let wrong: Vec<Option<String>> = known.map(|wrong: Result<_>| wrong).try_collect().await?;
    Ok(wrong.into_iter().flatten().collect())
}

/// The mirror shows of each record what the org shows.
pub(super) async fn of_mirror(stack: &Stack, records: impl AsRef<[Known]>) -> Result<Vec<String>> {
    let dynamodb = aws_sdk_dynamodb::Client::new(stack.sdk_config());
    let mirror = Records::new(dynamodb, stack.output("RecordsTable")?);
    let org = stack.simulator().org_id().parse()?;
    let compared = stream::iter(records.as_ref())
        .map(async |known| {
            let (object, id) = (known.object.parse()?, known.id.parse()?);
            let row = mirror.load(org, &object, id).await?;
            let truth = stack.simulator().record(known.object, &known.id).context("the org has lost a record")?;
            let subject = format!("{}/{}", known.object, known.id);
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
        .buffer_unordered(AT_ONCE);
    let wrong: Vec<Option<String>> = compared.map(|wrong: Result<_>| wrong).try_collect().await?;
    Ok(wrong.into_iter().flatten().collect())
}

/// Every event tells of a change that can be seen, and the events of a record follow each other without a gap: what one says
/// was there before is what the one before it left.
pub(super) fn of_events(events: &[Value]) -> Vec<String> {
    let mut by_subject: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for event in events {
        by_subject.entry(event["subject"].as_str().unwrap_or_default()).or_default().push(event);
    }
    let mut wrong = Vec::new();
    for (subject, mut events) in by_subject {
        events.sort_by_key(|event| event["sequence"].as_str().unwrap_or_default().to_owned());
        let mut shown: Option<Map<String, Value>> = None;
        for event in events {
            wrong.extend(judge(event, shown.as_ref()).map(|what| format!("{subject}: {what}")));
            shown = Some(left_by(event, shown));
        }
    }
    wrong
}

/// What is wrong with an event, given what the events before it left.
fn judge(event: &Value, shown: Option<&Map<String, Value>>) -> Option<String> {
    let changes = event["data"]["values"].as_object();
    let kind = event["type"].as_str().unwrap_or_default();
    for (field, change) in changes.into_iter().flatten() {
        if change["old"] == change["new"] {
            return Some(format!("a {kind} says that {field} changed from a value to the same"));
        }
        let before = shown.map(|shown| shown.get(field).cloned().unwrap_or_default());
        if kind == "record.changed" && before.is_some_and(|before| before != change["old"]) {
            return Some(format!("a {kind} says of {field} what the event before it did not leave"));
        }
    }
    let empty = changes.is_none_or(Map::is_empty);
    (kind == "record.changed" && empty).then(|| "a record.changed without a change".to_owned())
}

fn left_by(event: &Value, shown: Option<Map<String, Value>>) -> Map<String, Value> {
    let mut shown = shown.unwrap_or_default();
    if event["type"] == "record.deleted" || event["type"] == "record.merged" {
        return Map::new();
    }
    for (field, change) in event["data"]["values"].as_object().into_iter().flatten() {
        shown.insert(field.clone(), change["new"].clone());
    }
    shown
}

/// The address of the worker's dead letters.
pub(super) async fn dead_letters_url(sqs: &aws_sdk_sqs::Client) -> Result<String> {
    let answer = sqs.get_queue_url().queue_name("ferry-record-upsert-dead-letters").send().await?;
    answer.queue_url.context("there are no dead letters")
}
