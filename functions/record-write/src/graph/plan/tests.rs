use proptest::prelude::*;
use salesforce::ObjectDescribe;
use serde_json::json;

use super::super::request::GraphRequest;
use super::*;

fn describe(object: &str, fields: Value) -> ObjectDescribe {
    let mut all = vec![
        json!({"name": "Id", "type": "id"}),
        json!({"name": "Key__c", "type": "string", "externalId": true}),
        json!({"name": "Name", "type": "string"}),
        json!({"name": "OwnerId", "type": "reference"}),
    ];
    all.extend(fields.as_array().unwrap().iter().cloned());
    for field in &mut all {
        for (name, value) in
            [("label", json!("x")), ("nillable", json!(true)), ("createable", json!(true)), ("updateable", json!(true))]
        {
            field[name] = value;
        }
    }
    serde_json::from_value(json!({
        "name": object, "label": object, "keyPrefix": "001", "custom": false, "queryable": true, "createable": true,
        "updateable": true, "replicateable": true, "fields": all,
    }))
    .unwrap()
}

fn schema() -> Schema {
    let lookup = |name: &str, relationship: &str, to: &[&str]| json!({"name": name, "type": "reference", "relationshipName": relationship, "referenceTo": to});
    Schema::of([
        describe("Account", json!([lookup("ParentId", "Parent", &["Account"])])),
        describe(
            "Contact",
            json!([lookup("AccountId", "Account", &["Account"]), lookup("ReportsToId", "ReportsTo", &["Contact"])]),
        ),
        describe("Opportunity", json!([lookup("AccountId", "Account", &["Account"])])),
        describe(
            "Task",
            json!([
                json!({"name": "Subject", "type": "string"}),
                lookup("WhatId", "What", &["Account", "Opportunity"]),
                lookup("Visit__c", "Visit__r", &["Account"])
            ]),
        ),
    ])
}

fn request(records: Value) -> Vec<GraphRecord> {
    GraphRequest::parse(json!({"records": records})).unwrap().records
}

fn upserted(object: &str, key: &str, fields: Value) -> Value {
    let mut fields = fields;
    fields["Key__c"] = json!(key);
    json!({"object": object, "external_id_field": "Key__c", "fields": fields})
}

fn planned(records: Value) -> Vec<Planned> {
    Plan::new(&request(records), &schema()).unwrap().0
}

fn refused(records: Value) -> String {
    match Plan::new(&request(records), &schema()).unwrap_err() {
        Error::Invalid(defects) => defects.iter().map(Defect::to_string).collect::<Vec<_>>().join("\n"),
        error => error.to_string(),
    }
}

#[test]
fn parents_of_the_request_come_first_and_are_referred_to() {
    let plan = planned(json!([
        {"object": "Task", "client_key": "t", "fields": {"Subject": "Call", "What": {"attributes": {"type": "Opportunity"}, "Key__c": "o-1"}, "Visit__r": {"Key__c": "A-1"}}},
        upserted("Opportunity", "O-1", json!({"Account": {"Key__c": "a-1"}})),
        upserted("Account", "A-1", json!({"Parent": {"Key__c": "A-9"}})),
    ]));

    assert_eq!(plan.iter().map(|planned| planned.index).collect::<Vec<_>>(), [2, 1, 0]);
    let fields = |at: usize| Value::Object(plan[at].node.fields.clone());
    assert_eq!(fields(0), json!({"Parent": {"Key__c": "A-9"}}), "an account that is not in the request");
    assert_eq!(fields(1), json!({"AccountId": "@{r2.id}"}));
    assert_eq!(fields(2), json!({"Subject": "Call", "WhatId": "@{r1.id}", "Visit__c": "@{r2.id}"}));
    assert_eq!(plan[0].node.save, Save::Upsert("Key__c".parse().unwrap(), json!("A-1")));
    assert_eq!((plan[2].node.save.clone(), plan[2].parents.len()), (Save::Create, 2));
}

#[test]
fn the_target_of_a_lookup_decides_which_record_is_named() {
    let records =
        json!(
            [upserted("Opportunity", "1", json!({})), upserted("Contact", "1", json!({"Account": {"Key__c": "1"}})),]
        );
    assert!(planned(records).iter().all(|planned| planned.parents.is_empty()), "no opportunity is an account");
    let records = json!([
        upserted("Account", "1", json!({})),
        upserted("Opportunity", "1", json!({})),
        {"object": "Task", "client_key": "t", "fields": {"What": {"Key__c": "1"}}},
    ]);
    assert!(refused(records).starts_with("records[2].fields.What: names several records of this request"));
}

#[test]
fn a_new_record_is_named_by_its_client_key() {
    let records = json!([
        upserted("Contact", "C-1", json!({"Account": {"client_key": "acme"}})),
        {"object": "Account", "client_key": "acme", "fields": {"Name": "Acme"}},
    ]);
    let plan = planned(records);
    assert_eq!(plan[1].node.fields["AccountId"], "@{r1.id}");
    assert_eq!(
        refused(json!([upserted("Contact", "C-1", json!({"Account": {"client_key": "acme"}}))])),
        "records[0].fields.Account: names no client_key of this request"
    );
}

#[test]
fn a_record_that_is_named_by_its_id_is_referred_to_by_it() {
    let plan = planned(json!([
        {"object": "Account", "external_id_field": "Id", "fields": {"Id": "001D000000IRFma", "Name": "Acme"}},
        upserted("Contact", "C-1", json!({"Account": {"Id": "001D000000IRFmaIAH"}})),
    ]));
    assert_eq!(plan[0].node.save, Save::Update("001D000000IRFmaIAH".parse().unwrap()));
    assert_eq!(plan[0].node.fields.get("Id"), None);
    assert_eq!(plan[1].node.fields["AccountId"], "001D000000IRFmaIAH");
}

#[test]
fn a_circle_names_its_places() {
    let contact = |key: &str, reports_to: &str| upserted("Contact", key, json!({"ReportsTo": {"Key__c": reports_to}}));
    assert_eq!(
        refused(json!([contact("0", "1"), contact("1", "2"), contact("2", "1")])),
        "records[1].fields.ReportsTo: the records of this request name each other in a circle\n\
         records[2].fields.ReportsTo: the records of this request name each other in a circle"
    );
    assert_eq!(
        refused(json!([contact("0", "0")])),
        "records[0].fields.ReportsTo: the records of this request name each other in a circle"
    );
}

#[test]
fn a_chain_has_at_most_15_levels() {
    let chain = |length: usize| -> Value {
        let account = |n: usize| match n {
            0 => upserted("Account", "0", json!({})),
            n => upserted("Account", &n.to_string(), json!({"Parent": {"Key__c": (n - 1).to_string()}})),
        };
        (0..length).rev().map(account).collect()
    };
    assert_eq!(planned(chain(15)).len(), 15);
    assert_eq!(refused(chain(16)), "records[0]: the record is more than 15 levels deep");
}

#[test]
fn records_that_are_one_to_salesforce_are_refused() {
    let text = refused(json!([upserted("Account", "A-1", json!({})), upserted("Account", "a-1", json!({}))]));
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(planned(json!([upserted("Account", "1", json!({})), upserted("Contact", "1", json!({}))])).len() == 2);
}

#[test]
fn what_the_user_does_not_see_is_named() {
    assert!(refused(json!([upserted("Invoice__c", "1", json!({}))])).contains("the object Invoice__c"));
    let other = json!([{"object": "Account", "external_id_field": "Nope__c", "fields": {"Nope__c": "1"}}]);
    assert!(refused(other).contains("Nope__c"));
    let name = json!([{"object": "Account", "external_id_field": "Name", "fields": {"Name": "1"}}]);
    assert!(refused(name).contains("is not an external id"));
    let no_relationship = json!([upserted("Account", "1", json!({"ParentId": {"Key__c": "1"}}))]);
    assert_eq!(refused(no_relationship), "records[0].fields.ParentId: must be the name of a relationship");
}

proptest! {
    #[test]
    fn every_record_is_sent_once_and_after_its_parents(
        parents in prop::collection::vec(prop::option::of(0usize..20), 1..20),
    ) {
        // Only earlier records are named, so that there is no circle; the request has them in another order.
        let account = |(n, parent): (usize, &Option<usize>)| match parent.map(|parent| parent % (n + 1)).filter(|p| *p < n) {
            Some(parent) => upserted("Account", &n.to_string(), json!({"Parent": {"Key__c": parent.to_string()}})),
            None => upserted("Account", &n.to_string(), json!({})),
        };
        let mut records: Vec<Value> = parents.iter().enumerate().map(account).collect();
        records.reverse();
        let count = records.len();
        match Plan::new(&request(Value::Array(records)), &schema()) {
            Ok(plan) => {
                let sent: Vec<usize> = plan.0.iter().map(|planned| planned.index).collect();
                for (at, planned) in plan.0.iter().enumerate() {
                    prop_assert!(planned.parents.iter().all(|(_, parent)| sent[..at].contains(parent)));
                }
                let mut all = sent;
                all.sort_unstable();
                prop_assert!(all.into_iter().eq(0..count));
            }
            Err(error) => prop_assert!(matches!(&error, Error::Invalid(defects) if defects[0].detail.contains("15 levels"))),
        }
    }
}
