//! Writes the requests to the orgs of a process and their responses to a file, as JSON lines without secrets.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::body::{Body, HttpBody as _};
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::MultiGzDecoder;
use futures::TryStreamExt as _;
use http::{HeaderMap, HeaderValue, Method, Uri, header};
use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use crate::model::clock::Clock;
use crate::wire::Connection;
use crate::wire::masking::{mask, mask_header};

/// The bytes of a body that are recorded.
const MAX_RECORDED: usize = 1 << 20;

/// A file to which requests and responses are appended. Clones write to the same file.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    file: Arc<Mutex<File>>,
    clock: Clock,
}

impl Recorder {
    /// Opens the file, or creates it.
    pub(crate) fn open(path: &Path, clock: Clock) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self { file: Arc::new(Mutex::new(file)), clock })
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
    let exchange = Arc::new(Mutex::new(Exchange::of(recorder, &request)));
    let request = request.map(|body| copied(body, &exchange, |exchange| &mut exchange.sent));
    let mut response = next.run(request).await;
    locked(&exchange).answer = Some((response.status().as_u16(), response.headers().clone()));
    match response.body().size_hint().exact() {
        Some(0) => return response,
        // A stream has no length of its own.
        Some(size) => drop(response.headers_mut().entry(header::CONTENT_LENGTH).or_insert(HeaderValue::from(size))),
        None => {}
    }
    response.map(|body| copied(body, &exchange, |exchange| &mut exchange.received))
}

/// Returns a body that is copied while it is read.
fn copied(body: Body, exchange: &Arc<Mutex<Exchange>>, copy: fn(&mut Exchange) -> &mut Copied) -> Body {
    let exchange = Arc::clone(exchange);
    Body::from_stream(body.into_data_stream().inspect_ok(move |bytes| copy(&mut locked(&exchange)).add(bytes)))
}

/// The beginning of a body, and its length so far.
#[derive(Default)]
struct Copied {
    bytes: Vec<u8>,
    length: usize,
}

impl Copied {
    fn add(&mut self, bytes: &[u8]) {
        let room = MAX_RECORDED - self.bytes.len();
        self.bytes.extend(bytes.iter().take(room));
        self.length += bytes.len();
    }

    /// Returns the members of a recorded message: its headers and body.
    fn message(&self, headers: &HeaderMap) -> Map<String, Json> {
        let mut message = Map::new();
        message.insert(
            "headers".to_owned(),
            Json::Object(
                headers
                    .iter()
                    .map(|(name, value)| (name.to_string(), Json::String(mask_header(name, value))))
                    .collect(),
            ),
        );
        if self.length > 0 {
            message.insert("body".to_owned(), body(headers, &self.bytes));
        }
        if self.length > self.bytes.len() {
            message.insert("body_length".to_owned(), json!(self.length));
        }
        message
    }
}

/// Returns a body as JSON if it is JSON, as text, or in base64.
fn body(headers: &HeaderMap, bytes: &[u8]) -> Json {
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
            let text = mask(text);
            serde_json::from_str(&text).unwrap_or(Json::String(text))
        }
        Err(_) => json!({"base64": STANDARD.encode(bytes)}),
    }
}

/// A request and its response. The last part to go, which is the response's body, writes them to the file.
struct Exchange {
    recorder: Recorder,
    at: Timestamp,
    started: Instant,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    connection: Option<Connection>,
    sent: Copied,
    answer: Option<(u16, HeaderMap)>,
    received: Copied,
}

impl Exchange {
    #[expect(clippy::disallowed_methods, reason = "the real time that a request takes; nothing freezes this server")]
    fn of(recorder: Recorder, request: &Request) -> Self {
        Self {
            at: recorder.clock.now(),
            recorder,
            started: Instant::now(),
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: request.headers().clone(),
            connection: request.extensions().get::<ConnectInfo<Connection>>().map(|info| info.0.clone()),
            sent: Copied::default(),
            answer: None,
            received: Copied::default(),
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let mut request = self.sent.message(&self.headers);
        request.insert("method".to_owned(), json!(self.method.as_str()));
        request.insert("url".to_owned(), json!(mask(&self.uri.to_string())));
        let is_closed = self.connection.as_ref().is_some_and(Connection::is_closed);
        let response = self.answer.as_ref().filter(|_| !is_closed).map(|(status, headers)| {
            let mut response = self.received.message(headers);
            response.insert("status".to_owned(), json!(status));
            response
        });
        let duration = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let line = json!({"at": self.at, "duration_ms": duration, "request": request, "response": response});
        self.recorder.write(&line);
    }
}
