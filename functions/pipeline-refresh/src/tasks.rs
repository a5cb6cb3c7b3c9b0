//! Handles tasks from the queues, and queues what follows them.

use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::sqs::SqsEvent;
use jiff::{SignedDuration, Timestamp};
use runtime::Chain;
use runtime::sqs::{Batch, BatchReport, Unreadable};
use salesforce::{Classify, OrgId, Retry};
use store::deferral::MAX_DELAY;
use store::{
    Allowance, Budget, CursorName, Deferrals, Measured, NewDeadLetter, OrgSettings, OrgState, RefreshKind, RefreshTask,
    deferral,
};
use tracing::{error, info, warn};

use crate::backfill::resume;
use crate::config::NightlyAudit;
use crate::error::Error;
use crate::next::{Failure, Happened, Next, Unfinished, next};
use crate::object::{ObjectReport, Outcome};
use crate::org::{OrgReport, refresh_org};
use crate::run::Run;
use crate::{Deps, budget_warnings, limits, org_schedule, overdue, upkeep};

/// The reason of a dead letter whose body is not a task.
const UNREADABLE: &str = "unreadable";

/// The time reserved for returning the response.
const MARGIN: SignedDuration = SignedDuration::from_secs(2);

/// The counts of an invocation.
#[derive(Debug, Default)]
struct Counts {
    reports: Vec<OrgReport>,
    waiting: u64,
    deferred: Vec<Deferrals>,
    blocked: u64,
    dead_lettered: u64,
}

pub(crate) async fn handle(deps: &Deps, event: SqsEvent, deadline: Timestamp) -> BatchReport {
    let Batch { messages, unreadable } = Batch::<RefreshTask>::parse(event);
    let (mut failed, mut counts) = (Vec::new(), Counts::default());
    for message in unreadable {
        failed.extend(dead_letter_unreadable(deps, message, deadline).await);
    }
    for message in messages {
        if let Err(error) = handle_task(deps, &message.body, deadline, &mut counts).await {
            // Its message stays in the queue: what follows it is not queued.
            log_failure(&message.body, &error);
            failed.push(message.id);
        }
    }
    let measured = counts.measured();
    let mut listed = counts.list(deps.clock.now());
    listed.extend(measured.against(&deps.objectives));
    BatchReport { failed, counts: listed, samples: measured.samples() }
}

/// Works on one task and queues what follows it. Killed in between, the task is delivered again: it goes on from the
/// cursors, and what is queued twice finds its work done.
async fn handle_task(deps: &Deps, task: &RefreshTask, deadline: Timestamp, counts: &mut Counts) -> Result<(), Error> {
    let now = deps.clock.now();
    let settings = deps.settings.load(task.org_id, now).await;
    let begins_at = settings.as_ref().ok().and_then(|settings| org_schedule::begins_at(task, settings));
    let not_before = begins_at.or(task.not_before);
    if let Some(delay) = wait(not_before, now) {
        counts.waiting += 1;
        let waiting = RefreshTask { not_before, ..task.clone() };
        return Ok(deps.queues.send(&waiting, false, delay).await?);
    }
    let mut report = OrgReport::default();
    match (is_closed(deps, task).await, settings) {
        (Ok(true), _) => return Ok(()),
        (Ok(false), Ok(settings)) => work_on(deps, task, settings, deadline, &mut report).await,
        (Err(error), _) => report.org_failure = Some(error),
        (_, Err(error)) => report.org_failure = Some(error.into()),
    }
    let now = deps.clock.now();
    let next = next(task, happened(&report), now);
    counts.deferred.extend_from_slice(&next.deferred);
    counts.blocked += next.blocked;
    counts.dead_lettered += next.dead.len() as u64;
    queue(deps, &next, &report, now, deadline).await?;
    let left = resume::followers(deps, task, &report.objects).await?;
    for follower in followers(task, &report, deps.nightly_audit).into_iter().chain(left) {
        deps.queues.send(&follower, false, Duration::ZERO).await?;
    }
    counts.reports.push(report);
    Ok(())
}

/// Returns the delay of a task that is not begun yet.
fn wait(not_before: Option<Timestamp>, now: Timestamp) -> Option<Duration> {
    let left = not_before?.duration_since(now);
    Duration::try_from(left).ok().filter(|left| !left.is_zero()).map(|left| left.min(MAX_DELAY))
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

async fn work_on(
    deps: &Deps,
    task: &RefreshTask,
    settings: Arc<OrgSettings>,
    deadline: Timestamp,
    report: &mut OrgReport,
) {
    let (began_at, is_poll) = (deps.clock.now(), task.kind == RefreshKind::Poll);
    match org_schedule::is_early(deps, task, &settings).await {
        Ok(true) => return,
        Ok(false) => {}
        Err(error) => warn!(org.id = %task.org_id, "could not load the time of the last poll: {}", Chain(&error)),
    }
    let allowance = Allowance { stored: stored_budget(deps, task.org_id).await, allocation: settings.api_allocation };
    let run = Run::new(deps, task, settings, allowance, deadline);
    report.stopped = run.stopped_whole();
    if report.stopped.is_some() {
        return;
    }
    let is_audit = matches!(task.kind, RefreshKind::Audit | RefreshKind::ConfirmedAudit);
    // The rest of a task is about one object, its connections were handled before; a poll and an audit have none.
    if task.object.is_none() && !is_poll && !is_audit {
        match upkeep::keep_connections(deps, task, deadline).await {
            Ok(upkeep) => report.upkeep = upkeep,
            Err(error) => report.org_failure = Some(error),
        }
    }
    limits::read(&run).await;
    if task.object.is_none() && task.kind == RefreshKind::Nightly {
        match overdue::send_again(deps, task.org_id).await {
            Ok(sent) => report.overdue_writes = sent,
            Err(error) => report.org_failure = Some(error),
        }
    }
    if task.kind != RefreshKind::Connections {
        refresh_org(&run, report).await;
    }
    if is_poll && report.is_complete() {
        let recorded = deps.cursors.finish(task.org_id, &CursorName::poll(), began_at).await;
        report.org_failure = recorded.err().map(Error::from);
    }
    budget_warnings::store(deps, task.org_id, run.settings.api_allocation).await;
    log(task, report);
}

/// Loads the org's budget. Where it cannot be loaded, Salesforce's first response brings the usage.
async fn stored_budget(deps: &Deps, org: OrgId) -> Option<Budget> {
    let stored = deps.budgets.load(org, deps.clock.now()).await;
    stored
        .inspect_err(|error| warn!(org.id = %org, "could not load the org's API budget: {}", Chain(error)))
        .ok()
        .flatten()
}

fn happened(report: &OrgReport) -> Happened {
    let failure = |error: &Error| Failure { retry: error.retry(), reason: error.reason() };
    let stopped = report.objects.iter().filter_map(|object| match object.outcome {
        Outcome::Stopped(stop) => Some((object.object.clone(), Unfinished::Stopped(stop))),
        _ => None,
    });
    let failed = report.failures.iter().map(|(object, error)| {
        let progress = report.objects.iter().any(|done| done.object == *object && done.pages > 0);
        (object.clone(), Unfinished::Failed { failure: failure(error), progress })
    });
    Happened {
        stopped: report.stopped,
        org: report.org_failure.as_ref().map(failure),
        progress: report.objects.iter().any(|object| object.pages > 0),
        objects: stopped.chain(failed).collect(),
    }
}

/// Returns the tasks that follow a task when its objects are refreshed: of a night the readings of their computed fields and their
/// audits, and of any task but a poll the audits of objects whose deletions a scan cannot have seen. What is audited already since
/// the task was requested is not audited again.
///
/// Polls leave the audit to the next night, for which the gap is stored: an audit that waits for a person would otherwise be made
/// again after each of them.
fn followers(task: &RefreshTask, report: &OrgReport, nightly: NightlyAudit) -> Vec<RefreshTask> {
    let is_night = task.kind == RefreshKind::Nightly;
    let is_refreshed = |object: &&ObjectReport| matches!(object.outcome, Outcome::Complete | Outcome::AlreadyDone);
    let refreshed = || report.objects.iter().filter(is_refreshed);
    // With the time at which the night began, from which the age of what follows counts.
    let follower = |kind, object: &ObjectReport| RefreshTask {
        kind,
        deferrals: Deferrals::default(),
        ..task.for_object(object.object.clone())
    };
    let asks = task.kind != RefreshKind::Poll;
    let is_audited = |object: &&ObjectReport| {
        object.audit.is_none() && (is_night && nightly == NightlyAudit::On || asks && object.is_doubtful)
    };
    let computed = refreshed().filter(|object| object.computed_is_due);
    let computed = computed.map(|object| follower(RefreshKind::Computed, object));
    computed.chain(refreshed().filter(is_audited).map(|object| follower(RefreshKind::Audit, object))).collect()
}

/// Queues what follows a task.
async fn queue(
    deps: &Deps,
    next: &Next,
    report: &OrgReport,
    failed_at: Timestamp,
    deadline: Timestamp,
) -> Result<(), Error> {
    for (task, delay) in &next.tasks {
        let is_copy = |object| report.objects.iter().any(|done| Some(&done.object) == object && done.is_copy);
        deps.queues.send(task, is_copy(task.object.as_ref()), *delay).await?;
        if let Some(since) = task.deferrals.since {
            let object = task.object.as_ref().map(tracing::field::display);
            warn!(org.id = %task.org_id, sf.object = object, %since, "a refresh is deferred");
        }
    }
    for (task, reason) in &next.dead {
        error!(org.id = %task.org_id, reason, "dead-lettered a refresh");
        let body = serde_json::to_string(task).unwrap_or_default();
        let group = Some(task.org_id.to_string());
        let letter = NewDeadLetter { group, body, reason: reason.clone(), failed_at };
        deps.queues.send_dead_letter(letter, sends_until(deadline)).await?;
    }
    Ok(())
}

/// Moves a message that is not a task to the dead-letter queue. Returns its id if it could not be moved.
async fn dead_letter_unreadable(deps: &Deps, message: Unreadable, deadline: Timestamp) -> Option<String> {
    // SQS accepts no message without a body.
    if message.body.is_empty() {
        return Some(message.id);
    }
    let Unreadable { id, group, body } = message;
    let letter = NewDeadLetter { group, body, reason: UNREADABLE.to_owned(), failed_at: deps.clock.now() };
    let moved = deps.queues.send_dead_letter(letter, sends_until(deadline)).await;
    moved.inspect_err(|error| warn!("could not send a dead letter: {}", Chain(error))).err().map(|_| id)
}

fn sends_until(deadline: Timestamp) -> Timestamp {
    deadline.saturating_sub(MARGIN).unwrap_or(deadline)
}

fn log(task: &RefreshTask, report: &OrgReport) {
    report.errors().for_each(|error| log_failure(task, error));
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

impl Counts {
    fn measured(&self) -> Measured {
        let mut measured = Measured::default();
        let objects = self.reports.iter().flat_map(|report| &report.objects);
        objects.for_each(|object| measured.extend(object.measured.clone()));
        measured
    }

    fn list(&self, now: Timestamp) -> Vec<(&'static str, u64)> {
        let objects = || self.reports.iter().flat_map(|report| &report.objects);
        let ended = |matches: fn(&Outcome) -> bool| objects().filter(|object| matches(&object.outcome)).count() as u64;
        let audits = |matches: fn(&Outcome) -> bool| {
            objects().filter(|object| object.audit.is_some() && matches(&object.outcome)).count() as u64
        };
        vec![
            ("tasks", self.reports.len() as u64),
            ("tasks.waiting", self.waiting),
            ("tasks.deferred", self.deferred.len() as u64),
            deferral::oldest(self.deferred.iter().copied(), now),
            ("tasks.blocked", self.blocked),
            ("tasks.dead_lettered", self.dead_lettered),
            ("writes.overdue", self.reports.iter().map(|report| report.overdue_writes).sum()),
            ("connections.called", self.reports.iter().map(|report| report.upkeep.called).sum()),
            ("connections.failed", self.reports.iter().map(|report| report.upkeep.failed).sum()),
            ("objects.complete", ended(|outcome| matches!(outcome, Outcome::Complete | Outcome::AlreadyDone))),
            ("objects.stopped", ended(|outcome| matches!(outcome, Outcome::Stopped(_)))),
            ("objects.skipped", ended(|outcome| matches!(outcome, Outcome::Skipped(_)))),
            ("objects.failed", ended(|outcome| matches!(outcome, Outcome::Failed))),
            ("pipelines.stale", self.reports.iter().map(|report| report.stale_pipelines).sum()),
            ("sync.pages", objects().map(|object| object.pages).sum()),
            ("sync.narrowed", objects().map(|object| object.narrowed).sum()),
            ("records.read", objects().map(|object| object.rows).sum()),
            ("records.applied", objects().map(|object| object.applied).sum()),
            ("records.removed", objects().map(|object| object.removed).sum()),
            ("records.unstorable", objects().map(|object| object.unstorable).sum()),
            ("records.unreadable", objects().map(|object| object.unreadable).sum()),
            ("audits.finished", audits(|outcome| matches!(outcome, Outcome::Complete))),
            ("audits.vanished", audits(|outcome| matches!(outcome, Outcome::RecordsVanished))),
            ("audits.failed", audits(|outcome| matches!(outcome, Outcome::Failed))),
            (
                "audits.differences",
                objects().filter_map(|object| object.audit).map(|counts| counts.differences()).sum(),
            ),
            ("audits.repaired", objects().filter_map(|object| object.audit).map(|counts| counts.repaired).sum()),
            ("failures", self.reports.iter().map(|report| report.errors().count() as u64).sum()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use salesforce::ObjectName;

    use super::*;

    #[test]
    fn deletions_that_may_be_unknown_are_audited_after_every_task_but_a_poll() {
        let now: Timestamp = "2026-11-22T02:15:00Z".parse().unwrap();
        let mut object = ObjectReport::new(&ObjectName::from_static("Account"));
        (object.outcome, object.is_doubtful) = (Outcome::Complete, true);
        let report = OrgReport { objects: vec![object], ..OrgReport::default() };
        let audits = |kind| {
            let task = RefreshTask::new("00D5e000000KQ2eEAG".parse().unwrap(), kind, now);
            let followers = followers(&task, &report, NightlyAudit::Off);
            assert!(followers.iter().all(|task| task.kind == RefreshKind::Audit && task.object.is_some()));
            followers.len()
        };
        for kind in [RefreshKind::Nightly, RefreshKind::Incremental, RefreshKind::Backfill] {
            assert_eq!(audits(kind), 1, "{kind:?}");
        }
        assert_eq!(audits(RefreshKind::Poll), 0, "96 of them come in a day");
    }

    #[test]
    fn a_task_waits_for_its_time_in_steps_that_sqs_allows() {
        let now: Timestamp = "2026-11-22T02:15:00Z".parse().unwrap();
        let waits = |minutes| wait(Some(now + SignedDuration::from_mins(minutes)), now);
        assert_eq!(wait(None, now), None);
        assert_eq!([-1, 0, 4, 90].map(waits), [None, None, Some(Duration::from_mins(4)), Some(MAX_DELAY)]);
    }

    #[test]
    fn what_follows_a_night_is_as_old_as_the_night() {
        let requested_at: Timestamp = "2026-11-22T02:15:00Z".parse().unwrap();
        let began_at = requested_at + SignedDuration::from_hours(23);
        let night = RefreshTask::new("00D5e000000KQ2eEAG".parse().unwrap(), RefreshKind::Nightly, requested_at);
        let night = RefreshTask { not_before: Some(began_at), ..night };
        let account = ObjectReport {
            outcome: Outcome::Complete,
            computed_is_due: true,
            ..ObjectReport::new(&"Account".parse().unwrap())
        };
        let report = OrgReport { objects: vec![account], ..OrgReport::default() };
        let followers = followers(&night, &report, NightlyAudit::On);
        let times: Vec<_> = followers.iter().map(|task| (task.kind, task.not_before)).collect();
        assert_eq!(times, [(RefreshKind::Computed, Some(began_at)), (RefreshKind::Audit, Some(began_at))]);
    }
}
