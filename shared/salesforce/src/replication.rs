//! The replication API: the records of an object that were deleted in a time window (`getDeleted`).

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use crate::transport::Request;
use crate::{Client, Error, ObjectName, RecordId, datetime};

/// The deleted records of a time window.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeletedRecords {
    /// The deleted records. Records that were purged from the recycle bin are missing.
    pub deleted_records: Vec<DeletedRecord>,
    /// The time before which Salesforce knows of no deletion any more.
    #[serde(deserialize_with = "date_time")]
    pub earliest_date_available: Timestamp,
    /// The time up to which the answer is complete; the next window begins here, and not at the end that was asked for, because
    /// a long transaction commits late.
    #[serde(deserialize_with = "date_time")]
    pub latest_date_covered: Timestamp,
}

/// A deleted record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeletedRecord {
    /// The record's id.
    pub id: RecordId,
    /// The time of the deletion.
    #[serde(deserialize_with = "date_time")]
    pub deleted_date: Timestamp,
}

fn date_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    datetime::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

impl Client {
    /// Fetches the records of an object that were deleted in a time window. Salesforce ignores the seconds; the window is longer
    /// than a minute and begins within the last 30 days.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with `INVALID_REPLICATION_DATE` for another window, `EXCEEDED_ID_LIMIT` for more than 600,000
    /// records, and another code where the object is not `replicateable`.
    pub async fn get_deleted(
        &self,
        object: &ObjectName,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<DeletedRecords, Error> {
        let path = self.path(&format!("sobjects/{object}/deleted/"));
        let request = Request::get("list the deleted records", path)
            .with_query("start", datetime::render(start))
            .with_query("end", datetime::render(end));
        self.send(&request).await?.json()
    }
}
