//! Many records in one call.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Client, Error, FieldName, JsonObject, ObjectName, Record, RecordId};

/// How many records one [`Client::retrieve`] can ask for.
pub const MAX_RETRIEVE_IDS: usize = 2_000;

/// How many records one [`Client::upsert`] can carry.
pub const MAX_UPSERT_RECORDS: usize = 200;

/// What became of one record of a write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaveOutcome {
    /// The record, unless it failed.
    pub id: Option<RecordId>,
    /// Whether it was written.
    pub success: bool,
    /// Whether it is new.
    #[serde(default)]
    pub created: bool,
    /// Why it was not written.
    #[serde(default)]
    pub errors: Vec<SaveError>,
}

/// Why a record was not written.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaveError {
    /// Salesforce's code, such as `FIELD_CUSTOM_VALIDATION_EXCEPTION`.
    #[serde(alias = "statusCode", alias = "errorCode")]
    pub code: String,
    /// For the person whose record it is. It may hold record data: never log it.
    #[serde(default)]
    pub message: String,
    /// API names of the fields concerned.
    #[serde(default)]
    pub fields: Vec<String>,
}

impl fmt::Debug for SaveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SaveError")
            .field("code", &self.code)
            .field("fields", &self.fields)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Records by id, up to 2,000, in the order of `ids`; `None` for those that do not exist or that the user may not see.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for more than [`MAX_RETRIEVE_IDS`] ids; [`Error::Rejected`] for an unknown field.
    pub async fn retrieve(
        &self,
        object: &ObjectName,
        ids: &[RecordId],
        fields: &[FieldName],
    ) -> Result<Vec<Option<Record>>, Error> {
        todo!()
    }

    /// Creates or changes up to 200 records of one object by an external id that each of them carries.
    ///
    /// Idempotent. The outcomes are in the order of `records`.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for more than [`MAX_UPSERT_RECORDS`] records; [`Error::Rejected`] when the request as a whole
    /// was refused, while a refused record is an outcome.
    pub async fn upsert(
        &self,
        object: &ObjectName,
        external_id: &FieldName,
        records: &[JsonObject],
        all_or_none: bool,
    ) -> Result<Vec<SaveOutcome>, Error> {
        todo!()
    }
}
