//! Refuses query parameters and bodies that a route does not know.
//!
//! The members of a body are checked by its type, which denies unknown ones.

use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::Method;
use serde_json::Value as Json;

use crate::Error;
use crate::http::server::response::{MAX_BODY, too_large};

/// The query parameters of the routes that have some; the others have none.
const PARAMETERS: [(&str, &[&str]); 5] = [
    ("POST /records/{object}", &["as"]),
    ("PATCH /records/{object}/{id}", &["as"]),
    ("DELETE /records/{object}/{id}", &["as"]),
    ("GET /change-events", &["channel"]),
    ("GET /outbound-messages", &["state", "object", "record", "action", "offset", "limit"]),
];

/// The routes with POST that have no body. A request with GET or DELETE has none either.
const WITHOUT_BODY: [&str; 4] = [
    "POST /users/{username}/{action}",
    "POST /apps/{client_id}/secret",
    "POST /locks/{id}",
    "POST /outbound-messages/deliver",
];

/// Refuses what the route does not know, by name and with what it accepts.
pub(super) async fn refuse_unknown(request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let path = path.strip_prefix("/_simulator").unwrap_or(path);
    let route = format!("{} {path}", request.method());
    if let Err(error) = check_query(&route, request.uri().query().unwrap_or_default()) {
        return error.into_response();
    }
    let has_body = matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH);
    if has_body && !WITHOUT_BODY.contains(&route.as_str()) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else { return too_large() };
    match check_no_body(&body) {
        Ok(()) => next.run(Request::from_parts(parts, Body::empty())).await,
        Err(error) => error.into_response(),
    }
}

fn check_query(route: &str, query: &str) -> Result<(), Error> {
    let known = PARAMETERS.iter().find(|(of, _)| *of == route).map_or(&[][..], |(_, known)| *known);
    let sent = url::form_urlencoded::parse(query.as_bytes());
    match sent.map(|(name, _)| name).find(|name| !known.contains(&name.as_ref())) {
        Some(name) => Err(Error::Invalid { what: "query", reason: unknown("parameter", &name, known) }),
        None => Ok(()),
    }
}

/// Accepts an empty body and an empty JSON object.
fn check_no_body(body: &[u8]) -> Result<(), Error> {
    let refused = |reason| Error::Invalid { what: "request", reason };
    if body.is_empty() {
        return Ok(());
    }
    match serde_json::from_slice(body) {
        Ok(Json::Object(members)) => match members.keys().next() {
            Some(name) => Err(refused(unknown("field", name, &[]))),
            None => Ok(()),
        },
        _ => Err(refused("this route has no body".to_owned())),
    }
}

fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    if known.is_empty() {
        return format!("unknown {what} `{name}`, there are no {what}s");
    }
    let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    format!("unknown {what} `{name}`, expected one of {}", known.join(", "))
}
