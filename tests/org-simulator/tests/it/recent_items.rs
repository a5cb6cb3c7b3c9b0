//! Recently viewed records.

use serde_json::{Value, json};

use crate::support::{CASEY, Scene};

fn names(items: &Value) -> Vec<&str> {
    items.as_array().unwrap().iter().map(|item| item["Name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn single_reads_and_writes_become_recent_items() {
    let scene = Scene::new().await;
    let account = scene.id_of("Account", "Fjordglass Optics").await;
    scene.post("sobjects/Account", json!({"Name": "Tidewater Kites"})).await;
    scene.get(&format!("sobjects/Account/{account}")).await;
    scene.post("sobjects/Contact", json!({"FirstName": "Ada", "LastName": "Brook"})).await;
    scene.patch(&format!("sobjects/Account/{account}"), json!({"Name": "Fjordglass"})).await;

    assert_eq!(names(&scene.get("recent").await.body), ["Fjordglass", "Ada Brook", "Tidewater Kites"]);
    assert_eq!(names(&scene.get("recent?limit=1").await.body), ["Fjordglass"]);
    assert_eq!(names(&scene.get("sobjects/Contact").await.body["recentItems"]), ["Ada Brook"]);
    scene.delete(&format!("sobjects/Account/{account}")).await;
    assert_eq!(names(&scene.get("recent").await.body), ["Ada Brook", "Tidewater Kites"]);
}

#[tokio::test]
async fn recent_items_belong_to_a_user_and_can_be_disabled() {
    let mut scene = Scene::new().await;
    let account = scene.id_of("Account", "Fjordglass Optics").await;
    let path = format!("sobjects/Account/{account}");
    scene.call_with(reqwest::Method::GET, &path, None, &[("Sforce-Mru", "updateMru=false")]).await;
    assert_eq!(scene.get("recent").await.body, json!([]));
    scene.get(&path).await;
    assert_eq!(names(&scene.get("recent").await.body), ["Fjordglass Optics"]);
    scene.log_in(CASEY);
    assert_eq!(scene.get("recent").await.body, json!([]));
}
