//! Refreshes one org: its pipelines, then its mirrored objects, one after the other.

use salesforce::{Classify, FieldName, ObjectName, Retry, Soql, soql};
use store::{CursorName, Pipeline, PipelineChanges, RefreshKind, RefreshTask};
use tracing::warn;

use crate::error::Error;
use crate::object::{ObjectReport, Outcome, refresh_object};
use crate::pipelines::{RecordType, pipeline};
use crate::run::{Run, Stop};
use crate::upkeep::Upkeep;

const OPPORTUNITY: ObjectName = ObjectName::from_static("Opportunity");
const RECORD_TYPE: ObjectName = ObjectName::from_static("RecordType");
const OPPORTUNITY_STAGE: ObjectName = ObjectName::from_static("OpportunityStage");
const STAGE_NAME: FieldName = FieldName::from_static("StageName");
const SOBJECT_TYPE: FieldName = FieldName::from_static("SobjectType");
const SORT_ORDER: FieldName = FieldName::from_static("SortOrder");

const RECORD_TYPE_FIELDS: [FieldName; 4] = [
    FieldName::ID,
    FieldName::from_static("DeveloperName"),
    FieldName::from_static("Name"),
    FieldName::from_static("IsActive"),
];
const STAGE_FIELDS: [FieldName; 9] = [
    FieldName::ID,
    FieldName::from_static("ApiName"),
    FieldName::from_static("MasterLabel"),
    SORT_ORDER,
    FieldName::from_static("DefaultProbability"),
    FieldName::from_static("IsActive"),
    FieldName::from_static("IsClosed"),
    FieldName::from_static("IsWon"),
    FieldName::from_static("ForecastCategoryName"),
];

/// The result of a task.
#[derive(Debug, Default)]
pub(crate) struct OrgReport {
    /// The changes of the pipelines; `None` when the task has none, or when the connection may not see opportunities.
    pub(crate) pipelines: Option<PipelineChanges>,
    /// The result of each object.
    pub(crate) objects: Vec<ObjectReport>,
    /// The objects with which a later invocation goes on, and the reason for stopping.
    pub(crate) remaining: Vec<(ObjectName, Stop)>,
    /// The failures. One object's failure does not stop the others.
    pub(crate) failures: Vec<Error>,
    /// The result of the upkeep of connections.
    pub(crate) upkeep: Upkeep,
}

/// Refreshes the task's pipelines and objects.
pub(crate) async fn refresh_org(run: &Run<'_>, mirrored: &[ObjectName], report: &mut OrgReport) {
    if run.task.object.is_none() && run.task.kind != RefreshKind::Poll {
        match refresh_pipelines(run).await {
            Ok(changes) => report.pipelines = changes,
            Err(error) => report.failures.push(error),
        }
    }
    for object in objects_of(run.task, mirrored) {
        // A failure that needs a person stops the other objects as well.
        if report.failures.iter().any(|error| error.retry() == Retry::NeedsHuman) {
            break;
        }
        match refresh_object(run, object).await {
            Ok(done) => {
                if let Outcome::Stopped(stop) = done.outcome {
                    report.remaining.push((object.clone(), stop));
                }
                report.objects.push(done);
            }
            Err(error) => report.failures.push(error),
        }
    }
    run.record_calls().await;
}

impl OrgReport {
    /// Returns whether nothing of the task remains, for this or another task.
    pub(crate) fn is_complete(&self) -> bool {
        let is_busy = |object: &ObjectReport| object.outcome == Outcome::Busy;
        self.failures.is_empty() && self.remaining.is_empty() && !self.objects.iter().any(is_busy)
    }
}

fn objects_of<'a>(task: &'a RefreshTask, mirrored: &'a [ObjectName]) -> &'a [ObjectName] {
    task.object.as_ref().map_or(mirrored, std::slice::from_ref)
}

async fn refresh_pipelines(run: &Run<'_>) -> Result<Option<PipelineChanges>, Error> {
    let fetched = fetch_pipelines(run).await.map_err(|source| Error::Pipelines { org: run.org(), source })?;
    let Some(pipelines) = fetched else { return Ok(None) };
    let now = run.deps.clock.now();
    let changes = run.deps.pipelines.replace(run.org(), &pipelines, now).await?;
    let recorded = run.deps.cursors.finish(run.org(), &CursorName::pipelines(), now).await;
    recorded?;
    Ok(Some(changes))
}

async fn fetch_pipelines(run: &Run<'_>) -> Result<Option<Vec<Pipeline>>, salesforce::Error> {
    let describe = match run.client.describe(&OPPORTUNITY).await {
        Ok(describe) => describe,
        Err(error) if error.is_hidden() => return Ok(None),
        Err(error) => return Err(error),
    };
    let of_opportunities = soql::eq(&SOBJECT_TYPE, OPPORTUNITY.as_str());
    let record_types = Soql::select(&RECORD_TYPE_FIELDS).from(&RECORD_TYPE).where_(of_opportunities);
    let record_types = run.client.query(&record_types).await?;
    let stages = Soql::select(&STAGE_FIELDS).from(&OPPORTUNITY_STAGE).order_by(&SORT_ORDER);
    let stages = run.client.query(&stages).await?;
    let is_default = |id| {
        let info = describe.record_type_infos.iter().find(|info| info.record_type_id == id);
        info.is_none_or(|info| info.default_record_type_mapping)
    };
    let mut pipelines = Vec::new();
    for record_type in RecordType::from_rows(&record_types.records) {
        let id = record_type.id;
        let allowed = match run.client.fetch_picklist_values(&OPPORTUNITY, &id).await {
            Ok(picklists) => picklists.get(&STAGE_NAME).map(|stages| stages.values.clone()).unwrap_or_default(),
            // The connected user has no access to this record type.
            Err(error) if error.retry() == Retry::Never => {
                warn!(org.id = %run.org(), "could not read record type {id}: {}", runtime::Chain(&error));
                continue;
            }
            Err(error) => return Err(error),
        };
        pipelines.push(pipeline(record_type, is_default(id), &allowed, &stages.records));
    }
    Ok(Some(pipelines))
}
