use serde_json::json;

use super::*;

fn defects(body: Value) -> Vec<String> {
    GraphRequest::parse(body).map_or_else(|defects| defects.iter().map(Defect::to_string).collect(), |_| Vec::new())
}

fn account(key: &str) -> Value {
    json!({"object": "Account", "external_id_field": "Key__c", "fields": {"Key__c": key, "Name": "Acme"}})
}

#[test]
fn a_record_is_upserted_or_created() {
    let task = json!({"object": "Task", "client_key": "call-1", "fields": {"Subject": "Call", "What": {"Key__c": 7}}});
    let request = GraphRequest::parse(json!({"duplicates": "allow", "records": [account(" A-1 "), task]})).unwrap();
    assert_eq!(request.records[0].external_id(), Some((&"Key__c".parse().unwrap(), &json!("A-1"))));
    assert_eq!((request.records[1].external_id(), request.duplicates), (None, Duplicates::Allow));
    let stored = serde_json::to_value(&request).unwrap();
    assert_eq!(serde_json::from_value::<GraphRequest>(stored).unwrap(), request);
    let default = GraphRequest::parse(json!({"records": [account("A-1")]})).unwrap();
    assert_eq!(serde_json::to_value(&default).unwrap().get("duplicates"), None);
}

#[test]
fn every_defect_names_its_place() {
    let body = json!({"records": [
        {"object": "Account", "fields": {}},
        {"object": "a b", "external_id_field": "Key__c", "client_key": "x", "fields": {"Key__c": "1"}, "oops": 1},
        {"object": "Task", "client_key": "a b", "fields": {"Id": "001", "attributes": {}, "A.B": 1, "C": []}},
        {"object": "Task", "client_key": "a", "fields": {"Subject": "@{r0.id}", "What": {"a": 1, "b": 2}, "Who": {"Key__c": "@{x}"}}},
        {"object": "Task", "external_id_field": "Key__c", "fields": {"Key__c": ".."}},
        7,
    ]});
    insta::assert_snapshot!(defects(body).join("\n"), @r#"
    records[0].external_id_field: a record needs an external_id_field or a client_key
    records[1].oops: there is no such member; allowed: object, external_id_field, client_key, fields
    records[1].object: must be the API name of an object
    records[1].client_key: a record has either an external_id_field or a client_key
    records[2].client_key: must be a text of 1 to 255 visible characters
    records[2].fields.Id: must be omitted: an external id identifies the record, or the record is created
    records[2].fields.attributes: must be omitted: `object` names the object
    records[2].fields.A.B: must be the API name of a field or relationship
    records[2].fields.C: a field value must not be a list
    records[3].fields.Subject: must not contain `@{`, which Salesforce takes for a reference
    records[3].fields.What: a related record must have exactly one external id, such as {"Ferry_External_Id__c": "A-1"}, or a client_key
    records[3].fields.Who: must not contain `@{`, which Salesforce takes for a reference
    records[4].fields.Key__c: the external id cannot be part of a path
    records[5]: a record must be a JSON object
    "#);
}

#[test]
fn two_records_must_not_be_one() {
    let twice = json!({"records": [account("A-1"), account("A-1 ")]});
    assert_eq!(defects(twice), ["records[1].fields.Key__c: another record of this request has the same external id"]);
    let task = json!({"object": "Task", "client_key": "x", "fields": {}});
    assert_eq!(
        defects(json!({"records": [task, task]})),
        ["records[1].client_key: another record of this request has the same client_key"]
    );
}

#[test]
fn a_request_has_1_to_200_records_of_15_objects() {
    let of = |count: usize| -> Vec<Value> { (0..count).map(|n| account(&format!("A-{n}"))).collect() };
    assert!(defects(json!({"records": of(200)})).is_empty());
    assert_eq!(defects(json!({"records": of(201)})), ["records: a request must not have more than 200 records"]);
    assert_eq!(defects(json!({"records": []})), ["records: at least one record is required"]);
    assert_eq!(defects(json!({})), ["records: must be a list of records"]);
    assert_eq!(defects(json!([])), [SHAPE]);
    let objects = |count: usize| -> Vec<Value> {
        (0..count).map(|n| json!({"object": format!("O{n}__c"), "client_key": format!("{n}"), "fields": {}})).collect()
    };
    assert!(defects(json!({"records": objects(15)})).is_empty());
    assert_eq!(
        defects(json!({"records": objects(16)})),
        ["records: a request must not have records of more than 15 objects"]
    );
}

#[test]
fn only_a_record_with_an_external_id_adopts() {
    let task = json!({"object": "Task", "client_key": "x", "fields": {}});
    assert_eq!(
        defects(json!({"duplicates": "adopt", "records": [account("A-1"), task]})),
        ["records[1].client_key: with `adopt` a record needs an external id, which the record that is there gets"]
    );
    assert_eq!(
        defects(json!({"duplicates": "x", "records": [account("A-1")]})),
        ["duplicates: must be `block`, `allow` or `adopt`"]
    );
}
