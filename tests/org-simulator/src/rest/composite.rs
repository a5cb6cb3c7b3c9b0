//! `composite`: up to 25 requests in one, each of which may use what earlier ones answered.

use std::collections::HashMap;

use serde_json::{Map, Value as Json, json};

use super::{Answer, Body, Call, dispatch};
use crate::api_error::ApiError;
use crate::org::{Actor, Org};

const MAX_REQUESTS: usize = 25;
const MAX_QUERIES: usize = 5;

struct Part {
    reference: String,
    request: Map<String, Json>,
}

/// Serves a composite request; its own status is 200 whatever its parts answer.
pub(super) fn serve(org: &mut Org, actor: &Actor, call: &Call) -> Result<Answer, ApiError> {
    let body = call.object()?;
    let parts = parts(body)?;
    let all_or_none = body.get("allOrNone").and_then(Json::as_bool).unwrap_or_default();
    let start = org.savepoint();
    let mut answers: Vec<Answer> = Vec::with_capacity(parts.len());
    let mut known = HashMap::new();
    let mut failed = false;
    for part in &parts {
        let answer = if failed && all_or_none { halted() } else { answer(org, actor, (part, &known)) };
        failed |= answer.status >= 400;
        if let Body::Json(json) = &answer.body {
            known.insert(part.reference.clone(), json.clone());
        }
        answers.push(answer);
    }
    if failed && all_or_none {
        org.rollback(&start);
        for answer in answers.iter_mut().filter(|answer| answer.status < 400) {
            *answer = halted();
        }
    }
    let shown: Vec<Json> = parts.iter().zip(answers).map(|(part, answer)| shown(&part.reference, answer)).collect();
    Ok(Answer::json(json!({"compositeResponse": shown})))
}

fn halted() -> Answer {
    let message = "The transaction was rolled back since another operation in the same transaction failed.";
    ApiError::new("PROCESSING_HALTED", message).into()
}

fn shown(reference: &str, answer: Answer) -> Json {
    let headers = answer.location.map_or_else(|| json!({}), |location| json!({"Location": location}));
    let body = match answer.body {
        Body::Json(json) => json,
        Body::Empty | Body::Bytes(_) => Json::Null,
    };
    json!({"body": body, "httpHeaders": headers, "httpStatusCode": answer.status, "referenceId": reference})
}

fn parts(body: &Map<String, Json>) -> Result<Vec<Part>, ApiError> {
    let requests = body.get("compositeRequest").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    if requests.is_empty() || requests.len() > MAX_REQUESTS {
        return Err(ApiError::new("INVALID_INPUT", format!("between 1 and {MAX_REQUESTS} subrequests are expected")));
    }
    let mut parts: Vec<Part> = Vec::with_capacity(requests.len());
    for request in requests {
        let request = request.as_object().ok_or_else(|| ApiError::bad_json("a subrequest must be an object"))?;
        let reference = request.get("referenceId").and_then(Json::as_str).unwrap_or_default();
        let well_formed = reference.starts_with(|c: char| c.is_ascii_alphabetic())
            && reference.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !well_formed || parts.iter().any(|part| part.reference == reference) {
            return Err(ApiError::new(
                "INVALID_INPUT",
                format!(
                    "Provided referenceId ('{reference}') must start with a letter, use letters, digits and underscores, and be unique"
                ),
            ));
        }
        parts.push(Part { reference: reference.to_owned(), request: request.clone() });
    }
    let is_query =
        |part: &Part| part.request.get("url").and_then(Json::as_str).is_some_and(|url| url.contains("/query"));
    if parts.iter().filter(|part| is_query(part)).count() > MAX_QUERIES {
        return Err(ApiError::new("INVALID_INPUT", format!("at most {MAX_QUERIES} query subrequests are allowed")));
    }
    Ok(parts)
}

type Known = HashMap<String, Json>;

fn answer(org: &mut Org, actor: &Actor, (part, known): (&Part, &Known)) -> Answer {
    let before = org.savepoint();
    let answer = subrequest(part, known).and_then(|call| dispatch(org, actor, &call));
    answer.unwrap_or_else(|error| {
        org.rollback(&before);
        error.into()
    })
}

/// The request of a part, with its references filled in.
fn subrequest(part: &Part, known: &Known) -> Result<Call, ApiError> {
    let text = |name: &str| part.request.get(name).and_then(Json::as_str).unwrap_or_default();
    let url = filled(text("url"), known)?;
    let body = part.request.get("body").map(|body| filled_in(body, known)).transpose()?;
    let headers = part.request.get("httpHeaders").and_then(Json::as_object).into_iter().flatten();
    let headers = headers.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
    let call = Call::new(text("method"), &url, body).ok_or_else(ApiError::not_found)?.with_headers(headers);
    match call.path.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["sobjects", _, ..] | ["query" | "queryAll", ..] | ["composite", "sobjects", ..] => Ok(call),
        _ => Err(ApiError::not_found()),
    }
}

fn filled_in(json: &Json, known: &Known) -> Result<Json, ApiError> {
    match json {
        Json::String(text) => filled(text, known).map(Json::from),
        Json::Array(items) => items.iter().map(|item| filled_in(item, known)).collect(),
        Json::Object(map) => map
            .iter()
            .map(|(k, v)| Ok((k.clone(), filled_in(v, known)?)))
            .collect::<Result<Map<_, _>, _>>()
            .map(Json::Object),
        other => Ok(other.clone()),
    }
}

/// Replaces every `@{reference.path}` by what that part answered.
fn filled(text: &str, known: &Known) -> Result<String, ApiError> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("@{") {
        let (expression, after) = after.split_once('}').ok_or_else(|| invalid_reference(rest))?;
        out.push_str(before);
        out.push_str(&looked_up(expression, known).ok_or_else(|| invalid_reference(expression))?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

fn invalid_reference(expression: &str) -> ApiError {
    ApiError::new("PROCESSING_HALTED", format!("Invalid reference specified. No value for {expression} found"))
}

/// `note.id`, `found.records[0].Id`.
fn looked_up(expression: &str, known: &Known) -> Option<String> {
    let mut steps = expression.split('.');
    let mut at = known.get(steps.next()?)?;
    for step in steps {
        let (name, indexes) = step.split_once('[').unwrap_or((step, ""));
        at = if name.is_empty() { at } else { at.get(name)? };
        for index in indexes.split('[').filter(|index| !index.is_empty()) {
            at = at.get(index.trim_end_matches(']').parse::<usize>().ok()?)?;
        }
    }
    (!at.is_null() && !at.is_object() && !at.is_array()).then(|| crate::value::plain(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_reach_into_answers() {
        let known = Known::from([
            ("note".to_owned(), json!({"id": "069"})),
            ("found".to_owned(), json!({"records": [{"Id": "001", "Owner": {"Id": "005"}}]})),
        ]);
        assert_eq!(filled("/x/@{note.id}/y", &known).unwrap(), "/x/069/y");
        assert_eq!(filled("@{found.records[0].Owner.Id}", &known).unwrap(), "005");
        assert_eq!(filled("@{missing.id}", &known).unwrap_err().code, "PROCESSING_HALTED");
        assert_eq!(filled("a@b.example", &known).unwrap(), "a@b.example");
    }
}
