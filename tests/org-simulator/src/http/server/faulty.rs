//! Applies faults to requests, and writes the request log.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::stream;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value as Json, json};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::Effect;
use crate::api::soap;
use crate::http::server::late;
use crate::http::server::response::data_error;
use crate::identity::realm::Shared;
use crate::model::errors::ApiError;
use crate::model::request_log::{Capture, Exchange, LoggedRequest, MAX_BODY};
use crate::wire::Connection;

/// The largest response that is buffered to be changed, in bytes.
const MAX_BUFFERED: usize = 256 << 20;
const MAINTENANCE: &str =
    "<html><head><title>Maintenance</title></head><body>We are down for maintenance.</body></html>";

/// Applies the first fault that affects a request, if any.
pub(crate) async fn faulty(State(shared): State<Shared>, mut request: Request, next: Next) -> Response {
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    if path.starts_with("/_simulator") {
        return next.run(request).await;
    }
    let (started, capture) = (Instant::now(), Capture::new(Exchange::keeping(MAX_BODY)));
    request.extensions_mut().insert(capture.clone());
    let query = request.uri().query().unwrap_or_default().to_owned();
    let (running, effect, user, at) = {
        let mut org = shared.org();
        let now = org.clock.now();
        let token = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = token.and_then(|value| value.strip_prefix("Bearer "));
        let user = token.and_then(|token| org.logins.owner(token, now));
        let running = if path.starts_with("/services/data/") { Some(org.running.start(now)) } else { None };
        let effect = if matches!(running, Some(None)) { None } else { org.faults.take(&method, &path, now) };
        (running, effect, user, now)
    };
    let response = match effect {
        None if matches!(running, Some(None)) => data_error(&shared, ApiError::too_many_at_once()),
        None => next.run(request).await,
        Some(effect) => apply_to_body(&shared, effect, request, next).await,
    };
    let logged = LoggedRequest { method, path, query, user, at };
    let exchange = Some(capture).filter(|capture| capture.get().status.is_some());
    shared.org().log.add(logged, response.status().as_u16(), started.elapsed(), exchange);
    response
}

async fn apply_to_body(shared: &Shared, effect: Effect, mut request: Request, next: Next) -> Response {
    // A body that a fault changes is sent uncompressed.
    request.headers_mut().remove(header::ACCEPT_ENCODING);
    let path = request.uri().path().to_owned();
    let connection = request.extensions().get::<ConnectInfo<Connection>>().map(|info| info.0.clone());
    match effect {
        Effect::ResetBefore => close_connection(connection),
        Effect::ResetAfter => {
            whole(next.run(request).await).await;
            close_connection(connection)
        }
        Effect::CommitLate { delay_s } => {
            late::receive(shared, request, delay_s).await;
            close_connection(connection)
        }
        Effect::ErrorAfter { status, code, message } => {
            whole(next.run(request).await).await;
            replacement(shared, &Effect::Error { status, code, message }, &path)
        }
        Effect::Delay { delay_ms } => {
            let response = next.run(request).await;
            tokio::time::sleep(Duration::from_millis(delay_ms)).await;
            response
        }
        // Salesforce does not notice that its client has left: the request is executed in any case.
        Effect::DelayBefore { delay_ms } => {
            let late = detached(async move {
                tokio::time::sleep(Duration::from_millis(delay_ms)).await;
                next.run(request).await
            });
            late.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
        }
        Effect::Truncate { keep_bytes } => match whole(next.run(request).await).await {
            (_, body) if body.is_empty() => close_connection(connection),
            (response, body) => truncated(response, &body, keep_bytes.unwrap_or(body.len() / 2)),
        },
        Effect::Trickle { chunk_bytes, pause_ms } => {
            let (response, body) = whole(next.run(request).await).await;
            trickling(response, body, chunk_bytes.max(1), Duration::from_millis(pause_ms))
        }
        Effect::MalformedJson => {
            let (mut response, body) = whole(next.run(request).await).await;
            *response.body_mut() = Body::from(body.slice(..body.len() / 2));
            response
        }
        Effect::ContentType { content_type } => {
            let mut response = next.run(request).await;
            if let Ok(value) = HeaderValue::from_str(&content_type) {
                response.headers_mut().insert(header::CONTENT_TYPE, value);
            }
            response
        }
        effect => replacement(shared, &effect, &path),
    }
}

/// Runs a request to its end, also if the connection that it came from is closed.
#[expect(clippy::disallowed_methods, reason = "the simulator is a server of its own, which nothing freezes")]
fn detached(request: impl Future<Output = Response> + Send + 'static) -> JoinHandle<Response> {
    tokio::spawn(request)
}

/// Closes the connection instead of responding; the status is only for the log.
fn close_connection(connection: Option<Connection>) -> Response {
    if let Some(connection) = connection {
        connection.close();
    }
    StatusCode::BAD_GATEWAY.into_response()
}

/// Returns a response and its body, read to the end.
async fn whole(response: Response) -> (Response, Bytes) {
    let (mut parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, MAX_BUFFERED).await.unwrap_or_default();
    parts.headers.remove(header::CONTENT_LENGTH);
    (Response::from_parts(parts, Body::empty()), body)
}

/// Returns a response that announces its full length and sends only the beginning of its body.
fn truncated(mut response: Response, body: &Bytes, keep: usize) -> Response {
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    let kept = body.slice(..keep.min(body.len().saturating_sub(1)));
    let parts = stream::unfold(Some(kept), |kept| async {
        match kept {
            Some(kept) => Some((Ok(kept), None)),
            None => {
                // Yields, so that the part sent so far reaches the client.
                tokio::task::yield_now().await;
                Some((Err(io::Error::from(io::ErrorKind::ConnectionReset)), None))
            }
        }
    });
    *response.body_mut() = Body::from_stream(parts);
    response
}

fn trickling(mut response: Response, body: Bytes, chunk: usize, pause: Duration) -> Response {
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    let chunks = stream::unfold(body, move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(pause).await;
        let next = rest.split_to(chunk.min(rest.len()));
        Some((Ok::<_, io::Error>(next), rest))
    });
    *response.body_mut() = Body::from_stream(chunks);
    response
}

/// Returns the response of an effect that replaces the work.
fn replacement(shared: &Shared, effect: &Effect, path: &str) -> Response {
    let error =
        |error: ApiError| soap::fault_at(path, error.code, &error.message).unwrap_or_else(|| data_error(shared, error));
    match effect {
        Effect::Answer { status, content_type, body } => raw(*status, content_type, body),
        Effect::Error { status, code, message } => {
            if let Some(fault) = soap::fault_at(path, code, message) {
                return fault;
            }
            let body: Json = json!([{"message": message, "errorCode": code}]);
            crate::wire::json_response(*status, &body)
        }
        Effect::RequestLimitExceeded => error(ApiError::limit_exceeded()),
        Effect::ConcurrentLimitExceeded => {
            let message = "ConcurrentPerOrgLongTxn Limit exceeded.";
            error(ApiError::new("REQUEST_LIMIT_EXCEEDED", message).status(403))
        }
        Effect::UnableToLockRow => error(unable_to_lock(path)),
        Effect::QueryTimeout => error(ApiError::new("QUERY_TIMEOUT", "Your query request was running for too long.")),
        Effect::InternalError => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        _ => raw(503, "text/html;charset=UTF-8", MAINTENANCE),
    }
}

/// Returns the error `UNABLE_TO_LOCK_ROW`, with the record's id when the path names one.
fn unable_to_lock(path: &str) -> ApiError {
    let record = path.split('/').find_map(crate::model::ids::RecordId::parse);
    let which = record.map(|id| format!(": {id}")).unwrap_or_default();
    let message = format!("unable to obtain exclusive access to this record or 1 records{which}");
    ApiError::new("UNABLE_TO_LOCK_ROW", message).no_fields()
}

fn raw(status: u16, content_type: &str, body: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, content_type.to_owned())], body.to_owned()).into_response()
}
