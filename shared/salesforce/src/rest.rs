//! Single records, describes, and what changed since.

mod describe;

use jiff::Timestamp;
use serde::Deserialize;

pub use describe::{FieldDescribe, ObjectDescribe, ObjectSummary, PicklistEntry, RecordTypeInfo};

use crate::{Client, Error, FieldName, JsonObject, ObjectName, Record, RecordId, datetime};

/// The ids of records that were created or changed in a window.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Updated {
    /// Created or changed, in no order.
    pub ids: Vec<RecordId>,
    /// Where the next window must start: later than this, transactions may not have committed yet.
    #[serde(deserialize_with = "datetime::deserialize")]
    pub latest_date_covered: Timestamp,
}

/// The records that were deleted in a window.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deleted {
    /// The deleted records, those that lost a merge among them.
    #[serde(rename = "deletedRecords")]
    pub records: Vec<DeletedRecord>,
    /// Deletions before this can no longer be asked for.
    #[serde(deserialize_with = "datetime::deserialize")]
    pub earliest_date_available: Timestamp,
    /// Where the next window must start.
    #[serde(deserialize_with = "datetime::deserialize")]
    pub latest_date_covered: Timestamp,
}

/// One deletion.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeletedRecord {
    /// What was deleted.
    pub id: RecordId,
    /// When.
    #[serde(deserialize_with = "datetime::deserialize")]
    pub deleted_date: Timestamp,
}

impl Client {
    /// One record, or `None` when there is none that the connection's user may see.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] when a field is unknown to the user (`INVALID_FIELD`).
    pub async fn fetch_record(
        &self,
        object: &ObjectName,
        id: &RecordId,
        fields: &[FieldName],
    ) -> Result<Option<Record>, Error> {
        todo!()
    }

    /// Creates a record. Not idempotent: prefer [`Client::upsert`] with an external id.
    ///
    /// # Errors
    ///
    /// [`Error::NoAnswer`] when the record may or may not have been created.
    pub async fn create(
        &self,
        object: &ObjectName,
        fields: &JsonObject,
    ) -> Result<RecordId, Error> {
        todo!()
    }

    /// Changes fields of a record.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with `NOT_FOUND` or `ENTITY_IS_DELETED` when there is no such record.
    pub async fn update(
        &self,
        object: &ObjectName,
        id: &RecordId,
        fields: &JsonObject,
    ) -> Result<(), Error> {
        todo!()
    }

    /// Moves a record to the recycle bin.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with `NOT_FOUND` or `ENTITY_IS_DELETED` when there is no such record.
    pub async fn delete(&self, object: &ObjectName, id: &RecordId) -> Result<(), Error> {
        todo!()
    }

    /// An object's fields and record types, as far as the connection's user may see them.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with `NOT_FOUND` when the user may not see the object.
    pub async fn describe(&self, object: &ObjectName) -> Result<ObjectDescribe, Error> {
        todo!()
    }

    /// All objects that the connection's user may see.
    ///
    /// # Errors
    ///
    /// Those of any call.
    pub async fn describe_global(&self) -> Result<Vec<ObjectSummary>, Error> {
        todo!()
    }

    /// What was created or changed from `start` to `end`: at most 30 days back, more than a minute apart.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with `EXCEEDED_ID_LIMIT` when the window holds too many.
    pub async fn fetch_updated(
        &self,
        object: &ObjectName,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<Updated, Error> {
        todo!()
    }

    /// What was deleted from `start` to `end`: at most 30 days back, more than a minute apart.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with `EXCEEDED_ID_LIMIT` when the window holds too many.
    pub async fn fetch_deleted(
        &self,
        object: &ObjectName,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<Deleted, Error> {
        todo!()
    }
}
