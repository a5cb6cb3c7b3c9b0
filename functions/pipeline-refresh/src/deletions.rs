//! The deletions that no scan sees: Salesforce's list of deleted records (`getDeleted`) of the time since the last list.
//!
//! A scan reads deleted rows as long as they are in the recycle bin. The list also has rows that `queryAll` does not return to
//! the connection any more, and says how far back it knows of deletions.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use runtime::Chain;
use salesforce::{DeletedRecords, ObjectName, RecordId};
use store::{AuditCounts, CursorName, RowState};
use tracing::warn;

use crate::audit::bucket::Bucket;
use crate::audit::repair::Repairs;
use crate::error::Error;
use crate::object::describe;
use crate::progress::Stored;
use crate::run::Run;
use crate::scan::Scan;

/// The longest window: Salesforce allows 30 days, by its own clock.
const LONGEST: SignedDuration = SignedDuration::from_hours(29 * 24);

/// The shortest window: more than a minute, without the seconds.
const SHORTEST: SignedDuration = SignedDuration::from_mins(2);

/// The time for which Salesforce keeps deleted records.
const RECYCLE_BIN: SignedDuration = SignedDuration::from_hours(15 * 24);

/// The rows of the mirror that are read at once.
const ROWS: usize = 1_000;

/// Returns the window that follows the last list, which was complete up to `covered`, or the last scan before the first list.
#[must_use]
pub fn window(covered: Option<Timestamp>, scanned: Timestamp, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let earliest = now.checked_sub(LONGEST).ok()?;
    let start = covered.unwrap_or(scanned).max(earliest);
    (now.duration_since(start) >= SHORTEST).then_some((start, now))
}

/// Returns whether the list may lack deletions since the last one, because Salesforce does not know so far back.
#[must_use]
pub fn has_gap(covered: Option<Timestamp>, start: Timestamp, listed: &DeletedRecords) -> bool {
    covered.is_some_and(|covered| covered < start) || listed.earliest_date_available > start
}

/// Returns whether records may have been deleted and purged between the last complete scan and this one, which no scan sees.
pub(crate) fn has_outlived_the_bin(name: &CursorName, object: &ObjectName, stored: &Stored, scan: &Scan) -> bool {
    let pause = stored.covered_until().map(|covered| scan.started_at.duration_since(covered));
    *name == CursorName::incremental(object) && pause > Some(RECYCLE_BIN)
}

/// Applies the deletions since the last list. Returns whether an audit has to follow, because the list may lack some.
///
/// A list that Salesforce refuses or cannot return is only logged: the next one begins at the same time.
///
/// # Errors
/// The deletions could not be read one by one, or not be applied.
pub(crate) async fn apply(run: &Run<'_>, object: &ObjectName, scanned: Timestamp) -> Result<bool, Error> {
    let (org, deps, name) = (run.org(), run.deps, CursorName::deletions(object));
    let covered = deps.cursors.load(org, &name).await?.and_then(|cursor| cursor.covered_until);
    let Some((start, end)) = window(covered, scanned, deps.clock.now()) else { return Ok(false) };
    let Some(fields) = describe(run, object).await?.filter(|fields| !fields.deletion_fields.is_empty()) else {
        return Ok(false);
    };
    let listed = match run.client.get_deleted(object, start, end).await {
        Ok(listed) => listed,
        Err(error) => {
            warn!(org.id = %org, sf.object = %object, "{}", Chain(&error));
            return Ok(error.has_code("EXCEEDED_ID_LIMIT"));
        }
    };
    let repairs = Repairs { run, object, stored_as: object.clone(), fields: &fields };
    let ids: Vec<RecordId> = listed.deleted_records.iter().map(|record| record.id).collect();
    let (deleted, mut counts) = (ids.iter().copied().collect::<HashSet<_>>(), AuditCounts::default());
    for ids in ids.chunks(ROWS) {
        let rows = deps.records.load_versions(org, object, ids).await?;
        let live = rows.iter().filter_map(|row| match row.state {
            RowState::Live(version) => Some((row.record_id, version)),
            RowState::Deleted | RowState::Erased => None,
        });
        let (mut bucket, mut vanished) = (Bucket::of_unseen(live.collect()), Vec::new());
        repairs.look_up(&mut bucket, &mut vanished, &mut counts, end).await?;
        repairs.retire(&vanished, &deleted, end).await?;
    }
    // Not to the end that was asked for: a long transaction commits late.
    deps.cursors.finish(org, &name, listed.latest_date_covered).await?;
    Ok(has_gap(covered, start, &listed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + hour * 3_600).unwrap()
    }

    fn listed(earliest: Timestamp) -> DeletedRecords {
        DeletedRecords { deleted_records: Vec::new(), earliest_date_available: earliest, latest_date_covered: at(24) }
    }

    #[test]
    fn a_list_begins_where_the_last_one_was_complete() {
        assert_eq!(window(Some(at(3)), at(20), at(24)), Some((at(3), at(24))));
        assert_eq!(window(None, at(0), at(24)), Some((at(0), at(24))), "the first one at the last scan");
        let month = window(Some(at(-30 * 24)), at(0), at(0)).unwrap();
        assert_eq!(month.0, at(-29 * 24), "Salesforce allows 30 days");
        assert_eq!(window(Some(at(24) - SignedDuration::from_secs(90)), at(0), at(24)), None, "a minute is too short");
    }

    #[test]
    fn a_list_that_does_not_reach_back_has_a_gap() {
        assert!(!has_gap(Some(at(3)), at(3), &listed(at(-100))));
        assert!(has_gap(Some(at(3)), at(3), &listed(at(4))), "Salesforce knows only of later deletions");
        assert!(has_gap(Some(at(-800)), at(-696), &listed(at(-800))), "the pause was longer than the window");
    }
}
