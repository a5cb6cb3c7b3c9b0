//! Describes.

mod describe;

use serde::Deserialize;

pub use describe::{FieldDescribe, ObjectDescribe, ObjectSummary, PicklistEntry, RecordTypeInfo};

use crate::transport::Request;
use crate::{Client, Error, ObjectName};

impl Client {
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
