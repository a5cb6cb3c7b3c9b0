//! Records, without the `attributes` that Salesforce adds.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{ObjectName, RecordId, datetime};

/// A JSON object. It preserves the order of its keys.
pub type JsonObject = Map<String, Value>;

/// A record as Salesforce returns it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The object type.
    pub object: ObjectName,
    /// The id.
    pub id: RecordId,
    /// The selected fields by API name. A parent is an object or null. `attributes` are removed at every depth.
    pub fields: JsonObject,
}

impl Record {
    /// Returns `SystemModstamp`; `None` if it was not selected.
    pub fn system_modstamp(&self) -> Option<Timestamp> {
        self.datetime("SystemModstamp")
    }

    /// Returns the time of a field; `None` if it is absent, null or not a time.
    pub fn datetime(&self, field: &str) -> Option<Timestamp> {
        datetime::parse(self.text(field)?).ok()
    }

    /// Returns the text of a field; `None` if it is absent, null or not a text.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field)?.as_str()
    }

    /// Parses a record. If `Id` was not selected, takes the id from `attributes`.
    pub(crate) fn from_json(value: Value) -> Option<Self> {
        let Value::Object(mut fields) = value else {
            return None;
        };
        let attributes = fields.remove("attributes")?;
        let object = attributes.get("type")?.as_str()?.parse().ok()?;
        let url_id = || attributes.get("url")?.as_str()?.rsplit('/').next();
        let id = fields.get("Id").and_then(Value::as_str).or_else(url_id)?;
        let id = id.parse().ok()?;
        fields.values_mut().for_each(strip_attributes);
        Some(Self { object, id, fields })
    }
}

/// Removes `attributes` from parents and from the rows of subqueries.
fn strip_attributes(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("attributes");
            fields.values_mut().for_each(strip_attributes);
        }
        Value::Array(rows) => rows.iter_mut().for_each(strip_attributes),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn attributes_are_removed_at_every_depth() {
        let record = Record::from_json(json!({
            "attributes": {"type": "Account", "url": "/services/data/v66.0/sobjects/Account/001dM00003jU9GxQAK"},
            "Owner": {"attributes": {"type": "User"}, "Name": "Ann"},
            "Contacts": {"totalSize": 1, "done": true, "records": [{"attributes": {"type": "Contact"}, "LastName": "Gray"}]},
        }))
        .unwrap();
        assert_eq!(record.id.as_str(), "001dM00003jU9GxQAK");
        assert_eq!(record.object.as_str(), "Account");
        let json = Value::Object(record.fields).to_string();
        assert!(!json.contains("attributes"), "{json}");
    }

    #[test]
    fn a_row_without_an_id_is_rejected() {
        let row = json!({"attributes": {"type": "AggregateResult"}, "expr0": 6});
        assert_eq!(Record::from_json(row), None);
    }

    #[test]
    fn the_modstamp_of_a_rest_response_is_parsed() {
        let record = Record::from_json(json!({
            "attributes": {"type": "Account"},
            "Id": "001dM00003jU9GxQAK",
            "SystemModstamp": "2026-05-01T07:25:37.000+0000",
        }))
        .unwrap();
        let expected: Timestamp = "2026-05-01T07:25:37Z".parse().unwrap();
        assert_eq!(record.system_modstamp(), Some(expected));
    }
}
