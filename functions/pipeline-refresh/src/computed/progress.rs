//! The reading of computed fields as a pure state machine: the next query, the meaning of a page, and the values that differ.
//!
//! The records are read in the order of their ids, whatever Salesforce's order of ids is: each query begins after the last id of
//! the page before it. The checkpoint is stored after the rows of a page, so that a page of a killed function is read again.

use jiff::Timestamp;
use salesforce::{FieldName, Record, RecordId, Soql, soql};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::MirrorRecord;
use store::cursors::ScanState;
use store::records::rule::is_same_value;

use crate::scan::{PageFault, PageShape};

/// A reading in progress; its JSON is the checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The start by our clock.
    pub started_at: Timestamp,
    /// The last record of which the values are compared; `None` before the first.
    pub after: Option<RecordId>,
}

/// The step after a page whose changed rows are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Store this progress as the checkpoint and read the next page.
    Next(Progress),
    /// Every record that was there when the reading began is compared.
    Complete,
}

impl Progress {
    /// Begins a reading.
    #[must_use]
    pub fn fresh(now: Timestamp) -> Self {
        Self { started_at: now, after: None }
    }

    /// Parses a checkpoint; `None` when another version wrote it.
    #[must_use]
    pub fn resume(checkpoint: &str) -> Option<Self> {
        serde_json::from_str(checkpoint).ok()
    }

    /// Returns what the cursor stores after `step`.
    #[must_use]
    pub fn state_after(&self, step: &Step) -> ScanState {
        match step {
            Step::Next(next) => ScanState::Running(json!(next).to_string()),
            Step::Complete => ScanState::Complete(self.started_at),
        }
    }

    /// Narrows `query` to the next records, at most `limit`.
    #[must_use]
    pub fn next_records(&self, query: Soql, limit: u32) -> Soql {
        let query = match self.after {
            Some(id) => query.where_(soql::gt(&FieldName::ID, id)),
            None => query,
        };
        query.order_by(&FieldName::ID).limit(limit)
    }

    /// Validates a page and returns the step to take once its changed rows are stored.
    ///
    /// # Errors
    /// The page is not valid and must not move the cursor.
    pub fn after(&self, page: &PageShape<'_>) -> Result<Step, PageFault> {
        if page.done && (page.rows.len() as u64) < page.total_size {
            return Err(PageFault::Short);
        }
        if page.rows.iter().any(|row| Some(row.record_id) == self.after) {
            return Err(PageFault::NoProgress);
        }
        if page.done && page.total_size < u64::from(page.limit) {
            return Ok(Step::Complete);
        }
        let last = page.rows.last().ok_or(PageFault::Short)?;
        Ok(Step::Next(Self { after: Some(last.record_id), ..*self }))
    }
}

/// Returns whether the values of these fields that were read differ from those of the mirror's row, in the same version of the
/// record. A version that only one side has yet is left to the scans, and so is a row that was read later.
#[must_use]
pub fn differs(row: &MirrorRecord, (read, read_at): (&Record, Timestamp), fields: &[FieldName]) -> bool {
    let is_same_version = read.system_modstamp() == Some(row.system_modstamp);
    if row.deleted || !is_same_version || row.read_at > read_at {
        return false;
    }
    fields.iter().any(|field| {
        let [mirrored, current] = [&row.fields, &read.fields].map(|fields| fields.get(field.as_str()));
        match (mirrored, current) {
            (Some(mirrored), Some(current)) => !is_same_value(mirrored, current),
            // A field that is new to the mirror is backfilled, and one that is hidden keeps its value.
            (None, _) | (_, None) => false,
        }
    })
}

#[cfg(test)]
mod tests;
