//! sObject Collections: reads, upserts and creations of many records in one call.

use std::fmt;

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::duplicates::DuplicateResult;
use crate::error::{is_rollback, record_retry};
use crate::transport::{Request, Response};
use crate::{Classify, Client, Error, FieldName, JsonObject, ObjectName, Record, RecordId, Retry};

/// The maximum number of records of one [`Client::retrieve`].
pub const MAX_RETRIEVE_IDS: usize = 2_000;

/// The maximum number of records of one [`Client::upsert`] or [`Client::create`].
pub const MAX_UPSERT_RECORDS: usize = 200;

/// The options of a save of several records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SaveOptions {
    /// One refused record rolls the others back.
    pub all_or_none: bool,
    /// Saves records although a duplicate rule alerts. A rule that blocks refuses them nevertheless.
    pub allow_duplicates: bool,
}

impl Request {
    /// Adds the headers of the options.
    fn with_options(self, options: SaveOptions) -> Self {
        let (name, value) = SaveOptions::ALLOW_DUPLICATES;
        if options.allow_duplicates { self.with_header(name, value) } else { self }
    }
}

impl SaveOptions {
    /// The header that lets a record be saved although a duplicate rule alerts (REST API Developer Guide, "Duplicate Rule
    /// Header").
    pub(crate) const ALLOW_DUPLICATES: (&'static str, &'static str) =
        ("sforce-duplicate-rule-header", "allowSave=true");
}

/// The outcome of one record of a write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaveOutcome {
    /// The id of the record; `None` if it was not written.
    #[serde(default)]
    pub id: Option<RecordId>,
    /// `true` if the record was written.
    pub success: bool,
    /// `true` if the record was created.
    #[serde(default)]
    pub created: bool,
    /// The reasons for which it was not written.
    #[serde(default)]
    pub errors: Vec<SaveError>,
}

/// A reason for which a record was not written.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "ReadError")]
pub struct SaveError {
    /// Salesforce's code, such as `FIELD_CUSTOM_VALIDATION_EXCEPTION`.
    pub code: String,
    /// The message for the user. It may hold record data: never log it.
    pub message: String,
    /// API names of the fields concerned.
    pub fields: Vec<String>,
    /// The existing records that a duplicate rule found, or that have the same value in a unique field, where Salesforce names
    /// them and the user sees them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub existing_ids: Vec<RecordId>,
    /// The result of the duplicate rule that refused the record, where Salesforce returns it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicates: Option<DuplicateResult>,
}

/// An error as Salesforce returns it, or as [`SaveError`] was stored.
#[derive(Deserialize)]
struct ReadError {
    #[serde(alias = "statusCode", alias = "errorCode")]
    code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    fields: Vec<String>,
    #[serde(default, alias = "duplicateResult", alias = "duplicateResut")]
    existing_ids: Value,
    #[serde(default)]
    duplicates: Option<DuplicateResult>,
}

impl From<ReadError> for SaveError {
    fn from(ReadError { code, message, fields, existing_ids: existing, duplicates }: ReadError) -> Self {
        let duplicates = duplicates.or_else(|| DuplicateResult::read(&existing));
        let mut existing_ids = Vec::new();
        collect_ids(&existing, false, &mut existing_ids);
        Self { code, message, fields, existing_ids, duplicates }.with_duplicate()
    }
}

impl SaveError {
    /// Returns whether the error only means that another part of the same request failed.
    #[must_use]
    pub fn is_rollback(&self) -> bool {
        is_rollback(&self.code)
    }

    /// Adds the record that the message of a duplicate value names: `... duplicates value on record with id: 001...`.
    pub(crate) fn with_duplicate(mut self) -> Self {
        if self.code == "DUPLICATE_VALUE" && self.existing_ids.is_empty() {
            let id = self.message.rsplit_once("id: ").map(|(_, id)| id.trim_end_matches(['.', ' ']));
            self.existing_ids.extend(id.and_then(|id| id.parse::<RecordId>().ok()));
        }
        self
    }
}

impl fmt::Debug for SaveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SaveError").field("code", &self.code).field("fields", &self.fields).finish_non_exhaustive()
    }
}

impl Classify for SaveError {
    fn retry(&self) -> Retry {
        record_retry(&self.code, &self.message)
    }
}

/// Adds a list of ids, or the ids of all matched records in a `DuplicateResult`. Its form in a collection is not documented, so
/// anything else is no id.
fn collect_ids(value: &Value, is_record: bool, ids: &mut Vec<RecordId>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| match item {
            Value::String(id) => ids.extend(id.parse::<RecordId>()),
            item => collect_ids(item, false, ids),
        }),
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(id) if is_record && name.eq_ignore_ascii_case("id") => {
                        ids.extend(id.parse::<RecordId>())
                    }
                    member => collect_ids(member, name == "record", ids),
                }
            }
        }
        _ => {}
    }
}

/// Builds the body, with the type of every record. Rejects records without an external id, of which Salesforce would create
/// another one at each retry.
fn upsert_body(
    object: &ObjectName,
    external_id: &FieldName,
    records: &[JsonObject],
    all_or_none: bool,
) -> Result<Value, Error> {
    let invalid = |reason| Error::Invalid { what: "upsert", reason };
    if records.len() > MAX_UPSERT_RECORDS {
        return Err(invalid("has more than 200 records"));
    }
    let has_id = |record: &JsonObject| match record.get(external_id.as_str()) {
        Some(Value::String(id)) => !id.is_empty(),
        Some(Value::Number(_)) => true,
        _ => false,
    };
    if !records.iter().all(has_id) {
        return Err(invalid("has a record without its external id"));
    }
    Ok(typed_body(object, records, all_or_none))
}

/// Returns the body of a write of records of one object, with the type of every record.
fn typed_body(object: &ObjectName, records: &[JsonObject], all_or_none: bool) -> Value {
    let typed = records.iter().map(|record| {
        let mut typed = JsonObject::new();
        typed.insert("attributes".to_owned(), json!({"type": object}));
        typed.extend(record.clone().into_iter().filter(|(name, _)| name != "attributes"));
        typed
    });
    json!({"allOrNone": all_or_none, "records": typed.collect::<Vec<_>>()})
}

impl Client {
    /// Retrieves up to 2,000 records, in the order of `ids`. A record is `None` if it does not exist or is not visible to the user.
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
        if ids.len() > MAX_RETRIEVE_IDS {
            return Err(Error::Invalid { what: "retrieve", reason: "has more than 2,000 ids" });
        }
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let path = self.path(&format!("composite/sobjects/{object}"));
        let body = json!({"ids": ids, "fields": fields});
        let request = Request::send("retrieve records", Method::POST, path, &body)?.idempotent();
        let response = self.send(&request).await?;
        let rows: Vec<Value> = response.json()?;
        if rows.len() != ids.len() {
            return Err(response.invalid("not one row per id"));
        }
        let records = rows.into_iter().map(|row| match row {
            Value::Null => Ok(None),
            row => Record::from_json(row).map(Some).ok_or_else(|| response.invalid("a row that is not a record")),
        });
        records.collect()
    }

    /// Upserts up to 200 records of one object by an external id, which each of them must have.
    ///
    /// Idempotent, but not retried after an unknown outcome: a caller that sends it again has to know that `created` may then
    /// be false for a record that the first request created. The outcomes are in the order of `records`.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for more than [`MAX_UPSERT_RECORDS`] records; [`Error::Rejected`] if Salesforce rejected the
    /// whole request. A rejected record is an outcome.
    pub async fn upsert(
        &self,
        object: &ObjectName,
        external_id: &FieldName,
        records: &[JsonObject],
        options: SaveOptions,
    ) -> Result<Vec<SaveOutcome>, Error> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let body = upsert_body(object, external_id, records, options.all_or_none)?;
        let path = self.path(&format!("composite/sobjects/{object}/{external_id}"));
        let request =
            Request::send("upsert records", Method::PATCH, path, &body)?.unless_applied().with_options(options);
        let response = self.send(&request).await?;
        outcomes(&response, records.len()).inspect_err(|_| self.mark_lost_write())
    }

    /// Creates up to 200 records of one object. The outcomes are in the order of `records`.
    ///
    /// Not idempotent: a request with an unknown outcome is not sent again, and the caller has to look for its records first.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for more than [`MAX_UPSERT_RECORDS`] records; [`Error::Rejected`] if Salesforce rejected the
    /// whole request. A rejected record is an outcome.
    pub async fn create(
        &self,
        object: &ObjectName,
        records: &[JsonObject],
        options: SaveOptions,
    ) -> Result<Vec<SaveOutcome>, Error> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        if records.len() > MAX_UPSERT_RECORDS {
            return Err(Error::Invalid { what: "creation", reason: "has more than 200 records" });
        }
        let body = typed_body(object, records, options.all_or_none);
        let path = self.path("composite/sobjects");
        let request = Request::send("create records", Method::POST, path, &body)?.unless_applied();
        let request = request.with_options(options);
        let response = self.send(&request).await?;
        let mut outcomes = outcomes(&response, records.len()).inspect_err(|_| self.mark_lost_write())?;
        // The response to a creation has no member `created`.
        outcomes.iter_mut().for_each(|outcome| outcome.created = outcome.success);
        Ok(outcomes)
    }

    /// Moves up to 200 records of any objects to the recycle bin. The outcomes are in the order of `ids`; that of a record which
    /// is there already has the error `ENTITY_IS_DELETED`.
    ///
    /// Repeated after a lost response, so such an outcome may be that of an earlier request.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for more than [`MAX_UPSERT_RECORDS`] ids; [`Error::Rejected`] if Salesforce rejected the whole
    /// request. A record that was not deleted is an outcome.
    pub async fn delete(&self, ids: &[RecordId]) -> Result<Vec<SaveOutcome>, Error> {
        if ids.len() > MAX_UPSERT_RECORDS {
            return Err(Error::Invalid { what: "deletion", reason: "has more than 200 ids" });
        }
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let list = ids.iter().map(RecordId::as_str).collect::<Vec<_>>().join(",");
        let request = Request::delete("delete records", self.path("composite/sobjects"))
            .with_query("ids", list)
            .with_query("allOrNone", "false");
        let response = self.send(&request).await?;
        outcomes(&response, ids.len()).inspect_err(|_| self.mark_lost_write())
    }
}

/// Parses the response to a write of `count` records.
pub(crate) fn outcomes(response: &Response, count: usize) -> Result<Vec<SaveOutcome>, Error> {
    let outcomes: Vec<SaveOutcome> = response.json()?;
    if outcomes.len() == count { Ok(outcomes) } else { Err(response.invalid("not one outcome per record")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OBJECT: ObjectName = ObjectName::from_static("Account");
    const KEY: FieldName = FieldName::from_static("Ferry_External_Id__c");

    fn record(json: Value) -> JsonObject {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn every_record_of_an_upsert_has_its_type() {
        let record = record(json!({"Ferry_External_Id__c": "A-1", "attributes": {"type": "Lead"}}));
        let body = upsert_body(&OBJECT, &KEY, &[record], true).unwrap();
        let expected = json!({"allOrNone": true, "records": [
            {"attributes": {"type": "Account"}, "Ferry_External_Id__c": "A-1"}
        ]});
        assert_eq!(body, expected);
    }

    #[test]
    fn a_record_without_its_external_id_is_not_sent() {
        for id in [json!(null), json!(""), json!({"a": 1})] {
            let record = record(json!({"Ferry_External_Id__c": id}));
            assert!(upsert_body(&OBJECT, &KEY, &[record], false).is_err());
        }
        assert!(upsert_body(&OBJECT, &KEY, &[record(json!({"Name": "x"}))], false).is_err());
    }

    #[test]
    fn more_than_200_records_are_not_sent() {
        let records = vec![record(json!({"Ferry_External_Id__c": "A-1"})); 201];
        assert!(upsert_body(&OBJECT, &KEY, &records, false).is_err());
        assert!(upsert_body(&OBJECT, &KEY, &records[..200], false).is_ok());
    }

    #[test]
    fn the_records_that_a_duplicate_rule_found_are_named() {
        let json = json!({"statusCode": "DUPLICATES_DETECTED", "message": "Use one of these records?", "fields": [],
        "duplicateResult": {"allowSave": true, "duplicateRule": "Standard_Account_Duplicate_Rule", "matchResults": [
            {"matchRule": "M", "matchRecords": [
                {"matchConfidence": 90.0, "record": {"attributes": {"type": "Account"}, "Id": "001D000000IRFmaIAH"}},
                {"matchConfidence": 80.0, "record": {"attributes": {"type": "Account"}, "Id": "not an id"}},
            ]},
        ]}});
        let error: SaveError = serde_json::from_value(json).unwrap();
        assert_eq!(error.existing_ids, ["001D000000IRFmaIAH".parse().unwrap()]);
        assert_eq!(error.duplicates.as_ref().unwrap().matches.len(), 1);
        let stored: SaveError = serde_json::from_value(serde_json::to_value(&error).unwrap()).unwrap();
        assert_eq!(stored, error);
        let odd: SaveError = serde_json::from_value(json!({"code": "X", "duplicateResult": "?"})).unwrap();
        assert_eq!(odd.existing_ids, []);
    }

    #[test]
    fn the_record_with_a_duplicate_value_is_named() {
        let message = "duplicate value found: Code__c duplicates value on record with id: 001D000000IRFma";
        let error =
            SaveError { code: "DUPLICATE_VALUE".to_owned(), message: message.to_owned(), ..SaveError::default() };
        assert_eq!(error.with_duplicate().existing_ids, ["001D000000IRFmaIAH".parse().unwrap()]);
    }

    #[test]
    fn debug_output_does_not_contain_the_message() {
        let json = r#"{"success":false,"errors":[{"statusCode":"DUPLICATE_VALUE","message":"rose@edge.com","fields":["Email"]}]}"#;
        let outcome: SaveOutcome = serde_json::from_str(json).unwrap();
        assert_eq!(outcome.id, None);
        assert_eq!(outcome.errors[0].message, "rose@edge.com");
        assert!(!format!("{outcome:?}").contains("rose"));
    }
}
