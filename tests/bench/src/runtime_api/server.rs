//! The four routes of the Runtime API, version 2018-06-01.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use super::{Outcome, now};

/// Lambda's limit on a response.
const MAX_RESPONSE_BYTES: usize = 6 * 1024 * 1024;

/// One event on its way to the function.
pub(super) struct Invocation {
    pub(super) event: Vec<u8>,
    /// From the time at which the function asks for it.
    pub(super) timeout: Duration,
    pub(super) outcome: oneshot::Sender<Outcome>,
}

/// The state that the routes share.
pub(super) struct Server {
    started: Instant,
    events: tokio::sync::Mutex<mpsc::UnboundedReceiver<Invocation>>,
    in_flight: Mutex<InFlight>,
    ready_after: OnceLock<Duration>,
}

#[derive(Default)]
struct InFlight {
    handed_out: u64,
    waiting: HashMap<String, oneshot::Sender<Outcome>>,
}

impl Server {
    pub(super) fn new(started: Instant, events: mpsc::UnboundedReceiver<Invocation>) -> Self {
        Self {
            started,
            events: tokio::sync::Mutex::new(events),
            in_flight: Mutex::default(),
            ready_after: OnceLock::new(),
        }
    }

    pub(super) fn ready_after(&self) -> Option<Duration> {
        self.ready_after.get().copied()
    }

    fn in_flight(&self) -> MutexGuard<'_, InFlight> {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores the sender for the outcome of an invocation. Returns the request id of the invocation.
    fn hand_out(&self, outcome: oneshot::Sender<Outcome>) -> String {
        let mut in_flight = self.in_flight();
        in_flight.handed_out += 1;
        let id = format!("00000000-0000-0000-0000-{:012}", in_flight.handed_out);
        in_flight.waiting.insert(id.clone(), outcome);
        id
    }

    fn settle(&self, id: &str, outcome: Outcome) -> StatusCode {
        match self.in_flight().waiting.remove(id) {
            Some(waiting) => {
                // The caller may have dropped its future, which is not an error of the function.
                let _ = waiting.send(outcome);
                StatusCode::ACCEPTED
            }
            None => StatusCode::BAD_REQUEST,
        }
    }
}

/// Serves until the task is aborted.
pub(super) async fn serve(listener: TcpListener, server: Arc<Server>) {
    let routes = Router::new()
        .route("/runtime/invocation/next", get(next))
        .route("/runtime/invocation/{id}/response", post(response))
        .route("/runtime/invocation/{id}/error", post(error))
        .route("/runtime/init/error", post(init_error))
        .layer(DefaultBodyLimit::max(MAX_RESPONSE_BYTES))
        .with_state(server);
    // `serve` never returns: it retries when `accept` fails.
    let _ = axum::serve(listener, Router::new().nest("/2018-06-01", routes)).await;
}

async fn next(State(server): State<Arc<Server>>) -> Response {
    server.ready_after.get_or_init(|| now() - server.started);
    let Some(invocation) = server.events.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let deadline = deadline_ms(invocation.timeout).to_string();
    let id = server.hand_out(invocation.outcome);
    let headers = [
        ("lambda-runtime-aws-request-id", id),
        ("lambda-runtime-deadline-ms", deadline),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:000000000000:function:bench".to_owned()),
        ("lambda-runtime-trace-id", "Root=1-00000000-000000000000000000000000;Sampled=0".to_owned()),
    ];
    (headers, invocation.event).into_response()
}

async fn response(State(server): State<Arc<Server>>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    server.settle(&id, Outcome::Response(json(&body)))
}

async fn error(State(server): State<Arc<Server>>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    server.settle(&id, Outcome::Error(json(&body)))
}

/// The process ends after this request, which the caller sees as the outcome. The reason is in its log.
async fn init_error() -> StatusCode {
    StatusCode::ACCEPTED
}

/// Returns the body as JSON, or as a string if it is not JSON.
fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()))
}

#[expect(clippy::disallowed_methods, reason = "the protocol sends the deadline in real time")]
fn deadline_ms(timeout: Duration) -> u128 {
    (SystemTime::now() + timeout).duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()
}
