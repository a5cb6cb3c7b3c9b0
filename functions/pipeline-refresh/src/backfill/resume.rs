//! Backfills of copied objects that nobody goes on with, which a night finds.
//!
//! Once an object is copied, only tasks of its own look at a later backfill of it, such as the one that reads a new field. A task
//! that waits for a person ends, and a message can be lost. So a night that has refreshed the object sends a task again.

use jiff::{SignedDuration, Timestamp};
use salesforce::ObjectName;
use store::{Cursor, CursorName, RefreshKind, RefreshTask};

use super::machine::BulkScan;
use crate::Deps;
use crate::object::{ObjectReport, Outcome};
use crate::scan::Scan;

/// The time without a step after which a backfill counts as left: SQS delivers the message of a killed function again 90 minutes
/// after the function began.
const LEFT: SignedDuration = SignedDuration::from_hours(2);

/// The time for which a task is left to wait for the budget. It looks at it every 15 minutes, without a trace in the cursor.
const WAITS: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The failures of a backfill that is complete: single rows are left out.
const OF_ROWS: [&str; 2] = ["rows_too_large", "rows_unreadable"];

/// Returns the tasks of left backfills of the objects that a night has refreshed; none for other tasks.
pub(crate) async fn followers(
    deps: &Deps,
    task: &RefreshTask,
    objects: &[ObjectReport],
) -> Result<Vec<RefreshTask>, store::Error> {
    let mut found = Vec::new();
    if task.kind != RefreshKind::Nightly {
        return Ok(found);
    }
    // A later attempt at the night sends no second task of an object that an earlier one has refreshed.
    let is_refreshed = |object: &&ObjectReport| {
        object.outcome == Outcome::Complete || object.outcome == Outcome::AlreadyDone && task.deferrals.count == 0
    };
    for ObjectReport { object, .. } in objects.iter().filter(is_refreshed) {
        let backfill = deps.cursors.load(task.org_id, &CursorName::backfill(object)).await?;
        found.extend(backfill.and_then(|backfill| resume(task, object, &backfill, deps.clock.now())));
    }
    Ok(found)
}

/// Returns the task that goes on with the backfill of a copied object, or begins it anew where it cannot go on: its last job has
/// failed, or it had not begun. `None` if there is nothing to do, or another task is likely to do it.
fn resume(night: &RefreshTask, object: &ObjectName, backfill: &Cursor, now: Timestamp) -> Option<RefreshTask> {
    let is_older = |time: Timestamp, age| now.duration_since(time) >= age;
    let failing_since = backfill.failing_since;
    let is_left = is_older(backfill.updated_at, LEFT) && failing_since.is_none_or(|since| is_older(since, LEFT));
    let failure = backfill.failure.as_deref();
    let waits = failure == Some("over_budget") && failing_since.is_some_and(|since| !is_older(since, WAITS));
    if backfill.covered_until.is_none() || !is_left || waits {
        return None;
    }
    let (requested_at, since) = match backfill.checkpoint.as_deref() {
        None => {
            failure.filter(|failure| !OF_ROWS.contains(failure))?;
            (night.requested_at, None)
        }
        Some(checkpoint) => {
            let requested_at = match BulkScan::resume(checkpoint) {
                // The job that a task of this night has begun anew has failed as well.
                Some(bulk) if bulk.failed_at.is_some() && bulk.started_at >= night.requested_at => return None,
                Some(bulk) if bulk.failed_at.is_some() => night.requested_at,
                Some(bulk) => just_before(bulk.started_at),
                None => Scan::resume(checkpoint).map_or(night.requested_at, |scan| just_before(scan.started_at)),
            };
            (requested_at, backfill.progress.as_ref().and_then(|progress| progress.since))
        }
    };
    let task = RefreshTask::new(night.org_id, RefreshKind::Backfill, requested_at).for_object(object.clone());
    Some(RefreshTask { since, ..task })
}

/// Returns the time of a request that a backfill answers which began at `started_at`. A task of this very time would be taken for
/// the message of the job's poll, and begin a second chain of polls if that message came late.
fn just_before(started_at: Timestamp) -> Timestamp {
    started_at.checked_sub(SignedDuration::from_millis(1)).unwrap_or(started_at)
}

#[cfg(test)]
mod tests {
    use salesforce::bulk::JobId;
    use salesforce::{OrgId, RecordId};
    use store::{BackfillMethod, BackfillProgress};

    use super::*;
    use crate::progress::{Plan, Stored, plan};

    const ACCOUNT: ObjectName = ObjectName::from_static("Account");

    /// The hour of the night's request.
    const NIGHT: i64 = 24;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + hour * 3_600).unwrap()
    }

    fn org() -> OrgId {
        "00D5e000000KQ2eEAG".parse().unwrap()
    }

    /// A copied object whose later backfill stored this checkpoint in the first hour.
    fn copied(checkpoint: Option<String>) -> Cursor {
        Cursor {
            org_id: org(),
            cursor_name: CursorName::backfill(&ACCOUNT),
            progress: None,
            position: None,
            checkpoint,
            covered_until: Some(at(-100)),
            failure: None,
            failing_since: None,
            updated_at: at(1),
        }
    }

    fn failing(cursor: Cursor, reason: &str, since: i64) -> Cursor {
        Cursor { failure: Some(reason.to_owned()), failing_since: Some(at(since)), ..cursor }
    }

    fn rest() -> Option<String> {
        Some(Scan::fresh(None, at(0)).checkpoint())
    }

    fn bulk(started_at: i64, failed_at: Option<i64>) -> Option<String> {
        let job = JobId::try_from("7505e0000000001".parse::<RecordId>().unwrap()).unwrap();
        let bulk = BulkScan { failed_at: failed_at.map(at), ..BulkScan::new(job, None, at(started_at)) };
        Some(bulk.checkpoint().unwrap())
    }

    /// The task that the night queues at this hour.
    fn resumed(backfill: &Cursor, hour: i64) -> Option<RefreshTask> {
        resume(&RefreshTask::new(org(), RefreshKind::Nightly, at(NIGHT)), &ACCOUNT, backfill, at(hour))
    }

    #[test]
    fn a_left_backfill_goes_on() {
        for checkpoint in [rest(), bulk(0, None)] {
            let backfill = copied(checkpoint.clone());
            let task = resumed(&backfill, NIGHT).unwrap();
            assert_eq!((task.kind, &task.object, task.part), (RefreshKind::Backfill, &Some(ACCOUNT), None));
            let checkpoint = checkpoint.unwrap();
            if let Some(bulk) = BulkScan::resume(&checkpoint) {
                assert!(bulk.is_for(&task));
                let is_message = task.requested_at.as_millisecond() == bulk.started_at.as_millisecond();
                assert!(!is_message, "it would begin a second chain of polls");
            } else {
                let scan = Scan::resume(&checkpoint).unwrap();
                let stored = Stored { backfill: Some(backfill), incremental: None };
                assert_eq!(plan(&task, &ACCOUNT, &stored, at(NIGHT)), Plan::Scan(CursorName::backfill(&ACCOUNT), scan));
            }
        }
    }

    #[test]
    fn a_left_backfill_since_a_time_stays_one() {
        let progress = BackfillProgress { since: Some(at(-5)), ..BackfillProgress::new(BackfillMethod::Rest, at(0)) };
        let backfill = Cursor { progress: Some(progress), ..copied(rest()) };
        assert_eq!(resumed(&backfill, NIGHT).unwrap().since, Some(at(-5)));
    }

    #[test]
    fn a_backfill_that_is_worked_on_is_left_alone() {
        for checkpoint in [rest(), bulk(0, None), bulk(0, Some(1))] {
            let backfill = Cursor { updated_at: at(NIGHT), ..copied(checkpoint) };
            assert_eq!(resumed(&backfill, NIGHT + 1), None);
            assert!(resumed(&backfill, NIGHT + 2).is_some());
        }
        assert_eq!(resumed(&copied(None), NIGHT), None, "it is complete");
        let first_copy = Cursor { covered_until: None, ..copied(rest()) };
        assert_eq!(resumed(&first_copy, NIGHT), None, "the night itself goes on with it");
    }

    #[test]
    fn a_backfill_whose_jobs_have_failed_begins_anew() {
        let backfill = copied(bulk(0, Some(1)));
        let task = resumed(&backfill, NIGHT).unwrap();
        assert_eq!(task.requested_at, at(NIGHT));
        assert!(!BulkScan::resume(&backfill.checkpoint.unwrap()).unwrap().is_for(&task));
        assert_eq!(resumed(&copied(bulk(NIGHT, Some(NIGHT + 1))), NIGHT + 9), None, "once in a night");
        assert_eq!(resumed(&copied(Some("of another version".to_owned())), NIGHT).unwrap().requested_at, at(NIGHT));
    }

    #[test]
    fn a_backfill_that_failed_before_it_began_begins_anew() {
        let failed = |reason, since| resumed(&failing(copied(None), reason, since), NIGHT);
        assert_eq!(failed("invalid_grant", 2).unwrap().requested_at, at(NIGHT));
        assert_eq!(failed("invalid_grant", NIGHT - 1), None, "it may be tried again");
        assert_eq!(OF_ROWS.map(|reason| failed(reason, 2)), [None, None]);
    }

    #[test]
    fn a_backfill_that_waits_for_the_budget_is_not_multiplied() {
        for checkpoint in [None, rest(), bulk(0, None)] {
            let waits = failing(copied(checkpoint), "over_budget", 2);
            assert_eq!(resumed(&waits, NIGHT), None);
            assert!(resumed(&waits, 2 + 7 * 24).is_some());
        }
    }
}
