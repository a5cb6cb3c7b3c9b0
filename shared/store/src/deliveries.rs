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
use crate::table::{Table, from_item, key, number, put_request, text, to_item};
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
    PutOff {
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

    /// Writes deliveries down; one that is known gets its newest outcome.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn record(&self, deliveries: &[Delivery]) -> Result<(), Error> {
        let operation = "record the deliveries";
        let newest: BTreeMap<_, _> = deliveries.iter().map(|one| ((one.org_id, &one.delivery_id), one)).collect();
        let mut requests = Vec::with_capacity(newest.len());
        for delivery in newest.into_values() {
            let mut item = to_item(operation, delivery)?;
            let expires_at = delivery.received_at.saturating_add(KEPT).unwrap_or(delivery.received_at);
            item.insert("expires_at".to_owned(), number(expires_at.as_second()));
            requests.push(put_request(operation, item)?);
        }
        self.table.write_all(operation, requests).await
    }

    /// The org's deliveries that arrived at `since` or later, oldest first, read page by page. One that arrived a moment ago may
    /// be missing.
    pub fn since(&self, org: OrgId, since: Timestamp) -> impl Stream<Item = Result<Delivery, Error>> {
        let operation = "read the deliveries";
        let items = self
            .table
            .client()
            .query()
            .table_name(self.table.name())
            .index_name("by_received_at")
            .key_condition_expression("#org_id = :org AND #received_at >= :since")
            .expression_attribute_names("#org_id", "org_id")
            .expression_attribute_names("#received_at", "received_at")
            .expression_attribute_values(":org", text(org.as_str()))
            .expression_attribute_values(":since", text(time::text(since)))
            .into_paginator()
            .items()
            .send();
        stream::unfold(items, move |mut items| async move {
            let item = items.next().await?;
            let delivery = item.map_err(Error::aws(operation)).and_then(|item| from_item(operation, item));
            Some((delivery, items))
        })
    }

    /// The org's deliveries that arrived at `since` or later, oldest first, at most `limit`.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn list_since(&self, org: OrgId, since: Timestamp, limit: usize) -> Result<Vec<Delivery>, Error> {
        self.since(org, since).take(limit).try_collect().await
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

/// For how long a delivery is kept.
pub const KEPT: SignedDuration = SignedDuration::from_hours(14 * 24);
