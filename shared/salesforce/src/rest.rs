//! Single records and describes.

mod describe;

use http::Method;
use serde::Deserialize;

pub use describe::{FieldDescribe, ObjectDescribe, ObjectSummary, PicklistEntry, RecordTypeInfo};

use crate::transport::Request;
use crate::{Client, Error, JsonObject, ObjectName, RecordId};

impl Client {
    /// Creates a record. Not idempotent: prefer [`Client::upsert`] with an external id.
    ///
    /// # Errors
    ///
    /// [`Error::NoResponse`] if it is unknown whether the record was created.
    pub async fn create(&self, object: &ObjectName, fields: &JsonObject) -> Result<RecordId, Error> {
        let path = self.path(&format!("sobjects/{object}"));
        let request = Request::send("create the record", Method::POST, path, fields)?;
        let response = self.send(&request).await?;
        response.json::<Created>().map(|created| created.id)
    }

    /// Updates fields of a record.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with `NOT_FOUND` or `ENTITY_IS_DELETED` if the record does not exist.
    pub async fn update(&self, object: &ObjectName, id: &RecordId, fields: &JsonObject) -> Result<(), Error> {
        let request = Request::send("update the record", Method::PATCH, self.row(object, id), fields)?;
        self.send(&request).await.map(drop)
    }

    /// Moves a record to the recycle bin.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with `NOT_FOUND` or `ENTITY_IS_DELETED` if the record does not exist.
    pub async fn delete(&self, object: &ObjectName, id: &RecordId) -> Result<(), Error> {
        let request = Request { method: Method::DELETE, ..Request::get("delete the record", self.row(object, id)) };
        self.send(&request).await.map(drop)
    }

    /// Returns the fields and record types of an object that the connected user can access.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with `NOT_FOUND` if the user has no access to the object.
    pub async fn describe(&self, object: &ObjectName) -> Result<ObjectDescribe, Error> {
        let path = self.path(&format!("sobjects/{object}/describe"));
        self.send(&Request::get("describe the object", path)).await?.json()
    }

    /// Returns all objects that the connected user can access.
    ///
    /// # Errors
    ///
    /// Those of any call.
    pub async fn describe_global(&self) -> Result<Vec<ObjectSummary>, Error> {
        let request = Request::get("list the objects", self.path("sobjects"));
        let response = self.send(&request).await?;
        response.json::<Objects>().map(|objects| objects.sobjects)
    }

    fn row(&self, object: &ObjectName, id: &RecordId) -> String {
        self.path(&format!("sobjects/{object}/{id}"))
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

/// Returns whether a record does not exist, is deleted, or is not visible to the user. Salesforce does not distinguish them.
pub(crate) fn is_gone(error: &Error) -> bool {
    matches!(error, Error::Rejected { status: 404, .. })
        && (error.has_code("NOT_FOUND") || error.has_code("ENTITY_IS_DELETED"))
}
