//! The list views of every object, over the data API and over UI API.

use serde_json::{Value, json};

use crate::support::{CASEY, Scene};

impl Scene {
    async fn results(&self, object: &str, view: &str, more: &str) -> Value {
        let views = self.get(&format!("sobjects/{object}/listviews")).await.body;
        let found = views["listviews"].as_array().unwrap().iter().find(|found| found["developerName"] == view).unwrap();
        let id = found["id"].as_str().unwrap();
        self.get(&format!("sobjects/{object}/listviews/{id}/results{more}")).await.body
    }
}

/// Returns the values of the first column.
fn names(results: &Value) -> Vec<&str> {
    results["records"].as_array().unwrap().iter().map(|row| row["columns"][0]["value"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn views_list_all_own_or_recently_viewed_records() {
    let mut scene = Scene::new().await;
    scene.log_in(CASEY);
    assert!(names(&scene.results("Account", "RecentlyViewedAccounts", "").await).is_empty());
    scene.post("sobjects/Account", json!({"Name": "Aardwolf Aerials", "Type": "Prospect"})).await;

    let all = scene.results("Account", "AllAccounts", "").await;
    assert_eq!((names(&all)[0], &all["done"], &all["size"]), ("Aardwolf Aerials", &json!(true), &json!(6)));
    assert_eq!(all["records"][0]["columns"][4], json!({"fieldNameOrPath": "Type", "value": "Prospect"}));
    assert_eq!(names(&scene.results("Account", "RecentlyViewedAccounts", "").await), ["Aardwolf Aerials"]);
    let mine = scene.results("Account", "MyAccounts", "").await;
    assert!(names(&mine).contains(&"Aardwolf Aerials"));
    let others = scene.query("SELECT Name FROM Account WHERE Owner.Username = 'jordan@larkspur.example'").await.body;
    for other in others["records"].as_array().unwrap() {
        assert!(!names(&mine).contains(&other["Name"].as_str().unwrap()), "{other}");
    }
    let second = scene.results("Account", "AllAccounts", "?limit=1&offset=1").await;
    assert_eq!((names(&second), &second["done"]), (vec![names(&all)[1]], &json!(false)));
}

#[tokio::test]
async fn a_described_query_can_be_run() {
    let scene = Scene::new().await;
    let views = scene.get("sobjects/Lead/listviews").await.body;
    for view in views["listviews"].as_array().unwrap() {
        let url = view["describeUrl"].as_str().unwrap().trim_start_matches("/services/data/v66.0/");
        let described = scene.get(url).await.body;
        let answer = scene.query(described["query"].as_str().unwrap()).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    assert_eq!(scene.get("sobjects/Lead/listviews/00B000000000001").await.status, 404);
}

#[tokio::test]
async fn pages_of_a_list_follow_each_other() {
    let scene = Scene::new().await;
    let first = scene.get("ui-api/list-ui/Account/AllAccounts?pageSize=2").await.body;
    let next = first["records"]["nextPageUrl"].as_str().unwrap().trim_start_matches("/services/data/v66.0/");
    let second = scene.get(next).await.body;
    assert_eq!((&second["count"], &second["previousPageToken"]), (&json!(2), &json!("0")));
    assert_ne!(first["records"]["records"][0]["id"], second["records"][0]["id"]);
    let by_id = format!("ui-api/list-ui/{}?pageSize=2", first["info"]["listReference"]["id"].as_str().unwrap());
    assert_eq!(scene.get(&by_id).await.body["eTag"], first["eTag"]);
}
