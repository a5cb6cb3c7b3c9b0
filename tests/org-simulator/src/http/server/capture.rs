//! Copies requests and answers for the request log.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;

use crate::http::server::response::{MAX_BODY, too_large};
use crate::model::request_log::{Exchange, Message};

/// The place where the messages of a request are put, as an extension of the request.
#[derive(Clone, Debug, Default)]
pub(super) struct Captured(Arc<Mutex<Option<Box<Exchange>>>>);

impl Captured {
    pub(super) fn take(&self) -> Option<Box<Exchange>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Copies the messages of a request that will be logged.
pub(super) async fn capture(request: Request, next: Next) -> Response {
    let Some(captured) = request.extensions().get::<Captured>().cloned() else { return next.run(request).await };
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else { return too_large() };
    let sent = Message::new(parts.headers.clone(), &body);
    let (parts, body) = next.run(Request::from_parts(parts, Body::from(body))).await.into_parts();
    // The org's answers are in memory, so reading one does not fail.
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let answer = Message::new(parts.headers.clone(), &body);
    *captured.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(Exchange { request: sent, answer }));
    Response::from_parts(parts, Body::from(body))
}
