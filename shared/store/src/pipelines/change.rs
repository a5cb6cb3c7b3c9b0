//! The changes between two versions of a pipeline. A pure function; applied to the old version, its changes give the new one.

use serde::Serialize;

use super::{BusinessProcess, PipelineContent, StageContent};

/// A change of a pipeline. Positions count from 1.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum PipelineChange {
    /// The pipeline is new.
    PipelineAdded {
        /// The whole content.
        pipeline: PipelineContent,
    },
    /// The record type was deleted.
    PipelineRemoved,
    /// The label is another one.
    PipelineRenamed {
        /// The label before.
        old: String,
        /// The label now.
        new: String,
    },
    /// The API name of the record type is another one.
    DeveloperNameChanged {
        /// The API name before.
        old: String,
        /// The API name now.
        new: String,
    },
    /// The record type was activated.
    PipelineActivated,
    /// The record type was deactivated.
    PipelineDeactivated,
    /// The record type has another business process, or its process was renamed.
    BusinessProcessChanged {
        /// The process before.
        old: Option<BusinessProcess>,
        /// The process now.
        new: Option<BusinessProcess>,
    },
    /// The stage can be chosen now.
    StageAdded {
        /// The whole stage.
        stage: StageContent,
        /// The position among the stages of the new version.
        position: usize,
    },
    /// The stage cannot be chosen any more, and is not in the pipeline any more.
    StageRemoved {
        /// The API name.
        stage: String,
    },
    /// The stage cannot be chosen any more, but is still in the pipeline, since opportunities may have it.
    StageDeactivated {
        /// The API name.
        stage: String,
    },
    /// The label of the stage is another one.
    StageRenamed {
        /// The API name.
        stage: String,
        /// The label before.
        old: String,
        /// The label now.
        new: String,
    },
    /// The default probability is another one.
    StageProbabilityChanged {
        /// The API name.
        stage: String,
        /// The percentage before.
        old: f64,
        /// The percentage now.
        new: f64,
    },
    /// The forecast category is another one.
    StageForecastChanged {
        /// The API name.
        stage: String,
        /// The category before.
        old: String,
        /// The category now.
        new: String,
    },
    /// The stage closes or wins opportunities now, or does so no longer.
    StageOutcomeChanged {
        /// The API name.
        stage: String,
        /// The outcome before.
        old: StageOutcome,
        /// The outcome now.
        new: StageOutcome,
    },
    /// The stage is the default of new opportunities now, or is so no longer.
    StageDefaultChanged {
        /// The API name.
        stage: String,
        /// `true` if it was the default.
        old: bool,
        /// `true` if it is the default.
        new: bool,
    },
    /// The description is another one.
    StageDescriptionChanged {
        /// The API name.
        stage: String,
        /// The description before.
        old: Option<String>,
        /// The description now.
        new: Option<String>,
    },
    /// Stages that both versions have are in another order.
    StagesReordered {
        /// The API names of the stages before.
        old: Vec<String>,
        /// The API names of the stages now.
        new: Vec<String>,
    },
}

/// The effect of a stage on an opportunity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct StageOutcome {
    /// `true` if the stage closes an opportunity.
    pub is_closed: bool,
    /// `true` if the stage wins an opportunity.
    pub is_won: bool,
}

impl StageOutcome {
    fn of(stage: &StageContent) -> Self {
        Self { is_closed: stage.is_closed, is_won: stage.is_won }
    }
}

/// Returns the changes from the old version to the new one; none if they are equal. `None` stands for a pipeline that does not
/// exist. `deactivated` has the API names of the stages of the new version that cannot be chosen.
#[must_use]
pub fn changes(
    old: Option<&PipelineContent>,
    new: Option<&PipelineContent>,
    deactivated: &[&str],
) -> Vec<PipelineChange> {
    match (old, new) {
        (None, None) => Vec::new(),
        (None, Some(new)) => vec![PipelineChange::PipelineAdded { pipeline: new.clone() }],
        (Some(_), None) => vec![PipelineChange::PipelineRemoved],
        (Some(old), Some(new)) => {
            let mut changes = of_record_type(old, new);
            changes.extend(of_stages(&old.stages, &new.stages, deactivated));
            changes
        }
    }
}

fn of_record_type(old: &PipelineContent, new: &PipelineContent) -> Vec<PipelineChange> {
    let mut changes = Vec::new();
    if old.name != new.name {
        changes.push(PipelineChange::PipelineRenamed { old: old.name.clone(), new: new.name.clone() });
    }
    if old.developer_name != new.developer_name {
        let (old, new) = (old.developer_name.clone(), new.developer_name.clone());
        changes.push(PipelineChange::DeveloperNameChanged { old, new });
    }
    match (old.is_active, new.is_active) {
        (false, true) => changes.push(PipelineChange::PipelineActivated),
        (true, false) => changes.push(PipelineChange::PipelineDeactivated),
        _ => {}
    }
    if old.business_process != new.business_process {
        let (old, new) = (old.business_process.clone(), new.business_process.clone());
        changes.push(PipelineChange::BusinessProcessChanged { old, new });
    }
    changes
}

fn of_stages(old: &[StageContent], new: &[StageContent], deactivated: &[&str]) -> Vec<PipelineChange> {
    let find = |stages: &'_ [StageContent], name: &str| stages.iter().position(|stage| stage.api_name == name);
    let mut changes = Vec::new();
    for gone in old.iter().filter(|stage| find(new, &stage.api_name).is_none()) {
        let stage = gone.api_name.clone();
        changes.push(if deactivated.contains(&stage.as_str()) {
            PipelineChange::StageDeactivated { stage }
        } else {
            PipelineChange::StageRemoved { stage }
        });
    }
    for (stage, position) in new.iter().zip(1..) {
        match old.iter().find(|known| known.api_name == stage.api_name) {
            Some(known) => changes.extend(of_stage(known, stage)),
            None => changes.push(PipelineChange::StageAdded { stage: stage.clone(), position }),
        }
    }
    let kept: Vec<usize> = new.iter().filter_map(|stage| find(old, &stage.api_name)).collect();
    if !kept.is_sorted() {
        let names = |stages: &[StageContent]| stages.iter().map(|stage| stage.api_name.clone()).collect();
        changes.push(PipelineChange::StagesReordered { old: names(old), new: names(new) });
    }
    changes
}

/// Returns the changes of a stage that both versions have.
fn of_stage(old: &StageContent, new: &StageContent) -> Vec<PipelineChange> {
    let stage = || new.api_name.clone();
    let mut changes = Vec::new();
    if old.label != new.label {
        let (old, new) = (old.label.clone(), new.label.clone());
        changes.push(PipelineChange::StageRenamed { stage: stage(), old, new });
    }
    if old.probability != new.probability {
        let (old, new) = (old.probability, new.probability);
        changes.push(PipelineChange::StageProbabilityChanged { stage: stage(), old, new });
    }
    if old.forecast_category != new.forecast_category {
        let (old, new) = (old.forecast_category.clone(), new.forecast_category.clone());
        changes.push(PipelineChange::StageForecastChanged { stage: stage(), old, new });
    }
    if StageOutcome::of(old) != StageOutcome::of(new) {
        let (old, new) = (StageOutcome::of(old), StageOutcome::of(new));
        changes.push(PipelineChange::StageOutcomeChanged { stage: stage(), old, new });
    }
    if old.is_default != new.is_default {
        let (old, new) = (old.is_default, new.is_default);
        changes.push(PipelineChange::StageDefaultChanged { stage: stage(), old, new });
    }
    if old.description != new.description {
        let (old, new) = (old.description.clone(), new.description.clone());
        changes.push(PipelineChange::StageDescriptionChanged { stage: stage(), old, new });
    }
    changes
}

#[cfg(test)]
mod tests;
