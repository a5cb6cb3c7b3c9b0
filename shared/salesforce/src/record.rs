//! Records as Salesforce answers them, without the `attributes` that it adds.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{ObjectName, RecordId, datetime};

/// A JSON object; the order of its keys is kept.
pub type JsonObject = Map<String, Value>;

/// A record that was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The object that the record is of.
    pub object: ObjectName,
    /// Its id.
    pub id: RecordId,
    /// What was selected, by API name, `Id` included where it was; a parent is an object or null,
    /// and `attributes` are gone at every depth.
    pub fields: JsonObject,
}

impl Record {
    /// When the record last changed in any way, where `SystemModstamp` was selected.
    pub fn system_modstamp(&self) -> Option<Timestamp> {
        datetime::parse(self.text("SystemModstamp")?).ok()
    }

    /// The text of a field; `None` when it is absent, null or not a text.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field)?.as_str()
    }

    /// A record of an answer; its id is in `attributes` also where `Id` was not selected.
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
    fn attributes_are_gone_at_every_depth() {
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
    fn a_row_without_an_id_is_no_record() {
        let row = json!({"attributes": {"type": "AggregateResult"}, "expr0": 6});
        assert_eq!(Record::from_json(row), None);
    }

    #[test]
    fn the_modstamp_is_read_with_an_offset_without_a_colon() {
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
