//! How far each scan of each org has come.

use std::fmt;

use aws_sdk_dynamodb::Client;
use jiff::Timestamp;
use salesforce::{ObjectName, OrgId, RecordId};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::table::{Conditional, Item, Table, Update, key, text};
use crate::time;

pub mod rule;

/// Which scan a cursor belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CursorName(String);

impl CursorName {
    /// The incremental scan of an object.
    #[must_use]
    pub fn incremental(object: &ObjectName) -> Self {
        Self(format!("incremental/{object}"))
    }

    /// The backfill of an object.
    #[must_use]
    pub fn backfill(object: &ObjectName) -> Self {
        Self(format!("backfill/{object}"))
    }

    /// The polling of all the org's objects; it has no position, only an end.
    #[must_use]
    pub fn poll() -> Self {
        Self("poll".to_owned())
    }

    /// The reading of the org's pipelines; it has no position, only an end.
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

/// The last row that was stored; rows are read in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// The row's SystemModstamp.
    #[serde(with = "crate::time::millis")]
    pub system_modstamp: Timestamp,
    /// The row's id, among rows of the same SystemModstamp.
    pub last_id: RecordId,
}

/// How far a scan has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Its org.
    pub org_id: OrgId,
    /// Which scan.
    pub cursor_name: CursorName,
    /// The last row that was stored; `None` before the first.
    #[serde(flatten)]
    pub position: Option<Position>,
    /// Where the running scan goes on, in the scan's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
    /// What was committed before this time was read by the last complete scan: the time when it began.
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    pub covered_until: Option<Timestamp>,
    /// When it last changed.
    #[serde(with = "crate::time::millis")]
    pub updated_at: Timestamp,
}

/// The `cursors` table.
#[derive(Clone, Debug)]
pub struct Cursors {
    table: Table,
}

impl Cursors {
    /// On this table.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table::new(client, table) }
    }

    /// The cursor, or `None` before the first scan.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn load(&self, org: OrgId, name: &CursorName) -> Result<Option<Cursor>, Error> {
        self.table.get("load the cursor", row_key(org, name)).await
    }

    /// The org's cursors.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn list(&self, org: OrgId) -> Result<Vec<Cursor>, Error> {
        self.table.query("list the cursors", ("org_id", org.as_str())).await
    }

    /// Moves the cursor to `to`, after the rows up to there were stored, and says whether it moved: one that is there
    /// already, or further, stays.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn advance(&self, org: OrgId, name: &CursorName, to: Position, now: Timestamp) -> Result<bool, Error> {
        let modstamp = text(time::format(to.system_modstamp));
        let id = text(to.last_id.as_str());
        let update = Update {
            set: vec![
                ("system_modstamp", modstamp.clone()),
                ("last_id", id.clone()),
                ("updated_at", text(time::format(now))),
            ],
            when: rule::IS_BEHIND,
            values: vec![(":modstamp", modstamp), (":id", id)],
            ..Update::default()
        };
        let moved = self.table.update("advance the cursor", row_key(org, name), update).await?;
        Ok(matches!(moved, Conditional::Done(_)))
    }

    /// Notes where the running scan goes on, after the rows up to there were stored.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn store_checkpoint(
        &self,
        org: OrgId,
        name: &CursorName,
        checkpoint: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let update = Update {
            set: vec![("checkpoint", text(checkpoint)), ("updated_at", text(time::format(now)))],
            ..Update::default()
        };
        self.table.update("store the checkpoint", row_key(org, name), update).await.map(drop)
    }

    /// Notes that the running scan, which covers what was committed until then, came to its end, and forgets its checkpoint.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn finish(&self, org: OrgId, name: &CursorName, covered_until: Timestamp) -> Result<(), Error> {
        let covered_until = text(time::format(covered_until));
        let update = Update {
            set: vec![("covered_until", covered_until.clone()), ("updated_at", covered_until)],
            remove: vec!["checkpoint"],
            ..Update::default()
        };
        self.table.update("finish the scan", row_key(org, name), update).await.map(drop)
    }
}

fn row_key(org: OrgId, name: &CursorName) -> Item {
    key([("org_id", org.as_str()), ("cursor_name", &name.0)])
}
