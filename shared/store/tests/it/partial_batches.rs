//! Batches that SQS accepts in part, or does not confirm. The emulator accepts all or nothing, so a scripted server on
//! loopback responds instead.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_sqs::Client as Sqs;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use jiff::SignedDuration;
use salesforce::Clock;
use serde_json::{Value, json};
use store::{ChangeHint, Error, Queue, Source};
use tokio::task::JoinSet;

use crate::harness::{at, emulator, org, run};

/// The scripted treatment of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Treatment {
    Stored,
    Throttled,
    /// The response does not list the message.
    Unlisted,
    /// The message is rejected for good.
    Rejected,
    /// The call of its batch gets no response.
    NoResponse,
    /// The call of its batch gets a 503.
    Unavailable,
}

/// Decides by the message's number and by the number of earlier sends.
type Script = fn(usize, usize) -> Treatment;

#[derive(Clone)]
struct ScriptedQueue {
    script: Script,
    /// The numbers of the messages that were sent, and of those that are queued.
    seen: Arc<Mutex<(Vec<usize>, Vec<usize>)>>,
}

async fn send_message_batch(State(queue): State<ScriptedQueue>, request: Bytes) -> Response {
    let request: Value = serde_json::from_slice(&request).unwrap();
    let entries = request["Entries"].as_array().unwrap();
    let (mut treatments, mut response) = (BTreeSet::new(), json!({ "Successful": [], "Failed": [] }));
    for entry in entries {
        let hint: ChangeHint = serde_json::from_str(entry["MessageBody"].as_str().unwrap()).unwrap();
        let number = hint.deferrals.count as usize;
        let mut seen = queue.seen.lock().unwrap();
        let before = seen.0.iter().filter(|sent| **sent == number).count();
        seen.0.push(number);
        let treatment = (queue.script)(number, before);
        treatments.insert(treatment as u8);
        let failed = |code: &str, fault: bool| json!({ "Id": entry["Id"], "Code": code, "SenderFault": fault });
        let (list, entry_result) = match treatment {
            Treatment::Stored => {
                seen.1.push(number);
                ("Successful", json!({ "Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "x" }))
            }
            Treatment::Throttled => ("Failed", failed("ThrottlingException", false)),
            Treatment::Rejected => ("Failed", failed("InvalidMessageContents", true)),
            Treatment::Unlisted | Treatment::NoResponse | Treatment::Unavailable => continue,
        };
        response[list].as_array_mut().unwrap().push(entry_result);
    }
    if treatments.contains(&(Treatment::NoResponse as u8)) {
        return std::future::pending().await;
    }
    if treatments.contains(&(Treatment::Unavailable as u8)) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    Json(response).into_response()
}

/// Sends messages with the numbers below `count`. Returns the result, and the numbers that are queued, in order.
async fn send(count: usize, script: Script, time_left: SignedDuration) -> (Result<(), Error>, Vec<usize>) {
    let scripted = ScriptedQueue { script, seen: Arc::default() };
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let routes = Router::new().fallback(send_message_batch).with_state(scripted.clone());
    let mut server = JoinSet::new();
    server.spawn(async move { axum::serve(listener, routes).await });
    let config = aws_sdk_sqs::config::Builder::from(emulator().await.sdk_config()).endpoint_url(&url).build();
    let queue = Queue::new(Sqs::from_conf(config), format!("{url}/000000000000/q"), Clock::system());
    let hints: Vec<_> = (0..count).map(numbered).collect();

    let deadline = Clock::system().now() + time_left;
    let sent = tokio::time::timeout(Duration::from_secs(120), queue.send_all(&hints, deadline)).await;

    let mut stored = scripted.seen.lock().unwrap().1.clone();
    stored.sort_unstable();
    (sent.unwrap(), stored)
}

fn numbered(number: usize) -> ChangeHint {
    ChangeHint {
        org_id: org(),
        delivery_id: "04l5e00000Gx7Qz".parse().unwrap(),
        source: Source::OutboundMessage,
        record: None,
        received_at: at(0),
        deferrals: store::Deferrals { count: u32::try_from(number).unwrap(), ..store::Deferrals::default() },
    }
}

const AMPLE: SignedDuration = SignedDuration::from_secs(60);
const SHORT: SignedDuration = SignedDuration::from_secs(3);

fn all(count: usize) -> Vec<usize> {
    (0..count).collect()
}

#[test]
fn only_unconfirmed_messages_are_sent_again() {
    run(async {
        let throttled: Script =
            |n, before| if n % 3 == 0 && before < 2 { Treatment::Throttled } else { Treatment::Stored };
        let (sent, stored) = send(100, throttled, AMPLE).await;
        assert_eq!((sent.is_ok(), stored), (true, all(100)));

        let unlisted: Script = |n, before| if n == 4 && before == 0 { Treatment::Unlisted } else { Treatment::Stored };
        let (sent, stored) = send(10, unlisted, AMPLE).await;
        assert_eq!((sent.is_ok(), stored), (true, all(10)));
    });
}

#[test]
fn a_queue_that_recovers_gets_every_message() {
    run(async {
        let script: Script = |n, before| if n == 11 && before < 2 { Treatment::Unavailable } else { Treatment::Stored };
        let (sent, stored) = send(20, script, AMPLE).await;
        let stored: BTreeSet<_> = stored.into_iter().collect();
        assert_eq!((sent.is_ok(), stored), (true, all(20).into_iter().collect()));
    });
}

#[test]
fn throttling_until_the_deadline_is_an_error() {
    run(async {
        let script: Script = |n, _| if n == 17 { Treatment::Throttled } else { Treatment::Stored };
        let (sent, stored) = send(30, script, SHORT).await;
        assert!(matches!(sent, Err(Error::NotAllQueued { missing: 1, total: 30 })), "{sent:?}");
        assert_eq!(stored.len(), 29);
    });
}

#[test]
fn a_batch_without_a_response_is_an_error_at_the_deadline() {
    run(async {
        let script: Script = |n, _| if n == 17 { Treatment::NoResponse } else { Treatment::Stored };
        let (sent, _) = send(30, script, SHORT).await;
        assert!(matches!(sent, Err(Error::NotAllQueued { missing: 10, total: 30 })), "{sent:?}");
    });
}

#[test]
fn a_call_without_a_response_is_made_again() {
    run(async {
        let script: Script = |n, before| if n == 17 && before == 0 { Treatment::NoResponse } else { Treatment::Stored };
        let (sent, stored) = send(30, script, AMPLE).await;
        let stored: BTreeSet<_> = stored.into_iter().collect();
        assert_eq!((sent.is_ok(), stored), (true, all(30).into_iter().collect()));
    });
}

#[test]
fn a_message_that_sqs_rejects_is_an_error() {
    run(async {
        let script: Script = |n, _| if n == 3 { Treatment::Rejected } else { Treatment::Stored };
        let (sent, _) = send(10, script, AMPLE).await;
        assert!(matches!(&sent, Err(Error::Refused { code, .. }) if code == "InvalidMessageContents"), "{sent:?}");
    });
}
