//! The responses of the data API over HTTP.

use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, Method, StatusCode, Uri, header};

use crate::api::bulk;
use crate::api::call::{self, Body};
use crate::identity::realm::Shared;
use crate::model::errors::ApiError;
use crate::wire::json_response;

/// The largest request body: an upload of Bulk API 2.0 and the parts around it.
pub(crate) const MAX_BODY: usize = bulk::MAX_UPLOAD + (1 << 20);

pub(crate) async fn unknown(method: Method, uri: Uri) -> Response {
    tracing::warn!(%method, path = uri.path(), "the simulator does not support this resource");
    into_http(ApiError::not_found().into(), "")
}

/// Converts a response of the data API; `limits` is the value of `Sforce-Limit-Info`.
pub(crate) fn into_http(reply: call::Response, limits: &str) -> Response {
    let mut response = match reply.body {
        Body::Json(json) => json_response(reply.status, &json),
        Body::Empty => StatusCode::from_u16(reply.status).unwrap_or(StatusCode::NO_CONTENT).into_response(),
        Body::Bytes(bytes) => ([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response(),
    };
    let headers = response.headers_mut();
    let mut set = |name: header::HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    if !limits.is_empty() {
        set(header::HeaderName::from_static("sforce-limit-info"), limits);
    }
    if let Some(location) = &reply.location {
        set(header::LOCATION, location);
    }
    for (name, value) in &reply.headers {
        set(header::HeaderName::from_static(name), value);
    }
    if reply.status == 401 {
        set(header::WWW_AUTHENTICATE, "Token");
    }
    response
}

/// Returns an error of the data API, with the use of the org's API limit.
pub(crate) fn data_error(shared: &Shared, error: ApiError) -> Response {
    let limits = {
        let org = shared.org();
        org.limits.header(org.clock.now())
    };
    into_http(error.into(), &limits)
}

/// Returns the error for a body beyond the limit; Salesforce's response is unverified.
pub(crate) fn too_large() -> Response {
    into_http(ApiError::new("REQUEST_ENTITY_TOO_LARGE", "Request Entity Too Large").status(413).into(), "")
}
