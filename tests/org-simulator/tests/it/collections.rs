use reqwest::Method;
use serde_json::{Value, json};

use crate::support::TestContext;

fn account(name: &str) -> Value {
    json!({"attributes": {"type": "Account"}, "Name": name})
}

#[tokio::test]
async fn each_record_has_its_own_result_in_order() {
    let context = TestContext::new().await;
    let response = context
        .post(
            "composite/sobjects",
            json!({"allOrNone": false, "records": [account("A"), {"attributes": {"type": "Contact"}}, account("B")]}),
        )
        .await;
    assert_eq!(response.status, 200);
    assert_eq!(response.body[0]["success"], true);
    assert_eq!(response.body[1]["errors"][0]["statusCode"], "REQUIRED_FIELD_MISSING");
    assert!(response.body[1].get("id").is_none());
    assert_eq!(response.body[2]["success"], true);
}

#[tokio::test]
async fn all_or_none_rolls_back_every_record() {
    let context = TestContext::new().await;
    let before = context.org.record_counts();
    let response = context
        .post(
            "composite/sobjects",
            json!({"allOrNone": true, "records": [account("A"), {"attributes": {"type": "Contact"}}]}),
        )
        .await;
    assert_eq!(response.body[0]["errors"][0]["statusCode"], "ALL_OR_NONE_OPERATION_ROLLED_BACK");
    assert_eq!(response.body[1]["errors"][0]["statusCode"], "REQUIRED_FIELD_MISSING");
    assert_eq!(context.org.record_counts(), before);
}

#[tokio::test]
async fn an_upsert_reports_created_and_updated_records() {
    let context = TestContext::new().await;
    let record =
        |key: Value, name: &str| json!({"attributes": {"type": "Account"}, "Ferry_External_Id__c": key, "Name": name});
    let body = json!({"records": [record(json!("acc-1001"), "Known"), record(json!("acc-2"), "New"), record(Value::Null, "No key")]});

    let response = context.patch("composite/sobjects/Account/Ferry_External_Id__c", body).await;

    assert_eq!((&response.body[0]["created"], &response.body[1]["created"]), (&json!(false), &json!(true)));
    assert_eq!(response.body[2]["errors"][0]["statusCode"], "MISSING_ARGUMENT");
}

#[tokio::test]
async fn one_external_id_twice_in_a_call_fails_both() {
    let context = TestContext::new().await;
    let record = json!({"attributes": {"type": "Account"}, "Ferry_External_Id__c": "twice", "Name": "x"});
    let response =
        context.patch("composite/sobjects/Account/Ferry_External_Id__c", json!({"records": [record, record]})).await;
    for outcome in response.body.as_array().unwrap() {
        assert_eq!(outcome["errors"][0]["statusCode"], "DUPLICATE_VALUE");
    }
}

#[tokio::test]
async fn an_upsert_by_id_without_an_id_creates() {
    let context = TestContext::new().await;
    let body = json!({"records": [{"attributes": {"type": "Account"}, "Id": null, "Name": "Made"}]});
    let response = context.patch("composite/sobjects/Account/Id", body).await;
    assert_eq!(response.body[0]["created"], true);
}

#[tokio::test]
async fn updates_and_deletes_identify_records_by_id() {
    let context = TestContext::new().await;
    let id = context.id_of("Account", "Fjordglass Optics").await;
    let updated = context
        .patch(
            "composite/sobjects",
            json!({"records": [{"attributes": {"type": "Account"}, "id": id, "Name": "Renamed"}]}),
        )
        .await;
    assert_eq!(updated.body, json!([{"id": id, "success": true, "errors": []}]));
    assert_eq!(context.org.record("Account", &id).unwrap()["Name"], "Renamed");

    let deleted = context.delete(&format!("composite/sobjects?ids={id},0015e0000000zzz&allOrNone=false")).await;

    assert_eq!(deleted.body[0]["success"], true);
    assert_eq!(deleted.body[1]["errors"][0]["statusCode"], "INVALID_CROSS_REFERENCE_KEY");
}

#[tokio::test]
async fn retrieved_records_have_the_order_of_their_ids() {
    let context = TestContext::new().await;
    let id = context.id_of("Account", "Fjordglass Optics").await;

    let posted =
        context.post("composite/sobjects/Account", json!({"ids": [id, "0015e0000000zzz"], "fields": ["Name"]})).await;
    let got = context.get(&format!("composite/sobjects/Account?ids=0015e0000000zzz,{id}&fields=Id,Name")).await;

    assert_eq!((&posted.body[0]["Name"], &posted.body[0]["Id"]), (&json!("Fjordglass Optics"), &json!(id)));
    assert_eq!(posted.body[1], Value::Null);
    assert_eq!((&got.body[0], &got.body[1]["Name"]), (&Value::Null, &json!("Fjordglass Optics")));
}

#[tokio::test]
async fn more_than_two_hundred_or_no_records_are_rejected() {
    let context = TestContext::new().await;
    let many: Vec<Value> = (0..201).map(|n| account(&format!("A{n}"))).collect();
    let refused = context.post("composite/sobjects", json!({"records": many})).await;
    assert_eq!((refused.status, refused.code()), (400, "EXCEEDED_ID_LIMIT"));
    let none = context.call(Method::POST, "composite/sobjects", Some(json!({"records": []}))).await;
    assert_eq!((none.status, none.code()), (400, "REQUIRED_FIELD_MISSING"));
}

#[tokio::test]
async fn an_update_without_an_id_fails_its_record() {
    let context = TestContext::new().await;
    let record = json!({"attributes": {"type": "Contact"}, "LastName": "a"});
    let response = context.patch("composite/sobjects", json!({"records": [record]})).await;
    let error =
        json!({"statusCode": "MISSING_ARGUMENT", "message": "Id not specified in an update call", "fields": []});
    assert_eq!((response.status, response.body), (200, json!([{"success": false, "errors": [error]}])));
}

#[tokio::test]
async fn a_record_without_attributes_fails_alone() {
    let context = TestContext::new().await;
    let untyped = json!({"Id": "001000000000000000", "Name": "x"});
    let body = json!({"allOrNone": false, "records": [untyped, account("typed")]});
    let response = context.patch("composite/sobjects/Account/Id", body).await;
    let message = "Nested object for polymorphic foreign key must have an attributes field before any other fields.";
    let error = json!({"statusCode": "JSON_PARSER_ERROR", "message": message, "fields": []});
    assert_eq!(
        (response.status, &response.body[0]),
        (200, &json!({"success": false, "created": false, "errors": [error]}))
    );
    assert_eq!((&response.body[1]["success"], &response.body[1]["created"]), (&json!(true), &json!(true)));
    for (method, path) in [(Method::POST, "composite/sobjects"), (Method::PATCH, "composite/sobjects")] {
        let failed = context.call(method, path, Some(json!({"records": [untyped]}))).await;
        assert_eq!(failed.body[0]["errors"][0]["statusCode"], "JSON_PARSER_ERROR");
    }
}

#[tokio::test]
async fn every_failed_upsert_says_that_it_created_nothing() {
    let context = TestContext::new().await;
    let nameless = json!({"attributes": {"type": "Account"}, "Ferry_External_Id__c": "n-1"});
    let named = json!({"attributes": {"type": "Account"}, "Ferry_External_Id__c": "n-2", "Name": "x"});
    for all_or_none in [false, true] {
        let body = json!({"allOrNone": all_or_none, "records": [nameless, named]});
        let rows = context.patch("composite/sobjects/Account/Ferry_External_Id__c", body).await.body;
        for row in rows.as_array().unwrap().iter().filter(|row| row["success"] == false) {
            assert_eq!(row["created"], false, "{row}");
        }
        assert_eq!(rows[1]["success"], !all_or_none);
    }
}
