//! The deletions that no scan sees: Salesforce's list of deleted records (`getDeleted`) of the time since the last list.
//!
//! A scan reads deleted rows as long as they are in the recycle bin. The list also has rows that `queryAll` does not return to
//! the connection any more, and says how far back it knows of deletions. Where it does not reach back to the last one, the time
//! is stored as a [`Gap`], until a complete list or audit closes it. So an audit follows even if the function is killed between. One
//! that a poll opens waits for the next night, or any other task of the object.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use runtime::Chain;
use salesforce::{DeletedRecords, ObjectName, RecordId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::cursors::{Progress, ScanState};
use store::{AuditCounts, Cursor, CursorName, RefreshKind, RowState};
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

/// Returns the window of the list of deletions since a time.
#[must_use]
pub fn window(since: Timestamp, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let earliest = now.checked_sub(LONGEST).ok()?;
    let start = since.max(earliest);
    (now.duration_since(start) >= SHORTEST).then_some((start, now))
}

/// Returns whether the list may lack deletions since the last one, because Salesforce does not know so far back.
#[must_use]
pub fn has_gap(since: Timestamp, start: Timestamp, listed: &DeletedRecords) -> bool {
    since < start || listed.earliest_date_available > start
}

/// A time of which deletions may be unknown; its JSON is the checkpoint of the deletions' cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The time since which they are.
    pub since: Timestamp,
}

impl Gap {
    /// Returns the gap that no list and no audit has closed yet.
    #[must_use]
    pub fn of(cursor: Option<&Cursor>) -> Option<Self> {
        serde_json::from_str(cursor?.checkpoint.as_deref()?).ok()
    }
}

/// Stores, before a scan, since when deletions may be unknown after it: so that the first list begins there, and an audit follows a
/// long pause, wherever the function is killed.
pub(crate) async fn prepare(run: &Run<'_>, object: &ObjectName, (stored, scan): (&Stored, &Scan)) -> Result<(), Error> {
    let Some(scanned) = stored.covered_until() else { return Ok(()) };
    let (org, cursors, name) = (run.org(), &run.deps.cursors, CursorName::deletions(object));
    if run.task.kind == RefreshKind::Nightly && cursors.load(org, &name).await?.is_none() {
        return Ok(cursors.finish(org, &name, scanned).await?);
    }
    let is_long = scan.started_at.duration_since(scanned) > RECYCLE_BIN;
    if is_long && matches!(run.task.kind, RefreshKind::Incremental | RefreshKind::Poll) {
        open(run, object, Gap { since: scanned }).await?;
    }
    Ok(())
}

/// Applies, after a scan of the night, the deletions that it does not see. Returns whether some may be unknown, so that an audit
/// has to follow.
///
/// # Errors
/// The deletions could not be read one by one, or not be applied.
pub(crate) async fn notice(run: &Run<'_>, object: &ObjectName) -> Result<bool, Error> {
    if run.task.kind == RefreshKind::Nightly {
        apply(run, object).await?;
    }
    is_open(run, object).await
}

/// Applies the deletions since the last list, unless that was done since the task was requested.
///
/// A list that Salesforce refuses or cannot return is only logged: the next one begins at the same time.
async fn apply(run: &Run<'_>, object: &ObjectName) -> Result<(), Error> {
    let (org, deps) = (run.org(), run.deps);
    // Without a cursor the object was copied in this night, with its deletions.
    let cursor = deps.cursors.load(org, &CursorName::deletions(object)).await?;
    let Some(cursor) = cursor.filter(|cursor| cursor.updated_at < run.task.requested_at) else { return Ok(()) };
    let since = Gap::of(Some(&cursor)).map(|gap| gap.since).or(cursor.covered_until);
    let (now, Some(since)) = (deps.clock.now(), since) else { return Ok(()) };
    let Some((start, end)) = window(since, now) else { return Ok(()) };
    let Some(fields) = describe(run, object).await?.filter(|fields| !fields.deletion_fields.is_empty()) else {
        return Ok(());
    };
    let gap = Gap { since };
    let listed = match run.client.get_deleted(object, start, end).await {
        Ok(listed) => listed,
        Err(error) => {
            warn!(org.id = %org, sf.object = %object, "{}", Chain(&error));
            let is_too_long = now.duration_since(gap.since) > RECYCLE_BIN || error.has_code("EXCEEDED_ID_LIMIT");
            return if is_too_long { open(run, object, gap).await } else { Ok(()) };
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
    if has_gap(since, start, &listed) {
        return open(run, object, gap).await;
    }
    // Not to the end that was asked for: a long transaction commits late.
    store(run, object, ScanState::Complete(listed.latest_date_covered)).await
}

/// Stores that deletions may be unknown since a time.
async fn open(run: &Run<'_>, object: &ObjectName, gap: Gap) -> Result<(), Error> {
    store(run, object, ScanState::Running(json!(gap).to_string())).await
}

/// Returns whether deletions may be unknown, so that an audit has to follow.
pub(crate) async fn is_open(run: &Run<'_>, object: &ObjectName) -> Result<bool, Error> {
    let cursor = run.deps.cursors.load(run.org(), &CursorName::deletions(object)).await?;
    Ok(Gap::of(cursor.as_ref()).is_some())
}

/// Closes the gap after a complete audit, which has seen what was deleted before this time.
pub(crate) async fn close(run: &Run<'_>, object: &ObjectName, audited: Timestamp) -> Result<(), Error> {
    if !is_open(run, object).await? {
        return Ok(());
    }
    store(run, object, ScanState::Complete(audited)).await
}

async fn store(run: &Run<'_>, object: &ObjectName, state: ScanState) -> Result<(), Error> {
    let progress = Progress { seen: None, last_row: None, state };
    run.deps.cursors.advance(run.org(), &CursorName::deletions(object), &progress, run.deps.clock.now()).await?;
    Ok(())
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
        assert_eq!(window(at(3), at(24)), Some((at(3), at(24))));
        let month = window(at(-30 * 24), at(0)).unwrap();
        assert_eq!(month.0, at(-29 * 24), "Salesforce allows 30 days");
        assert_eq!(window(at(24) - SignedDuration::from_secs(90), at(24)), None, "a minute is too short");
    }

    #[test]
    fn a_list_that_does_not_reach_back_has_a_gap() {
        assert!(!has_gap(at(3), at(3), &listed(at(-100))));
        assert!(has_gap(at(3), at(3), &listed(at(4))), "Salesforce knows only of later deletions");
        assert!(has_gap(at(-800), at(-696), &listed(at(-800))), "the pause was longer than the window");
    }
}
