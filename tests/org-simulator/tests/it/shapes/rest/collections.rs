//! sObject collections, beside the recordings of `rest/collections`.

use serde_json::json;

use crate::shapes::{
    Comparison::{self, ByTest},
    assert_replayed, assert_shape, read,
};
use crate::support::{Scene, recorded};

pub(in crate::shapes) const RECORDINGS: &[(&str, Comparison)] = &[
    ("rest/collections/create-1.json", ByTest("collections_are_handled_as_recorded")),
    ("rest/collections/create-contacts-err-bad-request.json", ByTest("errors_are_worded_as_recorded")),
    ("rest/collections/create-contacts-partial-but-allOrNone.json", ByTest("errors_are_worded_as_recorded")),
    ("rest/collections/create-contacts-success.json", ByTest("collections_are_handled_as_recorded")),
    ("rest/collections/delete-2.json", ByTest("collections_are_handled_as_recorded")),
    ("rest/collections/upsert-contacts-created.json", ByTest("collections_are_handled_as_recorded")),
];

#[tokio::test]
async fn collections_are_handled_as_recorded() {
    if recorded("SOURCES.md").is_none() {
        return;
    }
    let scene = Scene::new().await;
    assert_replayed(&scene, "rest/collections/create-1.json", "composite/sobjects", None).await;
    let contacts = json!({"records": [{"attributes": {"type": "Contact"}, "LastName": "A"}, {"attributes": {"type": "Contact"}, "LastName": "B"}]});
    let made = scene.post("composite/sobjects", contacts).await.body;
    assert_shape(&made, &read("rest/collections/create-contacts-success.json").unwrap(), "create", &[]);
    let ids = format!("{},{}", made[0]["id"].as_str().unwrap(), made[1]["id"].as_str().unwrap());
    let path = format!("composite/sobjects?ids={ids}&allOrNone=false");
    assert_replayed(&scene, "rest/collections/delete-2.json", &path, None).await;
    assert_replayed(&scene, "rest/collections/upsert-contacts-created.json", "composite/sobjects/Contact/Id", None)
        .await;
}
