//! Pipelines: an Opportunity record type with its ordered stages.

use aws_sdk_dynamodb::Client;
use jiff::Timestamp;
use salesforce::{OrgId, RecordId};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::table::Table;

/// A stage of a pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// The value that records hold.
    pub api_name: String,
    /// What people see.
    pub label: String,
    /// Its place among all of the org's stages.
    pub sort_order: u32,
    /// Salesforce's default probability, in percent.
    pub probability: f64,
    /// Whether it ends an opportunity.
    pub is_closed: bool,
    /// Whether it wins one.
    pub is_won: bool,
    /// Its forecast category.
    pub forecast_category: String,
}

/// A pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pipeline {
    /// The record type.
    pub record_type_id: RecordId,
    /// Its API name.
    pub developer_name: String,
    /// What people see.
    pub name: String,
    /// Whether it may be used.
    pub is_active: bool,
    /// Whether it is the connected user's default.
    pub is_default: bool,
    /// Its stages in order.
    pub stages: Vec<Stage>,
}

/// What replacing an org's pipelines changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PipelineChanges {
    /// New or different ones.
    pub stored: usize,
    /// Ones that are no more.
    pub removed: usize,
    /// Ones that are as they were; nothing is written for them.
    pub unchanged: usize,
}

/// The `pipelines` table.
#[derive(Clone, Debug)]
pub struct Pipelines {
    table: Table,
}

impl Pipelines {
    /// On this table.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table::new(client, table) }
    }

    /// Makes `pipelines` all that the org has.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn replace(&self, org: OrgId, pipelines: &[Pipeline], now: Timestamp) -> Result<PipelineChanges, Error> {
        let _ = (&self.table, org, pipelines, now);
        todo!()
    }

    /// The org's pipelines, by record type.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn list(&self, org: OrgId) -> Result<Vec<Pipeline>, Error> {
        let _ = org;
        todo!()
    }
}
