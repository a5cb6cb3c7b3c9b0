//! Mapping of unsuccessful responses of the REST API to an [`Error`]. Codes and field names are carried over, messages are not.
//!
//! Only an error object of Salesforce decides about a request. A page, or an empty body, comes from a proxy in front of the API:
//! it says nothing about what was asked for, whatever its status.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::codes::{REQUEST_LIMIT, is_concurrency_limit};
use super::{Error, Problem, Retry, code_retry, is_rollback};
use crate::soap::partner::{self, Fault};
use crate::transport::Response;

/// An element of an error response. Most resources return an array of them, some a single one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RestProblem {
    error_code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    fields: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RestProblems {
    Many(Vec<RestProblem>),
    One(RestProblem),
}

impl RestProblems {
    fn all(self) -> Vec<RestProblem> {
        match self {
            Self::Many(problems) => problems,
            Self::One(problem) => vec![problem],
        }
    }
}

/// The code of a refused session.
const INVALID_SESSION: &str = "INVALID_SESSION_ID";

/// The message of a `NOT_FOUND` that names an external id field. Other messages of `NOT_FOUND` name nothing.
const UNKNOWN_EXTERNAL_ID: &str = "Provided external ID field does not exist or is not accessible:";

/// Messages of a 401 that a new access token cannot resolve. A client that refreshes on them never stops.
const NOT_PERMITTED_TEXTS: [&str; 2] =
    ["This session is not valid for use with the REST API", "Connected app is not attached to Agent"];

/// Maps an unsuccessful response of the REST API.
pub(crate) fn rest_failure(operation: &'static str, response: &Response) -> Error {
    let problems = serde_json::from_slice(&response.body).map_or_else(|_| Vec::new(), RestProblems::all);
    failure(operation, response, response.status, &problems)
}

/// Maps an unsuccessful response of the SOAP API. Every fault has the status 500, and its code is Salesforce's word about the
/// request, as that of a REST error object with the status 400 or 401 is. A page without a fault decides nothing.
pub(crate) fn soap_failure(operation: &'static str, response: &Response) -> Error {
    let Some(Fault { code, message }) = partner::fault(&response.body) else {
        return failure(operation, response, response.status, &[]);
    };
    let status = if code == INVALID_SESSION { 401 } else { 400 };
    failure(operation, response, status, &[RestProblem { error_code: code, message, fields: Vec::new() }])
}

fn failure(operation: &'static str, response: &Response, status: u16, problems: &[RestProblem]) -> Error {
    let has = |code: &str| problems.iter().any(|problem| problem.error_code == code);
    let says = |text: &str| problems.iter().any(|problem| problem.message.contains(text));
    match status {
        // Several records match an external id; the body is a list of their paths.
        300 => Error::Rejected { operation, status: 300, problems: carried_over(problems, 300) },
        401 | 403 if NOT_PERMITTED_TEXTS.iter().any(|text| says(text)) => {
            Error::SessionNotPermitted { operation, code: first_code(problems, status) }
        }
        401 if problems.is_empty() || has(INVALID_SESSION) => Error::SessionRefused { operation },
        403 if response.body.trim_ascii() == b"Bad_OAuth_Token" => Error::SessionRefused { operation },
        _ if problems.iter().any(|problem| is_concurrency_limit(&problem.error_code, &problem.message)) => {
            Error::TooManyCalls { operation }
        }
        _ if has(REQUEST_LIMIT) => Error::DailyLimit { operation },
        413 | 414 | 431 if problems.is_empty() => Error::TooLarge { operation, what: "the request" },
        429 | 500.. => {
            let code = problems.first().map(|problem| checked_code(&problem.error_code));
            unavailable(operation, status, code, response.retry_after())
        }
        status if problems.is_empty() => unavailable(operation, status, None, response.retry_after()),
        status => Error::Rejected { operation, status, problems: carried_over(problems, status) },
    }
}

/// Maps the body of an unsuccessful subrequest of a composite request; `None` if it was only rolled back because another one
/// failed. Its status decides as little as that of a response of its own.
pub(crate) fn part_failure(operation: &'static str, status: u16, body: &Value) -> Option<Error> {
    let problems = RestProblems::deserialize(body).map_or_else(|_| Vec::new(), RestProblems::all);
    if problems.is_empty() {
        return Some(unavailable(operation, status, None, None));
    }
    let problems = carried_over(&problems, status);
    let only_rolled_back = problems.iter().all(|problem| is_rollback(&problem.code));
    (!only_rolled_back).then_some(Error::Rejected { operation, status, problems })
}

/// Returns whether the resource is said to be elsewhere. A redirect is not followed, because the body of a write would be lost.
pub(super) fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// Returns the error of a response that does not decide about the request: of a status of 500 or more, of a limit, and of a page
/// that is not Salesforce's error object. A code decides only whether the request may have taken effect.
///
/// A 503 without such a code may have taken effect: a proxy returns it too when the connection to its server ends after the
/// request was sent (Envoy access logs, response flag `UC`).
pub(crate) fn unavailable(
    operation: &'static str,
    status: u16,
    code: Option<String>,
    retry_after: Option<Duration>,
) -> Error {
    let or = |pause| retry_after.unwrap_or(pause);
    let retry = match (code.as_deref().map(code_retry), status) {
        (Some(Retry::After(pause)), _) => Retry::After(or(pause)),
        (Some(Retry::Unknown(pause)), _) => Retry::Unknown(or(pause)),
        (_, 429) => Retry::After(or(Duration::from_secs(2))),
        // The proxy in front of Salesforce knows no instance for this host, or names another host: no instance has seen the request.
        (None, 420) => Retry::After(or(Duration::from_secs(30))),
        (None, status) if is_redirect(status) => Retry::After(Duration::from_secs(30)),
        (None, ..500) => Retry::Unknown(or(Duration::from_secs(30))),
        _ => Retry::Unknown(or(Duration::from_secs(2))),
    };
    Error::Unavailable { operation, status, code, retry }
}

fn first_code(problems: &[RestProblem], status: u16) -> String {
    problems.first().map_or_else(|| format!("HTTP_{status}"), |problem| checked_code(&problem.error_code))
}

/// Returns codes and field names. A trigger that failed on a row lock names the lock only in its message: it is added as a code.
fn carried_over(problems: &[RestProblem], status: u16) -> Vec<Problem> {
    let mut carried: Vec<Problem> = Vec::new();
    for problem in problems {
        let mut checked = checked_problem(&problem.error_code, &problem.fields);
        checked.fields.extend(external_id_field(problem));
        carried.push(checked);
        if problem.error_code != "UNABLE_TO_LOCK_ROW" && problem.message.contains("UNABLE_TO_LOCK_ROW") {
            carried.push(checked_problem("UNABLE_TO_LOCK_ROW", &[]));
        }
    }
    if carried.is_empty() {
        carried.push(checked_problem(&format!("HTTP_{status}"), &[]));
    }
    carried
}

/// Returns the external id field that a `NOT_FOUND` names in its message only.
fn external_id_field(problem: &RestProblem) -> Option<String> {
    let field = problem.message.strip_prefix(UNKNOWN_EXTERNAL_ID)?.trim();
    let is_name = field.len() <= 80 && field.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (problem.error_code == "NOT_FOUND" && is_name).then(|| field.to_owned())
}

/// Creates a problem from the code and the field names, and drops fields that are not field names.
pub(crate) fn checked_problem(code: &str, fields: &[String]) -> Problem {
    let fields = fields.iter().filter(|field| field.parse::<crate::FieldName>().is_ok());
    Problem { code: checked_code(code), fields: fields.cloned().collect() }
}

/// Returns the code unchanged, or a placeholder if it does not have the form of a code: it could hold customer data.
pub(super) fn checked_code(code: &str) -> String {
    let is_code = !code.is_empty()
        && code.len() <= 100
        && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    if is_code { code.to_owned() } else { "UNREADABLE_CODE".to_owned() }
}

#[cfg(test)]
mod tests;
