//! Removes from the mirror what the settings leave out: the rows of an object, and fields of rows.
//!
//! A function that had begun before the settings changed may still store what it read by the settings before. So all rows are
//! processed twice: at once, and 20 minutes later, when no such function runs any more. The state is the checkpoint of a cursor of
//! its own, so that each task of the org goes on with it and none depends on a message.
//!
//! Settings may also restore what a function that began before removes. Before each page the function looks at the settings, which
//! are remembered for at most a minute, and it replaces the state only if that is still what it has read. So its last page begins
//! within a minute of the change, and what that page still removes is restored by the settings' backfill, which begins two minutes
//! after the change.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use mirroring::OrgMirror;
use salesforce::{ObjectName, RecordId};
use serde::{Deserialize, Serialize};
use store::cursors::ScanState;
use store::records::RowState;
use store::{Change, CursorName, Deferrals, DeletionReason, RefreshKind, RefreshTask, Tombstone};
use tracing::info;

use crate::error::Error;
use crate::object::{self, ObjectReport, Outcome};
use crate::run::{Run, Stop};
use crate::selection::Skip;

/// The time after which no function works by earlier settings: the minute for which they are remembered, and the longest
/// invocation of 15 minutes.
const OTHERS_END: SignedDuration = SignedDuration::from_mins(20);

/// The end of a removal that is not by the settings of the org any more, or which another function goes on with: the task is queued
/// again, and finds the state and the settings as they are then.
const OVERTAKEN: Outcome = Outcome::Stopped(Stop::OutOfTime);

/// The rows of one page.
const PAGE_ROWS: u16 = 500;

/// The fields of an object that stay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// All.
    All,
    /// These, in lower case and in order.
    Fields(Vec<String>),
    /// None: the object is not mirrored.
    None,
}

/// The state of a removal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// The fields that stay.
    pub kept: Kept,
    /// The time at which the difference was noticed, which is after the change of the settings.
    pub noticed_at: Timestamp,
    /// The time at which this pass begins.
    pub begins_at: Timestamp,
    /// The last row of this pass.
    pub after: Option<RecordId>,
    /// `true` once nothing is left to remove.
    pub is_done: bool,
}

impl Removal {
    /// Returns the removal that goes on; `None` if nothing is to be removed. Fields are also removed from the rows that only
    /// messages have brought, of an object that was never scanned; rows only if it was (`is_scanned`).
    #[must_use]
    pub fn next(known: Option<Self>, kept: Kept, is_scanned: bool, now: Timestamp) -> Option<Self> {
        match known {
            Some(known) if known.kept == kept => Some(known).filter(|known| !known.is_done),
            None if kept == Kept::All => None,
            _ => {
                let is_done = kept == Kept::All || (kept == Kept::None && !is_scanned);
                Some(Self { kept, noticed_at: now, begins_at: now, after: None, is_done })
            }
        }
    }

    /// Returns the state after a page, of which `next` is the last row unless no other page follows.
    #[must_use]
    pub fn after_page(self, next: Option<RecordId>) -> Self {
        let again_at = self.noticed_at.saturating_add(OTHERS_END).unwrap_or(self.noticed_at);
        match next {
            Some(_) => Self { after: next, ..self },
            None if self.begins_at < again_at => Self { begins_at: again_at, after: None, ..self },
            None => Self { after: None, is_done: true, ..self },
        }
    }
}

/// Removes the rows of an object that is not mirrored any more, and then forgets that it was.
pub(crate) async fn remove_object(run: &Run<'_>, object: &ObjectName) -> (ObjectReport, Option<Error>) {
    let mut report = ObjectReport::new(object);
    match go_on(run, object, &mut report).await {
        Ok(ended) => {
            report.outcome = ended.unwrap_or(Outcome::Skipped(Skip::NotMirrored));
            (report, None)
        }
        Err(error) => (report, Some(error)),
    }
}

/// Goes on with what is to be removed of the object. Returns `None` once nothing is, or nothing before a later time.
pub(crate) async fn go_on(
    run: &Run<'_>,
    object: &ObjectName,
    report: &mut ObjectReport,
) -> Result<Option<Outcome>, Error> {
    let (org, deps, name) = (run.org(), run.deps, CursorName::removal(object));
    let mut seen = deps.cursors.load(org, &name).await?.and_then(|cursor| cursor.checkpoint);
    let known = seen.as_deref().and_then(|seen| serde_json::from_str::<Removal>(seen).ok());
    let kept = kept(&run.mirror, object);
    if known.is_none() && kept == Kept::All {
        return Ok(None);
    }
    let cursors = object::load_cursors(run, object).await?;
    let is_scanned = cursors.backfill.is_some() || cursors.incremental.is_some();
    let is_new = known.as_ref().is_none_or(|known| known.kept != kept);
    let Some(mut removal) = Removal::next(known, kept, is_scanned, deps.clock.now()) else { return Ok(None) };
    if is_new && !(is_wanted(run, object, &removal).await? && store(run, &name, &mut seen, &removal).await?) {
        return Ok(Some(OVERTAKEN));
    }
    while !removal.is_done {
        if deps.clock.now() < removal.begins_at {
            return Ok(None);
        }
        if run.time_left().is_zero() {
            return Ok(Some(Outcome::Stopped(Stop::OutOfTime)));
        }
        if !is_wanted(run, object, &removal).await? {
            return Ok(Some(OVERTAKEN));
        }
        let (rows, next) = page(run, object, &removal).await?;
        report.removed += rows;
        let began_at = removal.begins_at;
        removal = removal.after_page(next);
        if removal.begins_at > began_at {
            // Queued first: a function that is killed in between goes over the rows once more than necessary.
            go_on_at(run, object, removal.begins_at).await?;
        }
        if !store(run, &name, &mut seen, &removal).await? {
            return Ok(Some(OVERTAKEN));
        }
    }
    info!(org.id = %org, sf.object = %object, kept = ?removal.kept, "removed what is not mirrored any more");
    if removal.kept == Kept::None {
        deps.cursors.forget(org, object).await?;
    }
    Ok(None)
}

/// Returns whether the removal is still by the settings of the org. Those of the run may have changed since it began.
async fn is_wanted(run: &Run<'_>, object: &ObjectName, removal: &Removal) -> Result<bool, Error> {
    let deps = run.deps;
    let settings = deps.settings.load(run.org(), deps.clock.now()).await?;
    Ok(kept(&deps.fields.org_mirror(&settings, &deps.mirrored_objects), object) == removal.kept)
}

fn kept(mirror: &OrgMirror, object: &ObjectName) -> Kept {
    if !mirror.has(object) {
        return Kept::None;
    }
    let Some(listed) = mirror.fields().for_object(object) else { return Kept::All };
    let mut fields: Vec<String> = listed.iter().map(|field| field.as_str().to_ascii_lowercase()).collect();
    fields.sort();
    Kept::Fields(fields)
}

/// Removes from a page of rows. Returns the number of rows that were written, and the last one unless no other page follows.
async fn page(run: &Run<'_>, object: &ObjectName, removal: &Removal) -> Result<(u64, Option<RecordId>), Error> {
    let (org, records) = (run.org(), &run.deps.records);
    if removal.kept != Kept::None {
        let is_mirrored = |field: &str| run.mirror.fields().includes(object, field);
        let removed = records.remove_fields(org, object, (removal.after, PAGE_ROWS), is_mirrored).await?;
        return Ok((removed.rows, removed.next));
    }
    let page = records.list_versions(org, object, removal.after, PAGE_ROWS).await?;
    let live = page.rows.iter().filter(|row| matches!(row.state, RowState::Live(_)));
    let tombstone = |row: &store::RowVersion| {
        Change::Tombstone(Tombstone {
            record_id: row.record_id,
            system_modstamp: row.system_modstamp,
            read_at: run.deps.clock.now(),
            master_record_id: None,
            reason: Some(DeletionReason::Excluded),
        })
    };
    let changes: Vec<Change> = live.map(tombstone).collect();
    let rows = changes.len() as u64;
    for applied in records.apply_all_within(org, object, changes, run.time_left()).await {
        applied?;
    }
    Ok((rows, page.next))
}

/// Stores the state in the place of the one that was `seen`. Returns `false` if another function has changed that.
async fn store(run: &Run<'_>, name: &CursorName, seen: &mut Option<String>, removal: &Removal) -> Result<bool, Error> {
    let checkpoint = serde_json::to_string(removal).unwrap_or_default();
    let (cursors, now) = (&run.deps.cursors, run.deps.clock.now());
    let is_first =
        cursors.replace((run.org(), name), seen.as_deref(), &ScanState::Running(checkpoint.clone()), now).await?;
    *seen = Some(checkpoint);
    Ok(is_first)
}

/// Queues the refresh of the object that makes the next pass.
async fn go_on_at(run: &Run<'_>, object: &ObjectName, at: Timestamp) -> Result<(), Error> {
    let task = RefreshTask::new(run.org(), RefreshKind::Incremental, run.deps.clock.now()).for_object(object.clone());
    let task = RefreshTask { not_before: Some(at), ..task.with_deferrals(Deferrals::default()) };
    Ok(run.deps.queues.send(&task, false, Duration::ZERO).await?)
}

/// Returns the objects of a whole task that are not mirrored any more and may have rows.
pub(crate) async fn left_out(run: &Run<'_>) -> Result<Vec<ObjectName>, Error> {
    let is_whole_refresh = run.task.object.is_none() && run.task.kind != RefreshKind::Poll && !run.is_audit();
    if !is_whole_refresh {
        return Ok(Vec::new());
    }
    let cursors = run.deps.cursors.list(run.org()).await?;
    let scanned = cursors.iter().filter_map(|cursor| cursor.cursor_name.backfilled_object());
    Ok(scanned.filter(|object| !run.mirror.has(object)).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + minute * 60).unwrap()
    }

    fn fields(names: &[&str]) -> Kept {
        Kept::Fields(names.iter().map(|name| (*name).to_owned()).collect())
    }

    fn done(kept: Kept) -> Removal {
        Removal { kept, noticed_at: at(0), begins_at: at(20), after: None, is_done: true }
    }

    proptest! {
        #[test]
        fn rows_are_gone_over_until_no_earlier_settings_are_in_use(
            pages in prop::collection::vec(0..4_u8, 2..6), noticed in 0..100_i64,
        ) {
            let id: RecordId = "0015e00000ZkM3hAAF".parse().unwrap();
            let mut removal = Removal::next(None, Kept::None, true, at(noticed)).unwrap();
            let (mut now, mut last_pass) = (at(noticed), None);
            for more in pages {
                now = now.max(removal.begins_at);
                for _ in 0..more {
                    removal = removal.after_page(Some(id));
                    prop_assert_eq!((removal.after, removal.is_done), (Some(id), false));
                }
                last_pass = Some(now);
                removal = removal.after_page(None);
                if removal.is_done {
                    break;
                }
            }
            prop_assert!(removal.is_done);
            prop_assert!(last_pass >= Some(at(noticed + 20)), "{:?}", last_pass);
        }
    }

    #[test]
    fn a_list_of_fields_that_was_widened_meanwhile_is_new() {
        let next = |known, kept| Removal::next(known, kept, true, at(60));
        assert_eq!(next(None, Kept::All), None);
        assert_eq!(next(Some(done(fields(&["name"]))), fields(&["name"])), None);
        let widened = next(Some(done(fields(&["name"]))), Kept::All).unwrap();
        assert!(widened.is_done, "nothing is removed");
        assert!(!next(Some(widened), fields(&["name"])).unwrap().is_done);
        assert!(!next(Some(done(fields(&["name"]))), fields(&["phone"])).unwrap().is_done);
    }

    #[test]
    fn only_fields_are_removed_of_an_object_that_was_never_scanned() {
        for (kept, is_scanned, is_done) in [
            (fields(&["name"]), false, false),
            (fields(&["name"]), true, false),
            (Kept::None, false, true),
            (Kept::None, true, false),
        ] {
            let next = Removal::next(None, kept.clone(), is_scanned, at(0)).unwrap();
            assert_eq!(next.is_done, is_done, "{kept:?} {is_scanned}");
        }
    }
}
