//! The request to create records: parses and validates it before Salesforce is called.

use std::collections::HashSet;

use salesforce::JsonObject;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use writes::{Defect, unknown_members};

use super::CLIENT_KEY;
use crate::batch::{on_field, validate_fields, validate_size};
use crate::duplicates::Duplicates;

/// The expected body, for error texts.
const SHAPE: &str = "the body must be an object with records and, optionally, all_or_none and duplicates; with external_id_field it is an upsert";
/// The members of the body.
const MEMBERS: [&str; 3] = ["all_or_none", "duplicates", "records"];
/// The defect of another member.
const UNKNOWN_MEMBER: &str =
    "there is no such member; allowed: all_or_none, duplicates, records, and external_id_field for an upsert";
/// The maximum length of a client key.
const MAX_CLIENT_KEY_CHARS: usize = 255;
/// The fields by which Ferry finds a record that it created.
const CREATED_BY: [&str; 2] = ["CreatedDate", "CreatedById"];

/// Valid new records: each has a client key that is unique among them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewRecords {
    /// `true` if one refused record rolls the others back.
    pub all_or_none: bool,
    /// The effect of the org's duplicate rules.
    #[serde(default, skip_serializing_if = "Duplicates::is_default")]
    pub duplicates: Duplicates,
    /// The records of the request.
    pub records: Vec<NewRecord>,
}

/// A new record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewRecord {
    /// The client key.
    pub client_key: String,
    /// The fields, without `attributes` and without an id.
    pub fields: JsonObject,
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    all_or_none: bool,
    duplicates: Option<Value>,
    records: Vec<Value>,
}

impl NewRecords {
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
        let duplicates = Duplicates::parse(body.duplicates).map_err(|defect| vec![defect])?;
        if duplicates == Duplicates::Adopt {
            let detail = "must be `block` or `allow`: only a record with an external id can be adopted";
            return Err(vec![Defect::field("duplicates", detail)]);
        }
        let mut defects = validate_size(body.records.len());
        let (mut records, mut seen) = (Vec::with_capacity(body.records.len()), HashSet::new());
        for (index, record) in body.records.into_iter().enumerate() {
            let Value::Object(mut fields) = record else {
                defects.push(Defect::record(index, "a record must be a JSON object"));
                continue;
            };
            let key = client_key(fields.remove(CLIENT_KEY.as_str()));
            defects.extend(validate_fields(index, None, &fields));
            defects.extend(validate_creation(index, &fields));
            match key {
                Ok(client_key) if seen.insert(client_key.clone()) => records.push(NewRecord { client_key, fields }),
                Ok(_) => defects.push(on_key(index, "another record of this request has the same client key")),
                Err(detail) => defects.push(on_key(index, detail)),
            }
        }
        if defects.is_empty() { Ok(Self { all_or_none: body.all_or_none, duplicates, records }) } else { Err(defects) }
    }
}

fn client_key(value: Option<Value>) -> Result<String, &'static str> {
    let Some(Value::String(key)) = value else {
        return Err("a text is required where the body names no external_id_field");
    };
    let is_visible = |char: char| !char.is_control() && !char.is_whitespace();
    match key.chars().count() {
        1..=MAX_CLIENT_KEY_CHARS if key.chars().all(is_visible) => Ok(key),
        _ => Err("must have 1 to 255 characters, none of them a space or a control character"),
    }
}

fn validate_creation(index: usize, fields: &JsonObject) -> impl Iterator<Item = Defect> {
    let set = fields.keys().filter(|name| CREATED_BY.iter().any(|created| created.eq_ignore_ascii_case(name)));
    set.map(move |name| on_field(Some(index), name, "must be omitted: Ferry finds the record again by it"))
}

fn on_key(index: usize, detail: &'static str) -> Defect {
    on_field(Some(index), CLIENT_KEY.as_str(), detail)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn defects(body: Value) -> Vec<String> {
        NewRecords::parse(body).unwrap_err().iter().map(Defect::to_string).collect()
    }

    #[test]
    fn each_record_has_its_own_client_key() {
        let body = json!({"records": [
            {"Subject": "Call"}, {"client_key": "k 1", "Subject": "Call"}, {"client_key": 7}, {"client_key": "k"}, {"client_key": "k"},
        ]});
        let expected = [
            "records[0].client_key: a text is required where the body names no external_id_field",
            "records[1].client_key: must have 1 to 255 characters, none of them a space or a control character",
            "records[2].client_key: a text is required where the body names no external_id_field",
            "records[4].client_key: another record of this request has the same client key",
        ];
        assert_eq!(defects(body), expected);
        assert_eq!(defects(json!({"records": [{"client_key": "k".repeat(256)}]})).len(), 1);
        let valid = json!({"records": [{"client_key": "k".repeat(255), "Subject": "Call"}]});
        let new = NewRecords::parse(valid).unwrap();
        assert_eq!((new.all_or_none, &new.records[0].fields), (false, json!({"Subject": "Call"}).as_object().unwrap()));
    }

    #[test]
    fn what_identifies_a_record_is_not_set() {
        let record = json!({"client_key": "k", "Id": "00T", "createddate": "2026-11-22T10:00:00Z", "Tags": ["a"]});
        let expected = [
            "records[0].Id: must be omitted: Salesforce gives a new record its id",
            "records[0].Tags: a field value must not be a list",
            "records[0].createddate: must be omitted: Ferry finds the record again by it",
        ];
        let mut found = defects(json!({"records": [record]}));
        found.sort_unstable();
        assert_eq!(found, expected);
    }

    #[test]
    fn only_the_people_of_an_activity_are_a_list() {
        let records = |people: Value| json!({"records": [{"client_key": "k", "TaskWhoIds": people}]});
        let id = "0035e00000ZkM3hAAF";
        assert!(NewRecords::parse(records(json!([id, &id[..15]]))).is_ok());
        for people in [json!(["Ada"]), json!([7]), json!(vec![id; 51])] {
            assert_eq!(defects(records(people)), ["records[0].TaskWhoIds: must be a list of at most 50 record ids"]);
        }
    }

    #[test]
    fn other_members_are_refused() {
        assert!(
            defects(json!({"records": [{"client_key": "k"}], "all": true}))[0].starts_with("all: there is no such")
        );
        assert_eq!(defects(json!({"records": []})), ["records: at least one record is required"]);
        assert_eq!(defects(json!([])), [SHAPE]);
    }
}
