//! The progress of a backfill, and the checkpoint that several workers of one backfill or audit share.

use jiff::Timestamp;
use salesforce::OrgId;
use serde::{Deserialize, Serialize};

use super::{CursorName, Cursors, ScanState, row_key};
use crate::Error;
use crate::table::{Conditional, Update, text};
use crate::time;

/// The API with which a backfill reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackfillMethod {
    /// Queries of the REST API, page after page.
    Rest,
    /// A query job of Bulk API 2.0, whose pages are read at the same time.
    Bulk,
}

/// The rows that a backfill has stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackfillProgress {
    /// The API.
    pub method: BackfillMethod,
    /// The start.
    #[serde(with = "crate::time::millis")]
    pub started_at: Timestamp,
    /// The end; `None` while the backfill runs.
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// The time at which the query job was complete, so that its rows are read; `None` before, and with [`BackfillMethod::Rest`].
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    pub reading_since: Option<Timestamp>,
    /// The time from which changed rows are read; `None` for all rows.
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The rows that the org had at the start, without deleted ones; `None` if they could not be counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// The rows of the stored pages. A page that is read again counts again.
    pub rows: u64,
    /// The bytes of the stored pages as CSV; 0 with [`BackfillMethod::Rest`].
    pub bytes: u64,
    /// The stored pages.
    pub pages: u64,
}

impl BackfillProgress {
    /// Begins to count the rows of a backfill.
    #[must_use]
    pub fn new(method: BackfillMethod, started_at: Timestamp) -> Self {
        let (completed_at, reading_since, since, total) = (None, None, None, None);
        Self { method, started_at, completed_at, reading_since, since, total, rows: 0, bytes: 0, pages: 0 }
    }

    /// Returns the progress of a backfill whose rows are read again from the beginning.
    #[must_use]
    pub fn begun_again(self) -> Self {
        Self { reading_since: None, rows: 0, bytes: 0, pages: 0, ..self }
    }

    /// Returns the progress after a stored page.
    #[must_use]
    pub fn after_page(self, rows: u64, bytes: u64) -> Self {
        Self { rows: self.rows + rows, bytes: self.bytes + bytes, pages: self.pages + 1, ..self }
    }
}

impl Cursors {
    /// Replaces the checkpoint and the progress of a backfill. Returns `false`, and changes nothing, if its checkpoint is no
    /// longer `seen`: another worker was first.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn replace_checkpoint(
        &self,
        (org, name): (OrgId, &CursorName),
        seen: Option<&str>,
        (state, progress): (&ScanState, &BackfillProgress),
        now: Timestamp,
    ) -> Result<bool, Error> {
        let operation = "replace the checkpoint of the backfill";
        let mut update = state.update(now).if_seen(seen);
        update.set.push(("progress", text(render(operation, progress)?)));
        let replaced = self.table.update(operation, row_key(org, name), update).await?;
        Ok(matches!(replaced, Conditional::Done(_)))
    }

    /// Replaces the checkpoint of a scan that is no backfill. Returns `false`, and changes nothing, if its checkpoint is no longer
    /// `seen`: another worker was first.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn replace(
        &self,
        (org, name): (OrgId, &CursorName),
        seen: Option<&str>,
        state: &ScanState,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let update = state.update(now).if_seen(seen);
        let replaced = self.table.update("replace the checkpoint", row_key(org, name), update).await?;
        Ok(matches!(replaced, Conditional::Done(_)))
    }

    /// Stores the progress of a backfill that has a single worker.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn record_progress(
        &self,
        org: OrgId,
        name: &CursorName,
        progress: &BackfillProgress,
        now: Timestamp,
    ) -> Result<(), Error> {
        let operation = "record the progress of the backfill";
        let set = vec![("progress", text(render(operation, progress)?)), ("updated_at", text(time::format(now)))];
        self.table.update(operation, row_key(org, name), Update { set, ..Update::default() }).await.map(drop)
    }
}

impl Update {
    /// Changes the cursor only if its checkpoint is still this one.
    fn if_seen(mut self, seen: Option<&str>) -> Self {
        self.when = if seen.is_some() { "#checkpoint = :seen" } else { "attribute_not_exists(#checkpoint)" };
        self.values.extend(seen.map(|seen| (":seen", text(seen))));
        self
    }
}

fn render(operation: &'static str, progress: &BackfillProgress) -> Result<String, Error> {
    serde_json::to_string(progress).map_err(|source| Error::Corrupt { operation, source: Box::new(source) })
}
