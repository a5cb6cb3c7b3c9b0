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

use references::{Known, filled, filled_in};

pub(super) use graph::serve as serve_graphs;

const MAX_REQUESTS: usize = 25;
const MAX_QUERIES: usize = 5;

/// A subrequest.
struct Part {
    reference: String,
    request: Map<String, Json>,
}

/// A test for the resources that a subrequest may address.
type Admits = fn(&Call) -> bool;

/// The options by which subrequests are served.
#[derive(Clone, Copy)]
struct Mode {
    /// A failure undoes all subrequests.
    all_or_none: bool,
    admits: Admits,
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
    let (answers, _) = run(org, actor, &parts, Mode { all_or_none, admits, dispatch });
    Ok(Response::json(json!({"compositeResponse": shown(&parts, answers)})))
}

/// Returns whether a subrequest may address the resource: sObject resources, queries and collections (REST API guide,
/// composite), but no UI API and no blobs.
fn admits(call: &Call) -> bool {
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
    let mut answers: Vec<Response> = Vec::with_capacity(parts.len());
    let mut known = HashMap::new();
    let mut failed = false;
    for part in parts {
        let answer = if failed && mode.all_or_none { halted() } else { answer(org, actor, part, &known, mode) };
        failed |= answer.status >= 400;
        if let Body::Json(json) = &answer.body {
            known.insert(part.reference.clone(), json.clone());
        }
        answers.push(answer);
    }
    if failed && mode.all_or_none {
        org.rollback(&start);
        for answer in answers.iter_mut().filter(|answer| answer.status < 400) {
            *answer = halted();
        }
    }
    (answers, !failed)
}

fn halted() -> Response {
    let message = "The transaction was rolled back since another operation in the same transaction failed.";
    ApiError::new("PROCESSING_HALTED", message).into()
}

fn shown(parts: &[Part], answers: Vec<Response>) -> Vec<Json> {
    parts.iter().zip(answers).map(|(part, answer)| shown_part(&part.reference, answer)).collect()
}

fn shown_part(reference: &str, answer: Response) -> Json {
    let headers = answer.location.map_or_else(|| json!({}), |location| json!({"Location": location}));
    let body = match answer.body {
        Body::Json(json) => json,
        _ => Json::Null,
    };
    json!({"body": body, "httpHeaders": headers, "httpStatusCode": answer.status, "referenceId": reference})
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

fn answer(org: &mut Org, actor: &Actor, part: &Part, known: &Known, mode: Mode) -> Response {
    let before = org.savepoint();
    let answer = subrequest(part, known, mode.admits).and_then(|call| (mode.dispatch)(org, actor, &call));
    answer.unwrap_or_else(|error| {
        org.rollback(&before);
        error.into()
    })
}

/// Returns the request of a part, with its references replaced.
fn subrequest(part: &Part, known: &Known, admits: Admits) -> Result<Call, ApiError> {
    let url = filled(part.text("url"), known)?;
    let body = part.request.get("body").map(|body| filled_in(body, known)).transpose()?;
    let headers = part.request.get("httpHeaders").and_then(Json::as_object).into_iter().flatten();
    let headers = headers.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
    let call = Call::new(part.text("method"), &url, body).ok_or_else(ApiError::not_found)?.with_headers(headers);
    if admits(&call) {
        return Ok(call);
    }
    tracing::warn!(method = call.method, path = call.path.join("/"), "this resource is not served in a subrequest");
    Err(ApiError::not_found())
}
