//! The records that the mirror does not have in their newest version.

use jiff::Timestamp;
use salesforce::{ObjectName, RecordId};
use serde::Serialize;
use store::LeftOut;

use super::millis;

/// The records that are named.
const NAMED: usize = 50;

/// The records that the scans left out.
#[derive(Debug, Serialize)]
pub(crate) struct LeftOutView {
    count: usize,
    records: Vec<LeftOutRecord>,
}

/// A record that a scan left out.
#[derive(Debug, Serialize)]
struct LeftOutRecord {
    object: ObjectName,
    id: RecordId,
    reason: String,
    #[serde(serialize_with = "millis")]
    since: Timestamp,
}

impl LeftOutView {
    /// Returns the view of these records; `None` if there are none.
    pub(crate) fn of(left_out: Vec<LeftOut>) -> Option<Self> {
        let count = left_out.len();
        let records = left_out.into_iter().take(NAMED).map(LeftOutRecord::from).collect();
        (count > 0).then_some(Self { count, records })
    }
}

impl From<LeftOut> for LeftOutRecord {
    fn from(row: LeftOut) -> Self {
        Self { object: row.object, id: row.record_id, reason: row.reason, since: row.since }
    }
}
