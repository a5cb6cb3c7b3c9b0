//! `ferry replay-events`, with a function whose answers a test chooses. With the deployed one it is a scenario of
//! `tests/end-to-end`.

use std::sync::{Arc, Mutex};

use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::stack::{ORG, Stack, run};

/// A service like Lambda whose only function publishes events as `record-events` does. It refuses the events whose id begins
/// with `refused`, cannot read those with `unreadable`, and crashes at those with `crash`.
struct Publishing {
    url: String,
    published: Arc<Mutex<Vec<String>>>,
    _served: JoinSet<()>,
}

impl Publishing {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let published = Arc::new(Mutex::new(Vec::new()));
        let of_function = published.clone();
        let function = Router::new().fallback(move |event: String| {
            std::future::ready(answer(&serde_json::from_str(&event).unwrap(), &of_function))
        });
        let mut served = JoinSet::new();
        served.spawn(async move { axum::serve(listener, function).await.unwrap() });
        Self { url, published, _served: served }
    }

    /// Returns the ids of the events that were published since the last time.
    fn published(&self) -> Vec<String> {
        std::mem::take(&mut self.published.lock().unwrap())
    }
}

fn answer(event: &Value, published: &Mutex<Vec<String>>) -> Response {
    for (place, record) in event["Records"].as_array().unwrap().iter().enumerate() {
        let id = record["eventID"].as_str().unwrap();
        let failed = |error: &str| {
            ([("x-amz-function-error", "Unhandled")], Json(json!({ "errorType": error }))).into_response()
        };
        match id.split('-').next() {
            Some("crash") => return failed("Runtime.ExitError"),
            Some("unreadable") if place == 0 => return failed("Permanent"),
            Some("unreadable" | "refused") => {
                let failures = json!([{ "itemIdentifier": record["dynamodb"]["SequenceNumber"] }]);
                return Json(json!({ "batchItemFailures": failures, "reason": "the bus refused an event" }))
                    .into_response();
            }
            _ => published.lock().unwrap().push(id.to_owned()),
        }
    }
    Json(json!({ "batchItemFailures": [] })).into_response()
}

/// Returns a batch of these changes as Lambda stores it.
fn batch(ids: &[&str]) -> String {
    let record = |id: &&str| json!({ "eventID": id, "dynamodb": { "SequenceNumber": format!("number of {id}"), "NewImage": "a value" } });
    let records: Vec<Value> = ids.iter().map(record).collect();
    json!({
        "timestamp": "2026-11-22T10:20:00.000Z",
        "DDBStreamBatchInfo": { "streamArn": "arn:aws:dynamodb:us-east-1:000000000000:table/ferry-records/stream/1" },
        "payload": json!({ "Records": records }).to_string(),
    })
    .to_string()
}

#[test]
fn what_cannot_be_published_holds_nothing_else_up() {
    run(async {
        let (stack, lambda) = (Stack::create().await, Publishing::start().await);
        let key = |number: usize| format!("aws/lambda/mapping/shard/2026/11/22/{number}");
        let batches: [&[&str]; 4] = [
            &["refused-1", "good-1"],
            &["good-2", "unreadable-1", "good-3", "refused-2", "refused-3", "good-4"],
            &["good-5", "crash-1", "good-6"],
            &["good-7"],
        ];
        for (number, ids) in batches.iter().enumerate() {
            stack.store_failed_batch(&key(number), &batch(ids)).await;
        }
        let replay = |arguments: &[&str]| {
            let arguments = [&["replay-events", "--yes"], arguments].concat();
            let output = stack.ferry_with(&arguments, &[("AWS_ENDPOINT_URL_LAMBDA", &lambda.url)]);
            (output.status.code(), String::from_utf8(output.stdout).unwrap())
        };

        let (code, replayed) = replay(&["--json"]);

        let replayed: Value = serde_json::from_str(&replayed).unwrap();
        let mut published = lambda.published();
        published.sort_unstable();
        published.dedup();
        assert_eq!(published, ["good-1", "good-2", "good-3", "good-4", "good-5", "good-6", "good-7"]);
        let left: Vec<&str> =
            replayed["left"].as_array().unwrap().iter().map(|left| left["id"].as_str().unwrap()).collect();
        assert_eq!(left, ["refused-1", "unreadable-1", "refused-2", "refused-3", "crash-1"]);
        assert_eq!((code, &replayed["batches_published"]), (Some(3), &json!(1)), "{replayed}");
        assert_eq!(replayed["left"][0]["reason"], "the bus refused an event");
        assert_eq!(stack.failed_batches().await, [key(0), key(1), key(2)], "only what is published whole is deleted");
        assert!(!replayed.to_string().contains("a value"), "{replayed}");

        let (code, report) = replay(&[]);
        assert_eq!(code, Some(3));
        assert!(report.contains("5 changes were left out"), "{report}");
        assert!(report.contains("refused-1 of ferry-records: the bus refused an event"), "{report}");
        assert!(report.contains("unreadable-1 of ferry-records: the deployed version cannot read it"), "{report}");
    });
}

#[test]
fn an_empty_bucket_and_an_empty_mirror_publish_nothing() {
    run(async {
        let stack = Stack::create().await;

        assert_eq!(stack.succeed(&["replay-events"]).trim(), "No batch of a stream has failed.");
        let said = stack.succeed(&["replay-events", "--from-mirror", "--org", ORG, "--dry-run"]);
        assert_eq!(said.trim(), format!("0 records of org {ORG}.\nDry run: nothing was published."));
    });
}

#[test]
fn an_object_that_is_no_batch_stays_and_is_reported() {
    run(async {
        let stack = Stack::create().await;
        stack.store_failed_batch("aws/lambda/mapping/shard/2026/11/22/object", "{}").await;
        // What Lambda did not store is not read.
        stack.store_failed_batch("other/object", "{}").await;

        for _ in 0..2 {
            let output = stack.ferry(&["replay-events", "--yes", "--json"]);
            let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!((output.status.code(), &said["objects_unreadable"]), (Some(3), &json!(1)), "{said}");
        }
    });
}

#[test]
fn arguments_that_do_not_fit_are_refused() {
    run(async {
        let stack = Stack::create().await;
        stack.store_failed_batch("aws/lambda/mapping/shard/2026/11/22/object", "{}").await;

        let (code, refused) = stack.fail(&["replay-events"]);
        assert!(code == 2 && refused.contains("add --yes"), "{refused}");
        let (code, refused) = stack.fail(&["replay-events", "--from-mirror", "--org", "00D79000000exLEEAY", "--yes"]);
        assert!(code == 2 && refused.contains("is unknown"), "{refused}");
        let (code, _) = stack.fail(&["replay-events", "--org", ORG]);
        assert_eq!(code, 2, "an org is for the mirror");
    });
}
