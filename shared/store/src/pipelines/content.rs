//! The content of a pipeline: what an administrator of the org has set, without what depends on the connected user, on the
//! records, or on the time of reading. Versions, fingerprints and events are about the content alone.

use serde::Serialize;

use super::{BusinessProcess, Pipeline, Stage};
use crate::ids::sha256_hex;

/// The content of a pipeline.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PipelineContent {
    /// The API name.
    pub developer_name: String,
    /// The label.
    pub name: String,
    /// `true` if the record type is active.
    pub is_active: bool,
    /// The business process; `None` if the record type has none.
    pub business_process: Option<BusinessProcess>,
    /// The stages that can be chosen, in order. Their API names are unique.
    pub stages: Vec<StageContent>,
}

/// The content of a stage that can be chosen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StageContent {
    /// The picklist value that records store. It identifies the stage.
    pub api_name: String,
    /// The label.
    pub label: String,
    /// The default probability, in percent.
    pub probability: f64,
    /// The forecast category.
    pub forecast_category: String,
    /// `true` if the stage closes an opportunity.
    pub is_closed: bool,
    /// `true` if the stage wins an opportunity.
    pub is_won: bool,
    /// `true` if a new opportunity gets the stage.
    pub is_default: bool,
    /// The description.
    pub description: Option<String>,
}

impl PipelineContent {
    /// Returns the content of a pipeline.
    #[must_use]
    pub fn of(pipeline: &Pipeline) -> Self {
        Self {
            developer_name: pipeline.developer_name.clone(),
            name: pipeline.name.clone(),
            is_active: pipeline.is_active,
            business_process: pipeline.business_process.clone(),
            stages: pipeline.stages.iter().filter(|stage| stage.is_active).map(StageContent::of).collect(),
        }
    }

    /// Returns the SHA-256 hash, in hexadecimal, of the content as JSON: the members in the order of their declaration, without
    /// spaces, an absent value as `null`. Two pipelines have the same fingerprint if their contents are equal.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        sha256_hex(serde_json::to_string(self).unwrap_or_default().as_bytes())
    }
}

impl StageContent {
    fn of(stage: &Stage) -> Self {
        Self {
            api_name: stage.api_name.clone(),
            label: stage.label.clone(),
            probability: stage.probability,
            forecast_category: stage.forecast_category.clone(),
            is_closed: stage.is_closed,
            is_won: stage.is_won,
            is_default: stage.is_default,
            description: stage.description.clone(),
        }
    }
}
