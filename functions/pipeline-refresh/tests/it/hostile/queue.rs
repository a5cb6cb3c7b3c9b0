//! SQS in the time of the test's clock: a delayed message is received as soon as the clock is advanced, and a message that is not
//! deleted is delivered again after the visibility timeout.

use std::sync::{Arc, Mutex, MutexGuard};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use axum::{Router, routing::post};
use jiff::{SignedDuration, Timestamp};
use rand::RngExt as _;
use rand::rngs::StdRng;
use salesforce::Clock;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The visibility timeout of the queues of refreshes.
const VISIBILITY: SignedDuration = SignedDuration::from_mins(90);

/// The name of the queue whose messages are not received.
pub(crate) const DEAD_LETTERS: &str = "dead-letters";

/// A message.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    id: usize,
    queue: String,
    visible_at: Timestamp,
    /// The body.
    pub(crate) body: String,
    /// The number of times that it was received.
    pub(crate) received: u32,
}

/// The server.
#[derive(Clone)]
pub(crate) struct SimulatedSqs {
    clock: Clock,
    messages: Arc<Mutex<Vec<Message>>>,
    url: String,
}

impl SimulatedSqs {
    pub(crate) async fn start(clock: Clock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let sqs = Self { clock, messages: Arc::default(), url };
        let router = Router::new().route("/", post(respond)).with_state(sqs.clone());
        #[expect(clippy::disallowed_methods, reason = "a server of a test ends with the test")]
        tokio::spawn(async move { axum::serve(listener, router).await });
        sqs
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    fn messages(&self) -> MutexGuard<'_, Vec<Message>> {
        self.messages.lock().unwrap()
    }

    /// Returns the time at which the next message is visible.
    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        self.messages().iter().filter(|message| message.queue != DEAD_LETTERS).map(|message| message.visible_at).min()
    }

    /// Receives one of the visible messages.
    pub(crate) fn receive(&self, random: &mut StdRng) -> Option<Message> {
        let (now, mut messages) = (self.clock.now(), self.messages());
        let is_visible = |message: &&mut Message| message.queue != DEAD_LETTERS && message.visible_at <= now;
        let mut visible: Vec<&mut Message> = messages.iter_mut().filter(is_visible).collect();
        if visible.is_empty() {
            return None;
        }
        let message = visible.swap_remove(random.random_range(0..visible.len()));
        message.visible_at = now + VISIBILITY;
        message.received += 1;
        Some(message.clone())
    }

    /// Deletes a message that was worked on.
    pub(crate) fn delete(&self, message: &Message) {
        self.messages().retain(|other| other.id != message.id);
    }

    /// Returns the bodies of the dead letters.
    pub(crate) fn dead_letters(&self) -> Vec<String> {
        let messages = self.messages();
        messages.iter().filter(|message| message.queue == DEAD_LETTERS).map(|message| message.body.clone()).collect()
    }

    fn store(&self, queue_url: &Value, message: &Value) -> Value {
        let mut messages = self.messages();
        let delay = SignedDuration::from_secs(message["DelaySeconds"].as_i64().unwrap_or_default());
        let id = messages.last().map_or(0, |last| last.id + 1);
        let queue = queue_url.as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        let body = message["MessageBody"].as_str().unwrap().to_owned();
        messages.push(Message { id, queue, visible_at: self.clock.now() + delay, body, received: 0 });
        json!({ "Id": message["Id"], "MessageId": id.to_string(), "MD5OfMessageBody": "" })
    }
}

async fn respond(State(sqs): State<SimulatedSqs>, headers: HeaderMap, body: Bytes) -> Response {
    let request: Value = serde_json::from_slice(&body).unwrap();
    let target = headers["x-amz-target"].to_str().unwrap();
    let response = match target.rsplit('.').next().unwrap() {
        "SendMessage" => sqs.store(&request["QueueUrl"], &request),
        "SendMessageBatch" => {
            let entries = request["Entries"].as_array().unwrap();
            let stored: Vec<Value> = entries.iter().map(|entry| sqs.store(&request["QueueUrl"], entry)).collect();
            json!({ "Successful": stored, "Failed": [] })
        }
        other => panic!("{other} is not expected"),
    };
    ([("content-type", "application/x-amz-json-1.0")], response.to_string()).into_response()
}
