use std::collections::HashSet;

use proptest::prelude::*;
use serde_json::json;

use super::*;

const KEY: &str = "Ferry_External_Id__c";

fn parse(records: Value) -> Result<Batch, Vec<Defect>> {
    Batch::parse(json!({"external_id_field": KEY, "records": records}))
}

fn only_defect(records: Value) -> Defect {
    let mut defects = parse(records).unwrap_err();
    assert_eq!(defects.len(), 1, "{defects:?}");
    defects.remove(0)
}

#[test]
fn records_keep_their_order_fields_and_references() {
    let records = json!([
        {KEY: "O-1", "Name": "A", "Account": {KEY: "A-1"}, "Amount": 1500.5, "NextStep": null},
        {KEY: "O-2", "Name": "B"},
    ]);
    let batch = parse(records.clone()).unwrap();
    assert_eq!(Value::from_iter(batch.records.clone()), records);
    assert!(!batch.all_or_none);
}

#[test]
fn a_record_without_its_external_id_is_named() {
    let defect = only_defect(json!([{KEY: "1"}, {"Name": "B"}]));
    assert_eq!(defect, Defect::field(KEY, "the external id is missing").of_record(1));
}

#[test]
fn an_external_id_that_is_null_or_blank_is_refused() {
    assert_eq!(only_defect(json!([{KEY: null}])).detail, "the external id is missing");
    assert_eq!(only_defect(json!([{KEY: "  "}])).detail, "the external id is empty");
}

#[test]
fn the_second_of_two_equal_external_ids_is_named() {
    let defect = only_defect(json!([{KEY: "1"}, {KEY: "2"}, {KEY: " 1"}]));
    assert_eq!(defect.record, Some(2));
    assert_eq!(defect.detail, "another record of this request has the same external id");
}

#[test]
fn an_external_id_ignores_case_and_is_sent_trimmed() {
    let batch = parse(json!([{"Name": "A", "ferry_external_id__C": " 1 "}])).unwrap();
    assert_eq!(Value::from_iter(batch.records), json!([{"Name": "A", KEY: "1"}]));
}

#[test]
fn attributes_and_ids_in_a_record_are_refused() {
    assert_eq!(
        only_defect(json!([{KEY: "1", "attributes": {"type": "Account"}}])).field.as_deref(),
        Some("attributes")
    );
    assert_eq!(only_defect(json!([{KEY: "1", "Id": "001D000000IRFmaIAH"}])).field.as_deref(), Some("Id"));
}

#[test]
fn a_list_or_a_nested_object_is_not_a_field_value() {
    assert_eq!(only_defect(json!([{KEY: "1", "Tags": ["a"]}])).field.as_deref(), Some("Tags"));
    assert_eq!(
        only_defect(json!([{KEY: "1", "Account": {"A__c": "1", "B__c": "2"}}])).field.as_deref(),
        Some("Account")
    );
    assert_eq!(only_defect(json!([{KEY: "1", "Account": {"A__c": null}}])).field.as_deref(), Some("Account"));
}

#[test]
fn a_reference_may_name_the_type_of_its_record() {
    let owner = json!({"attributes": {"type": "User"}, "Employee_Number__c": "7"});
    assert!(parse(json!([{KEY: "1", "Owner": owner}])).is_ok());
}

#[test]
fn a_field_that_is_named_twice_is_refused() {
    assert_eq!(only_defect(json!([{KEY: "1", "Name": "a", "name": "b"}])).field.as_deref(), Some("name"));
}

#[test]
fn a_field_name_that_is_not_an_api_name_is_refused() {
    assert_eq!(only_defect(json!([{KEY: "1", "First Name": "a"}])).field.as_deref(), Some("First Name"));
    assert_eq!(only_defect(json!([{KEY: "1", "Account.Name": "a"}])).field.as_deref(), Some("Account.Name"));
    let defects = Batch::parse(json!({"external_id_field": "a b", "records": [{}]})).unwrap_err();
    assert_eq!(defects[0].field.as_deref(), Some("external_id_field"));
}

#[test]
fn a_batch_has_1_to_200_records() {
    let many = |count: usize| Value::from_iter((0..count).map(|n| json!({KEY: n})));
    assert!(parse(many(200)).is_ok());
    assert_eq!(only_defect(many(201)).detail, "a request must not have more than 200 records");
    assert_eq!(only_defect(many(0)).detail, "at least one record is required");
}

#[test]
fn defects_of_several_records_are_reported_together() {
    let defects = parse(json!([{KEY: "1", "attributes": {}}, {"Name": "x"}])).unwrap_err();
    assert_eq!(defects.iter().map(|defect| defect.record).collect::<Vec<_>>(), [Some(0), Some(1)]);
}

#[test]
fn a_record_that_is_not_an_object_is_named() {
    assert_eq!(only_defect(json!([{KEY: "1"}, 7])).record, Some(1));
}

#[test]
fn a_defect_names_the_place_and_the_change() {
    let defects = parse(json!([{KEY: "1"}, {KEY: "2", "Tags": []}, 7])).unwrap_err();
    assert_eq!(defects[0].to_string(), "records[2]: a record must be a JSON object");
    let defects = parse(json!([{KEY: "1"}, {KEY: "2", "Tags": []}])).unwrap_err();
    assert_eq!(defects[0].to_string(), "records[1].Tags: a field value must not be a list");
}

#[test]
fn an_unknown_member_is_refused() {
    let body = json!({"external_id_field": "A__c", "records": [{"A__c": "1"}], "upsert": true});
    let detail = "upsert: there is no such member; allowed: external_id_field, all_or_none, duplicates, records";
    assert_eq!(Batch::parse(body).unwrap_err()[0].to_string(), detail);
}

#[test]
fn external_ids_that_are_the_same_to_salesforce_name_both_records() {
    let text = ExternalIdType::Text { case_sensitive: false };
    let records = |ids: Value| parse(ids.as_array().unwrap().iter().map(|id| json!({KEY: id})).collect()).unwrap();
    let batch = records(json!(["b", "A-1", "a-1"]));
    let places = |defects: Vec<Defect>| defects.iter().map(|defect| defect.record.unwrap()).collect::<Vec<_>>();
    assert!(batch.may_have_duplicates());
    assert_eq!(places(batch.require_distinct(&text).unwrap_err()), [1, 2]);
    assert!(batch.require_distinct(&ExternalIdType::Text { case_sensitive: true }).is_ok());
    let numbers = records(json!([7, "7.0", "seven"]));
    assert!(numbers.may_have_duplicates());
    assert_eq!(places(numbers.require_distinct(&ExternalIdType::Number { scale: 0 }).unwrap_err()), [0, 1]);
    assert!(numbers.require_distinct(&text).is_ok());
    assert!(!records(json!(["a", "b", 7])).may_have_duplicates());
}

proptest! {
    #[test]
    fn a_batch_is_valid_exactly_if_its_external_ids_differ(ids in prop::collection::vec("[a-c]{1,2}", 1..12)) {
        let records = Value::from_iter(ids.iter().map(|id| json!({KEY: id})));
        let distinct: HashSet<_> = ids.iter().collect();
        let parsed = parse(records);
        prop_assert_eq!(parsed.is_ok(), distinct.len() == ids.len());
        if let Err(defects) = parsed {
            prop_assert_eq!(defects.len(), ids.len() - distinct.len());
        }
    }
}
