use serde_json::{Value, json};

use crate::support::Scene;

fn part(method: &str, path: &str, reference: &str, body: &Value) -> Value {
    json!({"method": method, "url": format!("/services/data/v66.0/{path}"), "referenceId": reference, "body": body})
}

#[tokio::test]
async fn later_parts_use_what_earlier_ones_answered() {
    let scene = Scene::new().await;
    let parts = json!([
        part("POST", "sobjects/Account", "acme", &json!({"Name": "Composite & Co"})),
        part("POST", "sobjects/Contact", "person", &json!({"LastName": "X", "AccountId": "@{acme.id}"})),
        {"method": "GET", "url": "/services/data/v66.0/query?q=SELECT Id, Account.Name FROM Contact WHERE Id = '@{person.id}'", "referenceId": "check"},
    ]);

    let answer = scene.post("composite", json!({"allOrNone": true, "compositeRequest": parts})).await;

    let parts = &answer.body["compositeResponse"];
    assert_eq!((&parts[0]["httpStatusCode"], &parts[0]["referenceId"]), (&json!(201), &json!("acme")));
    assert!(
        parts[0]["httpHeaders"]["Location"].as_str().unwrap().starts_with("/services/data/v66.0/sobjects/Account/001")
    );
    assert_eq!(parts[2]["body"]["records"][0]["Account"]["Name"], "Composite & Co");
    assert_eq!(scene.org.api_calls(), 1);
}

#[tokio::test]
async fn all_or_none_takes_everything_back_and_names_the_culprit() {
    let scene = Scene::new().await;
    let before = scene.org.record_counts();
    let parts = json!([
        part("POST", "sobjects/Account", "a", &json!({"Name": "Gone again"})),
        part("POST", "sobjects/Contact", "b", &json!({"FirstName": "No last name"})),
        part("POST", "sobjects/Account", "c", &json!({"Name": "Never made"})),
    ]);

    let answer = scene.post("composite", json!({"allOrNone": true, "compositeRequest": parts})).await;

    let code = |n: usize| answer.body["compositeResponse"][n]["body"][0]["errorCode"].clone();
    assert_eq!(answer.status, 200);
    assert_eq!(
        (code(0), code(1), code(2)),
        (json!("PROCESSING_HALTED"), json!("REQUIRED_FIELD_MISSING"), json!("PROCESSING_HALTED"))
    );
    assert_eq!(scene.org.record_counts(), before);
}

#[tokio::test]
async fn without_all_or_none_the_good_parts_stay() {
    let scene = Scene::new().await;
    let parts = json!([
        part("POST", "sobjects/Account", "a", &json!({"Name": "Stays"})),
        part("POST", "sobjects/Contact", "b", &json!({"LastName": "x", "AccountId": "@{nobody.id}"})),
    ]);
    let answer = scene.post("composite", json!({"compositeRequest": parts})).await;
    assert_eq!(answer.body["compositeResponse"][1]["body"][0]["errorCode"], "PROCESSING_HALTED");
    assert_eq!(scene.query("SELECT COUNT() FROM Account WHERE Name = 'Stays'").await.body["totalSize"], 1);
}

#[tokio::test]
async fn a_part_that_is_not_served_in_composite_answers_404_in_200() {
    let scene = Scene::new().await;
    let parts = json!([{"method": "GET", "url": "/services/data/v66.0/sobjects/Foo", "referenceId": "a"}, {"method": "GET", "url": "/services/data/v66.0/ui-api/object-info/Account", "referenceId": "b"}]);
    let answer = scene.post("composite", json!({"compositeRequest": parts})).await;
    for part in answer.body["compositeResponse"].as_array().unwrap() {
        assert_eq!((&part["httpStatusCode"], &part["body"][0]["errorCode"]), (&json!(404), &json!("NOT_FOUND")));
    }
}

#[tokio::test]
async fn more_than_twenty_five_parts_and_repeated_references_are_refused() {
    let scene = Scene::new().await;
    let one = |reference: String| part("GET", "sobjects", &reference, &Value::Null);
    let many: Vec<Value> = (0..26).map(|n| one(format!("r{n}"))).collect();
    assert_eq!(scene.post("composite", json!({"compositeRequest": many})).await.status, 400);
    assert_eq!(
        scene.post("composite", json!({"compositeRequest": [one("r".into()), one("r".into())]})).await.status,
        400
    );
}
