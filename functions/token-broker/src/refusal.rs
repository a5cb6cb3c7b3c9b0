//! What the broker says when it says no.

use std::time::Duration;

use runtime::token_broker::{Answer, Refusal, RefusalCode};
use salesforce::{Classify, Error, Retry};

use crate::Reply;
use crate::protocol;

/// A refusal for which a person or the operator has to act.
pub(crate) fn refused(code: RefusalCode) -> Reply {
    refuse(code, reason(code), Retry::NeedsHuman)
}

/// A refusal that may end by itself.
pub(crate) fn refused_for_now(code: RefusalCode, pause: Duration) -> Reply {
    refuse(code, reason(code), Retry::After(pause))
}

/// A refusal with its own reason.
pub(crate) fn refuse(code: RefusalCode, reason: &str, retry: Retry) -> Reply {
    let refusal = Refusal { code, reason: reason.to_owned(), retry: retry.into() };
    Reply::of(Answer::Refused(refusal))
}

/// What a caller hears about a refresh that came to nothing.
pub(crate) fn of_refresh(refusal: protocol::Refusal) -> Reply {
    match refusal {
        protocol::Refusal::ReauthRequired => refused(RefusalCode::ReauthRequired),
        protocol::Refusal::Revoked => refused(RefusalCode::Revoked),
        protocol::Refusal::AppRefused => refused(RefusalCode::AppRefused),
        protocol::Refusal::Busy(pause) => refused_for_now(RefusalCode::Busy, pause),
        protocol::Refusal::Unavailable(pause) => refused_for_now(RefusalCode::Unavailable, pause),
    }
}

/// What a caller hears about a code or a revocation that Salesforce did not accept.
pub(crate) fn of_salesforce(error: &Error) -> Reply {
    let code = match error {
        Error::GrantEnded { .. } | Error::Rejected { .. } => RefusalCode::GrantRefused,
        Error::AppRefused { .. } | Error::Invalid { .. } => RefusalCode::AppRefused,
        Error::Untrusted { .. } | Error::BadAnswer { .. } | Error::TooLarge { .. } => RefusalCode::Untrusted,
        Error::RefreshBusy
        | Error::Unreachable { .. }
        | Error::NoAnswer { .. }
        | Error::Unavailable { .. }
        | Error::DailyLimit { .. }
        | Error::TooManyCalls { .. }
        | Error::SessionRefused { .. }
        | Error::SessionUnfit { .. }
        | Error::NoSession { .. } => RefusalCode::Unavailable,
    };
    refuse(code, reason(code), error.retry())
}

fn reason(code: RefusalCode) -> &'static str {
    match code {
        RefusalCode::ReauthRequired => "the connection's person has to connect again",
        RefusalCode::UnknownConnection => "there is no such connection",
        RefusalCode::Revoked => "the connection was ended",
        RefusalCode::WrongOrg => "the consent came from another org",
        RefusalCode::OrgOwnedByAnotherTenant => "the org belongs to another tenant",
        RefusalCode::GrantRefused => "Salesforce refused the code or the grant",
        RefusalCode::MissingPermissions => "the user may not do what the connection needs",
        RefusalCode::AppRefused => "Salesforce refused the app",
        RefusalCode::UnknownApp => "the app registration is not known",
        RefusalCode::Untrusted => "the answer does not prove that it is Salesforce's",
        RefusalCode::Busy => "another refresh is under way",
        RefusalCode::Unavailable => "Salesforce or the vault is not available",
    }
}
