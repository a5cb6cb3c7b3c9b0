//! Refusals of the broker.

use std::time::Duration;

use runtime::token_broker::{Refusal, RefusalCode, Response};
use salesforce::auth::OF_ANOTHER_CONSENT;
use salesforce::{Classify, Condition, Error, Retry};
use store::ConditionState;

use crate::Reply;
use crate::protocol;

/// Returns a refusal after which a user or the operator has to act.
pub(crate) fn refused(code: RefusalCode) -> Reply {
    refuse(code, reason(code), Retry::NeedsHuman)
}

/// Returns a refusal after which the caller may try again.
pub(crate) fn refused_for_now(code: RefusalCode, delay: Duration) -> Reply {
    refuse(code, reason(code), Retry::After(delay))
}

/// Returns a refusal with a reason of the caller's choice.
pub(crate) fn refuse(code: RefusalCode, reason: &str, retry: Retry) -> Reply {
    let refusal = Refusal { code, reason: reason.to_owned(), retry: retry.into(), condition: None };
    Reply::new(Response::Refused(refusal))
}

/// Returns the refusal for a connection in a condition. Its code is one that callers of an earlier version know.
pub(crate) fn blocked(condition: Condition, retry: Retry) -> Reply {
    let code = if condition == Condition::AppRefused { RefusalCode::AppRefused } else { RefusalCode::Unavailable };
    let reason = condition.explanation().to_owned();
    Reply::new(Response::Refused(Refusal { code, reason, retry: retry.into(), condition: Some(condition) }))
}

/// Returns the refusal for a refresh without new tokens. `state` is the condition of the connection by now.
pub(crate) fn from_refresh(refusal: protocol::Refusal, state: Option<ConditionState>) -> Reply {
    match refusal {
        protocol::Refusal::Unavailable(_) if state.is_some_and(|state| state.reported) => {
            blocked(Condition::Unavailable, Retry::NeedsHuman)
        }
        protocol::Refusal::Blocked(condition) => {
            blocked(condition, state.map_or_else(|| condition.retry(), ConditionState::retry))
        }
        protocol::Refusal::Paused(condition, _) if state.is_some_and(|state| state.reported) => {
            blocked(condition, Retry::NeedsHuman)
        }
        protocol::Refusal::Paused(condition, left) => blocked(condition, Retry::After(left)),
        protocol::Refusal::ReauthRequired => refused(RefusalCode::ReauthRequired),
        protocol::Refusal::Revoked => refused(RefusalCode::Revoked),
        protocol::Refusal::Busy(delay) => refused_for_now(RefusalCode::Busy, delay),
        protocol::Refusal::Unavailable(delay) => refused_for_now(RefusalCode::Unavailable, delay),
    }
}

/// Returns the refusal for a code exchange or a revocation that failed at Salesforce.
pub(crate) fn from_salesforce_error(error: &Error) -> Reply {
    let code = match error {
        // Of a code: it is another consent's, or its verifier is.
        Error::Blocked { condition: Condition::RequestRefused, .. } => RefusalCode::GrantRefused,
        Error::Blocked { condition: Condition::UnknownError, code, .. } if code == "invalid_grant" => {
            RefusalCode::GrantRefused
        }
        Error::Blocked { condition, retry, .. } => return blocked(*condition, *retry),
        Error::GrantEnded { .. } | Error::Rejected { .. } => RefusalCode::GrantRefused,
        Error::AppRefused { .. } | Error::Invalid { .. } => RefusalCode::AppRefused,
        // Salesforce signed it: the code is another consent's.
        Error::Untrusted { what, .. } if *what == OF_ANOTHER_CONSENT => RefusalCode::GrantRefused,
        Error::Untrusted { .. } | Error::InvalidResponse { .. } | Error::TooLarge { .. } => RefusalCode::Untrusted,
        Error::RefreshInProgress
        | Error::Unreachable { .. }
        | Error::Content { .. }
        | Error::NoResponse { .. }
        | Error::Unavailable { .. }
        | Error::DailyLimit { .. }
        | Error::TooManyCalls { .. }
        | Error::SessionRefused { .. }
        | Error::SessionNotPermitted { .. }
        | Error::NoSession { .. } => RefusalCode::Unavailable,
    };
    refuse(code, reason(code), error.retry())
}

fn reason(code: RefusalCode) -> &'static str {
    match code {
        RefusalCode::ReauthRequired => "the user has to connect again",
        RefusalCode::UnknownConnection => "the connection does not exist",
        RefusalCode::Revoked => "the connection was disconnected",
        RefusalCode::WrongOrg => "the user consented in another org",
        RefusalCode::OrgOwnedByAnotherTenant => "the org belongs to another tenant",
        RefusalCode::GrantRefused => "Salesforce refused the code or the grant",
        RefusalCode::MissingPermissions => "the user lacks permissions that the connection needs",
        RefusalCode::AdministratorNeeded => "the user is not an administrator of the org",
        RefusalCode::AppRefused => "Salesforce refused the app",
        RefusalCode::UnknownApp => "the app registration does not exist or is stopped",
        RefusalCode::Untrusted => "the token response could not be verified",
        RefusalCode::Busy => "another refresh is running",
        RefusalCode::Unavailable => "Salesforce or the token vault is unavailable",
    }
}
