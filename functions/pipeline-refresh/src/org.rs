//! Refreshes one org: its pipelines, then its mirrored objects, one after the other.

use salesforce::{Classify, FieldName, MASTER_RECORD_TYPE, ObjectName, Record, Retry, Soql, soql};
use store::{CursorName, Lane, PipelineChanges, RefreshKind, RefreshTask};
use tracing::warn;

use crate::audit::{self, audit_object};
use crate::error::Error;
use crate::object::{self, ObjectReport, Outcome, refresh_object};
use crate::pipelines::{HIDDEN, Reading, RecordType, STAGES_HIDDEN, pipeline, reconcile};
use crate::run::Run;
use crate::scan::PageFault;
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
    /// The pipelines that are kept as they were read before.
    pub(crate) stale_pipelines: u64,
    /// The result of each object.
    pub(crate) objects: Vec<ObjectReport>,
    /// The failures of objects. One object's failure does not stop the others.
    pub(crate) failures: Vec<(ObjectName, Error)>,
    /// The failure of what is not about one object.
    pub(crate) org_failure: Option<Error>,
    /// The result of the upkeep of connections.
    pub(crate) upkeep: Upkeep,
    /// The overdue writes whose tasks were sent again.
    pub(crate) overdue_writes: u64,
}

/// Refreshes the task's pipelines and objects.
pub(crate) async fn refresh_org(run: &Run<'_>, mirrored: &[ObjectName], report: &mut OrgReport) {
    if run.task.object.is_none() && run.task.kind != RefreshKind::Poll && !run.is_audit() {
        let refreshed = refresh_pipelines(run, report).await;
        report.org_failure = refreshed.err().or(report.org_failure.take());
        run.record_calls(Lane::Incremental).await;
    }
    let is_audit = run.is_audit();
    for object in objects_of(run.task, mirrored) {
        // A failure that needs a person stops the other objects as well.
        let blocked = report.errors().find(|error| error.retry() == Retry::NeedsHuman).map(Error::reason);
        if let Some(reason) = blocked {
            if is_audit {
                audit::record_failure(run, object, &reason).await;
            } else {
                object::record_failure(run, object, &reason).await;
            }
            continue;
        }
        let (done, failure) =
            if is_audit { audit_object(run, object).await } else { refresh_object(run, object).await };
        report.objects.push(done);
        report.failures.extend(failure.map(|error| (object.clone(), error)));
    }
}

impl OrgReport {
    /// Returns whether nothing of the task remains, for this or another task.
    pub(crate) fn is_complete(&self) -> bool {
        let remains = |object: &ObjectReport| matches!(object.outcome, Outcome::Busy | Outcome::Stopped(_));
        self.errors().next().is_none() && !self.objects.iter().any(remains)
    }

    /// Returns all failures.
    pub(crate) fn errors(&self) -> impl Iterator<Item = &Error> {
        self.org_failure.iter().chain(self.failures.iter().map(|(_, error)| error))
    }
}

fn objects_of<'a>(task: &'a RefreshTask, mirrored: &'a [ObjectName]) -> &'a [ObjectName] {
    task.object.as_ref().map_or(mirrored, std::slice::from_ref)
}

/// Reads the org's pipelines and stores them. What could not be read is kept as it was read before, with the reason.
async fn refresh_pipelines(run: &Run<'_>, report: &mut OrgReport) -> Result<(), Error> {
    let (org, deps) = (run.org(), run.deps);
    let name = CursorName::pipelines();
    let mut reading = match fetch_pipelines(run).await {
        Ok(Some(reading)) => reading,
        Ok(None) => {
            run.record_failure(&name, "object_not_visible").await;
            return Ok(());
        }
        Err(error) => {
            run.record_failure(&name, &error.reason()).await;
            return Err(error);
        }
    };
    let failure = reading.failure.take().map(|source| Error::Pipelines { org, source });
    let now = deps.clock.now();
    let pipelines = reconcile(deps.pipelines.list(org).await?, reading, now);
    report.pipelines = Some(deps.pipelines.replace(org, &pipelines, now).await?);
    let stale = || pipelines.iter().filter_map(|pipeline| pipeline.stale_reason.as_deref());
    report.stale_pipelines = stale().count() as u64;
    match (stale().next().map(str::to_owned), failure) {
        (None, None) => Ok(deps.cursors.finish(org, &name, now).await?),
        (reason, failure) => {
            let reason = failure.as_ref().map(Error::reason).or(reason).unwrap_or_default();
            run.record_failure(&name, &reason).await;
            failure.map_or(Ok(()), Err)
        }
    }
}

/// Reads the org's record types and the stages of each; `None` if the connection may not see opportunities.
async fn fetch_pipelines(run: &Run<'_>) -> Result<Option<Reading>, Error> {
    let failed = |source| Error::Pipelines { org: run.org(), source };
    let Some(describe) = run.client.find_object(&OPPORTUNITY).await.map_err(failed)? else { return Ok(None) };
    let of_opportunities = soql::eq(&SOBJECT_TYPE, OPPORTUNITY.as_str());
    let record_types = Soql::select(&RECORD_TYPE_FIELDS).from(&RECORD_TYPE).where_(of_opportunities);
    let record_types = query_all_rows(run, &RECORD_TYPE, &record_types).await?;
    let stages = Soql::select(&STAGE_FIELDS).from(&OPPORTUNITY_STAGE).order_by(&SORT_ORDER);
    let stages = query_all_rows(run, &OPPORTUNITY_STAGE, &stages).await?;
    let infos = &describe.record_type_infos;
    let mut reading = Reading::default();
    reading.exists.extend(infos.iter().map(|info| info.record_type_id));
    let is_only = record_types.is_empty();
    for record_type in RecordType::from_rows(&record_types) {
        let id = record_type.id;
        reading.exists.insert(id);
        let info = infos.iter().find(|info| info.record_type_id == id);
        if info.is_some_and(|info| !info.available) {
            reading.unread.insert(id, HIDDEN.to_owned());
            continue;
        }
        let is_default = info.map_or(is_only, |info| info.default_record_type_mapping);
        match run.client.fetch_picklist_values(&OPPORTUNITY, &id).await {
            Ok(picklists) => {
                let allowed = picklists.get(&STAGE_NAME).map(|stages| stages.values.clone()).unwrap_or_default();
                match pipeline(record_type, is_default, &allowed, &stages) {
                    Some(pipeline) => reading.read.push(pipeline),
                    None => drop(reading.unread.insert(id, STAGES_HIDDEN.to_owned())),
                }
            }
            Err(error) if error.retry() == Retry::NeedsHuman => return Err(failed(error)),
            Err(error) => {
                warn!(org.id = %run.org(), "could not read record type {id}: {}", runtime::Chain(&error));
                reading.unread.insert(id, mirroring::reason(&error).to_owned());
                // Few opportunities have no record type in an org that has some: the master alone is no failure.
                if id != MASTER_RECORD_TYPE || is_only {
                    reading.failure = Some(error);
                }
            }
        }
    }
    Ok(Some(reading))
}

/// Returns all rows of a query that fits into one page. A short page is no answer: it would remove pipelines.
async fn query_all_rows(run: &Run<'_>, object: &ObjectName, query: &Soql) -> Result<Vec<Record>, Error> {
    let (org, object) = (run.org(), object.clone());
    let page = run.client.query(query).await.map_err(|source| Error::Pipelines { org, source })?;
    if !page.done || (page.records.len() as u64) < page.total_size {
        return Err(Error::Page { org, object, source: PageFault::Short });
    }
    Ok(page.records)
}
