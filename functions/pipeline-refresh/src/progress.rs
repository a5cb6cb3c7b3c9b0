//! Decides where an object's scan goes on, from the stored cursors. Pure.
//!
//! A backfill and the incremental refreshes after it have separate cursors, so that a nightly refresh does not disturb a
//! long backfill. Until an object's backfill is complete, every refresh of it continues the backfill.

use jiff::{SignedDuration, Timestamp};
use salesforce::ObjectName;
use store::{Cursor, CursorName, Position, RefreshKind, RefreshTask, ScanKey};

use crate::scan::Scan;

/// The work on an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Run this scan, with the cursor of this name.
    Scan(CursorName, Scan),
    /// Nothing: a scan that began after the task was requested is complete.
    Done,
    /// Nothing now: another task is scanning the object. The next poll tries again.
    Busy,
}

/// The stored cursors of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// The cursor of the backfill.
    pub backfill: Option<Cursor>,
    /// The cursor of the incremental refreshes.
    pub incremental: Option<Cursor>,
}

impl Stored {
    /// Returns whether the backfill is complete.
    #[must_use]
    pub fn is_copied(&self) -> bool {
        covered(self.backfill.as_ref()).is_some()
    }

    /// Returns the time at which the last complete scan began.
    #[must_use]
    pub fn covered_until(&self) -> Option<Timestamp> {
        covered(self.backfill.as_ref()).max(covered(self.incremental.as_ref()))
    }

    /// Returns the scan in the order of this key.
    #[must_use]
    pub fn keyed(&self, name: &CursorName, scan: Scan, key: ScanKey) -> Scan {
        let is_interrupted = self.cursor(name).and_then(running) == Some(scan);
        scan.by(key, is_interrupted)
    }

    /// Returns the position of the cursor of this name.
    #[must_use]
    pub fn position(&self, name: &CursorName) -> Option<Position> {
        self.cursor(name)?.position
    }

    fn cursor(&self, name: &CursorName) -> Option<&Cursor> {
        [&self.backfill, &self.incremental].into_iter().flatten().find(|cursor| cursor.cursor_name == *name)
    }
}

/// Decides what `task` does about `object`.
#[must_use]
pub fn plan(task: &RefreshTask, object: &ObjectName, stored: &Stored, now: Timestamp) -> Plan {
    // The requester's clock may be ahead; a scan that seemed older than its task would never be resumed.
    let now = now.max(task.requested_at);
    let is_backfill = task.kind == RefreshKind::Backfill;
    // A backfill of the rows since a time does not answer a request for all rows.
    let answers = |cursor: &&Cursor| !is_backfill || task.since.is_some() || reads_all(cursor);
    let backfill = stored.backfill.as_ref().filter(answers);
    let covered = stored.covered_until();
    if (if is_backfill { self::covered(backfill) } else { covered }) >= Some(task.requested_at) {
        return Plan::Done;
    }
    // Polls are frequent: they must not start a scan that another task is running.
    if task.kind == RefreshKind::Poll && (covered.is_none() || is_moving(stored.incremental.as_ref(), now)) {
        return Plan::Busy;
    }
    match covered {
        Some(covered) if !is_backfill => {
            let running = stored.incremental.as_ref().and_then(running);
            let scan = running.unwrap_or_else(|| Scan::fresh(Some(covered), now));
            Plan::Scan(CursorName::incremental(object), scan)
        }
        _ => {
            // A requested backfill reads everything again, so an older interrupted one is not resumed.
            let running = backfill.and_then(running);
            let running = running.filter(|scan| !is_backfill || scan.started_at >= task.requested_at);
            // Of an object that was not copied yet, all rows are missing; of one that was, also those since its last scan. In place
            // of an unfinished backfill of all rows, all rows are read.
            let is_unfinished = |cursor: &Cursor| cursor.checkpoint.is_some() && reads_all(cursor);
            let since = task.since.filter(|_| !stored.backfill.as_ref().is_some_and(is_unfinished));
            let since = since.and_then(|since| covered.map(|covered| covered.min(since)));
            Plan::Scan(CursorName::backfill(object), running.unwrap_or_else(|| Scan::fresh(since, now)))
        }
    }
}

/// Returns whether the last backfill reads all rows, and not only those since a time.
fn reads_all(cursor: &Cursor) -> bool {
    cursor.progress.as_ref().is_none_or(|progress| progress.since.is_none())
}

/// The time at which the last complete scan began: all that was committed before is in the mirror.
fn covered(cursor: Option<&Cursor>) -> Option<Timestamp> {
    cursor.and_then(|cursor| cursor.covered_until)
}

/// Returns whether an unfinished scan stored a page within the last [`PAGE`].
fn is_moving(cursor: Option<&Cursor>, now: Timestamp) -> bool {
    let running = cursor.filter(|cursor| cursor.checkpoint.is_some());
    running.is_some_and(|cursor| now.duration_since(cursor.updated_at) < PAGE)
}

/// Longer than all attempts at one page take.
const PAGE: SignedDuration = SignedDuration::from_mins(5);

/// The interrupted scan. A checkpoint that cannot be parsed is ignored: the scan starts again, which only takes time.
fn running(cursor: &Cursor) -> Option<Scan> {
    Scan::resume(cursor.checkpoint.as_deref()?)
}

#[cfg(test)]
mod tests {
    use salesforce::OrgId;
    use store::{BackfillMethod, BackfillProgress};

    use super::*;
    use crate::scan::ScanPoint;

    const ACCOUNT: ObjectName = ObjectName::from_static("Account");

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + minute * 60).unwrap()
    }

    fn org() -> OrgId {
        "00D5e000000KQ2eEAG".parse().unwrap()
    }

    fn task(kind: RefreshKind, requested_at: Timestamp) -> RefreshTask {
        RefreshTask::new(org(), kind, requested_at)
    }

    fn cursor(covered_until: Option<Timestamp>, running: Option<Scan>) -> Option<Cursor> {
        Some(Cursor {
            org_id: org(),
            cursor_name: CursorName::backfill(&ACCOUNT),
            progress: None,
            position: None,
            checkpoint: running.map(|scan| scan.checkpoint()),
            covered_until,
            failure: None,
            failing_since: None,
            updated_at: at(0),
        })
    }

    fn half_way(started_at: Timestamp) -> Scan {
        let position = ScanPoint { system_modstamp: at(-1_000), last_id: Some("0015e00000ZkM3hAAF".parse().unwrap()) };
        Scan { started_at, position: Some(position), key: store::ScanKey::default() }
    }

    #[test]
    fn a_new_object_is_backfilled_by_any_task() {
        let of_object = RefreshTask { object: Some(ACCOUNT), ..task(RefreshKind::Incremental, at(0)) };
        for task in [task(RefreshKind::Nightly, at(0)), of_object, task(RefreshKind::Backfill, at(0))] {
            let plan = plan(&task, &ACCOUNT, &Stored::default(), at(1));
            assert_eq!(plan, Plan::Scan(CursorName::backfill(&ACCOUNT), Scan::fresh(None, at(1))));
        }
    }

    #[test]
    fn a_poll_leaves_a_running_scan_alone() {
        let poll = task(RefreshKind::Poll, at(0));
        assert_eq!(plan(&poll, &ACCOUNT, &Stored::default(), at(1)), Plan::Busy);
        let stored =
            Stored { backfill: cursor(Some(at(-60)), None), incremental: cursor(None, Some(half_way(at(-1)))) };
        assert_eq!(plan(&poll, &ACCOUNT, &stored, at(4)), Plan::Busy);
        let taken_over = Plan::Scan(CursorName::incremental(&ACCOUNT), half_way(at(-1)));
        assert_eq!(plan(&poll, &ACCOUNT, &stored, at(5)), taken_over);
        assert_eq!(plan(&task(RefreshKind::Nightly, at(0)), &ACCOUNT, &stored, at(4)), taken_over);
    }

    #[test]
    fn a_nightly_refresh_continues_a_backfill() {
        let stored = Stored { backfill: cursor(None, Some(half_way(at(-60)))), incremental: None };
        let plan = plan(&task(RefreshKind::Nightly, at(0)), &ACCOUNT, &stored, at(1));
        assert_eq!(plan, Plan::Scan(CursorName::backfill(&ACCOUNT), half_way(at(-60))));
    }

    #[test]
    fn the_first_incremental_scan_starts_where_the_backfill_began() {
        let stored = Stored { backfill: cursor(Some(at(-60)), None), incremental: None };
        let plan = plan(&task(RefreshKind::Nightly, at(0)), &ACCOUNT, &stored, at(1));
        assert_eq!(plan, Plan::Scan(CursorName::incremental(&ACCOUNT), Scan::fresh(Some(at(-60)), at(1))));
    }

    #[test]
    fn an_interrupted_incremental_scan_is_resumed() {
        let stored = Stored {
            backfill: cursor(Some(at(-600)), None),
            incremental: cursor(Some(at(-60)), Some(half_way(at(-30)))),
        };
        let plan = plan(&task(RefreshKind::Nightly, at(0)), &ACCOUNT, &stored, at(1));
        assert_eq!(plan, Plan::Scan(CursorName::incremental(&ACCOUNT), half_way(at(-30))));
    }

    #[test]
    fn a_duplicate_task_finds_its_work_done() {
        let stored = Stored { backfill: cursor(Some(at(1)), None), incremental: None };
        for kind in [RefreshKind::Nightly, RefreshKind::Backfill] {
            assert_eq!(plan(&task(kind, at(0)), &ACCOUNT, &stored, at(2)), Plan::Done);
        }
    }

    #[test]
    fn a_later_backfill_reads_everything_again() {
        let stored =
            Stored { backfill: cursor(Some(at(-60)), Some(half_way(at(-40)))), incremental: cursor(Some(at(5)), None) };
        let plan = plan(&task(RefreshKind::Backfill, at(0)), &ACCOUNT, &stored, at(6));
        assert_eq!(plan, Plan::Scan(CursorName::backfill(&ACCOUNT), Scan::fresh(None, at(6))));
    }

    #[test]
    fn a_backfill_since_a_time_leaves_no_gap() {
        let since = |minute| RefreshTask { since: Some(at(minute)), ..task(RefreshKind::Backfill, at(0)) };
        let copied = Stored { backfill: cursor(Some(at(-60)), None), incremental: None };
        for (stored, asked, from) in
            [(&copied, -90, Some(at(-90))), (&copied, -30, Some(at(-60))), (&Stored::default(), -90, None)]
        {
            let plan = plan(&since(asked), &ACCOUNT, stored, at(1));
            assert_eq!(plan, Plan::Scan(CursorName::backfill(&ACCOUNT), Scan::fresh(from, at(1))));
        }
    }

    /// Of the last backfill, which was for the rows since a time if `since`.
    fn backfilled(since: bool, covered_until: Option<Timestamp>, running: Option<Scan>) -> Stored {
        let since = since.then(|| at(-90));
        let progress = BackfillProgress { since, ..BackfillProgress::new(BackfillMethod::Rest, at(0)) };
        let cursor = cursor(covered_until, running).map(|cursor| Cursor { progress: Some(progress), ..cursor });
        Stored { backfill: cursor, incremental: None }
    }

    #[test]
    fn a_backfill_since_a_time_replaces_no_backfill_of_all_rows() {
        let of_all = task(RefreshKind::Backfill, at(0));
        let since = RefreshTask { since: Some(at(-90)), ..task(RefreshKind::Backfill, at(5)) };
        let everything = |now| Plan::Scan(CursorName::backfill(&ACCOUNT), Scan::fresh(None, at(now)));
        let planned = |task, stored| plan(task, &ACCOUNT, &stored, at(9));

        assert_eq!(planned(&since, backfilled(false, Some(at(-60)), Some(half_way(at(1))))), everything(9));
        let only_since = Plan::Scan(CursorName::backfill(&ACCOUNT), Scan::fresh(Some(at(-90)), at(9)));
        assert_eq!(planned(&since, backfilled(true, Some(at(-60)), Some(half_way(at(1))))), only_since);
        // The backfill of all rows was requested first, and begins last.
        assert_eq!(planned(&of_all, backfilled(true, Some(at(6)), None)), everything(9));
        assert_eq!(planned(&of_all, backfilled(true, None, Some(half_way(at(6))))), everything(9));
        assert_eq!(planned(&of_all, backfilled(false, Some(at(6)), None)), Plan::Done);
        assert_eq!(planned(&since, backfilled(false, Some(at(6)), None)), Plan::Done);
    }

    #[test]
    fn a_backfill_requested_by_a_faster_clock_is_resumed() {
        let asked = task(RefreshKind::Backfill, at(10));
        let Plan::Scan(_, begun) = plan(&asked, &ACCOUNT, &Stored::default(), at(9)) else { panic!("nothing to do") };
        let stored = Stored { backfill: cursor(None, Some(begun)), incremental: None };
        assert_eq!(plan(&asked, &ACCOUNT, &stored, at(9)), Plan::Scan(CursorName::backfill(&ACCOUNT), begun));
    }

    #[test]
    fn a_checkpoint_that_does_not_parse_starts_again() {
        let mut broken = cursor(None, None);
        broken.as_mut().unwrap().checkpoint = Some("of another version".to_owned());
        let stored = Stored { backfill: broken, incremental: None };
        let plan = plan(&task(RefreshKind::Nightly, at(0)), &ACCOUNT, &stored, at(1));
        assert_eq!(plan, Plan::Scan(CursorName::backfill(&ACCOUNT), Scan::fresh(None, at(1))));
    }
}
