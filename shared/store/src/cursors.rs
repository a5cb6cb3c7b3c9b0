//! Cursors: how far each scan of each org has come.

use std::fmt;

use aws_sdk_dynamodb::Client;
use jiff::Timestamp;
use salesforce::{ObjectName, OrgId, RecordId};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::table::{Conditional, Expression, Item, Place, Rows, Table, Update, from_item, key, text};
use crate::time;

mod backfill;
pub mod fields;
mod left_out;
pub mod rule;
mod scan_key;

pub use backfill::{BackfillMethod, BackfillProgress};
pub use fields::{FieldChanges, SeenFields};
pub use left_out::LeftOut;
pub use scan_key::ScanKey;

/// The name of a cursor in its org: the scan that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CursorName(String);

/// The beginning of the name of a backfill's cursor.
const BACKFILL: &str = "backfill/";

impl CursorName {
    /// The incremental scan of an object.
    #[must_use]
    pub fn incremental(object: &ObjectName) -> Self {
        Self(format!("incremental/{object}"))
    }

    /// The backfill of an object.
    #[must_use]
    pub fn backfill(object: &ObjectName) -> Self {
        Self(format!("{BACKFILL}{object}"))
    }

    /// Returns the object whose backfill this is; `None` for the cursor of another scan.
    #[must_use]
    pub fn backfilled_object(&self) -> Option<ObjectName> {
        self.0.strip_prefix(BACKFILL)?.parse().ok()
    }

    /// The audit of an object. It has no position; [`Cursor::covered_until`] is the start of the last complete audit.
    #[must_use]
    pub fn audit(object: &ObjectName) -> Self {
        Self(format!("audit/{object}"))
    }

    /// The reading of an object's computed fields. It has no position; [`Cursor::covered_until`] is the start of the last complete
    /// reading.
    #[must_use]
    pub fn computed(object: &ObjectName) -> Self {
        Self(format!("computed/{object}"))
    }

    /// The list of an object's deleted records. It has no position; [`Cursor::covered_until`] is the time up to which the last
    /// list was complete.
    #[must_use]
    pub fn deletions(object: &ObjectName) -> Self {
        Self(format!("deletions/{object}"))
    }

    /// The removal of what is not mirrored of an object any more. It has only a checkpoint.
    #[must_use]
    pub fn removal(object: &ObjectName) -> Self {
        Self(format!("removal/{object}"))
    }

    /// Returns whether this cursor, or other row of the table, is of the object.
    fn is_of(&self, object: &ObjectName) -> bool {
        self.0.split('/').nth(1).is_some_and(|name| name.eq_ignore_ascii_case(object.as_str()))
    }

    /// Returns whether this is the cursor of an object's scan, or of the reading of its computed fields.
    #[must_use]
    pub fn is_scan(&self) -> bool {
        ["incremental/", BACKFILL, "computed/"].iter().any(|prefix| self.0.starts_with(prefix))
    }

    /// The poll of all the org's objects. It has no position; only [`Cursor::covered_until`] is stored.
    #[must_use]
    pub fn poll() -> Self {
        Self("poll".to_owned())
    }

    /// The refresh of the org's pipelines. It has no position; only [`Cursor::covered_until`] is stored.
    #[must_use]
    pub fn pipelines() -> Self {
        Self("pipelines".to_owned())
    }
}

impl fmt::Display for CursorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The position of a row in the order of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// The row's `SystemModstamp`.
    #[serde(with = "crate::time::millis")]
    pub system_modstamp: Timestamp,
    /// The row's `Id`, which orders rows of the same `SystemModstamp`.
    #[serde(rename = "last_id")]
    pub record_id: RecordId,
}

/// The stored state of a scan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The org.
    pub org_id: OrgId,
    /// The name of the scan.
    pub cursor_name: CursorName,
    /// The furthest row that was stored; `None` before the first.
    #[serde(flatten)]
    pub position: Option<Position>,
    /// The state from which the running scan continues, in the scan's own format; `None` when no scan is running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
    /// The rows that the running or the last backfill has stored; `None` for other scans.
    #[serde(default, with = "crate::json_text::option", skip_serializing_if = "Option::is_none")]
    pub progress: Option<BackfillProgress>,
    /// The time at which the last complete scan began. It read everything committed before.
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    pub covered_until: Option<Timestamp>,
    /// The reason for which the scan fails, as a stable code; `None` when it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// The time since which the scan fails.
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// The time of the last change.
    #[serde(with = "crate::time::millis")]
    pub updated_at: Timestamp,
}

/// The progress of a scan after a page, whose rows must be stored already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The cursor's position as the caller last read it. If it is out of date, the write costs a second request.
    pub seen: Option<Position>,
    /// The last row of the page; `None` for an empty page.
    pub last_row: Option<Position>,
    /// The scan's state after the page.
    pub state: ScanState,
}

/// The state of a scan after a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScanState {
    /// There are more pages. The scan continues from this checkpoint.
    Running(String),
    /// The scan is complete. It covers everything committed before this time.
    Complete(Timestamp),
}

/// The `cursors` table.
#[derive(Clone, Debug)]
pub struct Cursors {
    table: Table,
}

impl Cursors {
    /// Creates a client for the table of this name.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table::new(client, table) }
    }

    /// Returns the cursor, or `None` before the first scan.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn load(&self, org: OrgId, name: &CursorName) -> Result<Option<Cursor>, Error> {
        self.table.get("load the cursor", row_key(org, name)).await
    }

    /// Returns all cursors of the org.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn list(&self, org: OrgId) -> Result<Vec<Cursor>, Error> {
        let rows: Vec<Cursor> = self.table.query("list the cursors", ("org_id", org.as_str())).await?;
        let is_scan = |name: &str| ![fields::PREFIX, left_out::PREFIX].iter().any(|prefix| name.starts_with(prefix));
        Ok(rows.into_iter().filter(|cursor| is_scan(&cursor.cursor_name.0)).collect())
    }

    /// Stores the progress of a scan, and returns the cursor's position after it. Position and checkpoint change in
    /// one conditional write; the position only moves forward.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn advance(
        &self,
        org: OrgId,
        name: &CursorName,
        progress: &Progress,
        now: Timestamp,
    ) -> Result<Option<Position>, Error> {
        let operation = "advance the cursor";
        let mut position = progress.seen;
        if let Some(to) = rule::advance(progress.seen, progress.last_row) {
            let update = progress.state.update(now).moved_to(to);
            match self.table.update(operation, row_key(org, name), update).await? {
                Conditional::Done(_) => return Ok(Some(to)),
                // Another scan has moved the cursor further since the caller read it.
                Conditional::Refused(item) => {
                    let known: Option<Cursor> = item.map(|item| from_item(operation, item)).transpose()?;
                    position = known.and_then(|known| known.position);
                }
            }
        }
        self.table.update(operation, row_key(org, name), progress.state.update(now)).await?;
        Ok(position)
    }

    /// Stores that a scan or refresh fails, and why. The next progress removes it.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn record_failure(
        &self,
        org: OrgId,
        name: &CursorName,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let at = || text(time::format(now));
        let update = Update {
            set: vec![("failure", text(reason))],
            set_once: vec![("failing_since", at()), ("updated_at", at())],
            ..Update::default()
        };
        self.table.update("record the failure of the scan", row_key(org, name), update).await.map(drop)
    }

    /// Removes everything that is known of an object's scans, its backfill last: an object with a backfill was scanned.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn forget(&self, org: OrgId, object: &ObjectName) -> Result<(), Error> {
        let operation = "forget the scans of the object";
        let rows: Vec<NameOnly> = self.table.query(operation, ("org_id", org.as_str())).await?;
        let mut names: Vec<CursorName> = rows.into_iter().map(|row| row.cursor_name).collect();
        names.retain(|name| name.is_of(object));
        names.sort_by_key(|name| name.backfilled_object().is_some());
        for name in names {
            let when = Expression { text: "attribute_exists(#org_id)", values: Vec::new() };
            self.table.delete(operation, row_key(org, &name), when).await?;
        }
        Ok(())
    }

    /// Stores that a scan, poll or refresh which began at `covered_until` is complete, and removes its checkpoint.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn finish(&self, org: OrgId, name: &CursorName, covered_until: Timestamp) -> Result<(), Error> {
        let update = ScanState::Complete(covered_until).update(covered_until);
        self.table.update("finish the scan", row_key(org, name), update).await.map(drop)
    }
}

/// A row of the table, of whatever kind.
#[derive(Deserialize)]
struct NameOnly {
    cursor_name: CursorName,
}

/// The attributes of a failure.
const FAILURE: [&str; 2] = ["failure", "failing_since"];

impl ScanState {
    fn update(&self, now: Timestamp) -> Update {
        let updated_at = ("updated_at", text(time::format(now)));
        match self {
            Self::Running(checkpoint) => Update {
                set: vec![("checkpoint", text(checkpoint)), updated_at],
                remove: FAILURE.to_vec(),
                ..Update::default()
            },
            Self::Complete(covered_until) => Update {
                set: vec![("covered_until", text(time::format(*covered_until))), updated_at],
                remove: [&["checkpoint"], FAILURE.as_slice()].concat(),
                ..Update::default()
            },
        }
    }
}

impl Update {
    /// Adds the move of a cursor that is behind `to`.
    fn moved_to(mut self, to: Position) -> Self {
        let [modstamp, id] = [text(time::format(to.system_modstamp)), text(to.record_id.as_str())];
        self.set.extend([("system_modstamp", modstamp.clone()), ("last_id", id.clone())]);
        self.when = rule::IS_BEHIND;
        self.values.extend([(":modstamp", modstamp), (":id", id)]);
        self
    }
}

/// Returns the rows of an org.
pub(crate) fn rows_of_org(org: OrgId) -> Rows {
    Rows { keys: &["org_id", "cursor_name"], place: Place::of_org(org) }
}

/// Returns the marks of a record that scans leave out.
pub(crate) fn rows_of_record(org: OrgId, record: RecordId) -> Rows {
    let only = Expression { text: "#record_id = :record", values: vec![(":record", text(record.as_str()))] };
    let place = Place::Partition { attribute: "org_id", value: org.to_string(), only: Some(only) };
    Rows { keys: &["org_id", "cursor_name"], place }
}

fn row_key(org: OrgId, name: &CursorName) -> Item {
    key([("org_id", org.as_str()), ("cursor_name", &name.0)])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cursor_stored_by_an_earlier_version_is_read() {
        let checkpoint = r#"{"started_at":"2026-11-22T10:00:00Z","position":null}"#;
        let stored = json!({
            "org_id": "00D5e000000KQ2eEAG", "cursor_name": "incremental/Account",
            "system_modstamp": "2026-11-22T09:59:00.000Z", "last_id": "0015e00000ZkM3hAAF",
            "checkpoint": checkpoint, "covered_until": "2026-11-21T01:00:00.000Z",
            "updated_at": "2026-11-22T10:00:01.000Z",
        });
        let cursor: Cursor = serde_json::from_value(stored.clone()).unwrap();
        let position = cursor.position.unwrap();
        assert_eq!(position.record_id.as_str(), "0015e00000ZkM3hAAF");
        assert_eq!(position.system_modstamp, "2026-11-22T09:59:00Z".parse().unwrap());
        assert_eq!(cursor.checkpoint.as_deref(), Some(checkpoint));
        assert_eq!(serde_json::to_value(&cursor).unwrap(), stored, "a version still deployed reads what is stored now");
    }
}
