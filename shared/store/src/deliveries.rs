//! The inbound ledger: every delivery with its outcome. Deliveries expire, 14 days after their arrival by default.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use salesforce::{OrgId, RecordId};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::hints::{RecordRef, Source};
use crate::ids::DeliveryId;
use crate::table::{
    Expression, Item, Place, Rows, Table, from_item, from_items, key, number, put_request, text, to_item,
};
use crate::time;

/// The outcome of a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum DeliveryOutcome {
    /// The mirror changed.
    Applied,
    /// The mirror had the same content already.
    Unchanged,
    /// The mirror has a newer version.
    Stale,
    /// The connection may not see the record, or the org's settings exclude it from the mirror.
    NotVisible,
    /// The record is deleted.
    Deleted,
    /// It could not be applied yet, and was deferred. Version 0.1.0 stored it as `put_off`.
    #[serde(alias = "put_off")]
    Deferred {
        /// The reason, as a stable code.
        reason: String,
    },
    /// It could not be applied, and is not retried.
    Failed {
        /// The reason, as a stable code.
        reason: String,
    },
    /// It could not be applied before a person acts, and waited for three days. Once the connection can be used, the scan of
    /// the object reads the record.
    LeftToRefresh {
        /// The reason, as a stable code.
        reason: String,
    },
    /// It reported more changes than it names. The whole object is refreshed.
    ObjectRefresh,
}

impl DeliveryOutcome {
    /// Returns whether the change was applied, or there was nothing to apply.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        !matches!(self, Self::Deferred { .. } | Self::Failed { .. } | Self::LeftToRefresh { .. })
    }

    /// Returns whether this outcome is stored in place of `known`. A redelivery finds its work done: `Unchanged`, or a
    /// failure, is less informative than the first outcome.
    #[must_use]
    pub fn replaces(&self, known: &Self) -> bool {
        !known.is_settled() || !self.yields()
    }

    /// Returns whether this outcome yields to a settled one.
    fn yields(&self) -> bool {
        matches!(self, Self::Unchanged | Self::Stale) || !self.is_settled()
    }
}

/// A delivery: one notification, or a change event's part about one record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The org.
    pub org_id: OrgId,
    /// The id, the same for every redelivery.
    pub delivery_id: DeliveryId,
    /// The kind of message.
    pub source: Source,
    /// The record, if the message names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<RecordRef>,
    /// The time of arrival.
    #[serde(with = "crate::time::millis")]
    pub received_at: Timestamp,
    /// The time of the outcome.
    #[serde(with = "crate::time::millis")]
    pub settled_at: Timestamp,
    /// The outcome.
    #[serde(flatten)]
    pub outcome: DeliveryOutcome,
}

/// The `deliveries` table.
#[derive(Clone, Debug)]
pub struct Deliveries {
    table: Table,
    retention: SignedDuration,
}

const RECORD: &str = "record the deliveries";

impl Deliveries {
    /// Creates a client for the table of this name.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table::new(client, table), retention: RETENTION }
    }

    /// Sets the time for which a delivery is stored, counted from its arrival.
    #[must_use]
    pub fn with_retention(self, retention: SignedDuration) -> Self {
        Self { retention, ..self }
    }

    /// Stores the outcomes, each where [`DeliveryOutcome::replaces`] allows it. If a delivery is given several times,
    /// the last such outcome is stored.
    ///
    /// Outcomes that replace any other are written 25 to a request. Each of the others costs its own conditional write.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn record(&self, deliveries: &[Delivery]) -> Result<(), Error> {
        let mut newest: BTreeMap<_, &Delivery> = BTreeMap::new();
        for delivery in deliveries {
            let known = newest.entry((delivery.org_id, &delivery.delivery_id)).or_insert(delivery);
            if delivery.outcome.replaces(&known.outcome) {
                *known = delivery;
            }
        }
        // BatchWriteItem has no conditions, so outcomes that may yield to a stored one are put one by one.
        let (conditional, unconditional): (Vec<_>, Vec<_>) = newest.into_values().partition(|one| one.outcome.yields());
        self.replace(unconditional).await?;
        let puts = conditional.into_iter().map(|one| self.put_if_unsettled(RECORD, one));
        stream::iter(puts).buffer_unordered(PARALLEL_WRITES).try_collect().await
    }

    /// Stores outcomes that replace any other, 25 to a request.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn replace(&self, deliveries: impl IntoIterator<Item = &Delivery>) -> Result<(), Error> {
        let requests = deliveries.into_iter().map(|one| put_request(RECORD, self.item(RECORD, one)?));
        self.table.write_all(RECORD, requests.collect::<Result<_, _>>()?).await
    }

    async fn put_if_unsettled(&self, operation: &'static str, delivery: &Delivery) -> Result<(), Error> {
        let values = UNSETTLED_NAMES.into_iter().zip(UNSETTLED.map(text)).collect();
        let unsettled = Expression { text: IS_UNSETTLED, values };
        self.table.put(operation, self.item(operation, delivery)?, unsettled).await.map(drop)
    }

    fn item(&self, operation: &'static str, delivery: &Delivery) -> Result<Item, Error> {
        let mut item = to_item(operation, delivery)?;
        let expires_at = delivery.received_at.saturating_add(self.retention).unwrap_or(delivery.received_at);
        item.insert("expires_at".to_owned(), number(expires_at.as_second()));
        Ok(item)
    }

    /// Returns the org's deliveries that arrived at `since` or later, oldest first, one page at a time. The latest
    /// arrivals may be missing, because the index lags behind.
    pub fn stream_since(&self, org: OrgId, since: Timestamp) -> impl Stream<Item = Result<Delivery, Error>> {
        let operation = "read the deliveries";
        let items = self.arrived_since(org, since).into_paginator().items().send();
        stream::unfold(items, move |mut items| async move {
            let item = items.next().await?;
            let delivery = item.map_err(Error::aws(operation)).and_then(|item| from_item(operation, item));
            Some((delivery, items))
        })
    }

    /// Returns those of the org's deliveries since a time that are not settled, the latest first, and whether there may be
    /// more: one request compares a megabyte, which are about 3,000 deliveries. The latest arrivals may be missing, because the
    /// index lags behind.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn unsettled(&self, org: OrgId, since: Timestamp) -> Result<(Vec<Delivery>, bool), Error> {
        let operation = "list the unsettled deliveries";
        let mut query = self
            .arrived_since(org, since)
            .scan_index_forward(false)
            .filter_expression(IS_UNSETTLED_NOW)
            .expression_attribute_names("#outcome", "outcome");
        for (name, outcome) in UNSETTLED_NAMES.into_iter().zip(UNSETTLED) {
            query = query.expression_attribute_values(name, text(outcome));
        }
        let page = query.send().await.map_err(Error::aws(operation))?;
        Ok((from_items(operation, page.items.unwrap_or_default())?, page.last_evaluated_key.is_some()))
    }

    fn arrived_since(&self, org: OrgId, since: Timestamp) -> QueryFluentBuilder {
        self.table
            .query_partition(("org_id", org.as_str()))
            .index_name("by_received_at")
            .key_condition_expression("#partition = :partition AND #received_at >= :since")
            .expression_attribute_names("#received_at", "received_at")
            .expression_attribute_values(":since", text(time::format(since)))
    }

    /// Returns the delivery, or `None` if it is unknown or expired.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn load(&self, org: OrgId, delivery: &DeliveryId) -> Result<Option<Delivery>, Error> {
        let key = key([("org_id", org.as_str()), ("delivery_id", delivery.as_str())]);
        self.table.get("load the delivery", key).await
    }
}

/// Returns the rows of an org.
pub(crate) fn rows_of_org(org: OrgId) -> Rows {
    Rows { keys: &KEYS, place: Place::of_org(org) }
}

/// Returns the rows of an org about a record.
pub(crate) fn rows_of_record(org: OrgId, record: RecordId) -> Rows {
    let values = vec![(":record", text(record.as_str()))];
    let only = Some(Expression { text: "#record.#record_id = :record", values });
    Rows { keys: &KEYS, place: Place::Partition { attribute: "org_id", value: org.to_string(), only } }
}

const KEYS: [&str; 2] = ["org_id", "delivery_id"];

/// The stored names of the unsettled outcomes, that of version 0.1.0 included.
const UNSETTLED: [&str; 4] = ["put_off", "deferred", "failed", "left_to_refresh"];
/// The value placeholders for [`UNSETTLED`] in expressions.
const UNSETTLED_NAMES: [&str; 4] = [":put_off", ":deferred", ":failed", ":left_to_refresh"];
const IS_UNSETTLED_NOW: &str = "#outcome IN (:put_off, :deferred, :failed, :left_to_refresh)";
const IS_UNSETTLED: &str =
    "attribute_not_exists(#org_id) OR #outcome IN (:put_off, :deferred, :failed, :left_to_refresh)";
const PARALLEL_WRITES: usize = 32;
/// The longest time for which a deployment can store deliveries: the maximum of the parameter `DeliveryRetentionDays`.
pub const MAX_RETENTION: SignedDuration = SignedDuration::from_hours(3_650 * 24);
/// The time for which a delivery is stored, unless the deployment sets another.
pub const RETENTION: SignedDuration = SignedDuration::from_hours(14 * 24);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn outcomes() -> Vec<DeliveryOutcome> {
        use DeliveryOutcome::{
            Applied, Deferred, Deleted, Failed, LeftToRefresh, NotVisible, ObjectRefresh, Stale, Unchanged,
        };
        let reason = String::new;
        let unsettled =
            [Deferred { reason: reason() }, Failed { reason: reason() }, LeftToRefresh { reason: reason() }];
        [Applied, Unchanged, Stale, NotVisible, Deleted, ObjectRefresh].into_iter().chain(unsettled).collect()
    }

    fn after(outcomes: &[DeliveryOutcome]) -> Option<DeliveryOutcome> {
        outcomes.iter().cloned().fold(None, |known: Option<DeliveryOutcome>, given| match known {
            Some(known) if !given.replaces(&known) => Some(known),
            _ => Some(given),
        })
    }

    proptest! {
        #[test]
        fn a_redelivery_keeps_the_first_effective_outcome(
            history in prop::collection::vec(prop::sample::select(outcomes()), 1..8)
        ) {
            let last = after(&history).unwrap();
            prop_assert_eq!(last.is_settled(), history.iter().any(DeliveryOutcome::is_settled));
            let effective = |outcome: &&DeliveryOutcome| !outcome.yields();
            match history.iter().rev().find(effective) {
                Some(effective) => prop_assert_eq!(&last, effective),
                None => prop_assert_eq!(Some(&last), history.iter().find(|one| one.is_settled()).or(history.last())),
            }
        }
    }

    #[test]
    fn the_condition_names_every_unsettled_outcome() {
        for outcome in outcomes() {
            let written = serde_json::to_value(&outcome).unwrap();
            let name = written["outcome"].as_str().unwrap().to_owned();
            assert_eq!(UNSETTLED.contains(&name.as_str()), !outcome.is_settled(), "{name}");
        }
    }

    #[test]
    fn a_deferred_outcome_is_read_by_both_names() {
        let deferred = DeliveryOutcome::Deferred { reason: "over_budget".to_owned() };
        for name in ["put_off", "deferred"] {
            let stored = json!({ "outcome": name, "reason": "over_budget" });
            assert_eq!(serde_json::from_value::<DeliveryOutcome>(stored).unwrap(), deferred);
            assert!(UNSETTLED.contains(&name));
        }
        assert_eq!(serde_json::to_value(&deferred).unwrap()["outcome"], "deferred");
    }
}
