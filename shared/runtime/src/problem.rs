//! HTTP problems (RFC 9457): what went wrong, and what to do next.

use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use serde::Serialize;
use store::OrgState;

mod mapping;

/// A problem. `type` is `urn:ferry:problem:{code}`, and codes are stable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The stable code.
    pub code: &'static str,
    /// The HTTP status.
    pub status: StatusCode,
    /// What the code means, in a few words.
    pub title: &'static str,
    /// What happened this time. Never a secret or a customer's data.
    pub detail: Option<String>,
    /// What to do next.
    pub next: Option<&'static str>,
    /// What Salesforce said.
    pub salesforce: Option<SalesforceReasons>,
    /// When to try again.
    pub retry_after: Option<Duration>,
}

/// What Salesforce said: its codes and the fields they are about, never its messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SalesforceReasons {
    /// Salesforce's error codes.
    pub codes: Vec<String>,
    /// The fields concerned.
    pub fields: Vec<String>,
}

impl Problem {
    /// A problem with nothing but its code.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, title: &'static str) -> Self {
        Self { code, status, title, detail: None, next: None, salesforce: None, retry_after: None }
    }

    /// The same with what happened this time.
    #[must_use]
    pub fn detail(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    /// The same with what to do next.
    #[must_use]
    pub fn next(self, next: &'static str) -> Self {
        Self { next: Some(next), ..self }
    }

    /// 400 `invalid_request`.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", "The request is not valid").detail(detail)
    }

    /// 409 `org_not_active`, with what is to be done about this state.
    #[must_use]
    pub fn org_not_active(state: OrgState) -> Self {
        let (detail, next) = match state {
            OrgState::Claimed => (
                "the package is installed, nobody has connected yet",
                "Let an admin of the org make the team connection.",
            ),
            OrgState::Active => ("the org has just become active", "Send the same request again."),
            OrgState::Uninstalled => (
                "the package was removed from the org",
                "Have the package installed again, then let an admin of the org make the team connection.",
            ),
            OrgState::Disconnected => (
                "the org was disconnected",
                "If it is to work again, let an admin of the org make the team connection.",
            ),
            OrgState::Quarantined => (
                "the org is quarantined, most often because it is a copy of another org",
                "Ask the operator of this installation to look at it and to release it.",
            ),
        };
        Self::new(StatusCode::CONFLICT, "org_not_active", "The org is not active").detail(detail).next(next)
    }

    /// 404 `not_found`; `what` is for example `org`.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "There is no such thing").detail(format!("{what} not found"))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Body {
            #[serde(rename = "type")]
            kind: String,
            title: &'static str,
            status: u16,
            #[serde(skip_serializing_if = "Option::is_none")]
            detail: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            next: Option<&'static str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            salesforce: Option<SalesforceReasons>,
        }
        let body = Body {
            kind: format!("urn:ferry:problem:{}", self.code),
            title: self.title,
            status: self.status.as_u16(),
            detail: self.detail,
            next: self.next,
            salesforce: self.salesforce,
        };
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(pause) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(pause.as_secs().max(1)));
        }
        response
    }
}

/// 200 with the value as JSON; or the error logged, and its problem.
pub fn answer<T: Serialize, E: std::error::Error>(result: Result<T, E>) -> Response
where
    for<'a> Problem: From<&'a E>,
{
    match result {
        Ok(value) => Json(value).into_response(),
        Err(error) => refuse(&error).into_response(),
    }
}

/// Logs the error, once, and gives its problem.
pub fn refuse<E: std::error::Error>(error: &E) -> Problem
where
    for<'a> Problem: From<&'a E>,
{
    let problem = Problem::from(error);
    let chain = crate::Chain(error);
    let code = problem.code;
    if problem.status == StatusCode::INTERNAL_SERVER_ERROR {
        tracing::error!(problem = code, error = %chain, "the request failed: {code}");
    } else {
        tracing::warn!(problem = code, error = %chain, "the request was refused: {code}");
    }
    problem
}
