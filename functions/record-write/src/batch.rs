//! A batch of records to write: parses and validates the request before Salesforce is called.

use std::collections::HashSet;

use salesforce::{FieldName, MAX_UPSERT_RECORDS};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use writes::Defect;

/// The maximum length of an external-id text field.
const MAX_EXTERNAL_ID_CHARS: usize = 255;

/// The expected body, for error texts.
const SHAPE: &str = "the body is an object of external_id_field, records, and all_or_none where it is wanted";

/// A valid batch: every record has an external id that is unique in the batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// The external-id field. It makes a retry update the record that the first attempt created.
    pub external_id_field: FieldName,
    /// `true` where one refused record rolls the others back.
    pub all_or_none: bool,
    /// The records of the request, without `attributes`.
    pub records: Vec<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    external_id_field: String,
    #[serde(default)]
    all_or_none: bool,
    records: Vec<Value>,
}

impl Batch {
    /// Parses a request body.
    ///
    /// # Errors
    /// All defects, at least one, in the order of the records.
    pub fn parse(body: Value) -> Result<Self, Vec<Defect>> {
        let body: Body = serde_json::from_value(body).map_err(|_| vec![Defect::whole(SHAPE)])?;
        let Some(external_id_field) = field_name(&body.external_id_field) else {
            return Err(vec![on_field(None, "external_id_field", "not the API name of a field")]);
        };
        let mut faults = judge_size(body.records.len());
        let mut records = Vec::with_capacity(body.records.len());
        for (index, record) in body.records.into_iter().enumerate() {
            match record {
                Value::Object(fields) => records.push(fields),
                _ => faults.push(Defect { record: Some(index), field: None, detail: "a record must be a JSON object" }),
            }
        }
        if faults.is_empty() {
            faults = judge_records(&external_id_field, &records);
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let records = records.into_iter().map(|record| with_plain_key(&external_id_field, record)).collect();
        Ok(Self { external_id_field, all_or_none: body.all_or_none, records })
    }
}

/// Returns the external id of a record, or its defect.
pub(crate) fn external_id(key: &FieldName, record: &Map<String, Value>) -> Result<String, &'static str> {
    let text = match find_field(record, key.as_str()) {
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Null) | None => return Err("the external id is missing"),
        Some(_) => return Err("the external id must be a text or a number"),
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
fn field_name(name: &str) -> Option<FieldName> {
    name.parse().ok().filter(|_| !name.contains('.'))
}

/// Returns the record with its external id under the batch's name and without surrounding white space, so that records that
/// differ here differ in Salesforce.
fn with_plain_key(key: &FieldName, record: Map<String, Value>) -> Map<String, Value> {
    let plain = |(name, value): (String, Value)| match value {
        Value::String(id) if name.eq_ignore_ascii_case(key.as_str()) => {
            (key.to_string(), Value::String(id.trim().to_owned()))
        }
        value if name.eq_ignore_ascii_case(key.as_str()) => (key.to_string(), value),
        value => (name, value),
    };
    record.into_iter().map(plain).collect()
}

fn judge_size(count: usize) -> Vec<Defect> {
    match count {
        0 => vec![on_field(None, "records", "at least one record is needed")],
        1..=MAX_UPSERT_RECORDS => Vec::new(),
        _ => vec![on_field(None, "records", "at most 200 records go into one request")],
    }
}

fn judge_records(key: &FieldName, records: &[Map<String, Value>]) -> Vec<Defect> {
    let mut faults = Vec::new();
    let mut seen = HashSet::new();
    for (index, record) in records.iter().enumerate() {
        let detail = match external_id(key, record) {
            Err(detail) => Some(detail),
            Ok(id) => (!seen.insert(id)).then_some("another record of this request has the same external id"),
        };
        faults.extend(detail.map(|detail| on_field(Some(index), key.as_str(), detail)));
        faults.extend(judge_fields(index, key, record));
    }
    faults
}

fn judge_fields<'a>(
    index: usize,
    key: &'a FieldName,
    record: &'a Map<String, Value>,
) -> impl Iterator<Item = Defect> + 'a {
    record.iter().enumerate().filter_map(move |(position, (name, value))| {
        let repeated = record.keys().take(position).any(|earlier| earlier.eq_ignore_ascii_case(name));
        let detail = if repeated { Some("the field is named twice") } else { judge_field(key, name, value) };
        detail.map(|detail| on_field(Some(index), name, detail))
    })
}

fn judge_field(key: &FieldName, name: &str, value: &Value) -> Option<&'static str> {
    if name.eq_ignore_ascii_case("attributes") {
        return Some("the object's type comes from the path; leave attributes out");
    }
    if name.eq_ignore_ascii_case("id") && !key.as_str().eq_ignore_ascii_case("id") {
        return Some("an upsert by external id does not take the record's id");
    }
    if field_name(name).is_none() {
        return Some("not the API name of a field or relationship");
    }
    match value {
        Value::Array(_) => Some("a list is no field value"),
        Value::Object(parent) if !is_reference(parent) => {
            Some("a related record is named by one field, as in {\"Ferry_External_Id__c\": \"A-1\"}")
        }
        _ => None,
    }
}

/// A lookup by another record's external id; `attributes` is needed where the relationship has several types.
fn is_reference(parent: &Map<String, Value>) -> bool {
    let mut keys = parent.iter().filter(|(name, _)| *name != "attributes");
    let one = keys
        .next()
        .is_some_and(|(name, value)| name.parse::<FieldName>().is_ok() && (value.is_string() || value.is_number()));
    one && keys.next().is_none()
}

fn on_field(record: Option<usize>, field: &str, detail: &'static str) -> Defect {
    Defect { record, field: Some(field.to_owned()), detail }
}

#[cfg(test)]
mod tests;
