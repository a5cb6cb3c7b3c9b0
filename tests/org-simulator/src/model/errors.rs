//! The errors of the data API, with Salesforce's codes and JSON.

use serde_json::{Value, json};

use crate::Error;
use crate::model::ids::RecordId;
use crate::model::versions;

/// An error of the data API: a status, a code and a message, with the fields that it is about.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// The list of fields; `None` leaves it out of the body.
    pub(crate) fields: Option<Vec<String>>,
    /// An additional entry of the body, by name.
    pub(crate) more: Option<Box<(&'static str, Value)>>,
    /// Further errors about the same record.
    pub(crate) also: Vec<ApiError>,
}

impl ApiError {
    /// Returns an error with status 400 and without a list of fields.
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: 400, code, message: message.into(), fields: None, more: None, also: Vec::new() }
    }

    pub(crate) fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn fields(mut self, fields: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.fields = Some(fields.into_iter().map(Into::into).collect());
        self
    }

    /// Adds an empty list of fields, where Salesforce sends one.
    pub(crate) fn no_fields(mut self) -> Self {
        self.fields = Some(Vec::new());
        self
    }

    /// Adds an entry to the body of a failed request.
    pub(crate) fn with(mut self, name: &'static str, value: Value) -> Self {
        self.more = Some(Box::new((name, value)));
        self
    }

    pub(crate) fn not_found() -> Self {
        Self::new("NOT_FOUND", "The requested resource does not exist").status(404)
    }

    /// Returns the error for a record without an id in `an update` or `a delete`.
    pub(crate) fn no_id(call: &str) -> Self {
        Self::new("MISSING_ARGUMENT", format!("Id not specified in {call} call")).no_fields()
    }

    pub(crate) fn no_external_id_field(name: &str) -> Self {
        Self::new("NOT_FOUND", format!("Provided external ID field does not exist or is not accessible: {name}"))
            .status(404)
    }

    pub(crate) fn deleted() -> Self {
        Self::new("ENTITY_IS_DELETED", "entity is deleted").status(404).no_fields()
    }

    pub(crate) fn no_column(field: &str, object: &str) -> Self {
        Self::new("INVALID_FIELD", format!("No such column '{field}' on sobject of type {object}"))
    }

    pub(crate) fn not_writeable(fields: Vec<String>) -> Self {
        let message = format!(
            "Unable to create/update fields: {}. Please check the security settings of this field and verify that it is \
             read/write for your profile or permission set.",
            fields.join(", ")
        );
        Self::new("INVALID_FIELD_FOR_INSERT_UPDATE", message).fields(fields)
    }

    pub(crate) fn invalid_type(object: &str) -> Self {
        let message = format!(
            "sObject type '{object}' is not supported. If you are attempting to use a custom object, be sure to append the '__c' \
             after the entity name. Please reference your WSDL or the describe call for the appropriate names."
        );
        Self::new("INVALID_TYPE", message)
    }

    pub(crate) fn no_reference(field: &str) -> Self {
        Self::new("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id").fields([field])
    }

    pub(crate) fn no_access() -> Self {
        Self::new("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id").status(403).no_fields()
    }

    pub(crate) fn no_access_to_reference(id: RecordId) -> Self {
        let message = format!("insufficient access rights on cross-reference id: {}", id.short());
        Self::new("INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", message).no_fields()
    }

    /// Returns the error of a valid record in a collection that was rolled back because another record failed.
    pub(crate) fn rolled_back() -> Self {
        let message =
            "Record rolled back because not all records were valid and the request was using AllOrNone header";
        Self::new("ALL_OR_NONE_OPERATION_ROLLED_BACK", message).no_fields()
    }

    pub(crate) fn bad_json(message: impl Into<String>) -> Self {
        Self::new("JSON_PARSER_ERROR", message)
    }

    pub(crate) fn method_not_allowed(method: &str, allowed: &str) -> Self {
        Self::new("METHOD_NOT_ALLOWED", format!("HTTP Method '{method}' not allowed. Allowed are {allowed}"))
            .status(405)
    }

    /// Returns the error for a retired API version. The status is documented; the code and the message are those of the
    /// SOAP API and unverified here.
    pub(crate) fn retired_version(version: &str) -> Self {
        Self::new("UNSUPPORTED_API_VERSION", retired_message(version)).status(410)
    }

    pub(crate) fn session_expired() -> Self {
        Self::new("INVALID_SESSION_ID", "Session expired or invalid").status(401)
    }

    /// Returns the error for a request beside too many long-running ones (seen in a client's bug report).
    pub(crate) fn too_many_at_once() -> Self {
        let message = "ConcurrentRequests (Concurrent API Requests) Limit exceeded.";
        Self::new("REQUEST_LIMIT_EXCEEDED", message).status(403)
    }

    pub(crate) fn limit_exceeded() -> Self {
        Self::new("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.").status(403)
    }

    /// Returns this error and the further ones.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.also)
    }

    /// Returns the body of a failed request: an array with an object for each error.
    pub(crate) fn body(&self) -> Value {
        self.all().map(Self::entry).collect()
    }

    fn entry(&self) -> Value {
        let mut error = json!({"message": self.message, "errorCode": self.code});
        if let (Some(fields), Some(error)) = (&self.fields, error.as_object_mut()) {
            error.insert("fields".to_owned(), json!(fields));
        }
        if let (Some(more), Some(error)) = (&self.more, error.as_object_mut()) {
            error.insert(more.0.to_owned(), more.1.clone());
        }
        error
    }

    /// Returns the entry in a collection's result: the code is named `statusCode`, and the fields are always present.
    pub(crate) fn result(&self) -> Value {
        let entry = |error: &Self| {
            let fields = error.fields.clone().unwrap_or_default();
            json!({"statusCode": error.code, "message": error.message, "fields": fields})
        };
        json!({"success": false, "errors": self.all().map(entry).collect::<Vec<_>>()})
    }
}

/// Returns the message about a retired API version (seen in a client's bug report).
pub(crate) fn retired_message(version: &str) -> String {
    format!(
        "The API version that was specified ({version}) is below the minimum supported ({}). Change the version number \
         and run the request again.",
        versions::oldest()
    )
}

impl From<ApiError> for Error {
    fn from(error: ApiError) -> Self {
        Self::Refused { code: error.code.to_owned(), message: error.message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_key_differs_between_a_request_and_a_collection() {
        let error =
            ApiError::new("REQUIRED_FIELD_MISSING", "Required fields are missing: [LastName]").fields(["LastName"]);

        assert_eq!(error.body()[0]["errorCode"], "REQUIRED_FIELD_MISSING");
        assert_eq!(error.result()["errors"][0]["statusCode"], "REQUIRED_FIELD_MISSING");
        assert_eq!(error.result()["errors"][0]["fields"][0], "LastName");
    }

    #[test]
    fn fields_are_left_out_where_salesforce_leaves_them_out() {
        assert_eq!(
            ApiError::not_found().body(),
            json!([{"message": "The requested resource does not exist", "errorCode": "NOT_FOUND"}])
        );
        assert_eq!(ApiError::deleted().body()[0]["fields"], json!([]));
    }
}
