//! The scan of one object: which rows to ask for next, what a page means, and when the scan is complete.
//!
//! A scan reads an object in the order of (`SystemModstamp`, `Id`) and remembers the last row it stored, its
//! [`ScanPoint`]. The next query asks for what comes after it, so that a scan can be killed between any two steps
//! and go on in another process, and so that any number of rows may share one `SystemModstamp`.
//!
//! Salesforce stamps a row when it is written and shows it when its transaction commits, which may be minutes later.
//! A scan therefore may have passed a row's place before the row became visible. The next scan begins [`OVERLAP`]
//! before this one *began*, not where it ended: whatever commits late was stamped after that.

use jiff::{SignedDuration, Timestamp};
use salesforce::{FieldName, RecordId, Soql, soql};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::Position;
use store::cursors::ScanState;

/// How far before the start of the last complete scan a fresh one begins: the longest time for which Salesforce
/// keeps a transaction open.
pub const OVERLAP: SignedDuration = SignedDuration::from_mins(10);

/// Rows asked for in one query; Salesforce answers with at most this many in one page.
pub const PAGE_ROWS: u32 = 2_000;

/// Everything before this has been stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanPoint {
    /// Rows stamped before this instant are stored.
    pub system_modstamp: Timestamp,
    /// Of that instant, the rows up to and including this one are stored; `None`: none of them.
    pub last_id: Option<RecordId>,
}

/// A scan in progress; its JSON is the checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scan {
    /// When the scan began, by our clock: the watermark it leaves when it is complete.
    pub started_at: Timestamp,
    /// What is stored so far; `None`: nothing yet, read from the first row.
    pub position: Option<ScanPoint>,
}

/// What a page says about itself; [`Scan::after`] judges it.
#[derive(Debug, Clone, Copy)]
pub struct PageShape<'a> {
    /// The rows of the page, in its order.
    pub rows: &'a [Position],
    /// How many rows the query matches, over all of its pages.
    pub total_size: u64,
    /// Whether Salesforce says that this was the last page of the query.
    pub done: bool,
}

/// What follows a page whose rows have been stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// There is more: checkpoint this scan and ask again.
    Next(Scan),
    /// The scan has read all there was when it began.
    Complete,
}

/// Why a page cannot be believed. The scan stays where it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PageFault {
    /// The page has fewer rows than the query matched, and claims to be the last one.
    #[error("the last page is short")]
    Short,
    /// A row stands before the one it should follow.
    #[error("the rows are not in the order of SystemModstamp")]
    OutOfOrder,
    /// A row does not say when it changed.
    #[error("a row has no SystemModstamp")]
    WithoutKey,
    /// The page ends where it began, so that the scan would never end.
    #[error("the page does not move the cursor")]
    NoProgress,
}

impl Scan {
    /// A scan of everything changed since the last complete scan began, or of everything when there was none.
    #[must_use]
    pub fn fresh(watermark: Option<Timestamp>, now: Timestamp) -> Self {
        let position = watermark.map(|watermark| ScanPoint {
            system_modstamp: watermark.checked_sub(OVERLAP).unwrap_or(Timestamp::MIN),
            last_id: None,
        });
        Self { started_at: now, position }
    }

    /// The text from which another process goes on.
    #[must_use]
    pub fn checkpoint(&self) -> String {
        json!(self).to_string()
    }

    /// The scan that wrote `checkpoint`, or `None` when it is not of this version's making.
    #[must_use]
    pub fn resume(checkpoint: &str) -> Option<Self> {
        serde_json::from_str(checkpoint).ok()
    }

    /// Returns what the cursor stores after `step`.
    #[must_use]
    pub fn state_after(&self, step: &Step) -> ScanState {
        match step {
            Step::Next(next) => ScanState::Running(next.checkpoint()),
            // A row stamped after the scan began may be committed behind it, so the scan covers only what came before.
            Step::Complete => ScanState::Complete(self.started_at),
        }
    }

    /// Narrows `query` to the next rows, in the scan's order.
    #[must_use]
    pub fn next_rows(&self, query: Soql) -> Soql {
        let query = match self.position {
            None => query,
            Some(ScanPoint { system_modstamp, last_id: None }) => {
                query.where_(soql::ge(&FieldName::SYSTEM_MODSTAMP, system_modstamp))
            }
            // The first condition says nothing new; it lets Salesforce use its index.
            Some(ScanPoint { system_modstamp, last_id: Some(id) }) => query
                .where_(soql::ge(&FieldName::SYSTEM_MODSTAMP, system_modstamp))
                .where_(soql::gt(&FieldName::SYSTEM_MODSTAMP, system_modstamp).or(soql::gt(&FieldName::ID, id))),
        };
        query.order_by(&FieldName::SYSTEM_MODSTAMP).order_by(&FieldName::ID).limit(PAGE_ROWS)
    }

    /// What to do after `page`, whose rows have been stored.
    ///
    /// # Errors
    /// A page that cannot be believed; it must not move the cursor.
    pub fn after(&self, page: &PageShape<'_>) -> Result<Step, PageFault> {
        let complete = page.done && page.total_size < u64::from(PAGE_ROWS);
        if page.done && (page.rows.len() as u64) < page.total_size {
            return Err(PageFault::Short);
        }
        let Some(last) = page.rows.last() else {
            return if complete { Ok(Step::Complete) } else { Err(PageFault::Short) };
        };
        self.check_order(page.rows)?;
        // Rows stamped after the scan began belong to the next one; without this, a busy org would hold it for ever.
        if complete || last.system_modstamp > self.started_at {
            return Ok(Step::Complete);
        }
        let position = ScanPoint { system_modstamp: last.system_modstamp, last_id: Some(last.record_id) };
        Ok(Step::Next(Self { position: Some(position), ..*self }))
    }

    /// Ids of one instant are left to Salesforce's own collation; their order is only compared for equality.
    fn check_order(&self, rows: &[Position]) -> Result<(), PageFault> {
        let from = self.position.map(|position| position.system_modstamp);
        let stamps = || rows.iter().map(|row| row.system_modstamp);
        if from.is_some() && from > stamps().next() || !stamps().is_sorted() {
            return Err(PageFault::OutOfOrder);
        }
        let seen = self.position.and_then(|position| position.last_id);
        if rows.iter().any(|row| Some(row.record_id) == seen && Some(row.system_modstamp) == from) {
            return Err(PageFault::NoProgress);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
