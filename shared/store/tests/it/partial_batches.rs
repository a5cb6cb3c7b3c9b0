//! Batches of which SQS takes a part, or of which it does not say. The emulator takes all or nothing, so a stand-in on
//! loopback answers by script.

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

/// What becomes of a message, and what the answer says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Stored,
    Throttled,
    /// The answer does not name it.
    Unmentioned,
    /// It is wrong, and would be again.
    Faulty,
    /// There is no answer for its batch.
    Silence,
    /// The answer to its batch is 503.
    Down,
}

/// Decides by the message's number and by how often it was sent before.
type Script = fn(usize, usize) -> Fate;

#[derive(Clone)]
struct StandIn {
    script: Script,
    /// The numbers of the messages as they were sent, and those that are in the queue.
    seen: Arc<Mutex<(Vec<usize>, Vec<usize>)>>,
}

async fn send_message_batch(State(queue): State<StandIn>, request: Bytes) -> Response {
    let request: Value = serde_json::from_slice(&request).unwrap();
    let entries = request["Entries"].as_array().unwrap();
    let (mut fates, mut answer) = (BTreeSet::new(), json!({ "Successful": [], "Failed": [] }));
    for entry in entries {
        let hint: ChangeHint = serde_json::from_str(entry["MessageBody"].as_str().unwrap()).unwrap();
        let number = hint.deferrals as usize;
        let mut seen = queue.seen.lock().unwrap();
        let before = seen.0.iter().filter(|sent| **sent == number).count();
        seen.0.push(number);
        let fate = (queue.script)(number, before);
        fates.insert(fate as u8);
        let failed = |code: &str, fault: bool| json!({ "Id": entry["Id"], "Code": code, "SenderFault": fault });
        let (list, said) = match fate {
            Fate::Stored => {
                seen.1.push(number);
                ("Successful", json!({ "Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "x" }))
            }
            Fate::Throttled => ("Failed", failed("ThrottlingException", false)),
            Fate::Faulty => ("Failed", failed("InvalidMessageContents", true)),
            Fate::Unmentioned | Fate::Silence | Fate::Down => continue,
        };
        answer[list].as_array_mut().unwrap().push(said);
    }
    if fates.contains(&(Fate::Silence as u8)) {
        return std::future::pending().await;
    }
    if fates.contains(&(Fate::Down as u8)) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    Json(answer).into_response()
}

/// What came of sending messages with the numbers below `count`, and the numbers that are in the queue, in order.
async fn send(count: usize, script: Script, claim_ttl: SignedDuration) -> (Result<(), Error>, Vec<usize>) {
    let stand_in = StandIn { script, seen: Arc::default() };
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let routes = Router::new().fallback(send_message_batch).with_state(stand_in.clone());
    let mut server = JoinSet::new();
    server.spawn(async move { axum::serve(listener, routes).await });
    let config = aws_sdk_sqs::config::Builder::from(emulator().await.sdk_config()).endpoint_url(&url).build();
    let queue = Queue::new(Sqs::from_conf(config), format!("{url}/000000000000/q"), Clock::system());
    let hints: Vec<_> = (0..count).map(numbered).collect();

    let deadline = Clock::system().now() + claim_ttl;
    let sent = tokio::time::timeout(Duration::from_secs(120), queue.send_all(&hints, deadline)).await;

    let mut stored = stand_in.seen.lock().unwrap().1.clone();
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
        deferrals: u32::try_from(number).unwrap(),
    }
}

const AMPLE: SignedDuration = SignedDuration::from_secs(60);
const SHORT: SignedDuration = SignedDuration::from_secs(3);

fn all(count: usize) -> Vec<usize> {
    (0..count).collect()
}

#[test]
fn what_sqs_throttles_or_does_not_mention_is_sent_again_and_nothing_else_is() {
    run(async {
        let throttled: Script = |n, before| if n % 3 == 0 && before < 2 { Fate::Throttled } else { Fate::Stored };
        let (sent, stored) = send(100, throttled, AMPLE).await;
        assert_eq!((sent.is_ok(), stored), (true, all(100)));

        let unmentioned: Script = |n, before| if n == 4 && before == 0 { Fate::Unmentioned } else { Fate::Stored };
        let (sent, stored) = send(10, unmentioned, AMPLE).await;
        assert_eq!((sent.is_ok(), stored), (true, all(10)));
    });
}

#[test]
fn a_queue_that_is_down_for_a_moment_has_all_in_the_end() {
    run(async {
        let script: Script = |n, before| if n == 11 && before < 2 { Fate::Down } else { Fate::Stored };
        let (sent, stored) = send(20, script, AMPLE).await;
        let stored: BTreeSet<_> = stored.into_iter().collect();
        assert_eq!((sent.is_ok(), stored), (true, all(20).into_iter().collect()));
    });
}

#[test]
fn what_stays_throttled_until_the_deadline_is_no_success() {
    run(async {
        let script: Script = |n, _| if n == 17 { Fate::Throttled } else { Fate::Stored };
        let (sent, stored) = send(30, script, SHORT).await;
        assert!(matches!(sent, Err(Error::NotAllQueued { missing: 1, total: 30 })), "{sent:?}");
        assert_eq!(stored.len(), 29);
    });
}

#[test]
fn a_batch_without_an_answer_is_given_up_at_the_deadline() {
    run(async {
        let script: Script = |n, _| if n == 17 { Fate::Silence } else { Fate::Stored };
        let (sent, _) = send(30, script, SHORT).await;
        assert!(matches!(sent, Err(Error::NotAllQueued { missing: 10, total: 30 })), "{sent:?}");
    });
}

#[test]
fn a_call_without_an_answer_is_made_again_well_before_the_deadline() {
    run(async {
        let script: Script = |n, before| if n == 17 && before == 0 { Fate::Silence } else { Fate::Stored };
        let (sent, stored) = send(30, script, AMPLE).await;
        let stored: BTreeSet<_> = stored.into_iter().collect();
        assert_eq!((sent.is_ok(), stored), (true, all(30).into_iter().collect()));
    });
}

#[test]
fn a_message_that_sqs_will_never_take_is_said_to_be_refused() {
    run(async {
        let script: Script = |n, _| if n == 3 { Fate::Faulty } else { Fate::Stored };
        let (sent, _) = send(10, script, AMPLE).await;
        assert!(matches!(&sent, Err(Error::Refused { code, .. }) if code == "InvalidMessageContents"), "{sent:?}");
    });
}
