//! `composite/batch`: up to 25 independent subrequests in one request.

use serde_json::{Value as Json, json};

use crate::api::call::{Body, Call, Dispatch, Response};
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::org::Org;

const MAX_REQUESTS: usize = 25;

/// Serves a batch; the writes of a subrequest stay, whatever the later ones return.
pub(super) fn serve(org: &mut Org, actor: &Actor, call: &Call, dispatch: Dispatch) -> Result<Response, ApiError> {
    let body = call.object()?;
    let requests = body.get("batchRequests").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    if requests.is_empty() || requests.len() > MAX_REQUESTS {
        let message = format!("between 1 and {MAX_REQUESTS} subrequests are expected");
        return Err(ApiError::new("INVALID_BATCH_REQUEST", message));
    }
    let calls: Vec<Call> = requests.iter().map(subrequest).collect::<Result<_, _>>()?;
    let halts = body.get("haltOnError").and_then(Json::as_bool).unwrap_or_default();
    let mut results = Vec::with_capacity(calls.len());
    let mut failed = false;
    for (at, part) in calls.iter().enumerate() {
        let response = if failed && halts { halted() } else { response(org, actor, part, at > 0, dispatch) };
        failed |= response.status >= 400;
        let body = match response.body {
            Body::Json(json) => json,
            _ => Json::Null,
        };
        results.push(json!({"statusCode": response.status, "result": body}));
    }
    Ok(Response::json(json!({"hasErrors": failed, "results": results})))
}

/// Serves a subrequest. Each counts against the org's limit (REST API guide, batch); the request itself has been
/// counted for the first.
fn response(org: &mut Org, actor: &Actor, call: &Call, counts: bool, dispatch: Dispatch) -> Response {
    let now = org.clock.now();
    if counts && !org.limits.take(now, 1) {
        return ApiError::limit_exceeded().into();
    }
    let before = org.savepoint();
    dispatch(org, actor, call).unwrap_or_else(|error| {
        org.rollback(&before);
        error.into()
    })
}

/// Parses a subrequest. Unlike elsewhere, the URL begins with the version: `v66.0/sobjects/...`; the body is called
/// `richInput`.
fn subrequest(request: &Json) -> Result<Call, ApiError> {
    let text = |name: &str| request.get(name).and_then(Json::as_str).unwrap_or_default();
    let (method, url) = (text("method"), text("url"));
    let url = url.strip_prefix("/services/data/").unwrap_or(url).trim_start_matches('/');
    let refused = |why: &str| ApiError::new("INVALID_BATCH_REQUEST", format!("{why}: {method} {url}"));
    let call = Call::new(method, &format!("/services/data/{url}"), request.get("richInput").cloned());
    let call = call.ok_or_else(|| refused("invalid subrequest"))?;
    match call.path.first().map(String::as_str) {
        Some("sobjects" | "query" | "queryAll" | "limits" | "search" | "recent") => Ok(call),
        _ => Err(refused("this resource is not supported in a batch")),
    }
}

fn halted() -> Response {
    let message = "Batch processing was halted because an earlier subrequest failed and haltOnError is set.";
    Response::from(ApiError::new("BATCH_PROCESSING_HALTED", message).status(412))
}
