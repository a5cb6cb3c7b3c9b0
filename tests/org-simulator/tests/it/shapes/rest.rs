//! Versions, limits and replication of the REST API, beside the recordings directly in `rest`.

pub(super) mod collections;
pub(super) mod composite;
pub(super) mod describe;
pub(super) mod errors;
pub(super) mod package_install;
pub(super) mod query;
pub(super) mod records;

use serde_json::json;

use crate::shapes::{
    Comparison::{self, ByTest, Get},
    assert_rows, assert_shape, read,
};
use crate::support::{Scene, recorded};

pub(in crate::shapes) const RECORDINGS: &[(&str, Comparison)] = &[
    ("rest/get-deleted.json", ByTest("replication_responses_are_as_recorded")),
    ("rest/get-updated.json", ByTest("replication_responses_are_as_recorded")),
    ("rest/limits.json", ByTest("describe_global_versions_and_limits_have_the_recorded_keys")),
    ("rest/organization.json", ByTest("whole_records_have_the_recorded_keys")),
    ("rest/sobject-basic-info-account.json", Get("sobjects/Account/", &["urls"])),
    ("rest/versions.json", ByTest("describe_global_versions_and_limits_have_the_recorded_keys")),
];

#[tokio::test]
async fn replication_responses_are_as_recorded() {
    if recorded("SOURCES.md").is_none() {
        return;
    }
    let scene = Scene::new().await;
    let account = scene.id_of("Account", "Fjordglass Optics").await;
    scene.delete(&format!("sobjects/Account/{account}")).await;
    scene.org.advance_clock(jiff::SignedDuration::from_mins(10));
    let range = "start=2026-11-22T09:55:00Z&end=2026-11-22T10:05:00Z";
    for (kind, file) in [("updated", "rest/get-updated.json"), ("deleted", "rest/get-deleted.json")] {
        let response = scene.get(&format!("sobjects/Account/{kind}?{range}")).await;
        assert_eq!(response.status, 200, "{}", response.body);
        let theirs = read(file).unwrap();
        assert_shape(&response.body, &theirs, file, &[]);
        assert_rows(&json!([response.body]), &json!([theirs]), file);
    }
}

#[tokio::test]
async fn describe_global_versions_and_limits_have_the_recorded_keys() {
    let Some(recording) = read("rest/describe/global-shortened.json") else { return };
    let scene = Scene::new().await;
    assert_shape(&scene.get("sobjects").await.body, &recording, "global", &["urls"]);
    let versions = scene.plain(scene.http.get(format!("{}/services/data", scene.org.url()))).await;
    assert_shape(&versions.body, &read("rest/versions.json").unwrap(), "versions", &[]);
    let limits = read("rest/limits.json").unwrap();
    let ours = scene.get("limits").await.body;
    for (name, limit) in ours.as_object().unwrap() {
        assert_shape(limit, &limits[name], name, &[]);
        assert!(limits.get(name).is_some(), "{name} is not among the recorded limits");
    }
    let count = scene.get("limits/recordCount?sObjects=Account").await.body;
    assert_shape(&count, &read("rest/query/record-count.json").unwrap(), "recordCount", &[]);
    assert_eq!(count, json!({"sObjects": [{"count": 5, "name": "Account"}]}));
}
