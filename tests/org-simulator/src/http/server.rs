//! The HTTP server: its routes, and authentication and limits of the data API.

mod capture;
mod cometd;
mod encoding;
mod faulty;
pub(crate) mod late;
pub(crate) mod login_host;
mod moved;
pub(crate) mod response;

use std::net::IpAddr;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRef as _, Request, State};
use axum::response::Response;
use axum::routing::{any, get};
use axum::{Router, middleware};
use http::{HeaderMap, HeaderValue, Method, Uri, header};

use crate::api::bulk::{self, work};
use crate::api::call::{self, Call};
use crate::api::rest::{self, blobs};
use crate::http::server::response::{MAX_BODY, into_http, too_large, unknown};
use crate::http::{admin, page};
use crate::identity::oauth;
use crate::identity::oauth::host::Host;
use crate::identity::realm::Shared;
use crate::messages::packages;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::org::Org;
use crate::model::versions;
use crate::wire::{ClientAddress, bearer, json_body, json_response};

pub(crate) use faulty::faulty;

const MAX_URL: usize = 16_384;

/// Returns all routes of the simulator.
pub(crate) fn router(shared: Shared) -> Router {
    Router::new().fallback_service(routes(shared)).layer(middleware::map_request(collapse_leading_slashes))
}

/// Reduces two slashes at the start of a path to one: the Salesforce CLI sends such paths, and orgs accept them.
async fn collapse_leading_slashes(mut request: Request) -> Request {
    let url = request.uri().path_and_query().map_or("", |url| url.as_str());
    if let Some(rest) = url.strip_prefix("//")
        && let Ok(url) = format!("/{rest}").parse()
    {
        *request.uri_mut() = url;
    }
    request
}

fn routes(shared: Shared) -> Router {
    Router::new()
        .merge(page::routes())
        .route("/services/data", get(|| async { json_response(200, &versions::versions()) }))
        .route("/services/data/", get(|| async { json_response(200, &versions::versions()) }))
        .route("/services/data/{*path}", any(data))
        .merge(oauth::http::routes().with_state(Host::from_ref(&shared)))
        .merge(crate::api::soap::routes())
        .merge(bulk::v1::routes())
        .merge(cometd::routes())
        .nest("/_simulator", admin::routes())
        .fallback(unknown)
        .layer(middleware::from_fn_with_state(shared.clone(), moved::moved))
        .layer(middleware::map_response(with_security_policy))
        .layer(middleware::from_fn(capture::capture))
        .layer(middleware::from_fn(encoding::apply_encoding))
        .layer(middleware::from_fn_with_state(shared.clone(), faulty))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(shared)
}

/// Adds the content security policy to a page.
async fn with_security_policy(mut response: Response) -> Response {
    let is_page =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if is_page {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, page::POLICY);
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    }
    response
}

async fn data(
    State(shared): State<Shared>,
    ClientAddress(from): ClientAddress,
    (method, uri): (Method, Uri),
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let Ok(body) = body else { return too_large() };
    let (response, limits, unrecorded) = {
        let mut org = shared.org();
        let actor = match authenticated(&mut org, &headers, from) {
            Ok(actor) => actor,
            Err(error) => return into_http(error.into(), ""),
        };
        let now = org.clock.now();
        late::apply_due(&mut org);
        work::process_due_jobs(&mut org);
        let unrecorded = packages::process_due_requests(&mut org);
        let response = if !org.limits.take(now, 1) {
            ApiError::limit_exceeded().into()
        } else if let Some(response) = bulk::serve(&mut org, &actor, (&method, &uri, &headers), &body) {
            work::process_due_jobs(&mut org);
            response
        } else {
            let call = parsed(&method, &uri, &headers, &body);
            call.map_or_else(call::Response::from, |call| rest::serve(&mut org, &actor, &call))
        };
        (response, org.limits.header(now), unrecorded)
    };
    packages::record_installations(&shared, &unrecorded);
    into_http(response, &limits)
}

fn authenticated(org: &mut Org, headers: &HeaderMap, from: Option<IpAddr>) -> Result<Actor, ApiError> {
    let Some(token) = bearer(headers) else {
        return Err(match headers.get(header::AUTHORIZATION) {
            Some(_) => ApiError::new("INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE").status(401),
            None => ApiError::session_expired(),
        });
    };
    org.api_actor(token, from)
}

fn parsed(method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Result<Call, ApiError> {
    let url = uri.path_and_query().map_or("/", |url| url.as_str());
    if url.len() > MAX_URL {
        return Err(ApiError::new("URI_TOO_LONG", "Request URI is too long").status(414));
    }
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let json = match content_type {
        _ if body.is_empty() => None,
        kind if kind.starts_with("multipart/form-data") => Some(blobs::json_of_parts(kind, body)?),
        _ => Some(json_body(headers, body)?),
    };
    // A HEAD request is served as GET; the body is not sent.
    let method = if method == Method::HEAD { &Method::GET } else { method };
    let method = headers.get("x-http-method-override").and_then(|v| v.to_str().ok()).unwrap_or(method.as_str());
    let call = Call::new(method, url, json).ok_or_else(|| {
        tracing::warn!(method, path = uri.path(), "the simulator does not support this resource");
        Call::refusal(url)
    })?;
    Ok(call.with_headers(headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))))
}
