//! A batch of records to write: parses and validates the request before Salesforce is called.

use std::collections::{HashMap, HashSet};

use salesforce::external_id::order_key;
use salesforce::{ExternalIdType, FieldName, MAX_UPSERT_RECORDS, RecordId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use writes::{Defect, unknown_members};

use crate::duplicates::Duplicates;

/// The maximum length of an external-id text field.
const MAX_EXTERNAL_ID_CHARS: usize = 255;

/// The fields with a list: the people of a task and of an event, who are contacts, or one lead.
pub(crate) const PEOPLE: [&str; 2] = ["TaskWhoIds", "EventWhoIds"];

/// The maximum number of people of an activity (Object Reference, `Task` and `Event`).
const MAX_PEOPLE: usize = 50;

/// The expected body, for error texts.
const SHAPE: &str =
    "the body must be an object with external_id_field, records and, optionally, all_or_none and duplicates";

/// The members of the body.
const MEMBERS: [&str; 4] = ["external_id_field", "all_or_none", "duplicates", "records"];

/// The defect of another member.
const UNKNOWN_MEMBER: &str = "there is no such member; allowed: external_id_field, all_or_none, duplicates, records";

/// A valid batch: every record has an external id that is unique in the batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// The external-id field. It makes a retry update the record that the first attempt created.
    pub external_id_field: FieldName,
    /// `true` if one refused record rolls the others back.
    pub all_or_none: bool,
    /// The effect of duplicate rules.
    #[serde(default, skip_serializing_if = "Duplicates::is_default")]
    pub duplicates: Duplicates,
    /// The records of the request, without `attributes`.
    pub records: Vec<Map<String, Value>>,
}

#[derive(Deserialize)]
struct Body {
    external_id_field: String,
    #[serde(default)]
    all_or_none: bool,
    #[serde(default)]
    duplicates: Option<Value>,
    records: Vec<Value>,
}

impl Batch {
    /// Parses a request body.
    ///
    /// # Errors
    /// All defects, at least one, in the order of the records.
    pub fn parse(body: Value) -> Result<Self, Vec<Defect>> {
        let unknown = unknown_members(&body, &MEMBERS, UNKNOWN_MEMBER);
        if !unknown.is_empty() {
            return Err(unknown);
        }
        let body: Body = serde_json::from_value(body).map_err(|_| vec![Defect::whole(SHAPE)])?;
        let Some(external_id_field) = field_name(&body.external_id_field) else {
            return Err(vec![on_field(None, "external_id_field", "must be the API name of a field")]);
        };
        let duplicates = Duplicates::parse(body.duplicates).map_err(|defect| vec![defect])?;
        if duplicates == Duplicates::Adopt && external_id_field.as_str().eq_ignore_ascii_case("id") {
            let detail = "`adopt` needs an external id, which the record that is there gets";
            return Err(vec![on_field(None, "duplicates", detail)]);
        }
        let mut defects = validate_size(body.records.len());
        let mut records = Vec::with_capacity(body.records.len());
        for (index, record) in body.records.into_iter().enumerate() {
            match record {
                Value::Object(fields) => records.push(fields),
                _ => defects.push(Defect::record(index, "a record must be a JSON object")),
            }
        }
        if defects.is_empty() {
            defects = validate_records(&external_id_field, &records);
        }
        if !defects.is_empty() {
            return Err(defects);
        }
        let records = records.into_iter().map(|record| with_normalized_key(&external_id_field, record)).collect();
        Ok(Self { external_id_field, all_or_none: body.all_or_none, duplicates, records })
    }

    /// Returns whether two records may have the same external id to Salesforce.
    pub(crate) fn may_have_duplicates(&self) -> bool {
        let mut seen = HashSet::new();
        !self.external_ids().filter_map(|(_, value)| order_key(value)).all(|key| seen.insert(key))
    }

    /// Checks that no two records have the same external id, as a field of this type compares them.
    ///
    /// # Errors
    /// Two defects for each record that repeats an earlier one: its own, and the earlier one's.
    pub(crate) fn require_distinct(&self, key_type: &ExternalIdType) -> Result<(), Vec<Defect>> {
        let mut first = HashMap::new();
        let mut defects = Vec::new();
        for (index, value) in self.external_ids() {
            let Some(canonical) = key_type.canonical(value) else { continue };
            if let Some(earlier) = first.insert(canonical, index) {
                let detail = "the external id is the same to Salesforce as that of another record of this request";
                let defect = |index| on_field(Some(index), self.external_id_field.as_str(), detail);
                defects.extend([defect(earlier), defect(index)]);
            }
        }
        if defects.is_empty() { Ok(()) } else { Err(defects) }
    }

    /// Returns the external ids with the positions of their records.
    pub(crate) fn external_ids(&self) -> impl Iterator<Item = (usize, &Value)> {
        let field = self.external_id_field.as_str();
        self.records.iter().enumerate().filter_map(move |(index, record)| Some((index, find_field(record, field)?)))
    }
}

/// Returns the external id of a record, or its defect.
pub(crate) fn external_id(key: &FieldName, record: &Map<String, Value>) -> Result<String, &'static str> {
    let text = match find_field(record, key.as_str()) {
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Null) | None => return Err("the external id is missing"),
        Some(_) => return Err("the external id must be a string or a number"),
    };
    match text.chars().count() {
        0 => Err("the external id is empty"),
        1..=MAX_EXTERNAL_ID_CHARS => Ok(text),
        _ => Err("the external id is longer than 255 characters"),
    }
}

/// Finds a field by name; Salesforce's field names ignore case.
pub(crate) fn find_field<'a>(record: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    record.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// Parses the name of a field of the record itself; `None` for a field of a related record.
pub(crate) fn field_name(name: &str) -> Option<FieldName> {
    name.parse().ok().filter(|_| !name.contains('.'))
}

/// Returns the record with its external id trimmed and under the batch's name for it, so that records that differ here differ
/// in Salesforce.
fn with_normalized_key(key: &FieldName, record: Map<String, Value>) -> Map<String, Value> {
    let normalized = |(name, value): (String, Value)| match value {
        Value::String(id) if name.eq_ignore_ascii_case(key.as_str()) => {
            (key.to_string(), Value::String(id.trim().to_owned()))
        }
        value if name.eq_ignore_ascii_case(key.as_str()) => (key.to_string(), value),
        value => (name, value),
    };
    record.into_iter().map(normalized).collect()
}

/// Returns the defect of a request with so many records.
pub(crate) fn validate_size(count: usize) -> Vec<Defect> {
    match count {
        0 => vec![on_field(None, "records", "at least one record is required")],
        1..=MAX_UPSERT_RECORDS => Vec::new(),
        _ => vec![on_field(None, "records", "a request must not have more than 200 records")],
    }
}

fn validate_records(key: &FieldName, records: &[Map<String, Value>]) -> Vec<Defect> {
    let mut defects = Vec::new();
    let mut seen = HashSet::new();
    for (index, record) in records.iter().enumerate() {
        let detail = match external_id(key, record) {
            Err(detail) => Some(detail),
            Ok(id) => (!seen.insert(id)).then_some("another record of this request has the same external id"),
        };
        defects.extend(detail.map(|detail| on_field(Some(index), key.as_str(), detail)));
        defects.extend(validate_fields(index, Some(key), record));
    }
    defects
}

/// Returns the defects of a record's fields. `key` is the external-id field, if there is one.
pub(crate) fn validate_fields<'a>(
    index: usize,
    key: Option<&'a FieldName>,
    record: &'a Map<String, Value>,
) -> impl Iterator<Item = Defect> + 'a {
    record.iter().enumerate().filter_map(move |(position, (name, value))| {
        let repeated = record.keys().take(position).any(|earlier| earlier.eq_ignore_ascii_case(name));
        let detail = if repeated { Some("the field occurs more than once") } else { validate_field(key, name, value) };
        detail.map(|detail| on_field(Some(index), name, detail))
    })
}

fn validate_field(key: Option<&FieldName>, name: &str, value: &Value) -> Option<&'static str> {
    if name.eq_ignore_ascii_case("attributes") {
        return Some("must be omitted: the path names the object");
    }
    if name.eq_ignore_ascii_case("id") {
        match key {
            Some(key) if is_id(key) => {}
            Some(_) => return Some("must be omitted: the external id identifies the record"),
            None => return Some("must be omitted: Salesforce gives a new record its id"),
        }
    }
    if field_name(name).is_none() {
        return Some("must be the API name of a field or relationship");
    }
    match value {
        Value::Array(list) => list_defect(name, list),
        Value::Object(parent) if !is_reference(parent) => {
            Some("a related record must have exactly one external id, such as {\"Ferry_External_Id__c\": \"A-1\"}")
        }
        _ => None,
    }
}

/// Returns the defect of a list: only the people of an activity are one.
pub(crate) fn list_defect(name: &str, list: &[Value]) -> Option<&'static str> {
    if !PEOPLE.iter().any(|people| name.eq_ignore_ascii_case(people)) {
        return Some("a field value must not be a list");
    }
    let is_id = |id: &Value| id.as_str().is_some_and(|id| id.parse::<RecordId>().is_ok());
    let valid = list.len() <= MAX_PEOPLE && list.iter().all(is_id);
    (!valid).then_some("must be a list of at most 50 record ids")
}

/// Returns whether a value names a related record by one external id. `attributes` may be beside it: Salesforce needs them
/// for a relationship to several objects.
pub(crate) fn is_reference(parent: &Map<String, Value>) -> bool {
    let mut keys = parent.iter().filter(|(name, _)| *name != "attributes");
    let one = keys
        .next()
        .is_some_and(|(name, value)| name.parse::<FieldName>().is_ok() && (value.is_string() || value.is_number()));
    one && keys.next().is_none()
}

/// Returns whether the key is the record id: such an upsert only updates.
pub(crate) fn is_id(key: &FieldName) -> bool {
    key.as_str().eq_ignore_ascii_case("id")
}

pub(crate) fn on_field(record: Option<usize>, field: &str, detail: &'static str) -> Defect {
    Defect { record, ..Defect::field(field, detail) }
}

#[cfg(test)]
mod tests;
