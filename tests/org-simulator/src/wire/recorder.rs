//! Writes the requests to the orgs of a process and their responses to a file, as JSON lines without secrets.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::MultiGzDecoder;
use http::{HeaderMap, Method, Uri, header};
use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use crate::model::clock::Clock;
use crate::model::logins::apps::Apps;
use crate::model::request_log::{Capture, Exchange, Message};
use crate::wire::Connection;
use crate::wire::masking::Masking;

/// The bytes of a body that are recorded.
const MAX_RECORDED: usize = 1 << 20;

/// A file to which requests and responses are appended. Clones write to the same file.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    file: Arc<Mutex<File>>,
    clock: Clock,
    /// The apps whose secrets are not recorded.
    apps: Apps,
}

impl Recorder {
    /// Opens the file, or creates it.
    pub(crate) fn open(path: &Path, clock: Clock, apps: Apps) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self { file: Arc::new(Mutex::new(file)), clock, apps })
    }

    fn write(&self, line: &Json) {
        if let Err(error) = locked(&self.file).write_all(format!("{line}\n").as_bytes()) {
            tracing::error!(%error, "a request could not be recorded");
        }
    }
}

fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Records a request and its response, as the client sees them. Requests to the admin API are not recorded.
pub(crate) async fn record(State(recorder): State<Recorder>, request: Request, next: Next) -> Response {
    if request.uri().path().starts_with("/_simulator") {
        return next.run(request).await;
    }
    Capture::new(Recording::of(recorder, &request)).run(request, next).await
}

/// Returns the members of a recorded message: its headers and body.
fn message(message: &Message, masking: &Masking) -> Map<String, Json> {
    let mut recorded = Map::new();
    let headers =
        message.headers.iter().map(|(name, value)| (name.to_string(), Json::String(masking.header(name, value))));
    recorded.insert("headers".to_owned(), headers.collect());
    if !message.body.is_empty() {
        recorded.insert("body".to_owned(), body(&message.headers, &message.body, masking));
    }
    if message.is_cut() {
        recorded.insert("body_length".to_owned(), json!(message.size));
    }
    recorded
}

/// Returns a body as JSON if it is JSON, as text, or in base64.
fn body(headers: &HeaderMap, bytes: &[u8], masking: &Masking) -> Json {
    let is_packed = headers.get(header::CONTENT_ENCODING).is_some_and(|coding| coding == "gzip");
    let mut unpacked = Vec::new();
    let bytes = if is_packed {
        // The end of a body that was cut is missing; what was read is recorded.
        let _ = MultiGzDecoder::new(bytes).read_to_end(&mut unpacked);
        &unpacked
    } else {
        bytes
    };
    match str::from_utf8(bytes) {
        Ok(text) => {
            let text = masking.text(text);
            serde_json::from_str(&text).unwrap_or(Json::String(text))
        }
        Err(_) => json!({"base64": STANDARD.encode(bytes)}),
    }
}

/// A request and its response, which are written to the file when the response's body has ended.
struct Recording {
    recorder: Recorder,
    at: Timestamp,
    started: Instant,
    method: Method,
    uri: Uri,
    connection: Option<Connection>,
    exchange: Exchange,
}

impl Recording {
    #[expect(clippy::disallowed_methods, reason = "the real time that a request takes; nothing freezes this server")]
    fn of(recorder: Recorder, request: &Request) -> Self {
        Self {
            at: recorder.clock.now(),
            recorder,
            started: Instant::now(),
            method: request.method().clone(),
            uri: request.uri().clone(),
            connection: request.extensions().get::<ConnectInfo<Connection>>().map(|info| info.0.clone()),
            exchange: Exchange::keeping(MAX_RECORDED),
        }
    }
}

impl AsMut<Exchange> for Recording {
    fn as_mut(&mut self) -> &mut Exchange {
        &mut self.exchange
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let masking = Masking::new(self.recorder.apps.secrets());
        let mut request = message(&self.exchange.request, &masking);
        request.insert("method".to_owned(), json!(self.method.as_str()));
        request.insert("url".to_owned(), json!(masking.text(&self.uri.to_string())));
        let is_closed = self.connection.as_ref().is_some_and(Connection::is_closed);
        let response = self.exchange.status.filter(|_| !is_closed).map(|status| {
            let mut response = message(&self.exchange.answer, &masking);
            response.insert("status".to_owned(), json!(status.as_u16()));
            response
        });
        let duration = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let line = json!({"at": self.at, "duration_ms": duration, "request": request, "response": response});
        self.recorder.write(&line);
    }
}
