//! Compares the responses of Bulk API 2.0 with the recordings in `bulk`: the same keys, the same types, nothing more.

use serde_json::{Value, json};

use crate::shapes::Comparison::{self, ByTest};
use crate::support::{Answer, Scene, recorded};

pub(super) const RECORDINGS: &[(&str, Comparison)] = &[
    ("bulk/ingest-accounts-multiline-fields.csv", ByTest("recorded_uploads_are_loaded")),
    ("bulk/ingest-comma-wrapped-values.csv", ByTest("recorded_uploads_are_loaded")),
    ("bulk/v1-batch-result.csv", ByTest("results_are_written_as_recorded")),
    ("bulk/v1-job-open.xml", ByTest("an_open_job_is_described_as_recorded")),
    ("bulk/v2-delete-job-open.json", ByTest("ingest_jobs_are_described_as_recorded_through_their_life")),
    ("bulk/v2-ingest-job-complete.json", ByTest("ingest_jobs_are_described_as_recorded_through_their_life")),
    ("bulk/v2-ingest-job-in-progress.json", ByTest("ingest_jobs_are_described_as_recorded_through_their_life")),
    ("bulk/v2-ingest-job-open.json", ByTest("ingest_jobs_are_described_as_recorded_through_their_life")),
    ("bulk/v2-ingest-job-upload-complete.json", ByTest("ingest_jobs_are_described_as_recorded_through_their_life")),
    ("bulk/v2-query-job-created.json", ByTest("query_jobs_are_described_as_recorded")),
    ("bulk/v2-queryall-job-created.json", ByTest("query_jobs_are_described_as_recorded")),
];

fn read(name: &str) -> Option<Value> {
    Some(serde_json::from_str(&std::fs::read_to_string(recorded(&format!("bulk/{name}.json"))?).unwrap()).unwrap())
}

/// Asserts the same status, keys and types, and the same values where they do not depend on the org.
fn assert_same(ours: &Answer, name: &str) {
    let Some(theirs) = read(name) else { return };
    assert_eq!(ours.status, 200);
    let (ours, theirs) = (ours.body.as_object().unwrap(), theirs.as_object().unwrap());
    let keys = |map: &serde_json::Map<String, Value>| {
        let mut keys: Vec<String> = map.keys().cloned().collect();
        keys.sort();
        keys
    };
    assert_eq!(keys(ours), keys(theirs), "{name}");
    for (key, value) in theirs {
        let mine = &ours[key];
        assert_eq!(std::mem::discriminant(mine), std::mem::discriminant(value), "{name}.{key}");
        assert_eq!(mine.is_f64(), value.is_f64(), "{name}.{key}: {mine} {value}");
        let same = [
            "state",
            "operation",
            "concurrencyMode",
            "contentType",
            "jobType",
            "lineEnding",
            "columnDelimiter",
            "retries",
        ];
        if same.contains(&key.as_str()) {
            assert_eq!(mine, value, "{name}.{key}");
        }
        let shape = |text: &str| text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect::<String>();
        if key.ends_with("Date") || key == "systemModstamp" {
            assert_eq!(shape(mine.as_str().unwrap()), shape(value.as_str().unwrap()), "{name}.{key}");
        }
    }
}

#[tokio::test]
async fn query_jobs_are_described_as_recorded() {
    let scene = Scene::new().await;
    let mut body = json!({"operation": "query", "query": "SELECT Id FROM Account"});
    assert_same(&scene.post("jobs/query", body.clone()).await, "v2-query-job-created");
    body["operation"] = json!("queryAll");
    assert_same(&scene.post("jobs/query", body).await, "v2-queryall-job-created");
}

#[tokio::test]
async fn ingest_jobs_are_described_as_recorded_through_their_life() {
    let scene = Scene::new().await;
    let settings = json!({"bulk": {"processing_ms": 60_000}});
    scene.admin(reqwest::Method::POST, "settings", Some(settings)).await;
    let delete = scene.post("jobs/ingest", json!({"object": "Opportunity", "operation": "delete"})).await;
    assert_same(&delete, "v2-delete-job-open");
    let upsert = json!({"object": "Opportunity", "operation": "upsert", "externalIdFieldName": "Ferry_External_Id__c"});
    let open = scene.post("jobs/ingest", upsert).await;
    assert_same(&open, "v2-ingest-job-open");
    let url = open.body["contentUrl"].as_str().unwrap();
    assert_eq!(url, format!("services/data/v66.0/jobs/ingest/{}/batches", open.body["id"].as_str().unwrap()));

    let put = scene.http.put(format!("{}/{url}", scene.org.url())).bearer_auth(scene.token());
    let csv = "Ferry_External_Id__c,Name,StageName,CloseDate\nO-1,One,Prospecting,2026-12-01\n";
    let uploaded = scene.plain(put.header("content-type", "text/csv").body(csv)).await;
    assert_eq!((uploaded.status, uploaded.bytes.len()), (201, 0));
    let job = url.strip_prefix("services/data/v66.0/").and_then(|url| url.strip_suffix("/batches")).unwrap().to_owned();
    assert_same(&scene.patch(&job, json!({"state": "UploadComplete"})).await, "v2-ingest-job-upload-complete");
    for (seconds, name) in [(30, "v2-ingest-job-in-progress"), (30, "v2-ingest-job-complete")] {
        scene.org.advance_clock(jiff::SignedDuration::from_secs(seconds));
        assert_same(&scene.get(&job).await, name);
    }
}

#[tokio::test]
async fn recorded_uploads_are_loaded() {
    let scene = Scene::new().await;
    for (name, rows) in [("ingest-comma-wrapped-values.csv", 10), ("ingest-accounts-multiline-fields.csv", 100)] {
        let Some(path) = recorded(&format!("bulk/{name}")) else { return };
        let csv = std::fs::read_to_string(path).unwrap();
        let line_ending = if csv.contains("\r\n") { "CRLF" } else { "LF" };
        let body = json!({"object": "Account", "operation": "insert", "lineEnding": line_ending});
        let job = scene.post("jobs/ingest", body).await.body;
        let put = scene.http.put(format!("{}/{}", scene.org.url(), job["contentUrl"].as_str().unwrap()));
        scene.plain(put.bearer_auth(scene.token()).header("content-type", "text/csv").body(csv)).await;
        let job = format!("jobs/ingest/{}", job["id"].as_str().unwrap());
        scene.patch(&job, json!({"state": "UploadComplete"})).await;
        let info = scene.get(&job).await.body;
        assert_eq!(
            (&info["state"], &info["numberRecordsProcessed"]),
            (&json!("JobComplete"), &json!(rows)),
            "{name}: {info}"
        );
    }
}
