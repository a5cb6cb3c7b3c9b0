//! The scan of one object as a pure state machine: the next query, the meaning of a page, and the end of the scan.
//!
//! A scan reads an object in the order of (`SystemModstamp`, `Id`) and stores the last row that is in the mirror, its
//! [`ScanPoint`]. The next query selects the rows after it, so that a scan can be killed between any two steps and go on
//! in another process, and so that any number of rows may share one `SystemModstamp`. Where Salesforce does not filter by
//! `SystemModstamp`, another field takes its place ([`ScanKey`]).
//!
//! Salesforce sets a row's `SystemModstamp` when the row is written, and the row becomes visible when its transaction
//! commits, which may be minutes later. A scan may have passed the row's place by then. So the next scan begins
//! [`OVERLAP`] before this one *began*, not where it ended: late commits have a later `SystemModstamp` than that.

use jiff::{SignedDuration, Timestamp};
use salesforce::{FieldName, RecordId, Soql, soql};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::cursors::ScanState;
use store::{Position, ScanKey};

/// The overlap of a new scan with the time before the last complete one: the longest time for which Salesforce keeps a
/// transaction open.
pub const OVERLAP: SignedDuration = SignedDuration::from_mins(10);

/// A time before which no record was saved: Salesforce began in 1999.
pub(crate) const FIRST: Timestamp = Timestamp::constant(915_148_800, 0);

/// The point up to which all rows are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanPoint {
    /// Rows with an earlier `SystemModstamp`, or an earlier value of another key, are stored.
    pub system_modstamp: Timestamp,
    /// Of the rows with this `SystemModstamp`, those up to and including this id are stored; `None`: none of them.
    pub last_id: Option<RecordId>,
}

/// A scan in progress; its JSON is the checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
// The checkpoint of a backfill by Bulk has the same members and more.
#[serde(deny_unknown_fields)]
pub struct Scan {
    /// The start of the scan by our clock: the watermark of the complete scan.
    pub started_at: Timestamp,
    /// The last stored point; `None` before the first row.
    pub position: Option<ScanPoint>,
    /// The key in whose order the rows are read.
    #[serde(default, skip_serializing_if = "ScanKey::is_default")]
    pub key: ScanKey,
}

/// The properties of a page that [`Scan::after`] validates.
#[derive(Debug, Clone, Copy)]
pub struct PageShape<'a> {
    /// The rows of the page, in its order.
    pub rows: &'a [Position],
    /// The number of rows that the query matches, over all of its pages.
    pub total_size: u64,
    /// Salesforce's mark of the last page of the query.
    pub done: bool,
    /// The limit of the query.
    pub limit: u32,
    /// The `SystemModstamp` before which the query ends; `None` if it has no end.
    pub until: Option<Timestamp>,
}

/// The step after a page whose rows are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Store this scan as the checkpoint and read the next page.
    Next(Scan),
    /// The scan has read all rows that were there when it began.
    Complete,
}

/// The defect of an invalid page. The scan does not move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PageFault {
    /// The page has fewer rows than the query matched, and claims to be the last one.
    #[error("the last page is short")]
    Short,
    /// A row comes before one that it should follow.
    #[error("the rows are not in the order of SystemModstamp")]
    OutOfOrder,
    /// A row has no `SystemModstamp`.
    #[error("a row has no SystemModstamp")]
    WithoutKey,
    /// The page ends where it began, so that the scan would never end.
    #[error("the page does not move the cursor")]
    NoProgress,
}

impl Scan {
    /// Returns a scan of everything that changed since the last complete scan began, or of everything without one.
    #[must_use]
    pub fn fresh(watermark: Option<Timestamp>, now: Timestamp) -> Self {
        let position = watermark.map(|watermark| ScanPoint {
            system_modstamp: watermark.checked_sub(OVERLAP).unwrap_or(Timestamp::MIN),
            last_id: None,
        });
        Self { started_at: now, position, key: ScanKey::default() }
    }

    /// Returns the scan in the order of this key. Of an interrupted scan in another order, nothing says which rows of this order
    /// are stored, so that it begins anew with all rows.
    #[must_use]
    pub fn by(self, key: ScanKey, is_interrupted: bool) -> Self {
        let is_resumed = self.key == key || (!is_interrupted && key != ScanKey::Id);
        Self { key, position: self.position.filter(|_| is_resumed), ..self }
    }

    /// Returns the position that the cursor stores after these rows; `None` in the order of the ids, which every scan begins anew.
    #[must_use]
    pub fn last_row(&self, rows: &[Position]) -> Option<Position> {
        rows.last().copied().filter(|_| self.key != ScanKey::Id)
    }

    /// Renders the checkpoint from which another process goes on.
    #[must_use]
    pub fn checkpoint(&self) -> String {
        json!(self).to_string()
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
            Step::Next(next) => ScanState::Running(next.checkpoint()),
            // A row that was written after the scan began may commit behind it, so only earlier rows are covered.
            Step::Complete => ScanState::Complete(self.started_at),
        }
    }

    /// Returns the span of `SystemModstamp` that the scan has still to read; zero in the order of the ids.
    #[must_use]
    pub fn range(&self) -> SignedDuration {
        if self.key == ScanKey::Id {
            return SignedDuration::ZERO;
        }
        self.started_at.duration_since(self.from()).max(SignedDuration::ZERO)
    }

    /// Returns the `SystemModstamp` before which the next query ends, if it reads this span; `None` for the last query, which
    /// has no end.
    #[must_use]
    pub fn until(&self, span: Option<SignedDuration>) -> Option<Timestamp> {
        let until = self.from().saturating_add(span.filter(|_| self.key != ScanKey::Id)?).ok()?;
        // Rows have whole seconds, so that the shortest query is for those of one `SystemModstamp`.
        let until = Timestamp::from_second(until.as_second()).ok()?;
        (until < self.started_at).then_some(until)
    }

    /// Returns the id after which the next query begins, if it is for the rows of a single `SystemModstamp`, which is the
    /// position's; `None` if it may be for more.
    #[must_use]
    pub fn moment(&self, until: Option<Timestamp>) -> Option<Option<RecordId>> {
        let (from, position) = (self.from(), self.position?);
        let is_moment = from.subsec_nanosecond() == 0 && until?.duration_since(from) == SignedDuration::from_secs(1);
        is_moment.then_some(position.last_id)
    }

    /// Returns whether the scan is at the same `SystemModstamp` after the step.
    #[must_use]
    pub fn stays_at(&self, step: &Step) -> bool {
        matches!(step, Step::Next(next) if next.from() == self.from())
    }

    /// Does the same as [`Self::after`] for a page of the rows of one `SystemModstamp` with ids up to `to_id`: once all of them
    /// are stored, the next query begins after that id.
    ///
    /// # Errors
    /// The page is not valid and must not move the cursor.
    pub fn after_ids(&self, page: &PageShape<'_>, to_id: RecordId) -> Result<Step, PageFault> {
        match self.after(page)? {
            Step::Next(Self { position: Some(ScanPoint { last_id: None, .. }), .. }) => {
                let position = ScanPoint { system_modstamp: self.from(), last_id: Some(to_id) };
                Ok(Step::Next(Self { position: Some(position), ..*self }))
            }
            step => Ok(step),
        }
    }

    fn from(&self) -> Timestamp {
        self.position.map_or(FIRST, |position| position.system_modstamp)
    }

    /// Narrows `query` to the next rows, at most `limit`, in the scan's order, with an earlier `SystemModstamp` than `until`.
    #[must_use]
    pub fn next_rows(&self, query: Soql, limit: u32, until: Option<Timestamp>) -> Soql {
        let key = self.key.field();
        if self.key == ScanKey::Id {
            let last_id = self.position.and_then(|position| position.last_id);
            let query = last_id.into_iter().fold(query, |query, id| query.where_(soql::gt(&key, id)));
            return query.order_by(&key).limit(limit);
        }
        let query = match self.position {
            None => query,
            Some(ScanPoint { system_modstamp, last_id: None }) => query.where_(soql::ge(&key, system_modstamp)),
            // The first condition is redundant; it lets Salesforce use its index.
            Some(ScanPoint { system_modstamp, last_id: Some(id) }) => query
                .where_(soql::ge(&key, system_modstamp))
                .where_(soql::gt(&key, system_modstamp).or(soql::gt(&FieldName::ID, id))),
        };
        let query = match until {
            None => query,
            Some(until) => query.where_(soql::lt(&key, until)),
        };
        query.order_by(&key).order_by(&FieldName::ID).limit(limit)
    }

    /// Validates `page` and returns the step to take once its rows are stored.
    ///
    /// # Errors
    /// The page is not valid and must not move the cursor.
    pub fn after(&self, page: &PageShape<'_>) -> Result<Step, PageFault> {
        let complete = page.done && page.total_size < u64::from(page.limit);
        if page.done && (page.rows.len() as u64) < page.total_size {
            return Err(PageFault::Short);
        }
        self.check_order(page.rows)?;
        let last = page.rows.last();
        // Rows written after the scan began belong to the next scan; otherwise a scan of a busy org would never end.
        if last.is_some_and(|last| last.system_modstamp > self.started_at) {
            return Ok(Step::Complete);
        }
        let position = match (complete, page.until, last) {
            (true, None, _) => return Ok(Step::Complete),
            (true, Some(until), _) => ScanPoint { system_modstamp: until, last_id: None },
            (false, _, Some(last)) => {
                ScanPoint { system_modstamp: last.system_modstamp, last_id: Some(last.record_id) }
            }
            (false, _, None) => return Err(PageFault::Short),
        };
        Ok(Step::Next(Self { position: Some(position), ..*self }))
    }

    /// Checks that the rows are in order and move the scan. The order of ids within one `SystemModstamp` is
    /// Salesforce's collation, so ids are only compared for equality.
    fn check_order(&self, rows: &[Position]) -> Result<(), PageFault> {
        let from = self.position.map(|position| position.system_modstamp);
        let stamps = || rows.iter().map(|row| row.system_modstamp);
        if stamps().next().is_some_and(|first| from > Some(first)) || !stamps().is_sorted() {
            return Err(PageFault::OutOfOrder);
        }
        let last_id = self.position.and_then(|position| position.last_id);
        if rows.iter().any(|row| Some(row.record_id) == last_id && Some(row.system_modstamp) == from) {
            return Err(PageFault::NoProgress);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
