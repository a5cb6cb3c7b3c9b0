//! The responses of the OAuth endpoints.

use axum::response::Response;
use http::{HeaderMap, header};
use serde_json::Value as Json;

use crate::identity::oauth::Form;
use crate::model::logins::error::OAuthError;
use crate::wire::json_response;

pub(crate) fn credentials(headers: &HeaderMap, body: &[u8]) -> Form {
    Form::parse(body).with_basic(headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()))
}

pub(crate) fn oauth_json(status: u16, body: &Json) -> Response {
    let mut response = json_response(status, body);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-cache, no-store"));
    headers.insert(header::PRAGMA, header::HeaderValue::from_static("no-cache"));
    response
}

pub(crate) fn error_response(error: &OAuthError) -> Response {
    oauth_json(error.status, &error.body())
}
