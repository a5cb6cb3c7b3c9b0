//! From an answer that is no success to an [`Error`]: codes and field names stay, messages go.

use std::time::Duration;

use serde::Deserialize;

use super::{Error, Problem, Retry, code_retry};
use crate::transport::Response;

/// An element of the array that Salesforce answers errors with; some resources leave the array out.
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

/// The token endpoint's error object.
#[derive(Deserialize)]
struct OauthProblem {
    error: String,
    #[serde(default)]
    error_description: String,
}

/// Ends of a grant, by the beginning of their description (Salesforce Help, OAuth authorization flow errors).
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

/// Refusals of a session that another access token cannot mend; clients that refresh on them never stop.
const UNFIT_TEXTS: [&str; 2] =
    ["This session is not valid for use with the REST API", "Connected app is not attached to Agent"];

/// What a REST answer that is no success means.
pub(crate) fn rest_failure(operation: &'static str, answer: &Response) -> Error {
    let problems = match serde_json::from_slice(&answer.body) {
        Ok(RestProblems::Many(problems)) => problems,
        Ok(RestProblems::One(problem)) => vec![problem],
        Err(_) => Vec::new(),
    };
    let has = |code: &str| problems.iter().any(|problem| problem.error_code == code);
    let says = |text: &str| problems.iter().any(|problem| problem.message.contains(text));
    match answer.status {
        // An org that has moved: the refresh tells the new address, and a redirected write would lose its body.
        301 | 302 | 303 | 307 | 308 => Error::SessionRefused { operation },
        401 | 403 if UNFIT_TEXTS.iter().any(|text| says(text)) => {
            Error::SessionNotPermitted { operation, code: first_code(&problems, answer.status) }
        }
        401 if problems.is_empty() || has("INVALID_SESSION_ID") => Error::SessionRefused { operation },
        403 if answer.body.trim_ascii() == b"Bad_OAuth_Token" => Error::SessionRefused { operation },
        _ if has("REQUEST_LIMIT_EXCEEDED") && says("Concurrent") => Error::TooManyCalls { operation },
        _ if has("REQUEST_LIMIT_EXCEEDED") => Error::DailyLimit { operation },
        429 | 502 | 503 | 504 => unavailable(operation, answer, &problems),
        500.. if problems.is_empty() => unavailable(operation, answer, &problems),
        status => Error::Rejected { operation, status, problems: kept(&problems, status) },
    }
}

/// What an answer of the OAuth endpoints that is no success means.
pub(crate) fn oauth_failure(operation: &'static str, answer: &Response) -> Error {
    let Some(OauthProblem { error: code, error_description: text }) = oauth_problem(&answer.body) else {
        return match answer.status {
            301 | 302 | 303 | 307 | 308 => Error::InvalidResponse { operation, what: "a redirect" },
            _ => unavailable(operation, answer, &[]),
        };
    };
    let text = text.to_ascii_lowercase();
    match code.as_str() {
        "invalid_grant" if text.contains("already being processed") => Error::RefreshInProgress,
        "invalid_grant" => match GRANT_ENDS.iter().find(|end| text.starts_with(**end)) {
            Some(reason) => Error::GrantEnded { code, reason },
            None => later(operation, answer, code, Duration::from_secs(30)),
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
        _ => later(operation, answer, code, Duration::from_mins(1)),
    }
}

/// A token endpoint's error that is not known to be final: never a reason to make a person connect again.
fn later(operation: &'static str, answer: &Response, code: String, pause: Duration) -> Error {
    let retry = if answer.status >= 500 { Retry::Unknown(pause) } else { Retry::After(pause) };
    Error::Unavailable { operation, status: answer.status, code: Some(checked_code(&code)), retry }
}

/// The error object as JSON, or as a form, which the revoke endpoint also answers.
fn oauth_problem(body: &[u8]) -> Option<OauthProblem> {
    let problem = serde_json::from_slice(body).ok().or_else(|| {
        let pairs: Vec<_> = url::form_urlencoded::parse(body).collect();
        let find = |key| pairs.iter().find(|(name, _)| name == key).map(|(_, value)| value.to_string());
        Some(OauthProblem { error: find("error")?, error_description: find("error_description").unwrap_or_default() })
    })?;
    Some(OauthProblem { error: checked_code(&problem.error), ..problem })
}

fn unavailable(operation: &'static str, answer: &Response, problems: &[RestProblem]) -> Error {
    let code = problems.first().map(|problem| checked_code(&problem.error_code));
    let told = answer.retry_after();
    let pause = told.unwrap_or(Duration::from_secs(2));
    let retry = match (code.as_deref().map(code_retry), answer.status) {
        (Some(known @ (Retry::After(_) | Retry::Unknown(_))), _) if told.is_none() => known,
        (_, 429 | 503) => Retry::After(pause),
        _ => Retry::Unknown(pause),
    };
    Error::Unavailable { operation, status: answer.status, code, retry }
}

fn first_code(problems: &[RestProblem], status: u16) -> String {
    problems.first().map_or_else(|| format!("HTTP_{status}"), |problem| checked_code(&problem.error_code))
}

/// Codes and field names; a row lock that only the message tells of, inside a failed trigger, becomes a code.
fn kept(problems: &[RestProblem], status: u16) -> Vec<Problem> {
    let mut kept: Vec<Problem> = Vec::new();
    for problem in problems {
        kept.push(problem_of(&problem.error_code, &problem.fields));
        if problem.error_code != "UNABLE_TO_LOCK_ROW" && problem.message.contains("UNABLE_TO_LOCK_ROW") {
            kept.push(problem_of("UNABLE_TO_LOCK_ROW", &[]));
        }
    }
    if kept.is_empty() {
        kept.push(problem_of(&format!("HTTP_{status}"), &[]));
    }
    kept
}

/// A problem of a code and fields, each kept only if it looks like one.
pub(crate) fn problem_of(code: &str, fields: &[String]) -> Problem {
    let fields = fields.iter().filter(|field| field.parse::<crate::FieldName>().is_ok());
    Problem { code: checked_code(code), fields: fields.cloned().collect() }
}

/// A code as it stands, unless it is not one and could carry anything.
fn checked_code(code: &str) -> String {
    let is_code = !code.is_empty()
        && code.len() <= 100
        && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    if is_code { code.to_owned() } else { "UNREADABLE_CODE".to_owned() }
}

#[cfg(test)]
mod tests;
