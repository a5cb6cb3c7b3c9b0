//! Where an object's scan goes on: pure decisions over the stored cursors.
//!
//! A first copy and the increments after it have cursors of their own, so that a night that falls into a long backfill
//! does not disturb it. Until an object was copied once, every refresh of it works on the copy.

use jiff::{SignedDuration, Timestamp};
use salesforce::ObjectName;
use store::{Cursor, CursorName, Position, RefreshKind, RefreshTask};

use crate::scan::Scan;

/// What is to be done about an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Scan from here, and note it down under this name.
    Scan(CursorName, Scan),
    /// A scan that began after the task was asked for is complete: the task came twice, or goes on after a pause.
    Done,
    /// Another task is at work on it, and the next poll looks again.
    LeaveAlone,
}

/// The stored cursors of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// Of the first copy.
    pub backfill: Option<Cursor>,
    /// Of the increments.
    pub incremental: Option<Cursor>,
}

impl Stored {
    /// Returns the position of the cursor of this name.
    #[must_use]
    pub fn position(&self, name: &CursorName) -> Option<Position> {
        [&self.backfill, &self.incremental].into_iter().flatten().find(|cursor| cursor.cursor_name == *name)?.position
    }
}

/// Decides how `task` goes on with `object`.
#[must_use]
pub fn plan(task: &RefreshTask, object: &ObjectName, stored: &Stored, now: Timestamp) -> Plan {
    // The clock of whoever asked may be ahead of ours; a scan that seemed older than its task would never be resumed.
    let now = now.max(task.requested_at);
    let copied = covered(stored.backfill.as_ref());
    let covered = copied.max(covered(stored.incremental.as_ref()));
    let again = task.kind == RefreshKind::Backfill;
    if (if again { copied } else { covered }) >= Some(task.requested_at) {
        return Plan::Done;
    }
    // A poll comes so often that it must not begin what another task does just now.
    if task.kind == RefreshKind::Poll && (covered.is_none() || is_moving(stored.incremental.as_ref(), now)) {
        return Plan::LeaveAlone;
    }
    match covered {
        Some(covered) if !again => {
            let running = stored.incremental.as_ref().and_then(running);
            let scan = running.unwrap_or_else(|| Scan::fresh(Some(covered), now));
            Plan::Scan(CursorName::incremental(object), scan)
        }
        _ => {
            // A backfill that was asked for reads everything again; one that was left behind is not what was asked for.
            let running = stored.backfill.as_ref().and_then(running);
            let running = running.filter(|scan| !again || scan.started_at >= task.requested_at);
            Plan::Scan(CursorName::backfill(object), running.unwrap_or_else(|| Scan::fresh(None, now)))
        }
    }
}

/// When the last complete scan began: what was committed before is in the mirror.
fn covered(cursor: Option<&Cursor>) -> Option<Timestamp> {
    cursor.and_then(|cursor| cursor.covered_until)
}

/// Whether a scan stored a page a moment ago, and has not come to its end.
fn is_moving(cursor: Option<&Cursor>, now: Timestamp) -> bool {
    let running = cursor.filter(|cursor| cursor.checkpoint.is_some());
    running.is_some_and(|cursor| now.duration_since(cursor.updated_at) < PAGE)
}

/// Longer than a page takes, with all attempts at it.
const PAGE: SignedDuration = SignedDuration::from_mins(5);

/// The scan that was interrupted. One that cannot be read is begun afresh, which only costs time.
fn running(cursor: &Cursor) -> Option<Scan> {
    Scan::resume(cursor.checkpoint.as_deref()?)
}

#[cfg(test)]
mod tests {
    use salesforce::OrgId;

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
        RefreshTask { org_id: org(), kind, object: None, requested_at }
    }

    fn cursor(covered_until: Option<Timestamp>, running: Option<Scan>) -> Option<Cursor> {
        Some(Cursor {
            org_id: org(),
            cursor_name: CursorName::backfill(&ACCOUNT),
            position: None,
            checkpoint: running.map(|scan| scan.checkpoint()),
            covered_until,
            updated_at: at(0),
        })
    }

    fn half_way(started_at: Timestamp) -> Scan {
        let position = ScanPoint { system_modstamp: at(-1_000), last_id: Some("0015e00000ZkM3hAAF".parse().unwrap()) };
        Scan { started_at, position: Some(position) }
    }

    #[test]
    fn a_new_object_is_copied_whatever_the_task() {
        let of_object = RefreshTask { object: Some(ACCOUNT), ..task(RefreshKind::Incremental, at(0)) };
        for task in [task(RefreshKind::Nightly, at(0)), of_object, task(RefreshKind::Backfill, at(0))] {
            let plan = plan(&task, &ACCOUNT, &Stored::default(), at(1));
            assert_eq!(plan, Plan::Scan(CursorName::backfill(&ACCOUNT), Scan::fresh(None, at(1))));
        }
    }

    #[test]
    fn a_poll_leaves_the_first_copy_and_a_scan_at_work_alone() {
        let poll = task(RefreshKind::Poll, at(0));
        assert_eq!(plan(&poll, &ACCOUNT, &Stored::default(), at(1)), Plan::LeaveAlone);
        let stored =
            Stored { backfill: cursor(Some(at(-60)), None), incremental: cursor(None, Some(half_way(at(-1)))) };
        assert_eq!(plan(&poll, &ACCOUNT, &stored, at(4)), Plan::LeaveAlone);
        let taken_over = Plan::Scan(CursorName::incremental(&ACCOUNT), half_way(at(-1)));
        assert_eq!(plan(&poll, &ACCOUNT, &stored, at(5)), taken_over);
        assert_eq!(plan(&task(RefreshKind::Nightly, at(0)), &ACCOUNT, &stored, at(4)), taken_over);
    }

    #[test]
    fn a_night_in_a_backfill_goes_on_with_the_backfill() {
        let stored = Stored { backfill: cursor(None, Some(half_way(at(-60)))), incremental: None };
        let plan = plan(&task(RefreshKind::Nightly, at(0)), &ACCOUNT, &stored, at(1));
        assert_eq!(plan, Plan::Scan(CursorName::backfill(&ACCOUNT), half_way(at(-60))));
    }

    #[test]
    fn the_first_increment_begins_where_the_backfill_began() {
        let stored = Stored { backfill: cursor(Some(at(-60)), None), incremental: None };
        let plan = plan(&task(RefreshKind::Nightly, at(0)), &ACCOUNT, &stored, at(1));
        assert_eq!(plan, Plan::Scan(CursorName::incremental(&ACCOUNT), Scan::fresh(Some(at(-60)), at(1))));
    }

    #[test]
    fn an_interrupted_increment_goes_on_where_it_was() {
        let stored = Stored {
            backfill: cursor(Some(at(-600)), None),
            incremental: cursor(Some(at(-60)), Some(half_way(at(-30)))),
        };
        let plan = plan(&task(RefreshKind::Nightly, at(0)), &ACCOUNT, &stored, at(1));
        assert_eq!(plan, Plan::Scan(CursorName::incremental(&ACCOUNT), half_way(at(-30))));
    }

    #[test]
    fn a_task_that_comes_twice_finds_its_work_done() {
        let stored = Stored { backfill: cursor(Some(at(1)), None), incremental: None };
        for kind in [RefreshKind::Nightly, RefreshKind::Backfill] {
            assert_eq!(plan(&task(kind, at(0)), &ACCOUNT, &stored, at(2)), Plan::Done);
        }
    }

    #[test]
    fn a_backfill_asked_for_later_reads_everything_again() {
        let stored =
            Stored { backfill: cursor(Some(at(-60)), Some(half_way(at(-40)))), incremental: cursor(Some(at(5)), None) };
        let plan = plan(&task(RefreshKind::Backfill, at(0)), &ACCOUNT, &stored, at(6));
        assert_eq!(plan, Plan::Scan(CursorName::backfill(&ACCOUNT), Scan::fresh(None, at(6))));
    }

    #[test]
    fn a_backfill_is_resumed_even_when_it_was_asked_for_by_a_faster_clock() {
        let asked = task(RefreshKind::Backfill, at(10));
        let Plan::Scan(_, begun) = plan(&asked, &ACCOUNT, &Stored::default(), at(9)) else { panic!("nothing to do") };
        let stored = Stored { backfill: cursor(None, Some(begun)), incremental: None };
        assert_eq!(plan(&asked, &ACCOUNT, &stored, at(9)), Plan::Scan(CursorName::backfill(&ACCOUNT), begun));
    }

    #[test]
    fn a_checkpoint_that_cannot_be_read_is_begun_afresh() {
        let mut broken = cursor(None, None);
        broken.as_mut().unwrap().checkpoint = Some("of another version".to_owned());
        let stored = Stored { backfill: broken, incremental: None };
        let plan = plan(&task(RefreshKind::Nightly, at(0)), &ACCOUNT, &stored, at(1));
        assert_eq!(plan, Plan::Scan(CursorName::backfill(&ACCOUNT), Scan::fresh(None, at(1))));
    }
}
