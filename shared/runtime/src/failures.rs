//! The kind of a failure, and who has to act, by its stable code. Pure.
//!
//! A failed item of an org (a delivery, a scan, a write, a connection) has a code: one of Ferry's, a [`Condition`], a
//! [`ProblemCode`], or Salesforce's own error code, which is in capitals.

use salesforce::{Classify as _, Condition, Problem, ResolvedBy, Retry};
use serde::Serialize;

use crate::ProblemCode;

/// The kind of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The connection cannot be used.
    Connection,
    /// The connection's user may not see or do it.
    Permission,
    /// A limit of the org is reached.
    Limit,
    /// Salesforce does not answer, or not in time. It passes by itself.
    Outage,
    /// The record, or its values.
    Data,
    /// Ferry or its configuration.
    Internal,
}

/// The person, or the company, that has to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// The rep for whom the work is done.
    Rep,
    /// An administrator of the org.
    Admin,
    /// The company that runs Ferry: its operator, or the developers of the platform.
    Vendor,
    /// Salesforce. Nobody else can do more than wait.
    Salesforce,
}

/// The work that failed, which decides whose the connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailedWork {
    /// Filling the mirror, through the team's connection.
    Sync,
    /// A write, on behalf of a rep.
    Write,
}

/// The kind of a failure, and who has to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Failure {
    /// The kind.
    pub kind: FailureKind,
    /// Who has to act.
    pub actor: Actor,
}

impl Failure {
    const UNKNOWN: Self = Self::new(FailureKind::Internal, Actor::Vendor);

    const fn new(kind: FailureKind, actor: Actor) -> Self {
        Self { kind, actor }
    }

    /// Returns the failure with this code. A code that is not known is a fault of Ferry.
    #[must_use]
    pub fn of(code: &str, work: FailedWork) -> Self {
        Self::known(code, work).unwrap_or(Self::UNKNOWN)
    }

    /// Returns the failure with this code; `None` for a code that is not known.
    #[must_use]
    pub fn known(code: &str, work: FailedWork) -> Option<Self> {
        let code = code.strip_prefix(DEFERRED_TOO_LONG).unwrap_or(code);
        let condition = Condition::ALL.into_iter().find(|condition| condition.code() == code);
        match (own(code, work), condition) {
            (Some(failure), _) => Some(failure),
            (None, Some(condition)) => Some(of_condition(condition)),
            (None, None) => is_of_salesforce(code).then(|| of_salesforce(code, work)),
        }
    }
}

/// The prefix of the code of work that failed for too long.
const DEFERRED_TOO_LONG: &str = "deferred_too_long:";

fn of_condition(condition: Condition) -> Failure {
    let actor = match condition.resolved_by() {
        ResolvedBy::OrgAdministrator => Actor::Admin,
        ResolvedBy::Operator => Actor::Vendor,
    };
    Failure::new(FailureKind::Connection, actor)
}

/// Returns the failure with one of Ferry's own codes.
fn own(code: &str, work: FailedWork) -> Option<Failure> {
    use FailureKind::{Data, Internal, Limit, Outage, Permission};
    let connected = match work {
        FailedWork::Sync => Actor::Admin,
        FailedWork::Write => Actor::Rep,
    };
    if let Some(problem) = ProblemCode::ALL.iter().find(|problem| problem.as_str() == code) {
        return Some(of_problem(*problem, connected));
    }
    let (kind, actor) = match code {
        "object_not_queryable" | "object_without_system_modstamp" | "object_not_mirrored" => (Internal, Actor::Vendor),
        "record_type_hidden" | "record_type_missing" | "stages_hidden" | "records_vanished" => {
            (Permission, Actor::Admin)
        }
        "over_budget" | "daily_limit" => (Limit, Actor::Admin),
        "org_too_slow" | "record_changing" | "invalid_page" => (Outage, Actor::Salesforce),
        "too_large" | "rows_too_large" | "record_unreadable" | "rows_unreadable" => (Data, Actor::Vendor),
        "backfill_not_complete" | "bulk_job_failed" => (Internal, Actor::Vendor),
        "out_of_time" | "mirror_unavailable" | "state_unavailable" | "salesforce_refused" | "unreadable" => {
            (Internal, Actor::Vendor)
        }
        _ => return None,
    };
    Some(Failure::new(kind, actor))
}

fn of_problem(problem: ProblemCode, connected: Actor) -> Failure {
    use FailureKind::{Connection, Data, Internal, Limit, Outage, Permission};
    use ProblemCode as Code;
    let (kind, actor) = match problem {
        Code::ConnectRequired | Code::ReconnectRequired | Code::GrantRefused => (Connection, connected),
        Code::ConnectionBlocked | Code::UserInactive | Code::OrgNotActive => (Connection, Actor::Admin),
        Code::SalesforceForbidden | Code::ObjectNotVisible | Code::FieldNotVisible => (Permission, Actor::Admin),
        Code::ApiLimit => (Limit, Actor::Admin),
        Code::SalesforceUnavailable | Code::SalesforceUnusable => (Outage, Actor::Salesforce),
        Code::InvalidRecords | Code::SalesforceRejected | Code::RecordDeleted | Code::SeveralRecords => {
            (Data, Actor::Rep)
        }
        Code::NotFound | Code::WrongOrg | Code::OtherOrg => (Data, Actor::Rep),
        // The platform's request, or Ferry.
        _ => (Internal, Actor::Vendor),
    };
    Failure::new(kind, actor)
}

/// Returns whether a code has the form of Salesforce's.
fn is_of_salesforce(code: &str) -> bool {
    let is_capital = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    code.starts_with(|first: char| first.is_ascii_uppercase()) && code.bytes().all(is_capital)
}

fn of_salesforce(code: &str, work: FailedWork) -> Failure {
    use FailureKind::{Data, Internal, Limit, Outage, Permission};
    let problems = vec![Problem { code: code.to_owned(), fields: Vec::new() }];
    let retry = salesforce::Error::Rejected { operation: "classify the code", status: 400, problems }.retry();
    let is_denied =
        code.starts_with("INSUFFICIENT_ACCESS") || code.starts_with("API_") || code.starts_with("TXN_SECURITY");
    let (kind, actor) = match (code, retry) {
        ("REQUEST_LIMIT_EXCEEDED" | "STORAGE_LIMIT_EXCEEDED", _) => (Limit, Actor::Admin),
        ("UNSUPPORTED_API_VERSION" | "INVALID_AUTH_HEADER" | "MISSING_OAUTH_TOKEN", _) => (Internal, Actor::Vendor),
        // An approval process ends when its approvers have decided.
        ("ENTITY_IS_LOCKED", _) => (Data, Actor::Rep),
        (
            "INVALID_TYPE"
            | "INVALID_FIELD"
            | "INVALID_FIELD_FOR_INSERT_UPDATE"
            | "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
            _,
        ) if work == FailedWork::Sync => (Permission, Actor::Admin),
        (_, Retry::NeedsHuman) => (Permission, Actor::Admin),
        _ if is_denied => (Permission, Actor::Admin),
        (_, Retry::After(_) | Retry::Unknown(_)) => (Outage, Actor::Salesforce),
        // Salesforce's word about the request: a read is Ferry's, a write has the rep's values.
        (_, Retry::Never) if work == FailedWork::Sync => (Internal, Actor::Vendor),
        (_, Retry::Never) => (Data, Actor::Rep),
    };
    Failure::new(kind, actor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: &str, work: FailedWork) -> (FailureKind, Actor) {
        let failure = Failure::known(code, work).unwrap_or_else(|| panic!("{code} is not known"));
        (failure.kind, failure.actor)
    }

    #[test]
    fn each_condition_is_ended_by_whom_it_names() {
        for condition in Condition::ALL {
            let (kind, actor) = of(condition.code(), FailedWork::Sync);
            // The code of the problem that Ferry is unavailable is the same.
            let is_problem = condition == Condition::Unavailable;
            assert_eq!(kind == FailureKind::Connection, !is_problem, "{condition:?}");
            let is_admins = condition.resolved_by() == ResolvedBy::OrgAdministrator;
            assert_eq!(actor, if is_admins { Actor::Admin } else { Actor::Vendor }, "{condition:?}");
        }
    }

    #[test]
    fn each_problem_has_a_kind() {
        for problem in ProblemCode::ALL {
            for work in [FailedWork::Sync, FailedWork::Write] {
                assert!(Failure::known(problem.as_str(), work).is_some(), "{problem:?}");
            }
        }
        assert_eq!(of("api_limit", FailedWork::Write), (FailureKind::Limit, Actor::Admin));
        assert_eq!(of("invalid_records", FailedWork::Write), (FailureKind::Data, Actor::Rep));
        assert_eq!(of("internal_error", FailedWork::Write), (FailureKind::Internal, Actor::Vendor));
    }

    #[test]
    fn a_connection_is_renewed_by_its_user() {
        for code in ["reconnect_required", "connect_required"] {
            assert_eq!(of(code, FailedWork::Sync), (FailureKind::Connection, Actor::Admin), "{code}");
            assert_eq!(of(code, FailedWork::Write), (FailureKind::Connection, Actor::Rep), "{code}");
        }
    }

    #[test]
    fn codes_of_salesforce_are_told_apart_by_what_ends_them() {
        use FailureKind::{Data, Internal, Limit, Outage, Permission};
        for (code, sync, write) in [
            ("UNABLE_TO_LOCK_ROW", (Outage, Actor::Salesforce), (Outage, Actor::Salesforce)),
            ("SERVER_UNAVAILABLE", (Outage, Actor::Salesforce), (Outage, Actor::Salesforce)),
            ("REQUEST_LIMIT_EXCEEDED", (Limit, Actor::Admin), (Limit, Actor::Admin)),
            ("API_DISABLED_FOR_ORG", (Permission, Actor::Admin), (Permission, Actor::Admin)),
            ("INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", (Permission, Actor::Admin), (Permission, Actor::Admin)),
            ("UNSUPPORTED_API_VERSION", (Internal, Actor::Vendor), (Internal, Actor::Vendor)),
            ("INVALID_FIELD", (Permission, Actor::Admin), (Data, Actor::Rep)),
            ("MALFORMED_QUERY", (Internal, Actor::Vendor), (Data, Actor::Rep)),
            ("FIELD_CUSTOM_VALIDATION_EXCEPTION", (Internal, Actor::Vendor), (Data, Actor::Rep)),
        ] {
            assert_eq!((of(code, FailedWork::Sync), of(code, FailedWork::Write)), (sync, write), "{code}");
        }
    }

    #[test]
    fn work_that_failed_for_too_long_fails_for_its_reason() {
        let late = of("deferred_too_long:over_budget", FailedWork::Sync);
        assert_eq!(late, (FailureKind::Limit, Actor::Admin));
    }

    #[test]
    fn an_unknown_code_is_left_to_the_vendor() {
        for code in ["", "no_such_code", "Mixed_Case", "1ST"] {
            assert_eq!(Failure::known(code, FailedWork::Sync), None, "{code}");
            assert_eq!(Failure::of(code, FailedWork::Sync), Failure::UNKNOWN);
        }
    }
}
