//! Copies requests and answers for the request log.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;

use crate::model::request_log::{Capture, Exchange};

/// Copies the messages of a request that will be logged: one with a place for them, as an extension.
pub(super) async fn capture(request: Request, next: Next) -> Response {
    match request.extensions().get::<Capture<Exchange>>().cloned() {
        Some(place) => place.run(request, next).await,
        None => next.run(request).await,
    }
}
