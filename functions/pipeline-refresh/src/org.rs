//! Refreshes one org: its pipelines, then its mirrored objects, one after the other.

use salesforce::{Classify, ObjectName, Retry};
use store::{CursorName, Lane, RefreshKind, RefreshTask, RefreshedPipelines};

use crate::audit::{self, audit_object};
use crate::computed::refresh_computed;
use crate::error::Error;
use crate::object::{self, ObjectReport, Outcome, refresh_object};
use crate::pipelines::reconcile;
use crate::reading::read_pipelines;
use crate::removal;
use crate::run::{Run, Stop};
use crate::upkeep::Upkeep;

/// The result of a task.
#[derive(Debug, Default)]
pub(crate) struct OrgReport {
    /// The changes of the pipelines; `None` when the task has none, or when the connection may not see opportunities.
    pub(crate) pipelines: Option<RefreshedPipelines>,
    /// The pipelines that are kept as they were read before.
    pub(crate) stale_pipelines: u64,
    /// The result of each object.
    pub(crate) objects: Vec<ObjectReport>,
    /// The failures of objects. One object's failure does not stop the others.
    pub(crate) failures: Vec<(ObjectName, Error)>,
    /// The reason for which nothing of the task was begun.
    pub(crate) stopped: Option<Stop>,
    /// The failure of what is not about one object.
    pub(crate) org_failure: Option<Error>,
    /// The result of the upkeep of connections.
    pub(crate) upkeep: Upkeep,
    /// The overdue writes whose tasks were sent again.
    pub(crate) overdue_writes: u64,
}

/// Refreshes the task's pipelines and objects.
pub(crate) async fn refresh_org(run: &Run<'_>, report: &mut OrgReport) {
    remove_left_out(run, report).await;
    if run.task.object.is_none() && run.task.kind != RefreshKind::Poll && !run.is_audit() {
        let refreshed = refresh_pipelines(run, report).await;
        report.org_failure = refreshed.err().or(report.org_failure.take());
        run.record_calls(Lane::Incremental).await;
    }
    let is_audit = run.is_audit();
    for object in objects_of(run.task, run.mirror.objects()).iter().filter(|object| run.mirror.has(object)) {
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
        let (done, failure) = match run.task.kind {
            RefreshKind::Audit | RefreshKind::ConfirmedAudit => audit_object(run, object).await,
            RefreshKind::Computed => refresh_computed(run, object).await,
            _ => refresh_object(run, object).await,
        };
        report.objects.push(done);
        report.failures.extend(failure.map(|error| (object.clone(), error)));
    }
}

/// Removes the rows of objects that are not mirrored any more. That needs no connection.
async fn remove_left_out(run: &Run<'_>, report: &mut OrgReport) {
    let mut left_out: Vec<ObjectName> =
        run.task.object.iter().filter(|object| !run.mirror.has(object)).cloned().collect();
    match removal::left_out(run).await {
        Ok(objects) => left_out.extend(objects),
        Err(error) => report.org_failure = report.org_failure.take().or(Some(error)),
    }
    for object in left_out {
        let (done, failure) = removal::remove_object(run, &object).await;
        report.objects.push(done);
        report.failures.extend(failure.map(|error| (object, error)));
    }
}

impl OrgReport {
    /// Returns whether nothing of the task remains, for this or another task.
    pub(crate) fn is_complete(&self) -> bool {
        let remains = |object: &ObjectReport| matches!(object.outcome, Outcome::Busy | Outcome::Stopped(_));
        self.errors().next().is_none() && self.stopped.is_none() && !self.objects.iter().any(remains)
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
    let mut reading = match read_pipelines(run).await {
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
