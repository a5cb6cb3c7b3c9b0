//! What each org's API calls have used up today.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::Client;
use jiff::Timestamp;
use salesforce::OrgId;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::table::Table;

pub mod lanes;

pub use lanes::Lane;

/// An org's day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// The org.
    pub org_id: OrgId,
    /// The day, in UTC.
    pub day: String,
    /// Calls in Salesforce's last 24 hours, by everyone, as Salesforce said last.
    pub used: u64,
    /// Calls that the org has in 24 hours.
    pub max: u64,
    /// When Salesforce said so.
    #[serde(with = "crate::time::millis")]
    pub observed_at: Timestamp,
    /// Ferry's own calls this day, by lane.
    #[serde(default)]
    pub calls: BTreeMap<Lane, u64>,
}

/// The `budgets` table.
#[derive(Clone, Debug)]
pub struct Budgets {
    table: Table,
}

/// What an invocation saw of an org's limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation {
    /// `used` of the last `Sforce-Limit-Info`.
    pub used: u64,
    /// `max` of the last `Sforce-Limit-Info`.
    pub max: u64,
    /// In which lane.
    pub lane: Lane,
    /// How many calls were made.
    pub calls: u64,
}

impl Budgets {
    /// On this table.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table::new(client, table) }
    }

    /// Adds what was seen to the org's day.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn observe(&self, org: OrgId, seen: Observation, now: Timestamp) -> Result<(), Error> {
        let _ = (&self.table, org, seen, now);
        todo!()
    }

    /// The org's day, or `None` before its first call.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn load(&self, org: OrgId, now: Timestamp) -> Result<Option<Budget>, Error> {
        let _ = (org, now);
        todo!()
    }
}
