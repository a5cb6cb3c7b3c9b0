//! The request for a graph: parses and validates it before Salesforce is called.

use std::collections::HashSet;

use salesforce::graph::{MAX_OBJECTS, has_reference, is_path_segment};
use salesforce::{FieldName, MAX_UPSERT_RECORDS, ObjectName};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use writes::{Defect, unknown_members};

use crate::batch::{external_id, field_name, find_field, is_reference, list_defect};
use crate::duplicates::Duplicates;

/// The member of a reference that names a new record of the request.
pub(crate) const CLIENT_KEY: &str = "client_key";

const SHAPE: &str = "the body must be an object with records and, optionally, duplicates";
const MEMBERS: [&str; 2] = ["duplicates", "records"];
const UNKNOWN_MEMBER: &str = "there is no such member; allowed: duplicates, records";
const RECORD_MEMBERS: [&str; 4] = ["object", "external_id_field", CLIENT_KEY, "fields"];
/// The maximum length of a client key.
const MAX_CLIENT_KEY_CHARS: usize = 255;

/// A record of the request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GraphRecord {
    /// The object.
    pub object: ObjectName,
    /// The external-id field of a record that is upserted; `Id` for one that exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id_field: Option<FieldName>,
    /// The platform's name for a record that is created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_key: Option<String>,
    /// The fields, with the external id.
    pub fields: Map<String, Value>,
}

/// A valid request: every record is either upserted or created.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GraphRequest {
    /// The effect of duplicate rules.
    #[serde(default, skip_serializing_if = "Duplicates::is_default")]
    pub duplicates: Duplicates,
    /// The records, in the order of the request.
    pub records: Vec<GraphRecord>,
}

impl GraphRecord {
    /// Returns the external-id field and its value; `None` for a record that is created.
    pub(crate) fn external_id(&self) -> Option<(&FieldName, &Value)> {
        let field = self.external_id_field.as_ref()?;
        Some((field, find_field(&self.fields, field.as_str())?))
    }
}

impl GraphRequest {
    /// Parses a request body.
    ///
    /// # Errors
    /// All defects, at least one, in the order of the records.
    pub fn parse(body: Value) -> Result<Self, Vec<Defect>> {
        let unknown = unknown_members(&body, &MEMBERS, UNKNOWN_MEMBER);
        if !unknown.is_empty() {
            return Err(unknown);
        }
        let Value::Object(mut body) = body else { return Err(vec![Defect::whole(SHAPE)]) };
        let mut defects = Vec::new();
        let duplicates = Duplicates::parse(body.remove("duplicates")).unwrap_or_else(|defect| {
            defects.push(defect);
            Duplicates::default()
        });
        let Some(Value::Array(values)) = body.remove("records") else {
            defects.push(Defect::field("records", "must be a list of records"));
            return Err(defects);
        };
        match values.len() {
            0 => defects.push(Defect::field("records", "at least one record is required")),
            1..=MAX_UPSERT_RECORDS => {}
            _ => defects.push(Defect::field("records", "a request must not have more than 200 records")),
        }
        let mut records = Vec::with_capacity(values.len());
        if defects.is_empty() {
            for (index, value) in values.into_iter().enumerate() {
                let mut found = Found { record: index, defects: &mut defects };
                records.extend(found.record(value, duplicates));
            }
        }
        if defects.is_empty() {
            defects = common_defects(&records);
        }
        if defects.is_empty() { Ok(Self { duplicates, records }) } else { Err(defects) }
    }
}

/// The defects of one record.
struct Found<'a> {
    record: usize,
    defects: &'a mut Vec<Defect>,
}

impl Found<'_> {
    fn add(&mut self, field: &str, detail: &'static str) {
        self.defects.push(Defect::field(field, detail).of_record(self.record));
    }

    fn record(&mut self, value: Value, duplicates: Duplicates) -> Option<GraphRecord> {
        let detail = "there is no such member; allowed: object, external_id_field, client_key, fields";
        for unknown in unknown_members(&value, &RECORD_MEMBERS, detail) {
            self.defects.push(unknown.of_record(self.record));
        }
        let Value::Object(mut members) = value else {
            self.defects.push(Defect::record(self.record, "a record must be a JSON object"));
            return None;
        };
        let object = members.get("object").and_then(Value::as_str).and_then(|name| name.parse().ok());
        if object.is_none() {
            self.add("object", "must be the API name of an object");
        }
        let fields = match members.remove("fields") {
            Some(Value::Object(fields)) => Some(fields),
            _ => {
                self.add("fields", "must be an object with the record's fields");
                None
            }
        };
        let external_id_field = members.get("external_id_field").and_then(|name| {
            let field = name.as_str().and_then(field_name);
            if field.is_none() {
                self.add("external_id_field", "must be the API name of a field");
            }
            field
        });
        let client_key = members.get(CLIENT_KEY).and_then(|key| {
            let key = key.as_str().filter(|key| is_client_key(key)).map(str::to_owned);
            if key.is_none() {
                self.add(CLIENT_KEY, "must be a text of 1 to 255 visible characters");
            }
            key
        });
        match (members.contains_key("external_id_field"), members.contains_key(CLIENT_KEY)) {
            (true, true) => self.add(CLIENT_KEY, "a record has either an external_id_field or a client_key"),
            (false, false) => self.add("external_id_field", "a record needs an external_id_field or a client_key"),
            (false, true) if duplicates == Duplicates::Adopt => {
                self.add(CLIENT_KEY, "with `adopt` a record needs an external id, which the record that is there gets");
            }
            _ => {}
        }
        let (object, mut fields) = (object?, fields?);
        self.fields(&fields, external_id_field.as_ref());
        if let Some(field) = &external_id_field {
            match external_id(field, &fields) {
                Ok(id) if !is_path_segment(&id) || has_reference(&id) => {
                    self.add(&format!("fields.{field}"), "the external id cannot be part of a path");
                }
                Ok(id) => normalize(&mut fields, field, id),
                Err(detail) => self.add(&format!("fields.{field}"), detail),
            }
        }
        Some(GraphRecord { object, external_id_field, client_key, fields })
    }

    fn fields(&mut self, fields: &Map<String, Value>, key: Option<&FieldName>) {
        let mut seen = HashSet::new();
        for (name, value) in fields {
            let repeated = !seen.insert(name.to_ascii_lowercase());
            let detail =
                if repeated { Some("the field occurs more than once") } else { field_defect(name, value, key) };
            if let Some(detail) = detail {
                self.add(&format!("fields.{name}"), detail);
            }
        }
    }
}

fn field_defect(name: &str, value: &Value, key: Option<&FieldName>) -> Option<&'static str> {
    const REFERENCE: &str = "must not contain `@{`, which Salesforce takes for a reference";
    let is_key = key.is_some_and(|key| key.as_str().eq_ignore_ascii_case(name));
    if name.eq_ignore_ascii_case("attributes") {
        return Some("must be omitted: `object` names the object");
    }
    if name.eq_ignore_ascii_case("id") && !is_key {
        return Some("must be omitted: an external id identifies the record, or the record is created");
    }
    if field_name(name).is_none() {
        return Some("must be the API name of a field or relationship");
    }
    match value {
        Value::Array(list) => list_defect(name, list),
        Value::String(text) if has_reference(text) => Some(REFERENCE),
        Value::Object(parent) if !is_reference(parent) && named_client_key(parent).is_none() => Some(
            "a related record must have exactly one external id, such as {\"Ferry_External_Id__c\": \"A-1\"}, or a client_key",
        ),
        Value::Object(parent) if parent.values().filter_map(Value::as_str).any(has_reference) => Some(REFERENCE),
        _ => None,
    }
}

/// Returns the client key that a related record is named by.
pub(crate) fn named_client_key(parent: &Map<String, Value>) -> Option<&str> {
    let mut members = parent.iter().filter(|(name, _)| *name != "attributes");
    match (members.next(), members.next()) {
        (Some((name, Value::String(key))), None) if name == CLIENT_KEY => Some(key),
        _ => None,
    }
}

fn is_client_key(key: &str) -> bool {
    let is_visible = |char: char| !char.is_whitespace() && !char.is_control();
    (1..=MAX_CLIENT_KEY_CHARS).contains(&key.chars().count()) && key.chars().all(is_visible)
}

/// Puts a text external id in its trimmed form under the name of the request's field.
fn normalize(fields: &mut Map<String, Value>, field: &FieldName, id: String) {
    let name = fields.keys().find(|name| name.eq_ignore_ascii_case(field.as_str())).cloned().unwrap_or_default();
    if let Some(value) = fields.remove(&name) {
        let value = if value.is_string() { Value::String(id) } else { value };
        fields.insert(field.to_string(), value);
    }
}

/// Returns the defects of records that have one identity, and of a request with too many objects.
fn common_defects(records: &[GraphRecord]) -> Vec<Defect> {
    let mut defects = Vec::new();
    let (mut ids, mut keys, mut objects) = (HashSet::new(), HashSet::new(), HashSet::new());
    for (index, record) in records.iter().enumerate() {
        let object = record.object.as_str().to_ascii_lowercase();
        let at = |field: &str, detail| Defect::field(field, detail).of_record(index);
        if let Some((field, value)) = record.external_id() {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            if !ids.insert((object.clone(), field.as_str().to_ascii_lowercase(), text)) {
                let detail = "another record of this request has the same external id";
                defects.push(at(&format!("fields.{field}"), detail));
            }
        }
        if let Some(key) = &record.client_key
            && !keys.insert(key)
        {
            defects.push(at(CLIENT_KEY, "another record of this request has the same client_key"));
        }
        objects.insert(object);
    }
    if objects.len() > MAX_OBJECTS {
        defects.push(Defect::field("records", "a request must not have records of more than 15 objects"));
    }
    defects
}

#[cfg(test)]
mod tests;
