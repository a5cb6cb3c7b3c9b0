//! Pipelines: an Opportunity record type with its ordered stages.

use aws_sdk_dynamodb::Client;
use jiff::Timestamp;
use salesforce::{OrgId, RecordId};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::table::{Item, Place, Rows, Table, delete_request, key, put_request, text, to_item};
use crate::time;

/// A stage of a pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// The picklist value that records store.
    pub api_name: String,
    /// The label that users see.
    pub label: String,
    /// The position among all stages of the org.
    pub sort_order: u32,
    /// The default probability, in percent.
    pub probability: f64,
    /// `true` if the stage closes an opportunity.
    pub is_closed: bool,
    /// `true` if the stage wins an opportunity.
    pub is_won: bool,
    /// The forecast category.
    pub forecast_category: String,
    /// `false` for a stage that cannot be chosen any more; opportunities may still have it.
    #[serde(default = "is_active")]
    pub is_active: bool,
}

/// The rows of version 0.1.0 have active stages only.
fn is_active() -> bool {
    true
}

/// A pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pipeline {
    /// The record type.
    pub record_type_id: RecordId,
    /// The API name.
    pub developer_name: String,
    /// The label that users see.
    pub name: String,
    /// `true` if the record type is active.
    pub is_active: bool,
    /// `true` if it is the default of the connected user.
    pub is_default: bool,
    /// The stages in order.
    pub stages: Vec<Stage>,
    /// The reason for which the pipeline could not be read again, as a stable code; `None` if it is up to date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_reason: Option<String>,
    /// The time since which it could not be read for this reason.
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    pub stale_since: Option<Timestamp>,
}

/// The changes made by replacing an org's pipelines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PipelineChanges {
    /// The number of new or changed pipelines.
    pub stored: usize,
    /// The number of removed pipelines.
    pub removed: usize,
    /// The number of unchanged pipelines, which are not written.
    pub unchanged: usize,
}

/// The `pipelines` table.
#[derive(Clone, Debug)]
pub struct Pipelines {
    table: Table,
}

impl Pipelines {
    /// Creates a client for the table of this name.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table::new(client, table) }
    }

    /// Replaces the org's pipelines. Unchanged ones are not written.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn replace(&self, org: OrgId, pipelines: &[Pipeline], now: Timestamp) -> Result<PipelineChanges, Error> {
        let operation = "replace the pipelines";
        let known = self.list(org).await?;
        let plan = plan(&known, pipelines);
        let mut requests = Vec::with_capacity(plan.store.len() + plan.remove.len());
        for pipeline in &plan.store {
            let mut item = to_item(operation, pipeline)?;
            item.insert("org_id".to_owned(), text(org.as_str()));
            item.insert("updated_at".to_owned(), text(time::format(now)));
            requests.push(put_request(operation, item)?);
        }
        for id in &plan.remove {
            requests.push(delete_request(operation, row_key(org, *id))?);
        }
        self.table.write_all(operation, requests).await?;
        Ok(plan.changes(pipelines.len()))
    }

    /// Returns the org's pipelines, by record type.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn list(&self, org: OrgId) -> Result<Vec<Pipeline>, Error> {
        self.table.query("list the pipelines", ("org_id", org.as_str())).await
    }
}

/// The writes that turn the known pipelines into the wanted ones.
#[derive(Debug, PartialEq)]
struct Plan<'a> {
    store: Vec<&'a Pipeline>,
    remove: Vec<RecordId>,
}

impl Plan<'_> {
    fn changes(&self, wanted: usize) -> PipelineChanges {
        let (stored, removed) = (self.store.len(), self.remove.len());
        PipelineChanges { stored, removed, unchanged: wanted.saturating_sub(stored) }
    }
}

fn plan<'a>(known: &[Pipeline], wanted: &'a [Pipeline]) -> Plan<'a> {
    let is_wanted = |id: RecordId| wanted.iter().any(|pipeline| pipeline.record_type_id == id);
    Plan {
        store: wanted.iter().filter(|pipeline| !known.contains(pipeline)).collect(),
        remove: known.iter().map(|pipeline| pipeline.record_type_id).filter(|id| !is_wanted(*id)).collect(),
    }
}

/// Returns the rows of an org.
pub(crate) fn rows_of_org(org: OrgId) -> Rows {
    Rows { keys: &["org_id", "record_type_id"], place: Place::of_org(org) }
}

fn row_key(org: OrgId, record_type: RecordId) -> Item {
    key([("org_id", org.as_str()), ("record_type_id", record_type.as_str())])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipeline(id: &str, name: &str) -> Pipeline {
        Pipeline {
            record_type_id: id.parse().unwrap(),
            developer_name: name.to_owned(),
            name: name.to_owned(),
            is_active: true,
            is_default: false,
            stages: Vec::new(),
            stale_reason: None,
            stale_since: None,
        }
    }

    #[test]
    fn a_pipeline_of_version_0_1_0_is_read() {
        let stage = serde_json::json!({
            "api_name": "Won", "label": "Won", "sort_order": 1, "probability": 100.0, "is_closed": true, "is_won": true,
            "forecast_category": "Closed",
        });
        assert!(serde_json::from_value::<Stage>(stage).unwrap().is_active);
        let mut stored = serde_json::to_value(pipeline("012000000000001", "Same")).unwrap();
        assert!(stored.as_object_mut().unwrap().remove("stale_reason").is_none());
        assert_eq!(serde_json::from_value::<Pipeline>(stored).unwrap(), pipeline("012000000000001", "Same"));
    }

    #[test]
    fn only_differences_are_written() {
        let [same, old, gone] = ["012000000000001", "012000000000002", "012000000000003"];
        let known = [pipeline(same, "Same"), pipeline(old, "Old"), pipeline(gone, "Gone")];
        let wanted = [pipeline(same, "Same"), pipeline(old, "New"), pipeline("012000000000004", "Added")];
        let plan = plan(&known, &wanted);
        assert_eq!(plan, Plan { store: vec![&wanted[1], &wanted[2]], remove: vec![gone.parse().unwrap()] });
        assert_eq!(plan.changes(3), PipelineChanges { stored: 2, removed: 1, unchanged: 1 });
    }
}
