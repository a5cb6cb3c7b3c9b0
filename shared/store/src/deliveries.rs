//! The inbound ledger: every notification with what came of it, kept for 14 days.

use aws_sdk_dynamodb::Client;
use jiff::Timestamp;
use salesforce::{ObjectName, OrgId, RecordId};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::table::Table;

/// What came of a notification.
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
    /// It could not be applied.
    Failed {
        /// Why, as a stable code.
        reason: String,
    },
}

/// A notification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its org.
    pub org_id: OrgId,
    /// Its id: the same for every time that Salesforce sends it.
    pub notification_id: RecordId,
    /// What it is about.
    pub object: ObjectName,
    /// Which record.
    pub record_id: RecordId,
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
        let _ = (&self.table, deliveries);
        todo!()
    }

    /// The org's deliveries that arrived at `since` or later, oldest first, at most `limit`.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn list_since(&self, org: OrgId, since: Timestamp, limit: usize) -> Result<Vec<Delivery>, Error> {
        let _ = (org, since, limit);
        todo!()
    }

    /// The delivery, or `None` when it is unknown or forgotten.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn load(&self, org: OrgId, notification: RecordId) -> Result<Option<Delivery>, Error> {
        let _ = (org, notification);
        todo!()
    }
}
