//! The inbound ledger: every delivery with what came of it, kept for 14 days.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::Client;
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use salesforce::OrgId;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::hints::{RecordRef, Source};
use crate::ids::DeliveryId;
use crate::table::{Expression, Item, Table, from_item, key, number, put_request, text, to_item};
use crate::time;

/// What came of a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum DeliveryOutcome {
    /// The mirror changed.
    Applied,
    /// The mirror showed it already.
    Unchanged,
    /// The mirror has something newer.
    Stale,
    /// The connection may not see the record.
    NotVisible,
    /// The record is deleted.
    Deleted,
    /// It could not be applied yet, and comes again.
    #[serde(rename = "put_off")]
    Deferred {
        /// Why, as a stable code.
        reason: String,
    },
    /// It could not be applied, and does not come again by itself.
    Failed {
        /// Why, as a stable code.
        reason: String,
    },
    /// It told of more changes than it names: the whole object is read again.
    ObjectRefresh,
}

impl DeliveryOutcome {
    /// Whether the delivery has done its work.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        !matches!(self, Self::Deferred { .. } | Self::Failed { .. })
    }

    /// Whether this is written down where a delivery has had another outcome. A delivery that comes again finds its own work
    /// done: that it now changes nothing, or could not be looked at, says less than what came of it the first time.
    #[must_use]
    pub fn replaces(&self, known: &Self) -> bool {
        !known.is_settled() || !self.yields()
    }

    /// Whether a settled outcome stays in its place.
    fn yields(&self) -> bool {
        matches!(self, Self::Unchanged | Self::Stale | Self::Deferred { .. } | Self::Failed { .. })
    }
}

/// A delivery: one notification, or what a change event says of one record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its org.
    pub org_id: OrgId,
    /// Its id: the same for every time that it is delivered.
    pub delivery_id: DeliveryId,
    /// By which lane it arrived.
    pub source: Source,
    /// Which record it is about, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<RecordRef>,
    /// When it arrived.
    #[serde(with = "crate::time::millis")]
    pub received_at: Timestamp,
    /// When the outcome was known.
    #[serde(with = "crate::time::millis")]
    pub settled_at: Timestamp,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: DeliveryOutcome,
}

/// The `deliveries` table.
#[derive(Clone, Debug)]
pub struct Deliveries {
    table: Table,
}

impl Deliveries {
    /// On this table.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table::new(client, table) }
    }

    /// Writes deliveries down, each in the place of what was known of it where [`DeliveryOutcome::replaces`] says so. Of one
    /// that is there several times the last such outcome counts.
    ///
    /// Outcomes that replace anything are written 25 in a request; the others cost a request each, for its condition.
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
        let (careful, plain): (Vec<_>, Vec<_>) = newest.into_values().partition(|one| one.outcome.yields());
        let operation = "record the deliveries";
        let requests = plain.into_iter().map(|one| put_request(operation, one.to_item(operation)?));
        self.table.write_all(operation, requests.collect::<Result<_, _>>()?).await?;
        let puts = careful.into_iter().map(|one| self.put_where_unsettled(operation, one));
        stream::iter(puts).buffer_unordered(PARALLEL_WRITES).try_collect().await
    }

    async fn put_where_unsettled(&self, operation: &'static str, delivery: &Delivery) -> Result<(), Error> {
        let [put_off, failed] = UNSETTLED.map(text);
        let unsettled = Expression { text: IS_UNSETTLED, values: vec![(":put_off", put_off), (":failed", failed)] };
        self.table.put(operation, delivery.to_item(operation)?, unsettled).await.map(drop)
    }

    /// The org's deliveries that arrived at `since` or later, oldest first, read page by page. One that arrived a moment ago may
    /// be missing.
    pub fn stream_since(&self, org: OrgId, since: Timestamp) -> impl Stream<Item = Result<Delivery, Error>> {
        let operation = "read the deliveries";
        let items = self
            .table
            .query_partition(("org_id", org.as_str()))
            .index_name("by_received_at")
            .key_condition_expression("#partition = :partition AND #received_at >= :since")
            .expression_attribute_names("#received_at", "received_at")
            .expression_attribute_values(":since", text(time::format(since)))
            .into_paginator()
            .items()
            .send();
        stream::unfold(items, move |mut items| async move {
            let item = items.next().await?;
            let delivery = item.map_err(Error::aws(operation)).and_then(|item| from_item(operation, item));
            Some((delivery, items))
        })
    }

    /// The delivery, or `None` when it is unknown or forgotten.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn load(&self, org: OrgId, delivery: &DeliveryId) -> Result<Option<Delivery>, Error> {
        let key = key([("org_id", org.as_str()), ("delivery_id", delivery.as_str())]);
        self.table.get("load the delivery", key).await
    }
}

impl Delivery {
    fn to_item(&self, operation: &'static str) -> Result<Item, Error> {
        let mut item = to_item(operation, self)?;
        let expires_at = self.received_at.saturating_add(RETENTION).unwrap_or(self.received_at);
        item.insert("expires_at".to_owned(), number(expires_at.as_second()));
        Ok(item)
    }
}

/// The names of the outcomes that are not settled.
const UNSETTLED: [&str; 2] = ["put_off", "failed"];
const IS_UNSETTLED: &str = "attribute_not_exists(#org_id) OR #outcome IN (:put_off, :failed)";
const PARALLEL_WRITES: usize = 32;
/// For how long a delivery is kept.
pub const RETENTION: SignedDuration = SignedDuration::from_hours(14 * 24);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn outcomes() -> Vec<DeliveryOutcome> {
        use DeliveryOutcome::{Applied, Deferred, Deleted, Failed, NotVisible, ObjectRefresh, Stale, Unchanged};
        let reason = String::new;
        let unsettled = [Deferred { reason: reason() }, Failed { reason: reason() }];
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
        fn what_a_delivery_did_is_not_forgotten_because_it_came_again(
            history in prop::collection::vec(prop::sample::select(outcomes()), 1..8)
        ) {
            let last = after(&history).unwrap();
            prop_assert_eq!(last.is_settled(), history.iter().any(DeliveryOutcome::is_settled));
            let worked = |outcome: &&DeliveryOutcome| !outcome.yields();
            match history.iter().rev().find(worked) {
                Some(worked) => prop_assert_eq!(&last, worked),
                None => prop_assert_eq!(Some(&last), history.iter().find(|one| one.is_settled()).or(history.last())),
            }
        }
    }

    #[test]
    fn the_write_s_condition_names_the_outcomes_that_are_not_settled() {
        for outcome in outcomes() {
            let written = serde_json::to_value(&outcome).unwrap();
            let name = written["outcome"].as_str().unwrap().to_owned();
            assert_eq!(UNSETTLED.contains(&name.as_str()), !outcome.is_settled(), "{name}");
        }
    }
}
