//! `ferry backfill`, with a function whose replies a test chooses, and cursors that the test stores.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use axum::{Json, Router};
use jiff::{SignedDuration, Timestamp};
use salesforce::{Clock, ObjectName};
use serde_json::{Value, json};
use store::{BackfillMethod, BackfillProgress, CursorName};
use tokio::task::JoinSet;

use crate::stack::{ORG, Stack, run};

const CONTACT: ObjectName = ObjectName::from_static("Contact");

/// A service like Lambda whose only function replies with a JSON value, and keeps what it was asked.
struct Function {
    url: String,
    asked: Arc<Mutex<Vec<Value>>>,
    _served: JoinSet<()>,
}

impl Function {
    async fn start(reply: Value) -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let of_function = asked.clone();
        let function = Router::new().fallback(move |request: String| {
            of_function.lock().unwrap().push(serde_json::from_str(&request).unwrap());
            std::future::ready(Json(reply.clone()))
        });
        let mut served = JoinSet::new();
        served.spawn(async move { axum::serve(listener, function).await.unwrap() });
        Self { url, asked, _served: served }
    }

    async fn queues(objects: &[&str], requested_at: Timestamp) -> Self {
        let requested_at = store::time::format(requested_at);
        Self::start(json!({ "objects": objects, "since": null, "requested_at": requested_at })).await
    }

    /// Runs `ferry backfill` with this function. Returns its exit code, its output and its error.
    fn backfill(&self, stack: &Stack, arguments: &[&str]) -> (i32, String, String) {
        let arguments = [&["backfill", "--org", ORG], arguments].concat();
        let output = stack.ferry_with(&arguments, &[("AWS_ENDPOINT_URL_LAMBDA", &self.url)]);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }
}

async fn record(stack: &Stack, progress: &BackfillProgress) {
    let (org, name) = (ORG.parse().unwrap(), CursorName::backfill(&CONTACT));
    stack.cursors().record_progress(org, &name, progress, Clock::system().now()).await.unwrap();
}

fn begun(at: Timestamp) -> BackfillProgress {
    let progress = BackfillProgress::new(BackfillMethod::Bulk, at);
    BackfillProgress { total: Some(60_000), reading_since: Some(at), ..progress.after_page(10_000, 2_500_000) }
}

#[test]
fn a_backfill_is_requested_from_the_function() {
    run(async {
        let stack = Stack::create().await;
        let function = Function::queues(&["Contact"], Clock::system().now()).await;

        let arguments = ["--object", "contact", "--since", "2026-11-20T00:00:00Z", "--no-wait"];
        let (code, said, error) = function.backfill(&stack, &arguments);

        assert_eq!((code, error.as_str()), (0, ""), "{said}");
        assert!(said.contains("A backfill of Contact") && said.contains("is queued"), "{said}");
        let backfill = json!({ "object": "Contact", "since": "2026-11-20T00:00:00.000Z" });
        assert_eq!(*function.asked.lock().unwrap(), [json!({ "org_id": ORG, "backfill": backfill })]);
    });
}

#[test]
fn a_refused_backfill_says_why() {
    run(async {
        let stack = Stack::create().await;
        let problem = json!({ "title": "The request is invalid", "detail": "object must be a mirrored object" });
        let function = Function::start(json!({ "problem": problem })).await;
        let (code, _, error) = function.backfill(&stack, &["--object", "Lead"]);
        assert_eq!(code, 2);
        assert!(error.contains("The request is invalid: object must be a mirrored object"), "{error}");
        let (code, ..) = function.backfill(&stack, &["--since", "2099-01-01T00:00:00Z"]);
        assert_eq!((code, function.asked.lock().unwrap().len()), (2, 1), "the future is refused without a call");
    });
}

#[test]
fn a_backfill_is_followed_to_its_end_with_lines() {
    run(async {
        let stack = Stack::create().await;
        let now = Clock::system().now();
        let before = begun(now - SignedDuration::from_hours(5));
        record(&stack, &BackfillProgress { completed_at: Some(now - SignedDuration::from_hours(4)), ..before }).await;
        let function = Function::queues(&["Contact"], now).await;

        let environment = [("AWS_ENDPOINT_URL_LAMBDA", function.url.as_str())];
        let mut command = stack.command(&["backfill", "--org", ORG], &environment);
        let mut followed = command.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(followed.stderr.take().unwrap()).lines().map(Result::unwrap);
        assert!(lines.next().unwrap().starts_with("Contact: queued;"), "the one before is not shown");
        record(&stack, &begun(now)).await;
        let running = lines.next().unwrap();
        assert!(running.starts_with("Contact: running,") && running.contains("10,000 of 60,000, 2.50 MB"), "{running}");
        record(&stack, &BackfillProgress { completed_at: Some(now), ..begun(now) }).await;
        let complete = lines.next().unwrap();
        assert!(complete.starts_with("Contact: complete;"), "{complete}");

        let report = followed.wait_with_output().unwrap();
        assert_eq!((report.status.code(), lines.next()), (Some(0), None));
        assert!(String::from_utf8(report.stdout).unwrap().contains("1 of 1 backfill complete"));
    });
}

#[test]
fn the_last_backfills_are_shown_without_a_request() {
    run(async {
        let stack = Stack::create().await;
        let function = Function::start(Value::Null).await;
        assert_eq!(function.backfill(&stack, &["--show"]).0, 3, "none is not complete");
        let now = Clock::system().now();
        record(&stack, &begun(now - SignedDuration::from_mins(1))).await;

        let (code, shown, _) = function.backfill(&stack, &["--show", "--json"]);
        let shown: Value = serde_json::from_str(&shown).unwrap();
        assert_eq!((code, &shown["complete"], &shown["backfills"][0]["state"]), (3, &json!(false), &json!("running")));

        record(&stack, &BackfillProgress { completed_at: Some(now), ..begun(now - SignedDuration::from_mins(1)) })
            .await;
        let (code, table, _) = function.backfill(&stack, &["--show", "--object", "Contact"]);
        assert!(code == 0 && table.contains("complete") && table.contains("10,000 of 60,000"), "{table}");
        assert!(function.asked.lock().unwrap().is_empty());
    });
}
