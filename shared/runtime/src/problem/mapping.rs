//! Which problem an error is: the one place that decides over HTTP status, code and advice.

use std::collections::BTreeSet;
use std::time::Duration;

use http::StatusCode;
use salesforce::{Classify, Retry};

use super::{Problem, SalesforceReasons};
use crate::token_broker::{Refusal, RefusalCode};

const RECONNECT: &str = "Send the person who owns the connection a new connect link (POST /v1/connect-links).";
const AGAIN: &str = "Send the same request again after the pause in Retry-After, with the same Idempotency-Key.";
const CHANGE: &str = "Change the request as the codes and fields say, and send it with a new Idempotency-Key.";
const OPERATOR: &str = "Ask the operator of this installation to look at its logs.";

impl From<&salesforce::Error> for Problem {
    fn from(error: &salesforce::Error) -> Self {
        use salesforce::Error;
        let problem = match error {
            Error::Invalid { .. } => Self::new(StatusCode::BAD_REQUEST, "invalid_request", "The request is not valid"),
            Error::Unreachable { .. }
            | Error::NoResponse { .. }
            | Error::Unavailable { .. }
            | Error::TooManyCalls { .. }
            | Error::RefreshInProgress => unavailable(error.retry()),
            Error::DailyLimit { .. } => Self {
                retry_after: pause(error.retry()),
                ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "api_limit", "The org's daily API calls are used up")
                    .next(AGAIN)
            },
            Error::SessionRefused { .. } | Error::GrantEnded { .. } => reconnect(),
            Error::SessionNotPermitted { code, .. } => salesforce_says(not_permitted(), [code.as_str()], []),
            Error::Rejected { status, problems, .. } => {
                let codes = problems.iter().map(|problem| problem.code.as_str());
                let fields = problems.iter().flat_map(|problem| problem.fields.iter().map(String::as_str));
                salesforce_says(rejected(*status, error.retry()), codes, fields)
            }
            Error::NoSession { retry, .. } => no_session(*retry),
            Error::AppRefused { code } => salesforce_says(misconfigured(), [code.as_str()], []),
            Error::InvalidResponse { .. } | Error::Untrusted { .. } => {
                Self::new(StatusCode::BAD_GATEWAY, "salesforce_unusable", "Salesforce gave no usable answer")
                    .next(OPERATOR)
            }
            Error::TooLarge { .. } => Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "It is too large"),
        };
        problem.detail(error.to_string())
    }
}

impl From<&store::Error> for Problem {
    fn from(error: &store::Error) -> Self {
        use store::Error;
        match error {
            Error::Unavailable { .. }
            | Error::NoAnswer { .. }
            | Error::Unfinished { .. }
            | Error::NotAllQueued { .. }
            | Error::NotPublished { .. }
            | Error::Conflict { .. }
            | Error::LeaseLost { .. } => not_now(error.retry()),
            Error::NotFound { .. } => Self::new(StatusCode::NOT_FOUND, "not_found", "There is no such thing"),
            Error::OwnedByAnotherTenant { .. } => {
                Self::new(StatusCode::CONFLICT, "org_owned_by_another_tenant", "The org belongs to another tenant")
                    .detail(error.to_string())
            }
            Error::Quarantined { .. } => Self::new(StatusCode::CONFLICT, "org_quarantined", "The org is quarantined")
                .detail(error.to_string())
                .next(OPERATOR),
            Error::IdempotencyKeyReused => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "The key belongs to another request",
            )
            .next("Use a new Idempotency-Key for a new request."),
            Error::TooLarge { .. } => Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "It is too large to keep")
                .next("Send fewer records at once."),
            Error::Refused { .. } | Error::Incomplete { .. } | Error::Corrupt { .. } => internal(),
        }
    }
}

impl From<&crate::Error> for Problem {
    fn from(error: &crate::Error) -> Self {
        use crate::Error;
        match error {
            Error::NotCalled { .. } | Error::NoAnswer { .. } | Error::Failed { .. } => match error.retry() {
                Retry::Never => internal(),
                Retry::NeedsHuman => reconnect(),
                retry @ (Retry::After(_) | Retry::Unknown(_)) => not_now(retry),
            },
            Error::NotAllowed { .. } | Error::BadAnswer { .. } => internal(),
            Error::Refused(refusal) => Self::from(refusal),
        }
    }
}

impl From<&Refusal> for Problem {
    fn from(refusal: &Refusal) -> Self {
        let problem = match refusal.code {
            RefusalCode::ReauthRequired | RefusalCode::Revoked => reconnect(),
            RefusalCode::UnknownConnection => {
                Self::new(StatusCode::CONFLICT, "not_connected", "There is no such connection").next(RECONNECT)
            }
            RefusalCode::WrongOrg => Self::new(StatusCode::CONFLICT, "wrong_org", "The consent came from another org")
                .next("Log in to the right org, then open a new connect link."),
            RefusalCode::OrgOwnedByAnotherTenant => {
                Self::new(StatusCode::CONFLICT, "org_owned_by_another_tenant", "The org belongs to another tenant")
            }
            RefusalCode::GrantRefused => {
                Self::new(StatusCode::BAD_REQUEST, "grant_refused", "Salesforce refused the consent").next(RECONNECT)
            }
            RefusalCode::MissingPermissions => not_permitted(),
            RefusalCode::AppRefused | RefusalCode::UnknownApp => misconfigured(),
            RefusalCode::Untrusted => Self::new(
                StatusCode::BAD_GATEWAY,
                "salesforce_unusable",
                "The answer is not believed to be Salesforce's",
            )
            .next(OPERATOR),
            RefusalCode::Busy | RefusalCode::Unavailable => unavailable(refusal.retry.into()),
        };
        problem.detail(refusal.reason.clone())
    }
}

fn reconnect() -> Problem {
    Problem::new(StatusCode::CONFLICT, "reconnect_required", "The connection has to be made again").next(RECONNECT)
}

fn no_session(retry: Retry) -> Problem {
    match retry {
        Retry::NeedsHuman => reconnect(),
        Retry::After(_) | Retry::Unknown(_) => unavailable(retry),
        Retry::Never => {
            Problem::new(StatusCode::CONFLICT, "not_connected", "There is no usable connection").next(RECONNECT)
        }
    }
}

fn unavailable(retry: Retry) -> Problem {
    Problem {
        retry_after: pause(retry),
        ..Problem::new(StatusCode::SERVICE_UNAVAILABLE, "salesforce_unavailable", "Salesforce is not available")
            .next(AGAIN)
    }
}

fn not_now(retry: Retry) -> Problem {
    Problem {
        retry_after: pause(retry),
        ..Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Ferry cannot do this right now").next(AGAIN)
    }
}

fn rejected(status: u16, retry: Retry) -> Problem {
    match retry {
        Retry::After(_) | Retry::Unknown(_) => unavailable(retry),
        Retry::NeedsHuman => not_permitted(),
        Retry::Never if status == 404 => {
            Problem::new(StatusCode::NOT_FOUND, "not_found", "Salesforce has no such record")
        }
        Retry::Never if status == 403 => not_permitted(),
        Retry::Never => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "salesforce_rejected", "Salesforce rejected the request")
                .next(CHANGE)
        }
    }
}

fn not_permitted() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "salesforce_forbidden", "The connected user may not do this in Salesforce")
        .next("Have the org's admin look at the user's permissions: API Enabled, the object, its fields.")
}

fn misconfigured() -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "app_misconfigured", "Salesforce does not accept this app")
        .next("Ask the operator of this installation to check the app registration.")
}

fn internal() -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something is wrong with Ferry").next(OPERATOR)
}

fn salesforce_says<'a>(
    problem: Problem,
    codes: impl IntoIterator<Item = &'a str>,
    fields: impl IntoIterator<Item = &'a str>,
) -> Problem {
    let codes: BTreeSet<&str> = codes.into_iter().collect();
    let fields: BTreeSet<&str> = fields.into_iter().collect();
    let owned = |texts: BTreeSet<&str>| texts.into_iter().map(str::to_owned).collect();
    Problem { salesforce: Some(SalesforceReasons { codes: owned(codes), fields: owned(fields) }), ..problem }
}

fn pause(retry: Retry) -> Option<Duration> {
    match retry {
        Retry::After(pause) | Retry::Unknown(pause) => Some(pause),
        Retry::Never | Retry::NeedsHuman => None,
    }
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
    async fn a_rejection_carries_salesforces_codes_and_fields_and_what_to_do() {
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
    fn a_locked_row_is_worth_another_try() {
        let problem = Problem::from(&rejection(400, "UNABLE_TO_LOCK_ROW"));
        assert_eq!((problem.status, problem.code), (StatusCode::SERVICE_UNAVAILABLE, "salesforce_unavailable"));
        assert!(problem.retry_after.is_some());
    }

    #[test]
    fn an_unknown_code_is_carried() {
        let problem = Problem::from(&rejection(400, "SOMETHING_NEW"));
        assert_eq!(problem.salesforce.unwrap().codes, ["SOMETHING_NEW"]);
    }

    #[test]
    fn an_ended_grant_needs_its_person() {
        let error = salesforce::Error::NoSession { reason: "reauth".to_owned(), retry: Retry::NeedsHuman };
        let problem = Problem::from(&error);
        assert_eq!((problem.status, problem.code), (StatusCode::CONFLICT, "reconnect_required"));
    }

    #[test]
    fn ferrys_own_trouble_tells_nothing_of_its_inside() {
        let error =
            store::Error::Refused { operation: "load", code: "AccessDenied".to_owned(), source: "inside".into() };
        let problem = Problem::from(&error);
        assert_eq!((problem.status.as_u16(), problem.code, problem.detail), (500, "internal", None));
    }

    #[test]
    fn a_busy_table_comes_with_a_pause() {
        let error = store::Error::Unavailable { operation: "load", source: "throttled".into() };
        let response = Problem::from(&error).into_response();
        assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (503, "1"));
    }
}
