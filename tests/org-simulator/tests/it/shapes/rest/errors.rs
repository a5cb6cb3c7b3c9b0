//! Error responses, beside the recordings of `rest/errors`.

use serde_json::{Value, json};

use crate::shapes::{
    Comparison::{self, ByTest},
    assert_shape, read,
};
use crate::support::{ADMIN, ApiResponse, TestContext, recorded};

pub(in crate::shapes) const RECORDINGS: &[(&str, Comparison)] = &[
    ("rest/errors/duplicates-detected-400.json", ByTest("a_duplicate_is_reported_as_recorded")),
    ("rest/errors/entity-is-deleted-404.json", ByTest("errors_are_worded_as_recorded")),
    ("rest/errors/external-id-field-unknown-404.json", ByTest("errors_are_worded_as_recorded")),
    ("rest/errors/field-not-writeable-400.json", ByTest("errors_are_worded_as_recorded")),
    ("rest/errors/not-found-404.json", ByTest("errors_are_worded_as_recorded")),
    ("rest/errors/observed-in-the-field.jsonl", ByTest("errors_seen_in_the_field_are_worded_as_recorded")),
    ("rest/errors/session-expired-401.json", ByTest("errors_are_worded_as_recorded")),
    ("rest/errors/unknown-field-400.json", ByTest("errors_are_worded_as_recorded")),
];

#[tokio::test]
async fn errors_are_worded_as_recorded() {
    if recorded("rest/errors/not-found-404.json").is_none() {
        return;
    }
    let context = TestContext::new().await;
    let account = context.id_of("Account", "Fjordglass Optics").await;
    let compare = |response: &ApiResponse, path: &str| assert_eq!(response.body, read(path).unwrap(), "{path}");

    compare(&context.get("sobjects/Foo").await, "rest/errors/not-found-404.json");
    compare(&context.get("sobjects/Account/23foo").await, "rest/errors/external-id-field-unknown-404.json");
    compare(
        &context.post("sobjects/Account", json!({"Name": "x", "AccountNumer": "1"})).await,
        "rest/errors/unknown-field-400.json",
    );
    compare(
        &context.patch(&format!("sobjects/Account/{account}"), json!({"MasterRecordId": account})).await,
        "rest/errors/field-not-writeable-400.json",
    );
    context.delete(&format!("sobjects/Account/{account}")).await;
    compare(&context.get(&format!("sobjects/Account/{account}")).await, "rest/errors/entity-is-deleted-404.json");
    let contacts = json!({"allOrNone": true, "records": [{"attributes": {"type": "Contact"}}, {"attributes": {"type": "Contact"}, "LastName": "x"}]});
    compare(
        &context.post("composite/sobjects", contacts).await,
        "rest/collections/create-contacts-partial-but-allOrNone.json",
    );
    compare(
        &context.post("composite/sobjects", json!({"records": []})).await,
        "rest/collections/create-contacts-err-bad-request.json",
    );
    context.org.expire_sessions(ADMIN).unwrap();
    compare(&context.get("limits").await, "rest/errors/session-expired-401.json");
}

#[tokio::test]
async fn a_duplicate_is_reported_as_recorded() {
    let Some(theirs) = read("rest/errors/duplicates-detected-400.json") else { return };
    let context = TestContext::new().await;
    let rule = json!({"name": "Standard_Contact_Duplicate_Rule", "object": "Contact", "fields": ["LastName"], "on_create": "alert"});
    let rule: org_simulator::DuplicateRule = serde_json::from_value(rule).unwrap();
    context.org.set_duplicate_rule(&rule).unwrap();
    let twin = json!({"LastName": "Twice"});
    context.post("sobjects/Contact", twin.clone()).await;
    let url = format!("{}/services/data/v54.0/sobjects/Contact", context.org.url());
    let response = context.plain(context.http.post(url).bearer_auth(context.token()).json(&twin)).await;
    assert_eq!(response.status, 400);
    assert_shape(&response.body, &theirs, "duplicate", &[]);
}

#[tokio::test]
async fn errors_seen_in_the_field_are_worded_as_recorded() {
    let Some(file) = recorded("rest/errors/observed-in-the-field.jsonl") else { return };
    let lines = std::fs::read_to_string(file).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let context = TestContext::new().await;
    let observed = |code: &str, at: usize| {
        let mut found = lines.iter().filter(|line| line["body"][0]["errorCode"] == code);
        found.nth(at).unwrap_or_else(|| panic!("{code}")).clone()
    };
    let effect = |effect| {
        context.org.fault(org_simulator::FaultRule { times: Some(1), ..org_simulator::FaultRule::new(effect) })
    };
    effect(org_simulator::Effect::RequestLimitExceeded);
    let daily = context.get("limits").await;
    assert_eq!(
        (json!(daily.status.to_string()), &daily.body),
        (observed("REQUEST_LIMIT_EXCEEDED", 0)["status"].clone(), &observed("REQUEST_LIMIT_EXCEEDED", 0)["body"])
    );
    effect(org_simulator::Effect::ConcurrentLimitExceeded);
    assert_eq!(context.get("limits").await.body, observed("REQUEST_LIMIT_EXCEEDED", 1)["body"]);
    effect(org_simulator::Effect::UnableToLockRow);
    assert_shape(&context.get("limits").await.body, &observed("UNABLE_TO_LOCK_ROW", 0)["body"], "lock", &[]);
    let required = context.post("sobjects/Account", json!({})).await;
    assert_eq!(required.body, observed("REQUIRED_FIELD_MISSING", 0)["body"]);
    let long = context.post("sobjects/Account", json!({"Name": "x".repeat(300)})).await;
    assert_shape(&long.body, &observed("STRING_TOO_LONG", 0)["body"], "too long", &[]);
    assert!(long.body[0]["message"].as_str().unwrap().ends_with("(max length=255)"), "{}", long.body);
}
