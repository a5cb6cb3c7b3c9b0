//! Schedules of many orgs, in the function's own process, which is killed, or whose peak memory is measured.
//!
//! DynamoDB and SQS are one server of this test: it makes the pages of the index when they are requested, and counts the tasks
//! that it receives.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a failed helper fails the test")]

use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use axum::{Router, routing::post};
use bench::{Outcome, RuntimeApi};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// Every tenth org is polled.
const POLLED: usize = 10;
/// The debug build needs 29 MB for any number of orgs, and would need 54 MB if it collected 200,000 of them.
const LIMIT_BYTES: u64 = 40 * 1024 * 1024;

/// The fake of AWS.
#[derive(Clone)]
struct Aws {
    /// The number of tasks for each org.
    tasks: Arc<Mutex<Vec<u8>>>,
    /// The number of the first org of the page that is never returned.
    stops_at: Option<usize>,
    stopped: Arc<Notify>,
}

impl Aws {
    fn new(orgs: usize) -> Self {
        Self { tasks: Arc::new(Mutex::new(vec![0; orgs])), stops_at: None, stopped: Arc::default() }
    }

    /// Returns the number of orgs that have exactly this number of tasks.
    fn orgs_with(&self, tasks: u8) -> usize {
        self.tasks.lock().unwrap().iter().filter(|count| **count == tasks).count()
    }
}

fn id(number: usize) -> String {
    format!("00D5e{number:010}")
}

fn number(id: &str) -> usize {
    id[5..15].parse().unwrap()
}

async fn respond(State(aws): State<Aws>, headers: HeaderMap, body: Bytes) -> Response {
    let request: Value = serde_json::from_slice(&body).unwrap();
    let target = headers["x-amz-target"].to_str().unwrap();
    let response = match target.rsplit('.').next().unwrap() {
        "Query" => page(&aws, &request).await,
        "SendMessageBatch" => receive(&aws, &request),
        other => panic!("{other} is not expected"),
    };
    ([("content-type", "application/x-amz-json-1.0")], response).into_response()
}

/// Returns a page of the index of the active orgs.
async fn page(aws: &Aws, request: &Value) -> String {
    let orgs = aws.tasks.lock().unwrap().len();
    assert_eq!(request["IndexName"], "by_state", "{request}");
    assert_eq!(request["ExpressionAttributeValues"][":partition"]["S"], "active", "{request}");
    let first = request["ExclusiveStartKey"]["org_id"]["S"].as_str().map_or(0, |last| number(last) + 1);
    if aws.stops_at == Some(first) {
        aws.stopped.notify_one();
        std::future::pending::<()>().await;
    }
    let end = orgs.min(first + usize::try_from(request["Limit"].as_u64().unwrap()).unwrap());
    let items: Vec<String> = (first..end).map(item).collect();
    let more = if end < orgs { format!(r#","LastEvaluatedKey":{}"#, key(end - 1)) } else { String::new() };
    format!(r#"{{"Items":[{}],"Count":{}{more}}}"#, items.join(","), items.len())
}

fn key(number: usize) -> String {
    format!(r#"{{"org_id":{{"S":"{}"}},"state":{{"S":"active"}}}}"#, id(number))
}

fn item(number: usize) -> String {
    let edition = if number.is_multiple_of(POLLED) { "Professional Edition" } else { "Enterprise Edition" };
    format!(
        r#"{{"org_id":{{"S":"{}"}},"state":{{"S":"active"}},"edition":{{"M":{{"organization_type":{{"S":"{edition}"}},"knows_no_messages":{{"BOOL":false}},"proven_at":{{"S":"2026-11-22T10:00:00.000Z"}}}}}}}}"#,
        id(number)
    )
}

/// Counts the tasks of a batch.
fn receive(aws: &Aws, request: &Value) -> String {
    let entries = request["Entries"].as_array().unwrap();
    let mut tasks = aws.tasks.lock().unwrap();
    let stored = entries.iter().map(|entry| {
        let task: Value = serde_json::from_str(entry["MessageBody"].as_str().unwrap()).unwrap();
        tasks[number(task["org_id"].as_str().unwrap())] += 1;
        json!({ "Id": entry["Id"], "MessageId": entry["Id"], "MD5OfMessageBody": "" })
    });
    json!({ "Successful": stored.collect::<Vec<_>>(), "Failed": [] }).to_string()
}

async fn serve(aws: Aws) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/", post(respond)).with_state(aws);
    #[expect(clippy::disallowed_methods, reason = "a server of a test ends with the test")]
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// Starts the function with everything that it requires.
fn start(aws: &str) -> RuntimeApi {
    let tables = [
        "ORGS",
        "ORG_SETTINGS",
        "CONNECTIONS",
        "CURSORS",
        "RECORDS",
        "PIPELINES",
        "BUDGETS",
        "FRESHNESS",
        "WRITES",
        "AUDITS",
    ]
    .map(|name| format!("{name}_TABLE"));
    let queue = format!("{aws}/000000000000/pipeline-refresh");
    let mut environment: Vec<(&str, &str)> = tables.iter().map(|name| (name.as_str(), "table")).collect();
    environment.extend([
        ("AWS_ENDPOINT_URL", aws),
        ("PIPELINE_REFRESH_QUEUE_URL", queue.as_str()),
        ("BACKFILL_QUEUE_URL", queue.as_str()),
        ("FREQUENT_REFRESH_QUEUE_URL", queue.as_str()),
        ("DEAD_LETTERS_QUEUE_URL", queue.as_str()),
        ("RECORD_WRITE_QUEUE_URL", queue.as_str()),
        ("NOTE_WRITE_QUEUE_URL", queue.as_str()),
        ("FILE_WRITE_QUEUE_URL", queue.as_str()),
        ("TOKEN_BROKER_FUNCTION", "token-broker"),
        ("LOG_LEVEL", "warn"),
    ]);
    RuntimeApi::start(Path::new(env!("CARGO_BIN_EXE_pipeline-refresh")), &environment).unwrap()
}

/// Returns the largest resident memory that the process has had: `VmHWM` of `/proc/PID/status`.
fn peak_bytes(function: &RuntimeApi) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", function.pid().unwrap())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() * 1024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_of_200_000_orgs_needs_little_memory() {
    const ORGS: usize = 200_000;
    let aws = Aws::new(ORGS);
    let function = start(&serve(aws.clone()).await);

    let polls = function.invoke(&json!({ "kind": "poll" })).await.unwrap();

    assert_eq!(polls.outcome, Outcome::Response(json!({ "orgs": ORGS / POLLED })), "{:?}", function.logs());
    assert_eq!((aws.orgs_with(1), aws.orgs_with(0)), (ORGS / POLLED, ORGS - ORGS / POLLED));
    let peak = peak_bytes(&function);
    assert!(peak < LIMIT_BYTES, "the function needed {} MB", peak / 1024 / 1024);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_org_gets_a_task_when_the_schedule_is_killed() {
    const ORGS: usize = 2_500;
    let mut aws = Aws { stops_at: Some(1_000), ..Aws::new(ORGS) };
    let killed = start(&serve(aws.clone()).await);
    let nightly = json!({ "kind": "nightly" });
    tokio::select! {
        outcome = killed.invoke(&nightly) => panic!("{outcome:?}"),
        () = aws.stopped.notified() => killed.kill().await,
    }
    assert_eq!((aws.orgs_with(1), aws.orgs_with(0)), (1_000, 1_500), "a page is queued before the next is read");

    aws.stops_at = None;
    let again = start(&serve(aws.clone()).await).invoke(&nightly).await.unwrap();

    assert_eq!(again.outcome, Outcome::Response(json!({ "orgs": ORGS })));
    assert_eq!((aws.orgs_with(2), aws.orgs_with(1)), (1_000, 1_500));
}
