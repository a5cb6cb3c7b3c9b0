use proptest::prelude::*;
use serde_json::json;

use super::*;

const KEY: FieldName = FieldName::from_static("Ferry_External_Id__c");
const REP: &str = "005D0000001aaaaIAA";
const TEXT: ExternalIdType = ExternalIdType::Text { case_sensitive: false };
const NUMBER: ExternalIdType = ExternalIdType::Number { scale: 0 };

fn batch(records: Value) -> Batch {
    Batch::parse(json!({"external_id_field": KEY, "records": records})).unwrap()
}

fn existing(key_type: &ExternalIdType, batch: &Batch, values: &[Value]) -> Existing {
    let mut existing = Existing::default();
    let found: Vec<Record> = values.iter().map(row).collect();
    existing.extend(&KEY, key_type, batch, &found);
    existing
}

fn row(value: &Value) -> Record {
    let fields = json!({"Ferry_External_Id__c": value}).as_object().unwrap().clone();
    Record { object: ObjectName::from_static("Account"), id: "001D000000IRFmaIAH".parse().unwrap(), fields }
}

/// Returns the owner that each record gets, if Salesforce returned these values for existing records.
fn owners(key_type: &ExternalIdType, batch: &Batch, values: &[Value]) -> Vec<Option<String>> {
    let records = with_owner(batch, REP.parse().unwrap(), key_type, &existing(key_type, batch, values));
    records.iter().map(|record| Some(record.get("OwnerId")?.as_str()?.to_owned())).collect()
}

#[test]
fn only_a_new_record_gets_the_rep_as_its_owner() {
    let batch = batch(json!([{"Ferry_External_Id__c": "a-1"}, {"Ferry_External_Id__c": "A-2"}]));
    assert_eq!(owners(&TEXT, &batch, &[json!("A-1")]), [None, Some(REP.to_owned())]);
}

#[test]
fn a_number_that_exists_keeps_its_owner() {
    for written in [json!(7), json!(7.0), json!("7"), json!("7.0"), json!(7.3)] {
        let batch = batch(json!([{"Ferry_External_Id__c": written}, {"Ferry_External_Id__c": 8}]));
        assert_eq!(owners(&NUMBER, &batch, &[json!(7.0)]), [None, Some(REP.to_owned())], "{written}");
    }
}

#[test]
fn a_record_named_by_its_id_exists() {
    let batch = batch(json!([{"Ferry_External_Id__c": "001D000000IRFma"}]));
    assert_eq!(owners(&ExternalIdType::Id, &batch, &[]), [None]);
    assert!(queries(&ObjectName::from_static("Account"), &ExternalIdType::Id, &batch).is_empty());
}

#[test]
fn a_case_sensitive_text_in_another_case_is_new() {
    let batch = batch(json!([{"Ferry_External_Id__c": "a-1"}, {"Ferry_External_Id__c": "A-1"}]));
    let case_sensitive = ExternalIdType::Text { case_sensitive: true };
    assert_eq!(owners(&case_sensitive, &batch, &[json!("A-1")]), [Some(REP.to_owned()), None]);
}

#[test]
fn no_record_gets_an_owner_if_a_returned_one_is_unclear() {
    let batch = batch(json!([{"Ferry_External_Id__c": "Straße"}, {"Ferry_External_Id__c": "new"}]));
    assert_eq!(owners(&TEXT, &batch, &[json!("STRASSE")]), [None, None]);
}

#[test]
fn a_value_that_is_no_number_is_left_to_salesforce() {
    let batch = batch(json!([{"Ferry_External_Id__c": "seven"}]));
    assert_eq!(owners(&NUMBER, &batch, &[]), [None]);
    assert!(queries(&ObjectName::from_static("Account"), &NUMBER, &batch).is_empty());
}

#[test]
fn an_owner_that_the_request_names_is_kept() {
    let other = "005D0000001bbbbIAA";
    let batch = batch(json!([
        {"Ferry_External_Id__c": "1", "ownerid": other},
        {"Ferry_External_Id__c": "2", "Owner": {"Employee__c": "7"}},
    ]));
    assert_eq!(owners(&TEXT, &batch, &[]), [None, None]);
    assert!(queries(&ObjectName::from_static("Account"), &TEXT, &batch).is_empty());
}

#[test]
fn existing_records_are_queried_by_external_id() {
    let batch = batch(json!([{"Ferry_External_Id__c": "O'Neil"}, {"Ferry_External_Id__c": 7}]));
    let queries = queries(&ObjectName::from_static("Account"), &TEXT, &batch);
    insta::assert_snapshot!(
        queries[0].to_string(),
        @r"SELECT Ferry_External_Id__c FROM Account WHERE Ferry_External_Id__c IN ('O\'Neil', '7')"
    );
}

/// A value of a key, and another way in which a request may write it.
fn written() -> impl Strategy<Value = (Value, Value)> {
    prop_oneof![
        (any::<i32>(), 0usize..3).prop_map(|(number, zeros)| {
            let text = format!("{number}.{}", "0".repeat(zeros + 1));
            (json!(number), json!(text))
        }),
        any::<i32>().prop_map(|number| (json!(f64::from(number)), json!(number))),
        any::<i64>().prop_map(|number| (json!(number), json!(number.to_string()))),
    ]
}

proptest! {
    #[test]
    fn the_owner_of_an_existing_number_is_never_replaced((stored, requested) in written()) {
        let batch = batch(json!([{"Ferry_External_Id__c": requested}]));
        prop_assert_eq!(owners(&NUMBER, &batch, &[stored]), [None]);
    }

    #[test]
    fn the_owner_of_an_existing_text_is_never_replaced(id in "[a-zA-Z0-9 ._-]{0,20}[a-z]", upper in any::<bool>()) {
        let stored = if upper { id.to_uppercase() } else { id.clone() };
        let batch = batch(json!([{"Ferry_External_Id__c": id}]));
        prop_assert_eq!(owners(&TEXT, &batch, &[json!(stored.trim())]), [None]);
    }

    #[test]
    fn each_value_is_in_one_query_that_fits(ids in prop::collection::hash_set("[a-z0-9]{1,255}", 1..50)) {
        let values: Vec<Literal> = ids.iter().map(|id| Literal::Text(id.clone())).collect();
        let chunks = chunks_of(values.clone());
        prop_assert_eq!(chunks.concat(), values);
        for chunk in chunks {
            let bytes: usize = chunk.iter().map(|value| value.to_string().len() + 2).sum();
            prop_assert!(chunk.len() == 1 || bytes <= MAX_QUERY_BYTES);
        }
    }
}
