//! Fields that are new, hidden or of another type since the object was described last.

use mirroring::ObjectFields;
use salesforce::{FieldName, ObjectName};
use store::{FieldChanges, RefreshKind, RefreshTask, SeenFields};
use tracing::info;

use crate::error::Error;
use crate::run::Run;

/// Compares the fields of an object with those that were seen before. The values of new fields are backfilled; the difference is
/// stored, from where its event is published.
///
/// The backfill is queued first: if the function is killed in between, the next scan finds the difference again. None is queued if
/// the caller `reads_all` rows with these fields anyway.
pub(crate) async fn notice_changes(
    run: &Run<'_>,
    object: &ObjectName,
    (fields, reads_all): (&ObjectFields, bool),
) -> Result<(), Error> {
    let (org, deps, now) = (run.org(), run.deps, run.deps.clock.now());
    let Some(known) = deps.cursors.seen_fields(org, object).await? else {
        let first = SeenFields::first(org, object, fields.types.clone(), now).scanned_by(fields.key);
        return Ok(deps.cursors.store_fields(None, &first).await?);
    };
    // A field that the settings leave out is not hidden. The key of the scans is read whatever they say.
    let mut mirrored = known.clone();
    let is_mirrored =
        |field: &FieldName| *field == fields.key.field() || run.mirror.fields().includes(object, field.as_str());
    mirrored.visible.retain(|field, _| is_mirrored(field));
    mirrored.hidden.retain(|field, _| is_mirrored(field));
    let Some(seen) = mirrored.after(fields.types.clone(), now) else {
        if known.scanned_by != fields.key {
            deps.cursors.store_fields(Some(&known), &known.clone().scanned_by(fields.key)).await?;
        }
        return Ok(());
    };
    if let Some(FieldChanges { added, hidden, shown, retyped }) = &seen.last_change {
        info!(org.id = %org, sf.object = %object, added = added.len(), hidden = hidden.len(), shown = shown.len(),
            retyped = retyped.len(), "the fields of the object have changed");
    }
    if !reads_all && seen.last_change.as_ref().is_some_and(FieldChanges::need_backfill) {
        let backfill = RefreshTask::new(org, RefreshKind::Backfill, now).for_object(object.clone());
        deps.queues.send(&backfill, true, std::time::Duration::ZERO).await?;
    }
    Ok(deps.cursors.store_fields(Some(&known), &seen.scanned_by(fields.key)).await?)
}
