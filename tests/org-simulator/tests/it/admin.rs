use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{CASEY, TestContext};

#[tokio::test]
async fn the_org_is_described_without_secrets() {
    let context = TestContext::new().await;
    let org = context.admin(Method::GET, "org", None).await;
    assert_eq!((&org.body["org_id"], &org.body["record_counts"]["Account"]), (&json!(context.org.org_id()), &json!(5)));
    let home = context.plain(context.http.get(context.org.url())).await;
    for page in [String::from_utf8(org.bytes).unwrap(), String::from_utf8(home.bytes).unwrap()] {
        assert!(page.contains(CASEY));
        assert!(!page.contains(context.org.client_secret()) && !page.contains(context.token()));
    }
}

#[tokio::test]
async fn a_custom_object_is_created_and_used() {
    let context = TestContext::new().await;
    let fields = json!([
        {"name": "Key__c", "external_id": true, "unique": true}, {"name": "Size__c", "type": "double"},
        {"name": "Account__c", "type": "reference", "reference_to": ["Account"]},
        {"name": "Colour__c", "type": "picklist", "picklist": ["Red", "Blue"], "restricted": true},
    ]);
    let made = context.admin(Method::POST, "objects", Some(json!({"name": "Engagement__c", "fields": fields}))).await;
    assert_eq!(made.body["key_prefix"], "a00");
    let account = context.id_of("Account", "Fjordglass Optics").await;

    let created = context
        .patch(
            "sobjects/Engagement__c/Key__c/K-1",
            json!({"Name": "E", "Size__c": 4, "Account__c": account, "Colour__c": "Red"}),
        )
        .await;

    assert_eq!(created.status, 201);
    let found = context.query("SELECT Size__c, Account__r.Name FROM Engagement__c").await;
    assert_eq!(found.body["records"][0]["Account__r"]["Name"], "Fjordglass Optics");
    assert_eq!(found.body["records"][0]["Size__c"].to_string(), "4.0");
    let refused = context.post("sobjects/Engagement__c", json!({"Name": "E", "Colour__c": "Green"})).await;
    assert_eq!(refused.code(), "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST");
}

#[tokio::test]
async fn users_apps_and_sessions_are_managed() {
    let context = TestContext::new().await;
    let user = json!({"username": "new@larkspur.example", "first_name": "Noor", "last_name": "Vance"});
    assert_eq!(context.admin(Method::POST, "users", Some(user.clone())).await.body["name"], "Noor Vance");
    assert_eq!(context.admin(Method::POST, "users", Some(user)).await.status, 400);
    let app =
        json!({"name": "Other", "client_id": "other", "client_secret": "s", "redirect_uri": "http://localhost:1/cb"});
    assert_eq!(context.admin(Method::POST, "apps", Some(app)).await.status, 200);
    let session = context.admin(Method::POST, "sessions", Some(json!({"username": "new@larkspur.example"}))).await;
    let token = session.body["access_token"].as_str().unwrap().to_owned();
    let limits = || context.http.get(format!("{}/services/data/v66.0/limits", context.org.url())).bearer_auth(&token);
    assert_eq!(context.plain(limits()).await.status, 200);

    context.admin(Method::POST, "users/new@larkspur.example/expire-sessions", None).await;

    assert_eq!(context.plain(limits()).await.status, 401);
    assert_eq!(context.admin(Method::POST, "users/nobody/expire-sessions", None).await.status, 404);
}

#[tokio::test]
async fn records_are_written_as_a_user() {
    let context = TestContext::new().await;
    let made = context
        .admin(Method::POST, &format!("records/Lead?as={CASEY}"), Some(json!({"LastName": "A", "Company": "B"})))
        .await;
    let path = format!("records/Lead/{}", made.body["id"].as_str().unwrap());
    assert_eq!(context.admin(Method::PATCH, &path, Some(json!({"Rating": "Hot"}))).await.status, 200);
    let lead = context.admin(Method::GET, &path, None).await.body;
    let casey = context.org.users().into_iter().find(|u| u.username == CASEY).unwrap().id;
    assert_eq!((&lead["Rating"], &lead["OwnerId"]), (&json!("Hot"), &json!(casey)));
    assert_eq!(context.admin(Method::DELETE, &path, None).await.status, 200);
    assert_eq!(context.admin(Method::GET, &path, None).await.body["IsDeleted"], true);
    assert_eq!(context.admin(Method::POST, "records/Lead", Some(json!({}))).await.status, 400);
}

#[tokio::test]
async fn clock_settings_faults_and_messages_can_be_changed() {
    let context = TestContext::new().await;
    let clock = context.admin(Method::POST, "clock", Some(json!({"advance_seconds": 60}))).await;
    assert_eq!(clock.body["now"], "2026-11-22T10:01:00Z");
    context.admin(Method::POST, "settings", Some(json!({"daily_api_limit": 7, "sharing": {"Lead": "private"}}))).await;
    assert_eq!(context.get("limits").await.header("sforce-limit-info"), "api-usage=1/7");
    let fault = json!({"path_prefix": "/services/data", "times": 1, "effect": {"kind": "unavailable"}});
    context.admin(Method::POST, "faults", Some(fault)).await;
    assert_eq!(context.get("limits").await.status, 503);
    let definition = json!({"name": "N", "object": "lead", "fields": ["Email"], "endpoint_url": "http://127.0.0.1:1/"});
    let defined = context.admin(Method::POST, "outbound-messages", Some(definition)).await;
    assert!(defined.body["action_id"].as_str().unwrap().starts_with("04k"));
    let tried = context.admin(Method::POST, "outbound-messages/deliver", None).await;
    assert_eq!(tried.body, Value::Array(Vec::new()));
    let foreign = json!({"callout_url": "https://example.com/", "package_version": "1.0.0"});
    assert_eq!(context.admin(Method::POST, "package/install", Some(foreign)).await.status, 400);
}

#[tokio::test]
async fn tree_records_are_loaded_with_their_references() {
    let context = TestContext::new().await;
    let records = json!([
        {"attributes": {"type": "Visit__c", "referenceId": "v"}, "Name": "V", "Broker__c": "@b", "Rating__c": 4.5},
        {"attributes": {"type": "Broker__c", "referenceId": "b"}, "Name": "B"},
        {"attributes": {"type": "Account", "referenceId": "a"}, "Name": "Nested", "Contacts": {"records": [{"attributes": {"type": "Contact"}, "LastName": "Child"}]}},
        {"attributes": {"type": "Contact"}, "LastName": "Lost", "AccountId": "@nobody"},
    ]);

    let report = context.admin(Method::POST, "data", Some(json!({"records": records}))).await.body;

    assert_eq!(report["loaded"], json!({"Account": 1, "Broker__c": 1, "Contact": 1, "Visit__c": 1}));
    assert_eq!(report["refused"], json!({"Contact: it refers to a record that was not loaded": 1}));
    let found = context.query("SELECT Broker__r.Name FROM Visit__c WHERE Rating__c > 4").await;
    assert_eq!(found.body["records"][0]["Broker__r"]["Name"], "B");
    assert_eq!(context.query("SELECT COUNT() FROM Contact WHERE Account.Name = 'Nested'").await.body["totalSize"], 1);
}

#[tokio::test]
async fn an_invalid_body_is_rejected_in_the_usual_format() {
    let context = TestContext::new().await;
    let unknown = context.admin(Method::POST, "settings", Some(json!({"rotate_refresh_token": false}))).await;
    assert_eq!(unknown.status, 400);
    assert!(unknown.body["error"].as_str().unwrap().contains("rotate_refresh_token"), "{}", unknown.body);

    let url = format!("{}/_simulator/clock", context.org.url());
    let broken = context.http.post(url).header("content-type", "application/json").body("{\"advance_seconds\":");
    let response = context.plain(broken).await;
    assert_eq!((response.status, response.body["error"].is_string()), (400, true));
}
