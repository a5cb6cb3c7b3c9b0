//! Pipelines: an Opportunity record type with its ordered stages, and the versions that other ones have replaced.
//!
//! | row | `record_type_id` | attributes |
//! |---|---|---|
//! | a pipeline as it was last read | its id | those of [`Pipeline`]; `valid_until` and `expires_at` of a removed one |
//! | a version that was replaced | `version/{record type}/{valid_from}` | `pipeline`, `expires_at` |

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::WriteRequest;
use jiff::Timestamp;
use salesforce::{OrgId, RecordId};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::table::{Item, KeyRange, Place, Rows, Table, number, put_request, text, to_item};
use crate::time;

pub mod change;
mod content;
mod history;

pub use change::PipelineChange;
pub use content::{PipelineContent, StageContent};
pub use history::{PipelinesAt, VERSION_RETENTION};

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
    /// `false` for a stage that cannot be chosen; opportunities may still have it.
    #[serde(default = "is_active")]
    pub is_active: bool,
    /// `true` if a new opportunity of the record type gets the stage.
    #[serde(default)]
    pub is_default: bool,
    /// The description that administrators see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Of a stage that cannot be chosen: `true` if open or recent opportunities of the record type have it. `None` for a stage
    /// that can be chosen, and if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_use: Option<bool>,
}

/// The rows of version 0.1.0 have active stages only.
fn is_active() -> bool {
    true
}

/// A sales process: the stages that a record type allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusinessProcess {
    /// The id.
    pub id: RecordId,
    /// The name; `None` if the connection has never been allowed to read it.
    #[serde(default)]
    pub name: Option<String>,
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
    /// `true` if the connected user may create opportunities of the record type.
    #[serde(default = "is_available")]
    pub is_available: bool,
    /// The business process; `None` for the master record type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub business_process: Option<BusinessProcess>,
    /// The stages in order.
    pub stages: Vec<Stage>,
    /// The [`PipelineContent::fingerprint`]; `None` in the rows of earlier releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The time of the first refresh that read this content; `None` in the rows of earlier releases.
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Timestamp>,
    /// The time of the first refresh that read another content, or did not find the record type any more.
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
    /// The reason for which the pipeline could not be read again, as a stable code; `None` if it is up to date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_reason: Option<String>,
    /// The time since which it could not be read for this reason.
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    pub stale_since: Option<Timestamp>,
}

/// The rows of earlier releases are pipelines that were available when they were read.
fn is_available() -> bool {
    true
}

impl Pipeline {
    /// Returns the changes of a pipeline's row; none if the content is the same, or if an earlier release stored the row before,
    /// because that has less than the content.
    #[must_use]
    pub fn changes(before: Option<&Self>, now: &Self) -> Vec<PipelineChange> {
        let is_removed = now.valid_until.is_some();
        if before.is_some_and(|before| before.fingerprint.is_none() && !is_removed) {
            return Vec::new();
        }
        let content = |pipeline: &Self| pipeline.valid_until.is_none().then(|| PipelineContent::of(pipeline));
        let deactivated = now.stages.iter().filter(|stage| !stage.is_active).map(|stage| stage.api_name.as_str());
        let deactivated: Vec<&str> = deactivated.collect();
        change::changes(before.and_then(content).as_ref(), content(now).as_ref(), &deactivated)
    }
}

/// The counts of a refresh of an org's pipelines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RefreshedPipelines {
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

    /// Replaces the org's pipelines. Unchanged ones are not written. A version that another one replaces is stored before, so
    /// that a refresh which is killed loses none.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn replace(
        &self,
        org: OrgId,
        pipelines: &[Pipeline],
        now: Timestamp,
    ) -> Result<RefreshedPipelines, Error> {
        let operation = "replace the pipelines";
        let now = time::to_millis(now);
        let plan = history::plan(self.stored(org).await?, pipelines, now);
        let versions = plan.versions.iter().map(|version| version_request(operation, org, version));
        self.table.write_all(operation, versions.collect::<Result<_, _>>()?).await?;
        let rows = plan.store.iter().map(|pipeline| row_request(operation, org, pipeline, now));
        self.table.write_all(operation, rows.collect::<Result<_, _>>()?).await?;
        Ok(plan.counts(pipelines.len()))
    }

    /// Returns the org's pipelines, by record type.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn list(&self, org: OrgId) -> Result<Vec<Pipeline>, Error> {
        let mut pipelines = self.stored(org).await?;
        pipelines.retain(|pipeline| pipeline.valid_until.is_none());
        Ok(pipelines)
    }

    /// Returns the org's pipelines at a time.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn list_at(&self, org: OrgId, at: Timestamp, now: Timestamp) -> Result<PipelinesAt, Error> {
        // A version that is replaced between the reads is then among both.
        let current = self.stored(org).await?;
        let range = KeyRange { attribute: SORT_KEY, first: FIRST_VERSION, last: AFTER_VERSIONS };
        let versions: Vec<Version> =
            self.table.query_range("list the versions of the pipelines", ("org_id", org.as_str()), range).await?;
        let versions = versions.into_iter().map(|version| version.pipeline).collect();
        Ok(history::at(current, versions, at, now))
    }

    /// Returns the org's pipelines, with the removed ones.
    async fn stored(&self, org: OrgId) -> Result<Vec<Pipeline>, Error> {
        let range = KeyRange { attribute: SORT_KEY, first: "0", last: "1" };
        self.table.query_range("list the pipelines", ("org_id", org.as_str()), range).await
    }
}

const SORT_KEY: &str = "record_type_id";
const FIRST_VERSION: &str = "version/";
/// The text after every text that begins with [`FIRST_VERSION`].
const AFTER_VERSIONS: &str = "version0";

/// An attribute that the rows of replaced versions have, and no other.
pub const VERSION_ATTRIBUTE: &str = "pipeline";

/// A row of a version that was replaced.
#[derive(Serialize, Deserialize)]
struct Version {
    pipeline: Pipeline,
}

fn row_request(
    operation: &'static str,
    org: OrgId,
    pipeline: &Pipeline,
    now: Timestamp,
) -> Result<WriteRequest, Error> {
    let mut item = to_item(operation, pipeline)?;
    item.insert("org_id".to_owned(), text(org.as_str()));
    item.insert("updated_at".to_owned(), text(time::format(now)));
    expire(&mut item, pipeline);
    put_request(operation, item)
}

fn version_request(operation: &'static str, org: OrgId, version: &Pipeline) -> Result<WriteRequest, Error> {
    let valid_from = version.valid_from.map(time::format).unwrap_or_default();
    let mut item = to_item(operation, Version { pipeline: version.clone() })?;
    item.insert("org_id".to_owned(), text(org.as_str()));
    item.insert(SORT_KEY.to_owned(), text(format!("{FIRST_VERSION}{}/{valid_from}", version.record_type_id)));
    expire(&mut item, version);
    put_request(operation, item)
}

/// Lets a row whose content is valid no longer expire.
fn expire(item: &mut Item, pipeline: &Pipeline) {
    if let Some(expires_at) = pipeline.valid_until.and_then(|until| until.checked_add(VERSION_RETENTION).ok()) {
        item.insert("expires_at".to_owned(), number(expires_at.as_second()));
    }
}

/// Returns the rows of an org.
pub(crate) fn rows_of_org(org: OrgId) -> Rows {
    Rows { keys: &["org_id", "record_type_id"], place: Place::of_org(org) }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn pipeline(id: &str, name: &str) -> Pipeline {
        Pipeline {
            record_type_id: id.parse().unwrap(),
            developer_name: name.to_owned(),
            name: name.to_owned(),
            is_active: true,
            is_default: false,
            is_available: true,
            business_process: None,
            stages: Vec::new(),
            fingerprint: None,
            valid_from: None,
            valid_until: None,
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
}
