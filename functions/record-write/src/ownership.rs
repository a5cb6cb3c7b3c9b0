//! The owner of the records that a batch creates: pure changes to the records, and the queries for existing ones.
//!
//! An existing record keeps its owner: an upsert on a rep's behalf must not take a colleague's account away. So only new
//! records whose request does not name an owner get one. Salesforce's assignment rules do not change it: the client switches
//! them off for every write.

use std::collections::HashSet;

use salesforce::soql::{self, Condition, Literal};
use salesforce::{FieldName, ObjectName, Record, RecordId, Soql};
use serde_json::{Map, Value};

use crate::batch::{Batch, external_id, find_field};

/// The maximum number of bytes of values in one query, so that the encoded query fits into a URL (16,384 bytes).
const MAX_QUERY_BYTES: usize = 3_000;
/// The objects whose records have an owner in every org.
const OWNED: [&str; 4] = ["Account", "Contact", "Lead", "Opportunity"];

/// The external ids of existing records. They are compared as Salesforce compares them, ignoring case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Existing(HashSet<String>);

impl Existing {
    /// Adds the rows of a query of [`queries`].
    pub(crate) fn extend(&mut self, key: &FieldName, found: &[Record]) {
        let ids = found.iter().filter_map(|record| external_id(key, &record.fields).ok());
        self.0.extend(ids.map(|id| id.to_lowercase()));
    }

    fn contains(&self, key: &FieldName, record: &Map<String, Value>) -> bool {
        external_id(key, record).is_ok_and(|id| self.0.contains(&id.to_lowercase()))
    }
}

/// Returns whether records of this object have an owner; `None` if only the describe of the object says it.
pub(crate) fn has_owner(object: &ObjectName) -> Option<bool> {
    OWNED.iter().any(|owned| owned.eq_ignore_ascii_case(object.as_str())).then_some(true)
}

/// Returns the queries that find those existing records whose owner the request does not name.
pub(crate) fn queries(object: &ObjectName, batch: &Batch) -> Vec<Soql> {
    let key = &batch.external_id_field;
    let unowned = batch.records.iter().filter(|record| !names_owner(record));
    let values: Vec<Literal> = unowned.filter_map(|record| literal(find_field(record, key.as_str())?)).collect();
    chunks(values).into_iter().map(|values| query(object, key, soql::in_(key, values))).collect()
}

/// Returns the records to send. New records without an owner get `owner`.
pub(crate) fn with_owner(batch: &Batch, owner: RecordId, existing: &Existing) -> Vec<Map<String, Value>> {
    let mut records = batch.records.clone();
    for record in &mut records {
        if !names_owner(record) && !existing.contains(&batch.external_id_field, record) {
            record.insert("OwnerId".to_owned(), Value::String(owner.to_string()));
        }
    }
    records
}

fn names_owner(record: &Map<String, Value>) -> bool {
    find_field(record, "OwnerId").is_some() || find_field(record, "Owner").is_some()
}

fn query(object: &ObjectName, key: &FieldName, condition: Condition) -> Soql {
    Soql::select(std::slice::from_ref(key)).from(object).where_(condition)
}

fn literal(value: &Value) -> Option<Literal> {
    match value {
        Value::String(text) => Some(Literal::Text(text.trim().to_owned())),
        Value::Number(number) => number.as_i64().map(Literal::Number),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn chunks(values: Vec<Literal>) -> Vec<Vec<Literal>> {
    let mut chunks: Vec<Vec<Literal>> = Vec::new();
    let mut bytes_left = 0;
    for value in values {
        let size = value.to_string().len() + 2;
        match chunks.last_mut() {
            Some(chunk) if size <= bytes_left => chunk.push(value),
            _ => {
                chunks.push(vec![value]);
                bytes_left = MAX_QUERY_BYTES;
            }
        }
        bytes_left = bytes_left.saturating_sub(size);
    }
    chunks
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const KEY: FieldName = FieldName::from_static("Ferry_External_Id__c");
    const REP: &str = "005D0000001aaaaIAA";

    fn batch(records: Value) -> Batch {
        Batch::parse(json!({"external_id_field": KEY, "records": records})).unwrap()
    }

    fn existing(ids: &[&str]) -> Existing {
        let mut existing = Existing::default();
        let found: Vec<Record> = ids.iter().map(|id| row(id)).collect();
        existing.extend(&KEY, &found);
        existing
    }

    fn row(id: &str) -> Record {
        let fields = json!({"Ferry_External_Id__c": id}).as_object().unwrap().clone();
        Record { object: ObjectName::from_static("Account"), id: "001D000000IRFmaIAH".parse().unwrap(), fields }
    }

    fn owners(batch: &Batch, existing: &Existing) -> Vec<Option<String>> {
        let records = with_owner(batch, REP.parse().unwrap(), existing);
        records.iter().map(|record| Some(record.get("OwnerId")?.as_str()?.to_owned())).collect()
    }

    #[test]
    fn only_a_new_record_gets_the_rep_as_its_owner() {
        let batch = batch(json!([{"Ferry_External_Id__c": "a-1"}, {"Ferry_External_Id__c": "A-2"}]));
        assert_eq!(owners(&batch, &existing(&["A-1"])), [None, Some(REP.to_owned())]);
    }

    #[test]
    fn an_owner_that_the_request_names_is_kept() {
        let other = "005D0000001bbbbIAA";
        let batch = batch(json!([
            {"Ferry_External_Id__c": "1", "ownerid": other},
            {"Ferry_External_Id__c": "2", "Owner": {"Employee__c": "7"}},
        ]));
        assert_eq!(owners(&batch, &Existing::default()), [None, None]);
        assert!(queries(&ObjectName::from_static("Account"), &batch).is_empty());
    }

    #[test]
    fn existing_records_are_queried_by_external_id() {
        let batch = batch(json!([{"Ferry_External_Id__c": "O'Neil"}, {"Ferry_External_Id__c": 7}]));
        let queries = queries(&ObjectName::from_static("Account"), &batch);
        insta::assert_snapshot!(
            queries[0].to_string(),
            @r"SELECT Ferry_External_Id__c FROM Account WHERE Ferry_External_Id__c IN ('O\'Neil', 7)"
        );
    }

    proptest! {
        #[test]
        fn each_value_is_in_one_query_that_fits(ids in prop::collection::hash_set("[a-z0-9]{1,255}", 1..50)) {
            let values: Vec<Literal> = ids.iter().map(|id| Literal::Text(id.clone())).collect();
            let chunks = chunks(values.clone());
            prop_assert_eq!(chunks.concat(), values);
            for chunk in chunks {
                let bytes: usize = chunk.iter().map(|value| value.to_string().len() + 2).sum();
                prop_assert!(chunk.len() == 1 || bytes <= MAX_QUERY_BYTES);
            }
        }
    }
}
