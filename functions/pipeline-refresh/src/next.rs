//! Decides what follows a task: its rest, another attempt, or its end. Pure.
//!
//! A failed task is queued again as a new message with a growing delay; its receive count and the visibility timeout of
//! its queue matter only if the function is killed. Only failures without progress count. A failure that does not pass is
//! a dead letter with its reason, and the cursors say which object is not up to date.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use salesforce::{ObjectName, Retry};
use store::deferral::jitter;
use store::{Deferrals, RefreshKind, RefreshTask};

use crate::run::Stop;

/// The delay of a task whose org is over its API budget: the longest that SQS has.
const BUDGET_PAUSE: Duration = Duration::from_secs(15 * 60);

/// The age at which a nightly task or an audit is not queued again: the next night begins anew, or goes on with it.
const NIGHT: SignedDuration = SignedDuration::from_hours(24);

/// The age at which the upkeep of connections is not queued again: the next hour repeats it.
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// The result of an attempt at a task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Happened {
    /// The reason for which nothing of the task was begun.
    pub stopped: Option<Stop>,
    /// The failure of what is not about one object: pipelines, connections, the org's own row.
    pub org: Option<Failure>,
    /// The objects that are not finished.
    pub objects: Vec<(ObjectName, Unfinished)>,
    /// `true` if anything was stored.
    pub progress: bool,
}

/// The reason for which an object is not finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfinished {
    /// The scan stopped, and goes on from its checkpoint.
    Stopped(Stop),
    /// The scan failed.
    Failed {
        /// The failure.
        failure: Failure,
        /// `true` if pages were stored before it.
        progress: bool,
    },
}

/// A failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The retry that it allows.
    pub retry: Retry,
    /// A stable code.
    pub reason: String,
}

/// The messages and counts that follow a task.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Next {
    /// The tasks to queue, each with its delay.
    pub tasks: Vec<(RefreshTask, Duration)>,
    /// The tasks that have failed, each with its reason.
    pub dead: Vec<(RefreshTask, String)>,
    /// The deferrals of the tasks that a failure deferred.
    pub deferred: Vec<Deferrals>,
    /// The number of failures that end the task until a person acts.
    pub blocked: u64,
}

/// Decides what follows `task`.
#[must_use]
pub fn next(task: &RefreshTask, happened: Happened, now: Timestamp) -> Next {
    let mut next = Next::default();
    let age = now.duration_since(task.not_before.unwrap_or(task.requested_at));
    let is_audit = matches!(task.kind, RefreshKind::Audit | RefreshKind::ConfirmedAudit);
    let is_nightly = is_audit || matches!(task.kind, RefreshKind::Nightly | RefreshKind::Computed);
    let is_over = is_nightly && age >= NIGHT;
    // The next poll, or the next hour, repeats what fails or is not allowed now, so that they do not pile up.
    let is_poll = task.kind == RefreshKind::Poll;
    let is_repeated = is_poll || task.kind == RefreshKind::Connections && age >= HOUR;
    if happened.stopped.is_some() {
        let again = (!is_poll && !is_over).then(|| (task.clone(), BUDGET_PAUSE));
        next.tasks.extend(again);
        return next;
    }
    if let Some(failure) = happened.org.filter(|_| !is_repeated) {
        let before = next.tasks.len();
        next.fail(&after(task, happened.progress), &failure, is_over, now);
        if next.tasks.len() > before {
            // The whole task is tried again. It goes on from the checkpoints, so its rest is not queued beside it.
            return next;
        }
    }
    for (object, unfinished) in happened.objects {
        let rest = task.for_object(object);
        match unfinished {
            Unfinished::Stopped(Stop::OutOfTime) => {
                next.tasks.push((rest.with_deferrals(Deferrals::default()), Duration::ZERO));
            }
            Unfinished::Stopped(Stop::OverBudget) if is_poll || is_over => {}
            Unfinished::Stopped(Stop::OverBudget) => next.tasks.push((rest, BUDGET_PAUSE)),
            Unfinished::Failed { .. } if is_poll => {}
            Unfinished::Failed { failure, progress } => next.fail(&after(&rest, progress), &failure, is_over, now),
        }
    }
    next
}

/// Returns the task as it fails: progress starts its deferrals anew.
fn after(task: &RefreshTask, progress: bool) -> RefreshTask {
    if progress { task.with_deferrals(Deferrals::default()) } else { task.clone() }
}

impl Next {
    fn fail(&mut self, task: &RefreshTask, failure: &Failure, is_over: bool, now: Timestamp) {
        let deferrals = task.deferrals;
        let jitter = jitter(&(task.org_id, &task.object, deferrals.count));
        let deferred = match failure.retry {
            // The state of the connection and of the cursors tells the person; the next night tries again.
            Retry::NeedsHuman => {
                self.blocked += 1;
                return;
            }
            Retry::Never => deferrals.after_refusal(jitter),
            retry => deferrals.after(retry, now, jitter),
        };
        match deferred.filter(|_| !is_over) {
            Some((deferrals, delay)) => {
                self.tasks.push((task.with_deferrals(deferrals), delay));
                self.deferred.push(deferrals);
            }
            None => self.dead.push((task.clone(), failure.reason.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ACCOUNT: ObjectName = ObjectName::from_static("Account");
    const PASSES: Retry = Retry::After(Duration::from_secs(2));

    fn start() -> Timestamp {
        "2026-11-22T02:15:00Z".parse().unwrap()
    }

    fn task(kind: RefreshKind) -> RefreshTask {
        RefreshTask::new("00D5e000000KQ2eEAG".parse().unwrap(), kind, start())
    }

    fn failure(retry: Retry) -> Failure {
        Failure { retry, reason: "salesforce_unavailable".to_owned() }
    }

    fn failed(retry: Retry, progress: bool) -> Happened {
        let unfinished = Unfinished::Failed { failure: failure(retry), progress };
        Happened { objects: vec![(ACCOUNT, unfinished)], ..Happened::default() }
    }

    /// Fails the object's task until it ends. Returns the time that it took and the end.
    fn fail_until_the_end(kind: RefreshKind, retry: Retry) -> (SignedDuration, Next) {
        let (mut task, mut now) = (task(kind), start());
        loop {
            let mut next = next(&task, failed(retry, false), now);
            let Some((again, delay)) = next.tasks.pop() else { return (now.duration_since(start()), next) };
            task = again;
            now += SignedDuration::try_from(delay).unwrap();
        }
    }

    #[test]
    fn one_failure_costs_seconds() {
        let next = next(&task(RefreshKind::Nightly), failed(PASSES, false), start());
        let [(again, delay)] = next.tasks.as_slice() else { panic!("{next:?}") };
        assert_eq!((again.object.as_ref(), again.deferrals.count), (Some(&ACCOUNT), 1));
        assert!(*delay <= Duration::from_secs(15), "{delay:?}");
    }

    #[test]
    fn only_failures_without_progress_count() {
        let tired = Deferrals { count: 1_000, since: Some(start() - SignedDuration::from_hours(100)), refusals: 3 };
        for retry in [PASSES, Retry::Never] {
            let task = task(RefreshKind::Backfill).with_deferrals(tired);
            let progressed = next(&task, failed(retry, true), start());
            assert_eq!((progressed.tasks[0].0.deferrals.count, progressed.dead.len()), (1, 0));
            let stuck = next(&task, failed(retry, false), start());
            assert_eq!((stuck.tasks.len(), stuck.dead.len()), (0, 1));
        }
    }

    #[test]
    fn a_night_that_fails_ends_with_a_dead_letter_for_the_day() {
        let (took, end) = fail_until_the_end(RefreshKind::Nightly, PASSES);
        assert!(took >= NIGHT && took <= NIGHT + SignedDuration::from_mins(15), "{took:?}");
        assert_eq!(end.dead.len(), 1);
    }

    #[test]
    fn a_backfill_is_tried_for_three_days() {
        let (took, end) = fail_until_the_end(RefreshKind::Backfill, PASSES);
        assert!(took >= SignedDuration::from_hours(72), "{took:?}");
        assert_eq!(end.dead.len(), 1);
    }

    #[test]
    fn a_refusal_is_confirmed_within_half_an_hour() {
        let (took, end) = fail_until_the_end(RefreshKind::Nightly, Retry::Never);
        assert!(took >= SignedDuration::from_mins(10) && took <= SignedDuration::from_mins(30), "{took:?}");
        assert_eq!(end.dead.len(), 1);
    }

    #[test]
    fn a_task_that_needs_a_person_ends_without_a_dead_letter() {
        let ended = Next { blocked: 1, ..Next::default() };
        assert_eq!(next(&task(RefreshKind::Nightly), failed(Retry::NeedsHuman, false), start()), ended);
    }

    #[test]
    fn a_poll_is_not_queued_again() {
        let mut happened = failed(PASSES, false);
        happened.objects.push((ACCOUNT, Unfinished::Stopped(Stop::OverBudget)));
        happened.org = Some(failure(PASSES));
        assert_eq!(next(&task(RefreshKind::Poll), happened, start()), Next::default());
    }

    #[test]
    fn an_upkeep_that_fails_is_left_to_the_next_hour() {
        let failed = || Happened { org: Some(failure(PASSES)), ..Happened::default() };
        let upkeep = task(RefreshKind::Connections);
        assert_eq!(next(&upkeep, failed(), start()).tasks.len(), 1);
        assert_eq!(next(&upkeep, failed(), start() + HOUR), Next::default());
    }

    #[test]
    fn a_task_that_may_not_begin_waits_as_a_whole() {
        let stopped = || Happened { stopped: Some(Stop::OverBudget), ..Happened::default() };
        let night = task(RefreshKind::Nightly);
        assert_eq!(next(&night, stopped(), start()).tasks, [(night.clone(), BUDGET_PAUSE)]);
        assert_eq!(next(&night, stopped(), start() + NIGHT), Next::default());
        assert_eq!(next(&task(RefreshKind::Poll), stopped(), start()), Next::default());
        let late = RefreshTask { not_before: Some(start() + NIGHT), ..night };
        assert_eq!(next(&late, stopped(), start() + NIGHT).tasks.len(), 1, "its day begins with its window");
    }

    #[test]
    fn a_night_over_budget_leaves_the_rest_to_the_next_one() {
        let stopped = |stop| Happened { objects: vec![(ACCOUNT, Unfinished::Stopped(stop))], ..Happened::default() };
        let (night, later) = (task(RefreshKind::Nightly), start() + NIGHT);
        assert_eq!(next(&night, stopped(Stop::OverBudget), start()).tasks[0].1, BUDGET_PAUSE);
        assert_eq!(next(&night, stopped(Stop::OverBudget), later), Next::default());
        assert_eq!(next(&night, stopped(Stop::OutOfTime), later).tasks.len(), 1);
    }

    fn unfinished() -> impl Strategy<Value = Unfinished> {
        let retry = prop::sample::select(vec![PASSES, Retry::Unknown(Duration::ZERO), Retry::Never]);
        prop_oneof![
            prop::sample::select(vec![Stop::OutOfTime, Stop::OverBudget]).prop_map(Unfinished::Stopped),
            (retry, any::<bool>())
                .prop_map(|(retry, progress)| Unfinished::Failed { failure: failure(retry), progress }),
        ]
    }

    proptest! {
        #[test]
        fn every_unfinished_object_goes_on_or_is_a_dead_letter(
            objects in prop::collection::vec(unfinished(), 0..6), org_failed: bool, refusals in 0..5_u32,
            backfill: bool,
        ) {
            let kind = if backfill { RefreshKind::Backfill } else { RefreshKind::Nightly };
            let task = task(kind).with_deferrals(Deferrals { refusals, ..Deferrals::default() });
            let name = |n: usize| format!("Object_{n}__c").parse::<ObjectName>().unwrap();
            let objects: Vec<_> = objects.into_iter().enumerate().map(|(n, end)| (name(n), end)).collect();
            let org = org_failed.then(|| failure(Retry::Never));
            let happened = Happened { org, objects: objects.clone(), ..Happened::default() };

            let next = next(&task, happened, start());

            let sent: Vec<&RefreshTask> = next.tasks.iter().map(|(task, _)| task).collect();
            if sent.iter().any(|task| task.object.is_none()) {
                prop_assert_eq!(sent.len(), 1, "the whole task covers its objects");
            } else {
                for (object, _) in &objects {
                    let goes_on = sent.iter().filter(|task| task.object.as_ref() == Some(object)).count();
                    let dead = next.dead.iter().filter(|(task, _)| task.object.as_ref() == Some(object)).count();
                    prop_assert_eq!(goes_on + dead, 1);
                }
            }
        }
    }
}
