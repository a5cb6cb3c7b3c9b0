//! Records that a scan left out, because Salesforce cannot return them or the mirror cannot store them.
//!
//! The cursor moves past such a record, so that it holds up no other. Its row here says so until it is read again.

use jiff::Timestamp;
use salesforce::{ObjectName, OrgId, RecordId};
use serde::{Deserialize, Serialize};

use super::{Cursors, row_key};
use crate::Error;
use crate::cursors::CursorName;
use crate::table::{Expression, KeyRange, Update, text};
use crate::time;

pub(super) const PREFIX: &str = "left_out/";

/// A record that a scan left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The object.
    pub object: ObjectName,
    /// The record's id.
    pub record_id: RecordId,
    /// The reason, as a stable code.
    pub reason: String,
    /// The time since which the record is left out.
    #[serde(with = "crate::time::millis")]
    pub since: Timestamp,
    /// The time of the last attempt.
    #[serde(with = "crate::time::millis")]
    pub updated_at: Timestamp,
}

impl Cursors {
    /// Stores that the record is left out, and why.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn leave_out(
        &self,
        org: OrgId,
        (object, id): (&ObjectName, RecordId),
        reason: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let at = || text(time::format(now));
        let update = Update {
            set: vec![
                ("object", text(object.as_str())),
                ("record_id", text(id.as_str())),
                ("reason", text(reason)),
                ("updated_at", at()),
            ],
            set_once: vec![("since", at())],
            ..Update::default()
        };
        self.table.update("leave the record out", row_key(org, &name(object, id)), update).await.map(drop)
    }

    /// Removes the mark of a record that the mirror has again.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn take_in(&self, org: OrgId, object: &ObjectName, id: RecordId) -> Result<(), Error> {
        let when = Expression { text: "attribute_exists(#org_id)", values: Vec::new() };
        self.table.delete("take the record in", row_key(org, &name(object, id)), when).await.map(drop)
    }

    /// Returns the records of an object that are left out; those of every object without one.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn left_out(&self, org: OrgId, object: Option<&ObjectName>) -> Result<Vec<LeftOut>, Error> {
        let first = object.map_or_else(|| PREFIX.to_owned(), |object| format!("{PREFIX}{object}/"));
        let last = format!("{first}~");
        let range = KeyRange { attribute: "cursor_name", first: &first, last: &last };
        self.table.query_range("list the records that are left out", ("org_id", org.as_str()), range).await
    }
}

fn name(object: &ObjectName, id: RecordId) -> CursorName {
    CursorName(format!("{PREFIX}{object}/{id}"))
}
