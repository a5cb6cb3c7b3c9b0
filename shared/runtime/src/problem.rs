//! HTTP problems (RFC 9457): what went wrong, and what to do next.

use std::borrow::Cow;
use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use salesforce::Retry;
use serde::{Deserialize, Serialize, Serializer};
use store::OrgState;

mod code;
mod defect;
mod mapping;

pub use code::ProblemCode;
pub use defect::{Defect, DefectCode, MAX_ALLOWED};

/// A problem. Its `type` is `urn:ferry:problem:{code}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The stable code. Status and title follow from it.
    pub code: ProblemCode,
    /// A description of this occurrence. Never a secret or a customer's data.
    pub detail: Option<String>,
    /// The remedy: what a person or a program can do, in a sentence.
    pub next: Cow<'static, str>,
    /// Salesforce's reasons, where Salesforce refused the request.
    pub salesforce: Option<Box<SalesforceReasons>>,
    /// The defects of the request, for programs.
    pub defects: Vec<Defect>,
    /// The pause before the request may be sent again.
    pub retry_after: Option<Duration>,
}

/// Salesforce's reasons: its codes and the fields concerned, never its messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SalesforceReasons {
    /// Salesforce's error codes.
    pub codes: Vec<String>,
    /// The fields concerned.
    pub fields: Vec<String>,
}

impl Problem {
    /// Creates a problem with the remedy of its code.
    #[must_use]
    pub fn new(code: ProblemCode) -> Self {
        Self { code, detail: None, next: code.next().into(), salesforce: None, defects: Vec::new(), retry_after: None }
    }

    /// Sets the detail.
    #[must_use]
    pub fn detail(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    /// Replaces the remedy of the code by a more specific one.
    #[must_use]
    pub fn next(self, next: impl Into<Cow<'static, str>>) -> Self {
        Self { next: next.into(), ..self }
    }

    /// Sets the pause before the request may be sent again, if a retry can help.
    #[must_use]
    pub fn retry_after(self, retry: Retry) -> Self {
        let retry_after = match retry {
            Retry::After(pause) | Retry::Unknown(pause) => Some(pause),
            Retry::Never | Retry::NeedsHuman => None,
        };
        Self { retry_after, ..self }
    }

    /// Returns the HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.code.status()
    }

    /// Creates an `invalid_request`.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(ProblemCode::InvalidRequest).detail(detail)
    }

    /// Lists the first defects of the request. The detail names the very first.
    #[must_use]
    pub fn defects(self, defects: Vec<Defect>) -> Self {
        Self { detail: Some(defect::text(&defects)), defects: defect::listed(defects), ..self }
    }

    /// Creates an `org_not_active` with the remedy for the org's state.
    #[must_use]
    pub fn org_not_active(state: OrgState) -> Self {
        let problem = Self::new(ProblemCode::OrgNotActive);
        match state {
            OrgState::Claimed => problem.detail("the package is installed, but the org is not connected yet"),
            OrgState::Active => problem.detail("the org has just become active").next("Send the same request again."),
            OrgState::Uninstalled => problem
                .detail("the package was removed from the org")
                .next("Ask an administrator of the org to install the package again, and to make the team connection."),
            OrgState::Disconnected => problem.detail("the org was disconnected"),
            OrgState::Quarantined => {
                problem.detail("the org is quarantined, most often because it is a copy of another org")
            }
        }
    }

    /// Creates a `not_found`; `resource` is for example `org`.
    #[must_use]
    pub fn not_found(resource: &str) -> Self {
        Self::new(ProblemCode::NotFound).detail(format!("the {resource} does not exist"))
    }
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Body<'a> {
            #[serde(rename = "type")]
            kind: String,
            title: &'static str,
            status: u16,
            #[serde(skip_serializing_if = "Option::is_none")]
            detail: Option<&'a str>,
            next: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            salesforce: Option<&'a SalesforceReasons>,
            #[serde(skip_serializing_if = "<[Defect]>::is_empty")]
            defects: &'a [Defect],
        }
        let body = Body {
            kind: self.code.urn(),
            title: self.code.title(),
            status: self.status().as_u16(),
            detail: self.detail.as_deref(),
            next: &self.next,
            salesforce: self.salesforce.as_deref(),
            defects: &self.defects,
        };
        body.serialize(serializer)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = response(self.status(), &self);
        if let Some(pause) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(pause.as_secs().max(1)));
        }
        if self.status() == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// Returns a response of type `application/problem+json` whose body is a problem, or the stored JSON of one.
pub fn response(status: StatusCode, problem: &impl Serialize) -> Response {
    let mut response = (status, Json(problem)).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response
}

/// Returns whether the body is a problem that Salesforce or the org causes, and that passes by itself.
pub(crate) fn is_caused_by_salesforce(body: &str) -> bool {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(rename = "type", borrow)]
        kind: Cow<'a, str>,
    }
    let codes = [ProblemCode::ApiLimit, ProblemCode::SalesforceUnavailable];
    serde_json::from_str::<Body<'_>>(body).is_ok_and(|body| codes.iter().any(|code| code.urn() == body.kind))
}

/// Returns the value as JSON with status 200; or logs the error and returns its problem.
pub fn respond<T: Serialize, E: std::error::Error>(result: Result<T, E>) -> Response
where
    for<'a> Problem: From<&'a E>,
{
    match result {
        Ok(value) => Json(value).into_response(),
        Err(error) => refuse(&error).into_response(),
    }
}

/// Logs the error and returns its problem.
pub fn refuse<E: std::error::Error>(error: &E) -> Problem
where
    for<'a> Problem: From<&'a E>,
{
    let problem = Problem::from(error);
    let chain = crate::Chain(error);
    let code = problem.code.as_str();
    if problem.status() == StatusCode::INTERNAL_SERVER_ERROR {
        tracing::error!(problem = code, error = %chain, "the request failed: {code}");
    } else {
        tracing::warn!(problem = code, error = %chain, "the request was refused: {code}");
    }
    problem
}
