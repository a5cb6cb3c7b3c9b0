//! Mapping of unsuccessful responses to an [`Error`]. Codes and field names are carried over, messages are not.

use std::time::Duration;

use serde::Deserialize;

use super::{Error, Problem, Retry, code_retry};
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

/// The error object of the token endpoint.
#[derive(Deserialize)]
struct OauthProblem {
    error: String,
    #[serde(default)]
    error_description: String,
}

/// Descriptions of `invalid_grant` that are final, by their beginning (Salesforce Help, OAuth authorization flow errors).
const GRANT_ENDS: [&str; 8] = [
    "expired access/refresh token",
    "expired authorization code",
    "invalid authorization code",
    "authentication failure",
    "ip restricted",
    "user hasn't approved this consumer",
    "inactive user",
    "inactive_user",
];

/// Messages of a 401 that a new access token cannot resolve. A client that refreshes on them never stops.
const NOT_PERMITTED_TEXTS: [&str; 2] =
    ["This session is not valid for use with the REST API", "Connected app is not attached to Agent"];

/// Maps an unsuccessful response of the REST API.
pub(crate) fn rest_failure(operation: &'static str, response: &Response) -> Error {
    let problems = match serde_json::from_slice(&response.body) {
        Ok(RestProblems::Many(problems)) => problems,
        Ok(RestProblems::One(problem)) => vec![problem],
        Err(_) => Vec::new(),
    };
    let has = |code: &str| problems.iter().any(|problem| problem.error_code == code);
    let says = |text: &str| problems.iter().any(|problem| problem.message.contains(text));
    match response.status {
        // The org has moved. A refresh returns its new address, while following the redirect would lose the body of a write.
        301 | 302 | 303 | 307 | 308 => Error::SessionRefused { operation },
        401 | 403 if NOT_PERMITTED_TEXTS.iter().any(|text| says(text)) => {
            Error::SessionNotPermitted { operation, code: first_code(&problems, response.status) }
        }
        401 if problems.is_empty() || has("INVALID_SESSION_ID") => Error::SessionRefused { operation },
        403 if response.body.trim_ascii() == b"Bad_OAuth_Token" => Error::SessionRefused { operation },
        _ if has("REQUEST_LIMIT_EXCEEDED") && says("Concurrent") => Error::TooManyCalls { operation },
        _ if has("REQUEST_LIMIT_EXCEEDED") => Error::DailyLimit { operation },
        429 | 502 | 503 | 504 => unavailable(operation, response, &problems),
        500.. if problems.is_empty() => unavailable(operation, response, &problems),
        status => Error::Rejected { operation, status, problems: carried_over(&problems, status) },
    }
}

/// Maps an unsuccessful response of the OAuth endpoints.
pub(crate) fn oauth_failure(operation: &'static str, response: &Response) -> Error {
    let Some(OauthProblem { error: code, error_description: text }) = oauth_problem(&response.body) else {
        return match response.status {
            301 | 302 | 303 | 307 | 308 => Error::InvalidResponse { operation, what: "a redirect" },
            _ => unavailable(operation, response, &[]),
        };
    };
    let text = text.to_ascii_lowercase();
    match code.as_str() {
        "invalid_grant" if text.contains("already being processed") => Error::RefreshInProgress,
        "invalid_grant" => match GRANT_ENDS.iter().find(|end| text.starts_with(**end)) {
            Some(reason) => Error::GrantEnded { code, reason },
            None => temporary(operation, response, code, Duration::from_secs(30)),
        },
        "inactive_user" | "inactive_org" | "invalid_app_access" => {
            Error::GrantEnded { code, reason: "an admin must act" }
        }
        "invalid_client_id"
        | "invalid_client"
        | "invalid_client_credentials"
        | "redirect_uri_mismatch"
        | "unsupported_grant_type"
        | "unauthorized_client"
        | "invalid_scope"
        | "invalid_request" => Error::AppRefused { code },
        _ => temporary(operation, response, code, Duration::from_mins(1)),
    }
}

/// Maps an error of the token endpoint that may be temporary. It never ends a grant.
fn temporary(operation: &'static str, response: &Response, code: String, pause: Duration) -> Error {
    let retry = if response.status >= 500 { Retry::Unknown(pause) } else { Retry::After(pause) };
    Error::Unavailable { operation, status: response.status, code: Some(checked_code(&code)), retry }
}

/// Parses the error object, from JSON or from a form: the revoke endpoint returns both.
fn oauth_problem(body: &[u8]) -> Option<OauthProblem> {
    let problem = serde_json::from_slice(body).ok().or_else(|| {
        let pairs: Vec<_> = url::form_urlencoded::parse(body).collect();
        let find = |key| pairs.iter().find(|(name, _)| name == key).map(|(_, value)| value.to_string());
        Some(OauthProblem { error: find("error")?, error_description: find("error_description").unwrap_or_default() })
    })?;
    Some(OauthProblem { error: checked_code(&problem.error), ..problem })
}

fn unavailable(operation: &'static str, response: &Response, problems: &[RestProblem]) -> Error {
    let code = problems.first().map(|problem| checked_code(&problem.error_code));
    let retry_after = response.retry_after();
    let pause = retry_after.unwrap_or(Duration::from_secs(2));
    let retry = match (code.as_deref().map(code_retry), response.status) {
        (Some(by_code @ (Retry::After(_) | Retry::Unknown(_))), _) if retry_after.is_none() => by_code,
        (_, 429 | 503) => Retry::After(pause),
        _ => Retry::Unknown(pause),
    };
    Error::Unavailable { operation, status: response.status, code, retry }
}

fn first_code(problems: &[RestProblem], status: u16) -> String {
    problems.first().map_or_else(|| format!("HTTP_{status}"), |problem| checked_code(&problem.error_code))
}

/// Returns codes and field names. A trigger that failed on a row lock names the lock only in its message: it is added as a code.
fn carried_over(problems: &[RestProblem], status: u16) -> Vec<Problem> {
    let mut carried: Vec<Problem> = Vec::new();
    for problem in problems {
        carried.push(checked_problem(&problem.error_code, &problem.fields));
        if problem.error_code != "UNABLE_TO_LOCK_ROW" && problem.message.contains("UNABLE_TO_LOCK_ROW") {
            carried.push(checked_problem("UNABLE_TO_LOCK_ROW", &[]));
        }
    }
    if carried.is_empty() {
        carried.push(checked_problem(&format!("HTTP_{status}"), &[]));
    }
    carried
}

/// Creates a problem from the code and the field names, and drops fields that are not field names.
pub(crate) fn checked_problem(code: &str, fields: &[String]) -> Problem {
    let fields = fields.iter().filter(|field| field.parse::<crate::FieldName>().is_ok());
    Problem { code: checked_code(code), fields: fields.cloned().collect() }
}

/// Returns the code unchanged, or a placeholder if it does not have the form of a code: it could hold customer data.
fn checked_code(code: &str) -> String {
    let is_code = !code.is_empty()
        && code.len() <= 100
        && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    if is_code { code.to_owned() } else { "UNREADABLE_CODE".to_owned() }
}

#[cfg(test)]
mod tests;
