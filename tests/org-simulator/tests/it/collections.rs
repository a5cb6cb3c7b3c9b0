use reqwest::Method;
use serde_json::{Value, json};

use crate::support::Scene;

fn account(name: &str) -> Value {
    json!({"attributes": {"type": "Account"}, "Name": name})
}

#[tokio::test]
async fn each_record_has_its_own_result_in_order() {
    let scene = Scene::new().await;
    let answer = scene
        .post(
            "composite/sobjects",
            json!({"allOrNone": false, "records": [account("A"), {"attributes": {"type": "Contact"}}, account("B")]}),
        )
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body[0]["success"], true);
    assert_eq!(answer.body[1]["errors"][0]["statusCode"], "REQUIRED_FIELD_MISSING");
    assert!(answer.body[1].get("id").is_none());
    assert_eq!(answer.body[2]["success"], true);
}

#[tokio::test]
async fn all_or_none_rolls_back_every_record() {
    let scene = Scene::new().await;
    let before = scene.org.record_counts();
    let answer = scene
        .post(
            "composite/sobjects",
            json!({"allOrNone": true, "records": [account("A"), {"attributes": {"type": "Contact"}}]}),
        )
        .await;
    assert_eq!(answer.body[0]["errors"][0]["statusCode"], "ALL_OR_NONE_OPERATION_ROLLED_BACK");
    assert_eq!(answer.body[1]["errors"][0]["statusCode"], "REQUIRED_FIELD_MISSING");
    assert_eq!(scene.org.record_counts(), before);
}

#[tokio::test]
async fn an_upsert_reports_created_and_updated_records() {
    let scene = Scene::new().await;
    let record =
        |key: Value, name: &str| json!({"attributes": {"type": "Account"}, "Ferry_External_Id__c": key, "Name": name});
    let body = json!({"records": [record(json!("acc-1001"), "Known"), record(json!("acc-2"), "New"), record(Value::Null, "No key")]});

    let answer = scene.patch("composite/sobjects/Account/Ferry_External_Id__c", body).await;

    assert_eq!((&answer.body[0]["created"], &answer.body[1]["created"]), (&json!(false), &json!(true)));
    assert_eq!(answer.body[2]["errors"][0]["statusCode"], "MISSING_ARGUMENT");
}

#[tokio::test]
async fn one_external_id_twice_in_a_call_fails_both() {
    let scene = Scene::new().await;
    let record = json!({"attributes": {"type": "Account"}, "Ferry_External_Id__c": "twice", "Name": "x"});
    let answer =
        scene.patch("composite/sobjects/Account/Ferry_External_Id__c", json!({"records": [record, record]})).await;
    for outcome in answer.body.as_array().unwrap() {
        assert_eq!(outcome["errors"][0]["statusCode"], "DUPLICATE_VALUE");
    }
}

#[tokio::test]
async fn an_upsert_by_id_without_an_id_creates() {
    let scene = Scene::new().await;
    let body = json!({"records": [{"attributes": {"type": "Account"}, "Id": null, "Name": "Made"}]});
    let answer = scene.patch("composite/sobjects/Account/Id", body).await;
    assert_eq!(answer.body[0]["created"], true);
}

#[tokio::test]
async fn updates_and_deletes_identify_records_by_id() {
    let scene = Scene::new().await;
    let id = scene.id_of("Account", "Fjordglass Optics").await;
    let updated = scene
        .patch(
            "composite/sobjects",
            json!({"records": [{"attributes": {"type": "Account"}, "id": id, "Name": "Renamed"}]}),
        )
        .await;
    assert_eq!(updated.body, json!([{"id": id, "success": true, "errors": []}]));
    assert_eq!(scene.org.record("Account", &id).unwrap()["Name"], "Renamed");

    let deleted = scene.delete(&format!("composite/sobjects?ids={id},0015e0000000zzz&allOrNone=false")).await;

    assert_eq!(deleted.body[0]["success"], true);
    assert_eq!(deleted.body[1]["errors"][0]["statusCode"], "INVALID_CROSS_REFERENCE_KEY");
}

#[tokio::test]
async fn retrieved_records_have_the_order_of_their_ids() {
    let scene = Scene::new().await;
    let id = scene.id_of("Account", "Fjordglass Optics").await;

    let posted =
        scene.post("composite/sobjects/Account", json!({"ids": [id, "0015e0000000zzz"], "fields": ["Name"]})).await;
    let got = scene.get(&format!("composite/sobjects/Account?ids=0015e0000000zzz,{id}&fields=Id,Name")).await;

    assert_eq!((&posted.body[0]["Name"], &posted.body[0]["Id"]), (&json!("Fjordglass Optics"), &json!(id)));
    assert_eq!(posted.body[1], Value::Null);
    assert_eq!((&got.body[0], &got.body[1]["Name"]), (&Value::Null, &json!("Fjordglass Optics")));
}

#[tokio::test]
async fn more_than_two_hundred_or_no_records_are_rejected() {
    let scene = Scene::new().await;
    let many: Vec<Value> = (0..201).map(|n| account(&format!("A{n}"))).collect();
    let refused = scene.post("composite/sobjects", json!({"records": many})).await;
    assert_eq!((refused.status, refused.code()), (400, "EXCEEDED_ID_LIMIT"));
    let none = scene.call(Method::POST, "composite/sobjects", Some(json!({"records": []}))).await;
    assert_eq!((none.status, none.code()), (400, "REQUIRED_FIELD_MISSING"));
}
