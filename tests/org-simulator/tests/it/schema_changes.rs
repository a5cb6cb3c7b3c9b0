//! Fields that are added, hidden, retyped and removed while a client is at work.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{ApiResponse, TestContext};

const DESCRIBE: &str = "sobjects/Account/describe";

async fn define(context: &TestContext, field: Value) {
    let made = context.admin(Method::POST, "objects", Some(json!({"name": "Account", "fields": [field]}))).await;
    assert_eq!(made.status, 200, "{}", made.body);
}

async fn describe_since(context: &TestContext, since: &str) -> ApiResponse {
    context.call_with(Method::GET, DESCRIBE, None, &[("If-Modified-Since", since)]).await
}

/// Returns a field of the describe.
async fn described(context: &TestContext, name: &str) -> Option<Value> {
    let fields = context.get(DESCRIBE).await.body["fields"].clone();
    fields.as_array().unwrap().iter().find(|field| field["name"] == name).cloned()
}

#[tokio::test]
async fn every_change_of_the_schema_ends_a_304() {
    let context = TestContext::new().await;
    let mut since = context.get(DESCRIBE).await.header("last-modified").to_owned();
    let text = json!({"name": "Tier__c", "type": "string"});
    let hide = json!({"objects": {"Account": {"hidden_fields": ["Tier__c"]}}});
    for (method, path, body) in [
        (Method::POST, "objects", json!({"name": "Account", "fields": [text]})),
        (Method::PATCH, "objects/Account/fields/Tier__c", json!({"type": "double"})),
        (Method::PATCH, "profiles/Standard User", hide),
        (Method::DELETE, "objects/Account/fields/Tier__c", json!({})),
    ] {
        assert_eq!(describe_since(&context, &since).await.status, 304, "{path}");
        context.admin(Method::POST, "clock", Some(json!({"advance_seconds": 60}))).await;
        let changed = context.admin(method, path, Some(body)).await;
        assert_eq!(changed.status, 200, "{path}: {}", changed.body);
        context.admin(Method::POST, "clock", Some(json!({"advance_seconds": 60}))).await;
        let fresh = describe_since(&context, &since).await;
        assert_eq!(fresh.status, 200, "{path}");
        let next = fresh.header("last-modified").to_owned();
        assert_ne!(next, since, "{path}");
        since = next;
    }
}

#[tokio::test]
async fn a_removed_field_does_not_exist_for_any_request() {
    let context = TestContext::new().await;
    define(&context, json!({"name": "Tier__c", "type": "string"})).await;
    define(&context, json!({"name": "Rank__c", "type": "double"})).await;
    let made = context.post("sobjects/Account", json!({"Name": "A", "Tier__c": "gold", "Rank__c": 3})).await;
    let path = format!("sobjects/Account/{}", made.body["id"].as_str().unwrap());
    let before = context.get(&path).await.body;

    let removed = context.admin(Method::DELETE, "objects/Account/fields/Tier__c", None).await;
    assert_eq!(removed.status, 200, "{}", removed.body);

    assert!(described(&context, "Tier__c").await.is_none());
    let after = context.get(&path).await.body;
    assert!(after.get("Tier__c").is_none() && after.get("").is_none());
    assert_eq!((&after["Rank__c"], &after["SystemModstamp"]), (&json!(3.0), &before["SystemModstamp"]));
    let queried = context.query("SELECT Tier__c FROM Account").await;
    assert_eq!(queried.code(), "INVALID_FIELD");
    let text = queried.body[0]["message"].as_str().unwrap();
    assert!(text.contains("No such column 'Tier__c' on entity 'Account'."), "{text}");
    let written = context.patch(&path, json!({"Tier__c": "silver"})).await;
    assert_eq!((written.status, written.code()), (400, "INVALID_FIELD"));
    assert_eq!(written.body[0]["message"], "No such column 'Tier__c' on sobject of type Account");

    define(&context, json!({"name": "Tier__c", "type": "string"})).await;
    assert_eq!(context.get(&path).await.body["Tier__c"], Value::Null);
    assert_eq!(context.patch(&path, json!({"Tier__c": "silver"})).await.status, 204);
    let shown = context.query("SELECT FIELDS(CUSTOM) FROM Account WHERE Tier__c = 'silver' LIMIT 1").await;
    assert_eq!(shown.body["records"][0]["Rank__c"], 3.0, "{}", shown.body);
}

#[tokio::test]
async fn a_retyped_field_keeps_the_values_that_fit() {
    let context = TestContext::new().await;
    define(&context, json!({"name": "Tier__c", "type": "string"})).await;
    for (name, tier) in [("Number", "12"), ("Word", "gold")] {
        context.post("sobjects/Account", json!({"Name": name, "Tier__c": tier})).await;
    }
    let tier = async |name: &str| {
        let found = context.query(&format!("SELECT Tier__c FROM Account WHERE Name = '{name}'")).await;
        found.body["records"][0]["Tier__c"].clone()
    };
    let retype = async |body: Value| context.admin(Method::PATCH, "objects/Account/fields/Tier__c", Some(body)).await;

    assert_eq!(retype(json!({"type": "double"})).await.status, 200);
    assert_eq!((tier("Number").await, tier("Word").await), (json!(12.0), Value::Null));
    let field = described(&context, "Tier__c").await.unwrap();
    assert_eq!(
        (&field["type"], &field["soapType"], &field["groupable"]),
        (&json!("double"), &json!("xsd:double"), &json!(false))
    );
    let quoted = context.query("SELECT Id FROM Account WHERE Tier__c = '12'").await;
    let text =
        "value of filter criterion for field 'Tier__c' must be of type double and should not be enclosed in quotes";
    assert!(quoted.body[0]["message"].as_str().unwrap().ends_with(text), "{}", quoted.body);
    let worded = context.post("sobjects/Account", json!({"Name": "B", "Tier__c": "gold"})).await;
    assert_eq!(worded.code(), "JSON_PARSER_ERROR");

    assert_eq!(retype(json!({"type": "string", "length": 10})).await.status, 200);
    assert_eq!(
        (tier("Number").await, described(&context, "Tier__c").await.unwrap()["length"].clone()),
        (json!("12"), json!(10))
    );
}

#[tokio::test]
async fn a_hidden_field_does_not_exist_for_its_profile_only() {
    let mut context = TestContext::new().await;
    let hide = json!({"objects": {"Account": {"hidden_fields": ["Phone"]}}});
    assert_eq!(context.admin(Method::PATCH, "profiles/Standard User", Some(hide)).await.status, 200);
    assert!(described(&context, "Phone").await.is_some());
    context.log_in(crate::support::CASEY);
    assert!(described(&context, "Phone").await.is_none());
    assert_eq!(context.query("SELECT Phone FROM Account").await.code(), "INVALID_FIELD");
}

#[tokio::test]
async fn a_field_in_use_and_a_standard_field_stay() {
    let context = TestContext::new().await;
    define(&context, json!({"name": "Tier__c", "type": "string"})).await;
    define(&context, json!({"name": "Shown__c", "type": "string", "formula": "Tier__c & '!'"})).await;
    define(&context, json!({"name": "Sent__c", "type": "string"})).await;
    let message =
        json!({"name": "M", "object": "Account", "fields": ["Id", "Sent__c"], "endpoint_url": "http://127.0.0.1:9/x"});
    assert_eq!(context.admin(Method::POST, "outbound-messages", Some(message)).await.status, 200);
    for (field, reason) in [
        ("Tier__c", "Tier__c: Account.Shown__c reads it"),
        ("Sent__c", "Sent__c: the outbound message M sends it"),
        ("Phone", "Phone: only custom fields are changed and removed"),
    ] {
        let refused = context.admin(Method::DELETE, &format!("objects/Account/fields/{field}"), None).await;
        assert_eq!(refused.status, 400, "{field}");
        assert!(refused.body["error"].as_str().unwrap().ends_with(reason), "{}", refused.body);
    }
    let path = "objects/Account/fields/Nope__c";
    assert_eq!(context.admin(Method::DELETE, path, None).await.status, 404);
    let unknown = context.admin(Method::PATCH, "objects/Account/fields/Tier__c", Some(json!({"type": "poem"}))).await;
    assert!(unknown.status >= 400);
}

#[tokio::test]
async fn a_field_that_a_rule_reads_stays() {
    let context = TestContext::new().await;
    for name in [
        "Tested__c",
        "Shown__c",
        "Compared__c",
        "Scope__c",
        "Parent__c",
        "Joined__c",
        "Aliased__c",
        "Named__c",
        "Free__c",
    ] {
        define(&context, json!({"name": name, "type": "string"})).await;
    }
    for (path, rule) in [
        (
            "validation-rules",
            json!({"name": "V", "object": "Account", "condition": "NOT (Name = 'Named__c' OR tested__c = 'x')",
                "message": "m", "field": "Shown__c"}),
        ),
        (
            "validation-rules",
            json!({"name": "P", "object": "Contact", "condition": "Account.Parent__c = 'x'", "message": "m"}),
        ),
        (
            "validation-rules",
            json!({"name": "J", "object": "Contact", "message": "m",
                "condition": "AccountId IN (SELECT Id FROM Account a WHERE Joined__c = 'x' AND a.Aliased__c = 'y')"}),
        ),
        (
            "duplicate-rules",
            json!({"name": "D", "object": "Account", "fields": ["Compared__c"], "condition": "Account.Scope__c != null"}),
        ),
    ] {
        let made = context.admin(Method::POST, path, Some(rule)).await;
        assert_eq!(made.status, 200, "{}", made.body);
    }
    for (field, rule) in [
        ("Tested__c", "V"),
        ("Shown__c", "V"),
        ("Parent__c", "P"),
        ("Joined__c", "J"),
        ("Aliased__c", "J"),
        ("Compared__c", "D"),
        ("Scope__c", "D"),
    ] {
        let path = format!("objects/Account/fields/{field}");
        for (method, body) in [(Method::DELETE, None), (Method::PATCH, Some(json!({"type": "double"})))] {
            let refused = context.admin(method.clone(), &path, body).await;
            assert_eq!(refused.status, 400, "{method} {field}: {}", refused.body);
            let reason = format!("{field}: the rule {rule} reads it");
            assert!(refused.body["error"].as_str().unwrap().ends_with(&reason), "{}", refused.body);
        }
    }
    for path in ["objects/Account/fields/Named__c", "objects/Account/fields/Free__c"] {
        assert_eq!(context.admin(Method::DELETE, path, None).await.status, 200, "a text does not name a field: {path}");
    }
    assert_eq!(context.admin(Method::DELETE, "rules/D", None).await.status, 200);
    assert_eq!(context.admin(Method::DELETE, "objects/Account/fields/Scope__c", None).await.status, 200);
}
