//! Recently viewed records.

use serde_json::{Value, json};

use crate::support::{CASEY, TestContext};

fn names(items: &Value) -> Vec<&str> {
    items.as_array().unwrap().iter().map(|item| item["Name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn single_reads_and_writes_become_recent_items() {
    let context = TestContext::new().await;
    let account = context.id_of("Account", "Fjordglass Optics").await;
    context.post("sobjects/Account", json!({"Name": "Tidewater Kites"})).await;
    context.get(&format!("sobjects/Account/{account}")).await;
    context.post("sobjects/Contact", json!({"FirstName": "Ada", "LastName": "Brook"})).await;
    context.patch(&format!("sobjects/Account/{account}"), json!({"Name": "Fjordglass"})).await;

    assert_eq!(names(&context.get("recent").await.body), ["Fjordglass", "Ada Brook", "Tidewater Kites"]);
    assert_eq!(names(&context.get("recent?limit=1").await.body), ["Fjordglass"]);
    assert_eq!(names(&context.get("sobjects/Contact").await.body["recentItems"]), ["Ada Brook"]);
    context.delete(&format!("sobjects/Account/{account}")).await;
    assert_eq!(names(&context.get("recent").await.body), ["Ada Brook", "Tidewater Kites"]);
}

#[tokio::test]
async fn recent_items_belong_to_a_user_and_can_be_disabled() {
    let mut context = TestContext::new().await;
    let account = context.id_of("Account", "Fjordglass Optics").await;
    let path = format!("sobjects/Account/{account}");
    context.call_with(reqwest::Method::GET, &path, None, &[("Sforce-Mru", "updateMru=false")]).await;
    assert_eq!(context.get("recent").await.body, json!([]));
    context.get(&path).await;
    assert_eq!(names(&context.get("recent").await.body), ["Fjordglass Optics"]);
    context.log_in(CASEY);
    assert_eq!(context.get("recent").await.body, json!([]));
}
