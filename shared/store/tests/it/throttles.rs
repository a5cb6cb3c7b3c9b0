//! Writes to the mirror that DynamoDB throttles. The emulator never throttles, so a scripted server on loopback responds
//! instead.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use salesforce::{ObjectName, Record};
use serde_json::{Value, json};
use store::{ApplyOutcome, Change, Error, Records};
use tokio::task::JoinSet;

use crate::harness::{account, at, emulator, org, run};

/// A table that takes few writes at the same time, as a partition that DynamoDB has not split yet.
#[derive(Clone, Default)]
struct Partition {
    /// The most writes at the same time; 0 for none at all.
    takes: usize,
    state: Arc<Mutex<PartitionState>>,
}

#[derive(Default)]
struct PartitionState {
    running: usize,
    throttled: usize,
    stored: BTreeMap<String, usize>,
}

async fn respond(State(partition): State<Partition>, headers: HeaderMap, body: Bytes) -> Response {
    let request: Value = serde_json::from_slice(&body).unwrap();
    if !headers["x-amz-target"].to_str().unwrap().ends_with("PutItem") {
        return json!({ "Responses": {} }).to_string().into_response();
    }
    {
        let mut state = partition.state.lock().unwrap();
        if state.running >= partition.takes {
            state.throttled += 1;
            let code = "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException";
            return (StatusCode::BAD_REQUEST, json!({ "__type": code, "message": "slow down" }).to_string())
                .into_response();
        }
        state.running += 1;
    }
    tokio::time::sleep(Duration::from_millis(2)).await;
    let mut state = partition.state.lock().unwrap();
    state.running -= 1;
    *state.stored.entry(request["Item"]["record_id"]["S"].as_str().unwrap().to_owned()).or_default() += 1;
    "{}".into_response()
}

async fn apply(partition: &Partition, rows: usize, patience: Duration) -> Vec<Result<ApplyOutcome, Error>> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let routes = Router::new().fallback(respond).with_state(partition.clone());
    let mut server = JoinSet::new();
    server.spawn(async move { axum::serve(listener, routes).await });
    let retries = aws_sdk_dynamodb::config::retry::RetryConfig::disabled();
    let config = aws_sdk_dynamodb::config::Builder::from(emulator().await.sdk_config());
    let client = Client::from_conf(config.endpoint_url(&url).retry_config(retries).build());
    let object = ObjectName::from_static("Account");
    let change = |n: usize| {
        let fields = json!({ "Id": account(n), "SystemModstamp": at(10) }).as_object().unwrap().clone();
        Change::Upsert { record: Record { object: object.clone(), id: account(n), fields }, read_at: at(20) }
    };
    let changes = (0..rows).map(change).collect();
    Records::new(client, "records").apply_all_within(org(), &object, changes, patience).await
}

#[test]
fn a_throttled_page_is_stored_whole_and_each_row_once() {
    run(async {
        let partition = Partition { takes: 4, ..Partition::default() };

        let results = apply(&partition, 300, Duration::from_mins(1)).await;

        assert!(results.iter().all(|result| matches!(result, Ok(ApplyOutcome::Applied))), "{results:?}");
        let state = partition.state.lock().unwrap();
        assert_eq!(state.stored.len(), 300);
        assert!(state.stored.values().all(|writes| *writes == 1));
        assert!(
            state.throttled > 0 && state.throttled < 300,
            "throttled {} times: the concurrency adapts",
            state.throttled
        );
    });
}

#[test]
fn a_throttle_that_lasts_longer_than_the_patience_is_an_error() {
    run(async {
        let results = apply(&Partition::default(), 3, Duration::from_millis(300)).await;
        assert!(results.iter().all(|result| matches!(result, Err(Error::Unavailable { .. }))), "{results:?}");
    });
}
