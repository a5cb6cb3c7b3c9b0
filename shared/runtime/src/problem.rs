//! HTTP problems (RFC 9457): what went wrong, and what to do next.

use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use salesforce::{Classify as _, Retry};
use serde::Serialize;

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

impl From<&salesforce::Error> for Problem {
    fn from(error: &salesforce::Error) -> Self {
        let problem = match error.retry() {
            Retry::NeedsHuman => reconnect_required(),
            Retry::After(pause) => unavailable("salesforce_unavailable", "Salesforce cannot do this now", pause),
            Retry::Unknown(pause) => unavailable("salesforce_unavailable", "Salesforce did not answer", pause),
            Retry::Never => rejected(error),
        };
        Self { salesforce: SalesforceReasons::of(error), ..problem.detail(error.to_string()) }
    }
}

impl From<&store::Error> for Problem {
    fn from(error: &store::Error) -> Self {
        use store::Error as E;
        let problem = match error {
            E::IdempotencyKeyReused => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "The idempotency key belongs to another request",
            )
            .next("Use a new key for a new request, and the same body when you repeat one."),
            E::NotFound { .. } => Self::new(StatusCode::NOT_FOUND, "not_found", "There is no such thing"),
            E::OwnedByAnotherTenant { .. } => {
                Self::new(StatusCode::CONFLICT, "org_owned_by_another_tenant", "The org belongs to another tenant")
            }
            E::Quarantined { .. } => Self::new(StatusCode::CONFLICT, "org_quarantined", "The org is quarantined")
                .next("Have an operator look at the org before anything is written to it."),
            other => match other.retry() {
                Retry::After(pause) | Retry::Unknown(pause) => {
                    unavailable("unavailable", "Ferry cannot do this now", pause)
                }
                Retry::Never | Retry::NeedsHuman => internal(),
            },
        };
        problem.detail(error.to_string())
    }
}

impl From<&crate::Error> for Problem {
    fn from(error: &crate::Error) -> Self {
        let crate::Error::Refused(refusal) = error else {
            return match error.retry() {
                Retry::After(pause) | Retry::Unknown(pause) => {
                    unavailable("unavailable", "Ferry cannot do this now", pause)
                }
                Retry::NeedsHuman => reconnect_required(),
                Retry::Never => internal(),
            };
        };
        let problem = match Retry::from(refusal.retry) {
            Retry::NeedsHuman => reconnect_required(),
            Retry::After(pause) | Retry::Unknown(pause) => {
                unavailable("salesforce_unavailable", "Salesforce cannot do this now", pause)
            }
            Retry::Never => Self::new(StatusCode::CONFLICT, "not_connected", "There is no such connection")
                .next("Ask for a connect link and let the person connect."),
        };
        problem.detail(refusal.reason.clone())
    }
}

impl SalesforceReasons {
    fn of(error: &salesforce::Error) -> Option<Self> {
        let problems = error.problems();
        (!problems.is_empty()).then(|| Self {
            codes: problems.iter().map(|problem| problem.code.clone()).collect(),
            fields: problems.iter().flat_map(|problem| problem.fields.clone()).collect(),
        })
    }
}

fn reconnect_required() -> Problem {
    Problem::new(StatusCode::CONFLICT, "reconnect_required", "A person has to connect again")
        .next("Ask for a connect link and let the person whose connection it is connect again.")
}

fn unavailable(code: &'static str, title: &'static str, pause: Duration) -> Problem {
    let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, title).next("Send the request again later.");
    Problem { retry_after: Some(pause), ..problem }
}

fn internal() -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Ferry failed")
        .next("Look for this request in the function's log.")
}

/// A no that trying again does not change.
fn rejected(error: &salesforce::Error) -> Problem {
    use salesforce::Error as E;
    match error {
        E::Invalid { .. } | E::TooLarge { .. } => {
            Problem::new(StatusCode::BAD_REQUEST, "invalid_request", "The request is not valid")
        }
        E::Rejected { status: 404, .. } => Problem::new(StatusCode::NOT_FOUND, "not_found", "There is no such thing"),
        E::Rejected { status: 403, .. } => Problem::new(
            StatusCode::FORBIDDEN,
            "salesforce_forbidden",
            "Salesforce does not allow this user to do this",
        )
        .next("Have the org's admin look at the user's permissions."),
        E::Rejected { .. } => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "salesforce_rejected", "Salesforce rejected the request")
                .next("Correct what the codes and fields name.")
        }
        E::Unreachable { .. }
        | E::NoAnswer { .. }
        | E::Unavailable { .. }
        | E::DailyLimit { .. }
        | E::TooManyCalls { .. }
        | E::SessionRefused { .. }
        | E::SessionUnfit { .. }
        | E::GrantEnded { .. }
        | E::RefreshBusy
        | E::AppRefused { .. }
        | E::NoSession { .. }
        | E::BadAnswer { .. }
        | E::Untrusted { .. } => {
            Problem::new(StatusCode::BAD_GATEWAY, "salesforce_unusable", "Salesforce gave no usable answer")
        }
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
    match problem.status.is_server_error() {
        true => tracing::error!(problem = problem.code, error = %chain, "request failed: {}", problem.code),
        false => tracing::warn!(problem = problem.code, error = %chain, "request refused: {}", problem.code),
    }
    problem
}
