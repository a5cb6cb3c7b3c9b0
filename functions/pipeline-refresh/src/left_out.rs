//! Rows that cannot be read or stored: they are left out and named, so that they hold up no other, and tried again later.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use mirroring::Retrieved;
use salesforce::{ObjectName, RecordId};
use store::{Change, LeftOut, RefreshKind};
use tracing::warn;

use crate::error::Error;
use crate::object::{ObjectReport, Scanning};
use crate::run::Run;

/// The reason of a row that is too large for the mirror.
pub(crate) const TOO_LARGE: &str = "too_large";

/// The time between two attempts at a row that was left out.
const RETRY: SignedDuration = SignedDuration::from_hours(12);

/// The most rows that a scan tries again. Each may cost as many calls as the object has fields.
const RETRIES: usize = 20;

/// A row that Salesforce cannot return, not even alone and field by field.
pub(crate) struct Unreadable {
    pub(crate) id: RecordId,
    pub(crate) error: salesforce::Error,
}

/// The rows of an object that were left out before.
pub(crate) struct LeftOutRows {
    all: BTreeSet<RecordId>,
    due: Vec<RecordId>,
}

impl LeftOutRows {
    /// Loads the rows. A poll tries none of them again.
    pub(crate) async fn load(run: &Run<'_>, object: &ObjectName) -> Result<Self, Error> {
        let rows = run.deps.cursors.left_out(run.org(), Some(object)).await?;
        let all = rows.iter().map(|row| row.record_id).collect();
        let due = if run.task.kind == RefreshKind::Poll { Vec::new() } else { due(rows, run) };
        Ok(Self { all, due })
    }
}

/// Returns the rows whose last attempt is longest ago.
fn due(mut rows: Vec<LeftOut>, run: &Run<'_>) -> Vec<RecordId> {
    let now = run.deps.clock.now();
    rows.retain(|row| now.duration_since(row.updated_at) >= RETRY);
    rows.sort_by_key(|row| row.updated_at);
    rows.into_iter().map(|row| row.record_id).take(RETRIES).collect()
}

impl Scanning<'_> {
    /// Reads the rows that are due again.
    pub(crate) async fn retry_left_out(&self, report: &mut ObjectReport) -> Result<(), Error> {
        let (org, deps, ids) = (self.run.org(), self.run.deps, &self.left_out.due);
        if ids.is_empty() {
            return Ok(());
        }
        let read_at = deps.clock.now();
        let fields = self.selection.fields();
        let retrieved = deps.fields.retrieve(&self.run.client, (org, self.object), ids, fields).await;
        let (mut changes, mut unreadable) = (Vec::new(), Vec::new());
        for (id, retrieved) in ids.iter().zip(retrieved.map_err(|error| self.rows_error(error))?) {
            match retrieved {
                Retrieved::Record(record) => changes.push(Change::Upsert { record, read_at }),
                Retrieved::Unreadable(error) => unreadable.push(Unreadable { id: *id, error }),
                // Its deletion, if that is the cause, is a row of a scan.
                Retrieved::Missing => self.take_in(*id).await?,
                Retrieved::Changing => {}
            }
        }
        self.leave_out(unreadable, report).await?;
        // Rows are stored under the object's name as Salesforce spells it.
        let stored_as = changes.iter().find_map(|change| match change {
            Change::Upsert { record, .. } => Some(record.object.clone()),
            Change::Tombstone(_) => None,
        });
        self.store(&stored_as.unwrap_or_else(|| self.object.clone()), changes, report).await
    }

    /// Names the rows that Salesforce cannot return. Only then may the cursor move past them.
    pub(crate) async fn leave_out(&self, rows: Vec<Unreadable>, report: &mut ObjectReport) -> Result<(), Error> {
        for Unreadable { id, error } in rows {
            report.unreadable += 1;
            warn!(org.id = %self.run.org(), sf.object = %self.object, record.id = %id, "left out a row: {error}");
            self.mark(id, mirroring::reason(&error)).await?;
        }
        Ok(())
    }

    /// Stores that the row is left out.
    pub(crate) async fn mark(&self, id: RecordId, reason: &str) -> Result<(), Error> {
        let deps = self.run.deps;
        Ok(deps.cursors.leave_out(self.run.org(), (self.object, id), reason, deps.clock.now()).await?)
    }

    /// Removes the mark of a row that the mirror has now.
    pub(crate) async fn take_in(&self, id: RecordId) -> Result<(), Error> {
        if self.left_out.all.contains(&id) {
            self.run.deps.cursors.take_in(self.run.org(), self.object, id).await?;
        }
        Ok(())
    }
}
