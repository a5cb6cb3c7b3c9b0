//! The problem codes of the errors of Salesforce, the store and the token broker. `code.rs` has the status and the remedy of
//! each code; the errors of a function choose their codes in its own `error.rs`.

use std::collections::BTreeSet;

use salesforce::{Classify, Condition, ResolvedBy, Retry};
use store::owner_policy::RouteError;

use super::{Problem, ProblemCode, SalesforceReasons};
use crate::token_broker::{Refusal, RefusalCode};

impl From<&salesforce::Error> for Problem {
    fn from(error: &salesforce::Error) -> Self {
        use salesforce::Error;
        let problem = match error {
            Error::Invalid { .. } => Self::new(ProblemCode::InvalidRequest),
            Error::Unreachable { .. }
            | Error::NoResponse { .. }
            | Error::Unavailable { .. }
            | Error::TooManyCalls { .. }
            | Error::SessionRefused { .. }
            | Error::RefreshInProgress => Self::new(ProblemCode::SalesforceUnavailable).retry_after(error.retry()),
            Error::Content { .. } => unavailable(error.retry()),
            Error::DailyLimit { .. } => Self::new(ProblemCode::ApiLimit).retry_after(error.retry()),
            Error::GrantEnded { .. } => Self::new(ProblemCode::ReconnectRequired),
            Error::Blocked { condition, retry, .. } => return blocked(*condition, *retry),
            Error::SessionNotPermitted { code, .. } => {
                with_reasons(Self::new(ProblemCode::SalesforceForbidden), [code.as_str()], [])
            }
            Error::Rejected { status, problems, .. } => {
                let codes = problems.iter().map(|problem| problem.code.as_str());
                let fields = problems.iter().flat_map(|problem| problem.fields.iter().map(String::as_str));
                with_reasons(rejected(*status, error.retry()), codes, fields)
            }
            Error::NoSession { retry, .. } => no_session(*retry),
            Error::AppRefused { code } => with_reasons(Self::new(ProblemCode::AppMisconfigured), [code.as_str()], []),
            Error::InvalidResponse { .. } | Error::Untrusted { .. } => Self::new(ProblemCode::SalesforceUnusable),
            Error::TooLarge { .. } => Self::new(ProblemCode::PayloadTooLarge),
        };
        problem.detail(error.to_string())
    }
}

impl From<&store::Error> for Problem {
    fn from(error: &store::Error) -> Self {
        use store::Error;
        match error {
            Error::Unavailable { .. }
            | Error::NoResponse { .. }
            | Error::Unfinished { .. }
            | Error::NotAllQueued { .. }
            | Error::NotPublished { .. }
            | Error::Conflict { .. }
            | Error::LeaseLost { .. } => unavailable(error.retry()),
            Error::NotFound { .. } => Self::new(ProblemCode::NotFound),
            Error::OwnedByAnotherTenant { .. } => {
                Self::new(ProblemCode::OrgOwnedByAnotherTenant).detail(error.to_string())
            }
            Error::NotAnAdministrator { .. } => Self::new(ProblemCode::SalesforceForbidden).detail(error.to_string()),
            Error::IdempotencyKeyReused => Self::new(ProblemCode::IdempotencyKeyReused),
            Error::TooLarge { .. } => Self::new(ProblemCode::PayloadTooLarge).next("Send fewer records at once."),
            Error::Refused { .. } | Error::Incomplete { .. } | Error::Corrupt { .. } => {
                Self::new(ProblemCode::InternalError)
            }
        }
    }
}

impl From<&crate::Error> for Problem {
    fn from(error: &crate::Error) -> Self {
        use crate::Error;
        match error {
            Error::NotCalled { .. } | Error::NoResponse { .. } | Error::Failed { .. } => match error.retry() {
                Retry::Never => Self::new(ProblemCode::InternalError),
                Retry::NeedsHuman => Self::new(ProblemCode::ReconnectRequired),
                retry @ (Retry::After(_) | Retry::Unknown(_)) => unavailable(retry),
            },
            Error::NotAllowed { .. } | Error::InvalidResponse { .. } => unavailable(error.retry()),
            Error::Refused(refusal) => Self::from(refusal),
        }
    }
}

impl From<&Refusal> for Problem {
    fn from(refusal: &Refusal) -> Self {
        if let Some(condition) = refusal.condition {
            return blocked(condition, refusal.retry.into());
        }
        let problem = match refusal.code {
            RefusalCode::ReauthRequired | RefusalCode::Revoked => Self::new(ProblemCode::ReconnectRequired),
            RefusalCode::UnknownConnection => Self::new(ProblemCode::ConnectRequired),
            RefusalCode::WrongOrg => Self::new(ProblemCode::WrongOrg),
            RefusalCode::OrgOwnedByAnotherTenant => Self::new(ProblemCode::OrgOwnedByAnotherTenant),
            RefusalCode::GrantRefused => Self::new(ProblemCode::GrantRefused),
            RefusalCode::MissingPermissions | RefusalCode::AdministratorNeeded => {
                Self::new(ProblemCode::SalesforceForbidden)
            }
            RefusalCode::AppRefused | RefusalCode::UnknownApp => Self::new(ProblemCode::AppMisconfigured),
            RefusalCode::Untrusted => Self::new(ProblemCode::SalesforceUnusable),
            RefusalCode::Busy | RefusalCode::Unavailable => {
                Self::new(ProblemCode::SalesforceUnavailable).retry_after(refusal.retry.into())
            }
        };
        problem.detail(refusal.reason.clone())
    }
}

impl From<&RouteError> for Problem {
    fn from(no_route: &RouteError) -> Self {
        let code = match no_route {
            RouteError::RepMustConnect
            | RouteError::RepUnknown
            | RouteError::RepAmbiguous
            | RouteError::RepDisconnected
            | RouteError::TeamMustConnect => ProblemCode::ConnectRequired,
            RouteError::RepMustReconnect | RouteError::TeamMustReconnect => ProblemCode::ReconnectRequired,
            RouteError::RepInactive | RouteError::RepFrozen => ProblemCode::UserInactive,
        };
        Self::new(code).detail(no_route.to_string()).next(no_route.next())
    }
}

/// Returns the problem of a connection in a condition. Once a person has to act, it says who and how.
fn blocked(condition: Condition, retry: Retry) -> Problem {
    let explanation = condition.explanation();
    if matches!(retry, Retry::After(_) | Retry::Unknown(_)) {
        return Problem::new(ProblemCode::SalesforceUnavailable).detail(explanation).retry_after(retry);
    }
    let who = match condition.resolved_by() {
        ResolvedBy::OrgAdministrator => "An administrator of the Salesforce org has to act.",
        ResolvedBy::Operator => "The operator of this installation has to act.",
    };
    Problem::new(ProblemCode::ConnectionBlocked).detail(format!("{explanation} {who}")).next(condition.advice())
}

fn no_session(retry: Retry) -> Problem {
    match retry {
        Retry::NeedsHuman => Problem::new(ProblemCode::ReconnectRequired),
        Retry::After(_) | Retry::Unknown(_) => Problem::new(ProblemCode::SalesforceUnavailable).retry_after(retry),
        Retry::Never => Problem::new(ProblemCode::ConnectRequired),
    }
}

fn unavailable(retry: Retry) -> Problem {
    Problem::new(ProblemCode::Unavailable).retry_after(retry)
}

fn rejected(status: u16, retry: Retry) -> Problem {
    let code = match retry {
        Retry::After(_) | Retry::Unknown(_) => ProblemCode::SalesforceUnavailable,
        Retry::NeedsHuman => ProblemCode::SalesforceForbidden,
        Retry::Never if status == 404 => ProblemCode::NotFound,
        Retry::Never if status == 403 => ProblemCode::SalesforceForbidden,
        Retry::Never => ProblemCode::SalesforceRejected,
    };
    Problem::new(code).retry_after(retry)
}

fn with_reasons<'a>(
    problem: Problem,
    codes: impl IntoIterator<Item = &'a str>,
    fields: impl IntoIterator<Item = &'a str>,
) -> Problem {
    let codes: BTreeSet<&str> = codes.into_iter().collect();
    let fields: BTreeSet<&str> = fields.into_iter().collect();
    let owned = |texts: BTreeSet<&str>| texts.into_iter().map(str::to_owned).collect();
    let reasons = SalesforceReasons { codes: owned(codes), fields: owned(fields) };
    Problem { salesforce: Some(Box::new(reasons)), ..problem }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use axum::body::to_bytes;
    use axum::response::IntoResponse as _;

    fn rejection(status: u16, code: &str) -> salesforce::Error {
        let problems = vec![salesforce::Problem { code: code.to_owned(), fields: vec!["Name".to_owned()] }];
        salesforce::Error::Rejected { operation: "create", status, problems }
    }

    #[tokio::test]
    async fn a_rejection_carries_salesforces_codes_and_fields() {
        let response = Problem::from(&rejection(400, "REQUIRED_FIELD_MISSING")).into_response();
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let body: Value = serde_json::from_slice(&to_bytes(response.into_body(), 10_000).await.unwrap()).unwrap();
        assert_eq!(body["type"], "urn:ferry:problem:salesforce_rejected");
        assert_eq!(body["status"], 422);
        assert_eq!(body["salesforce"]["codes"][0], "REQUIRED_FIELD_MISSING");
        assert_eq!(body["salesforce"]["fields"][0], "Name");
        assert!(body["next"].is_string());
    }

    #[test]
    fn a_locked_row_is_retried() {
        let problem = Problem::from(&rejection(400, "UNABLE_TO_LOCK_ROW"));
        assert_eq!(problem.code, ProblemCode::SalesforceUnavailable);
        assert!(problem.retry_after.is_some());
    }

    #[test]
    fn an_unknown_salesforce_code_is_carried() {
        let problem = Problem::from(&rejection(400, "SOMETHING_NEW"));
        assert_eq!(problem.salesforce.unwrap().codes, ["SOMETHING_NEW"]);
    }

    #[test]
    fn an_ended_grant_requires_a_reconnect() {
        let error = salesforce::Error::NoSession { reason: "reauth".to_owned(), retry: Retry::NeedsHuman };
        let problem = Problem::from(&error);
        assert_eq!(problem.code, ProblemCode::ReconnectRequired);
    }

    #[test]
    fn a_blocked_connection_says_who_has_to_act_and_how() {
        let blocked = |retry| {
            let code = "session_refused".to_owned();
            Problem::from(&salesforce::Error::Blocked { condition: Condition::SessionRefused, code, retry })
        };
        let reported = blocked(Retry::NeedsHuman);
        assert_eq!(reported.code, ProblemCode::ConnectionBlocked);
        assert!(reported.next.contains("Session Settings"), "{}", reported.next);
        assert!(reported.detail.unwrap().ends_with("An administrator of the Salesforce org has to act."));
        let passes = blocked(Retry::After(std::time::Duration::from_secs(60)));
        assert_eq!(passes.code, ProblemCode::SalesforceUnavailable);
        assert!(!passes.detail.unwrap().contains("has to act"));
    }

    #[test]
    fn an_internal_error_reveals_no_detail() {
        let error =
            store::Error::Refused { operation: "load", code: "AccessDenied".to_owned(), source: "inside".into() };
        let problem = Problem::from(&error);
        assert_eq!((problem.code, problem.detail), (ProblemCode::InternalError, None));
    }

    #[test]
    fn an_unavailable_table_comes_with_retry_after() {
        let error = store::Error::Unavailable { operation: "load", source: "throttled".into() };
        let response = Problem::from(&error).into_response();
        assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (503, "1"));
    }
}
