//! Single records, describes, and what changed since.

mod describe;

use http::Method;
use jiff::Timestamp;
use serde::Deserialize;

pub use describe::{FieldDescribe, ObjectDescribe, ObjectSummary, PicklistEntry, RecordTypeInfo};

use crate::transport::Request;
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
        let request = Request::get("fetch record", self.row(object, id)).with_query("fields", join(fields));
        let answer = match self.send(&request).await {
            Err(error) if is_gone(&error) => return Ok(None),
            answer => answer?,
        };
        let record = Record::from_json(answer.json()?);
        record.map(Some).ok_or_else(|| answer.invalid("not a record"))
    }

    /// Creates a record. Not idempotent: prefer [`Client::upsert`] with an external id.
    ///
    /// # Errors
    ///
    /// [`Error::NoResponse`] when the record may or may not have been created.
    pub async fn create(&self, object: &ObjectName, fields: &JsonObject) -> Result<RecordId, Error> {
        let path = self.path(&format!("sobjects/{object}"));
        let request = Request::send("create record", Method::POST, path, fields)?;
        let answer = self.send(&request).await?;
        answer.json::<Created>().map(|created| created.id)
    }

    /// Changes fields of a record.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with `NOT_FOUND` or `ENTITY_IS_DELETED` when there is no such record.
    pub async fn update(&self, object: &ObjectName, id: &RecordId, fields: &JsonObject) -> Result<(), Error> {
        let request = Request::send("update record", Method::PATCH, self.row(object, id), fields)?;
        self.send(&request).await.map(drop)
    }

    /// Moves a record to the recycle bin.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with `NOT_FOUND` or `ENTITY_IS_DELETED` when there is no such record.
    pub async fn delete(&self, object: &ObjectName, id: &RecordId) -> Result<(), Error> {
        let request = Request { method: Method::DELETE, ..Request::get("delete record", self.row(object, id)) };
        self.send(&request).await.map(drop)
    }

    /// An object's fields and record types, as far as the connection's user may see them.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with `NOT_FOUND` when the user may not see the object.
    pub async fn describe(&self, object: &ObjectName) -> Result<ObjectDescribe, Error> {
        let path = self.path(&format!("sobjects/{object}/describe"));
        self.send(&Request::get("describe object", path)).await?.json()
    }

    /// All objects that the connection's user may see.
    ///
    /// # Errors
    ///
    /// Those of any call.
    pub async fn describe_global(&self) -> Result<Vec<ObjectSummary>, Error> {
        let request = Request::get("describe all objects", self.path("sobjects"));
        let answer = self.send(&request).await?;
        answer.json::<Objects>().map(|objects| objects.sobjects)
    }

    /// What was created or changed from `start` to `end`: at most 30 days back, more than a minute apart.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with `EXCEEDED_ID_LIMIT` when the window holds too many.
    pub async fn fetch_updated(&self, object: &ObjectName, start: Timestamp, end: Timestamp) -> Result<Updated, Error> {
        let request = self.window("updated", object, start, end);
        self.send(&request).await?.json()
    }

    /// What was deleted from `start` to `end`: at most 30 days back, more than a minute apart.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with `EXCEEDED_ID_LIMIT` when the window holds too many.
    pub async fn fetch_deleted(&self, object: &ObjectName, start: Timestamp, end: Timestamp) -> Result<Deleted, Error> {
        let request = self.window("deleted", object, start, end);
        self.send(&request).await?.json()
    }

    fn row(&self, object: &ObjectName, id: &RecordId) -> String {
        self.path(&format!("sobjects/{object}/{id}"))
    }

    fn window(&self, change: &'static str, object: &ObjectName, start: Timestamp, end: Timestamp) -> Request {
        Request::get(change, self.path(&format!("sobjects/{object}/{change}/")))
            .with_query("start", datetime::render(start))
            .with_query("end", datetime::render(end))
    }
}

#[derive(Deserialize)]
struct Created {
    id: RecordId,
}

#[derive(Deserialize)]
struct Objects {
    sobjects: Vec<ObjectSummary>,
}

/// Field names as lists in URLs take them.
fn join(fields: &[FieldName]) -> String {
    let names: Vec<&str> = fields.iter().map(FieldName::as_str).collect();
    names.join(",")
}

/// Whether a record does not exist, is deleted, or may not be seen: Salesforce tells them apart for nobody.
pub(crate) fn is_gone(error: &Error) -> bool {
    matches!(error, Error::Rejected { status: 404, .. })
        && (error.has_code("NOT_FOUND") || error.has_code("ENTITY_IS_DELETED"))
}
