//! `composite`: up to 25 subrequests in one request, each of which may use the results of earlier ones; and
//! `composite/graph`, several of these.

mod graph;
mod references;

use std::collections::HashMap;

use serde_json::{Map, Value as Json, json};

use crate::api::call::{Body, Call, Dispatch, Response};
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::org::Org;

use references::{Results, resolve_json, resolve_text};

pub(super) use graph::serve as serve_graphs;

const MAX_REQUESTS: usize = 25;
const MAX_QUERIES: usize = 5;

/// A subrequest.
struct Part {
    reference: String,
    request: Map<String, Json>,
}

/// A test for the resources that a subrequest may address.
type IsSupported = fn(&Call) -> bool;

/// The options by which subrequests are served.
#[derive(Clone, Copy)]
struct Mode {
    /// A failure undoes all subrequests.
    all_or_none: bool,
    is_supported: IsSupported,
    dispatch: Dispatch,
}

/// Serves a composite request; its own status is 200 whatever the subrequests return.
pub(super) fn serve(org: &mut Org, actor: &Actor, call: &Call, dispatch: Dispatch) -> Result<Response, ApiError> {
    let body = call.object()?;
    let parts = parts(body)?;
    if parts.len() > MAX_REQUESTS {
        return Err(ApiError::new("INVALID_INPUT", format!("at most {MAX_REQUESTS} subrequests are allowed")));
    }
    if parts.iter().filter(|part| part.is_limited()).count() > MAX_QUERIES {
        let message = format!("at most {MAX_QUERIES} subrequests may be queries or sObject collections");
        return Err(ApiError::new("INVALID_INPUT", message));
    }
    let all_or_none = body.get("allOrNone").and_then(Json::as_bool).unwrap_or_default();
    let (responses, _) = run(org, actor, &parts, Mode { all_or_none, is_supported, dispatch });
    Ok(Response::json(json!({"compositeResponse": results_json(&parts, responses)})))
}

/// Returns whether a subrequest may address the resource: sObject resources, queries and collections (REST API guide,
/// composite), but no UI API and no blobs.
fn is_supported(call: &Call) -> bool {
    match call.path.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["sobjects"] | ["sobjects", _] => true,
        ["sobjects", _, rest @ ..] => rest.len() <= 2,
        ["query" | "queryAll", ..] | ["composite", "sobjects", ..] => true,
        _ => false,
    }
}

impl Part {
    fn text(&self, name: &str) -> &str {
        self.request.get(name).and_then(Json::as_str).unwrap_or_default()
    }

    /// Returns whether the resource is one of those that at most five subrequests may address.
    fn is_limited(&self) -> bool {
        self.text("url").contains("/query") || self.text("url").contains("/composite/sobjects")
    }
}

/// Runs the subrequests in order and returns whether all succeeded; with `allOrNone`, a failure rolls everything back.
fn run(org: &mut Org, actor: &Actor, parts: &[Part], mode: Mode) -> (Vec<Response>, bool) {
    let start = org.savepoint();
    let mut responses: Vec<Response> = Vec::with_capacity(parts.len());
    let mut known = HashMap::new();
    let mut failed = false;
    for part in parts {
        let response = if failed && mode.all_or_none { halted() } else { response(org, actor, part, &known, mode) };
        failed |= response.status >= 400;
        if let Body::Json(json) = &response.body {
            known.insert(part.reference.clone(), json.clone());
        }
        responses.push(response);
    }
    if failed && mode.all_or_none {
        org.rollback(&start);
        for response in responses.iter_mut().filter(|response| response.status < 400) {
            *response = halted();
        }
    }
    (responses, !failed)
}

fn halted() -> Response {
    let message = "The transaction was rolled back since another operation in the same transaction failed.";
    ApiError::new("PROCESSING_HALTED", message).into()
}

fn results_json(parts: &[Part], responses: Vec<Response>) -> Vec<Json> {
    parts.iter().zip(responses).map(|(part, response)| shown_part(&part.reference, response)).collect()
}

fn shown_part(reference: &str, response: Response) -> Json {
    let mut headers = Map::new();
    headers.extend(response.location.map(|location| ("Location".to_owned(), Json::from(location))));
    // The names as a recorded response has them; the header map of this server has lower-case names.
    for (shown, name) in [("ETag", "etag"), ("Last-Modified", "last-modified")] {
        let value = response.headers.iter().find(|(known, _)| *known == name);
        headers.extend(value.map(|(_, value)| (shown.to_owned(), Json::from(value.as_str()))));
    }
    let body = match response.body {
        Body::Json(json) => json,
        _ => Json::Null,
    };
    json!({"body": body, "httpHeaders": headers, "httpStatusCode": response.status, "referenceId": reference})
}

fn parts(body: &Map<String, Json>) -> Result<Vec<Part>, ApiError> {
    let requests = body.get("compositeRequest").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    if requests.is_empty() {
        return Err(ApiError::new("INVALID_INPUT", "at least one subrequest is expected"));
    }
    let mut parts: Vec<Part> = Vec::with_capacity(requests.len());
    for request in requests {
        let request = request.as_object().ok_or_else(|| ApiError::bad_json("a subrequest must be an object"))?;
        let reference = request.get("referenceId").and_then(Json::as_str).unwrap_or_default();
        if !is_well_formed(reference) {
            let message = format!(
                "Provided referenceId ('{reference}') must start with a letter or a number, and it can contain only letters, \
                 numbers and underscores ('_')."
            );
            return Err(ApiError::new("INVALID_INPUT", message));
        }
        if parts.iter().any(|part| part.reference == reference) {
            return Err(ApiError::new("INVALID_INPUT", format!("Duplicate ReferenceId found: {reference}")));
        }
        parts.push(Part { reference: reference.to_owned(), request: request.clone() });
    }
    Ok(parts)
}

fn is_well_formed(reference: &str) -> bool {
    reference.starts_with(|c: char| c.is_ascii_alphanumeric())
        && reference.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn response(org: &mut Org, actor: &Actor, part: &Part, known: &Results, mode: Mode) -> Response {
    let before = org.savepoint();
    let response = subrequest(part, known, mode.is_supported).and_then(|call| (mode.dispatch)(org, actor, &call));
    response.unwrap_or_else(|error| {
        org.rollback(&before);
        error.into()
    })
}

/// Returns the request of a part, with its references replaced.
fn subrequest(part: &Part, known: &Results, is_supported: IsSupported) -> Result<Call, ApiError> {
    let url = resolve_text(part.text("url"), known)?;
    let body = part.request.get("body").map(|body| resolve_json(body, known)).transpose()?;
    let headers = part.request.get("httpHeaders").and_then(Json::as_object).into_iter().flatten();
    let headers = headers.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
    let call = Call::new(part.text("method"), &url, body).ok_or_else(|| Call::refusal(&url))?.with_headers(headers);
    if is_supported(&call) {
        return Ok(call);
    }
    tracing::warn!(method = call.method, path = call.path.join("/"), "this resource is not supported in a subrequest");
    Err(ApiError::not_found())
}
