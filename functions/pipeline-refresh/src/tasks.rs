//! Handles tasks from the queue, and queues what remains of them.

use std::time::Duration;

use aws_lambda_events::sqs::SqsEvent;
use jiff::Timestamp;
use runtime::Chain;
use runtime::sqs::{Batch, BatchReport};
use salesforce::{Classify, Retry};
use store::{ConnectionId, CursorName, OrgState, RefreshKind, RefreshTask};
use tracing::{error, info, warn};

use crate::error::Error;
use crate::object::Outcome;
use crate::org::{OrgReport, refresh_org};
use crate::run::{Run, Stop};
use crate::{Deps, upkeep};

/// The delay of a task whose org is over its API budget: the longest that SQS has.
const BUDGET_PAUSE: Duration = Duration::from_secs(15 * 60);

pub(crate) async fn handle(deps: &Deps, event: SqsEvent, deadline: Timestamp) -> BatchReport {
    let Batch { messages, unreadable } = Batch::<RefreshTask>::parse(event);
    let mut failed: Vec<String> = unreadable.into_iter().map(|message| message.id).collect();
    let mut reports = Vec::new();
    for message in messages {
        let mut report = OrgReport::default();
        let task = &message.body;
        match is_closed(deps, task).await {
            Ok(false) => {}
            Ok(true) => continue,
            Err(error) => {
                log_failure(task, &error);
                failed.push(message.id);
                continue;
            }
        }
        // The rest of a task is about one object, its connections were handled before; a poll has none.
        let is_poll = task.kind == RefreshKind::Poll;
        let mut retry = task.object.is_none() && !is_poll && keep_connections(deps, task, deadline, &mut report).await;
        if task.kind != RefreshKind::Connections {
            retry |= refresh(deps, task, deadline, &mut report).await;
        }
        failed.extend(retry.then_some(message.id));
        reports.push(report);
    }
    BatchReport { failed, counts: counts(&reports) }
}

/// Returns whether the org was closed since the task was queued. Then nothing is done: its data may be erased already.
async fn is_closed(deps: &Deps, task: &RefreshTask) -> Result<bool, Error> {
    let org = deps.orgs.load(task.org_id).await?;
    let closed = org.is_some_and(|org| org.state != OrgState::Active);
    if closed {
        info!(org.id = %task.org_id, "did not refresh org {}: it is not active", task.org_id);
    }
    Ok(closed)
}

/// Keeps the org's connections alive. Returns whether the task has to be retried for it.
async fn keep_connections(deps: &Deps, task: &RefreshTask, deadline: Timestamp, report: &mut OrgReport) -> bool {
    match upkeep::keep_connections(deps, task, deadline).await {
        Ok(upkeep) => {
            report.upkeep = upkeep;
            false
        }
        Err(error) => {
            log_failure(task, &error);
            is_retried(&error)
        }
    }
}

/// Refreshes pipelines and records. Returns whether the task has to be retried as a whole.
async fn refresh(deps: &Deps, task: &RefreshTask, deadline: Timestamp, report: &mut OrgReport) -> bool {
    let (began_at, is_poll) = (deps.clock.now(), task.kind == RefreshKind::Poll);
    let client = deps.salesforce.client(task.org_id, &ConnectionId::team());
    let run = Run::new(deps, task, client, deadline);
    refresh_org(&run, &deps.mirrored_objects, report).await;
    // A retried task goes on from the checkpoints, so its rest is not queued beside it.
    if is_poll || report.failures.iter().all(|error| !is_retried(error)) {
        let queued = queue_rest(deps, task, report).await;
        report.failures.extend(queued.err());
    }
    if is_poll && report.is_complete() {
        let recorded = deps.cursors.finish(task.org_id, &CursorName::poll(), began_at).await;
        report.failures.extend(recorded.err().map(Error::from));
    }
    log(task, report);
    // The next poll repeats a failed one, so that an org that fails for hours does not fill the queue.
    !is_poll && report.failures.iter().any(is_retried)
}

/// Returns whether a retry can help before the next night: not where a person has to act.
fn is_retried(error: &Error) -> bool {
    match error.retry() {
        Retry::NeedsHuman => false,
        Retry::Never | Retry::After(_) | Retry::Unknown(_) => true,
    }
}

/// Queues the objects that remain, each as a task.
async fn queue_rest(deps: &Deps, task: &RefreshTask, report: &OrgReport) -> Result<(), Error> {
    for (object, stop) in &report.remaining {
        // The next poll goes on with what the API budget does not allow now.
        if task.kind == RefreshKind::Poll && *stop == Stop::OverBudget {
            continue;
        }
        let rest = task.for_object(object.clone());
        let delay = match stop {
            Stop::OutOfTime => Duration::ZERO,
            Stop::OverBudget => BUDGET_PAUSE,
        };
        deps.tasks.send(&rest, delay).await?;
    }
    Ok(())
}

fn log(task: &RefreshTask, report: &OrgReport) {
    report.failures.iter().for_each(|error| log_failure(task, error));
    let objects = serde_json::to_string(&report.objects).unwrap_or_default();
    let pipelines = report.pipelines.map(|changes| changes.stored + changes.unchanged);
    info!(org.id = %task.org_id, pipelines, %objects, "refreshed org {}", task.org_id);
}

fn log_failure(task: &RefreshTask, error: &Error) {
    match error.retry() {
        Retry::Never => error!(org.id = %task.org_id, retry = "never", "{}", Chain(error)),
        Retry::NeedsHuman => warn!(org.id = %task.org_id, retry = "needs_human", "{}", Chain(error)),
        Retry::After(_) | Retry::Unknown(_) => warn!(org.id = %task.org_id, retry = "transient", "{}", Chain(error)),
    }
}

fn counts(reports: &[OrgReport]) -> Vec<(&'static str, u64)> {
    let objects = || reports.iter().flat_map(|report| &report.objects);
    let ended = |matches: fn(&Outcome) -> bool| objects().filter(|object| matches(&object.outcome)).count() as u64;
    vec![
        ("tasks", reports.len() as u64),
        ("connections.called", reports.iter().map(|report| report.upkeep.called).sum()),
        ("connections.failed", reports.iter().map(|report| report.upkeep.failed).sum()),
        ("objects.complete", ended(|outcome| matches!(outcome, Outcome::Complete | Outcome::AlreadyDone))),
        ("objects.stopped", ended(|outcome| matches!(outcome, Outcome::Stopped(_)))),
        ("objects.skipped", ended(|outcome| matches!(outcome, Outcome::Skipped(_)))),
        ("sync.pages", objects().map(|object| object.pages).sum()),
        ("records.read", objects().map(|object| object.rows).sum()),
        ("records.applied", objects().map(|object| object.applied).sum()),
        ("records.unstorable", objects().map(|object| object.unstorable).sum()),
        ("failures", reports.iter().map(|report| report.failures.len() as u64).sum()),
    ]
}
