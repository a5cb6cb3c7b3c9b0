//! One snapshot of the texts of every error of this crate. See `tests/error-texts`.

use error_texts::error_texts;

use crate::bulk::JobError;
use crate::change_event::ParseError as ChangeEventError;
use crate::soap::outbound_message::ParseError;
use crate::{Condition, Error, Problem, Retry};

const OPERATION: &str = "create the record";

#[test]
fn error_texts_read_as_sentences() {
    let mut texts = String::new();
    texts += &error_texts!(Error {
        Error::Invalid { .. } => Error::Invalid { what: "the object name", reason: "has spaces" },
        Error::Unreachable { .. } => Error::Unreachable { operation: OPERATION, source: "connection refused".into() },
        Error::Content { .. } => Error::Content { operation: "create the file", source: "access denied".into() },
        Error::NoResponse { .. } => Error::NoResponse { operation: OPERATION, source: "timeout".into() },
        Error::Unavailable { .. } => Error::Unavailable { operation: OPERATION, status: 503, code: None, retry: Retry::Never },
        Error::DailyLimit { .. } => Error::DailyLimit { operation: OPERATION },
        Error::TooManyCalls { .. } => Error::TooManyCalls { operation: OPERATION },
        Error::SessionRefused { .. } => Error::SessionRefused { operation: OPERATION },
        Error::SessionNotPermitted { .. } => Error::SessionNotPermitted { operation: OPERATION, code: "API_DISABLED_FOR_ORG".to_owned() },
        Error::Rejected { .. } => Error::Rejected { operation: OPERATION, status: 400, problems: vec![Problem { code: "REQUIRED_FIELD_MISSING".to_owned(), fields: Vec::new() }] },
        Error::GrantEnded { .. } => Error::GrantEnded { code: "invalid_grant".to_owned(), reason: "revoked" },
        Error::Blocked { .. } => Error::Blocked { condition: Condition::SessionRefused, code: "session_refused".to_owned(), retry: Retry::NeedsHuman },
        Error::RefreshInProgress => Error::RefreshInProgress,
        Error::AppRefused { .. } => Error::AppRefused { code: "invalid_client_id".to_owned() },
        Error::NoSession { .. } => Error::NoSession { reason: "the grant has ended".to_owned(), retry: Retry::NeedsHuman },
        Error::InvalidResponse { .. } => Error::InvalidResponse { operation: OPERATION, what: "no JSON" },
        Error::Untrusted { .. } => Error::Untrusted { operation: OPERATION, what: "the nonce" },
        Error::TooLarge { .. } => Error::TooLarge { operation: OPERATION, what: "the response" },
    });
    texts += &error_texts!(ParseError {
        ParseError::TooLarge => ParseError::TooLarge,
        ParseError::NotUtf8 => ParseError::NotUtf8,
        ParseError::NotWellFormed { .. } => ParseError::NotWellFormed { position: 17, what: "an element is not closed" },
        ParseError::DocumentType => ParseError::DocumentType,
        ParseError::TooDeep => ParseError::TooDeep,
        ParseError::NoEnvelope => ParseError::NoEnvelope,
        ParseError::NoNotifications => ParseError::NoNotifications,
        ParseError::NoNotification => ParseError::NoNotification,
        ParseError::TooManyNotifications => ParseError::TooManyNotifications,
        ParseError::TooManyFields => ParseError::TooManyFields,
        ParseError::Repeated { .. } => ParseError::Repeated { element: "OrganizationId" },
        ParseError::Missing { .. } => ParseError::Missing { element: "OrganizationId" },
        ParseError::Malformed { .. } => ParseError::Malformed { element: "OrganizationId", reason: "is not a record id" },
    });
    texts += &error_texts!(ChangeEventError {
        ChangeEventError::Shape => ChangeEventError::Shape,
        ChangeEventError::Source => ChangeEventError::Source,
        ChangeEventError::Header(_) => ChangeEventError::Header("entityName"),
    });
    texts += &error_texts!(JobError {
        JobError::Failed { .. } => JobError::Failed { code: Some("QUERY_TIMEOUT".to_owned()) },
        JobError::Aborted => JobError::Aborted,
        JobError::Gone => JobError::Gone,
        JobError::LocatorExpired => JobError::LocatorExpired,
        JobError::WrongState => JobError::WrongState,
        JobError::LimitReached { .. } => JobError::LimitReached { code: "LIMIT_EXCEEDED".to_owned() },
        JobError::ObjectNotSupported => JobError::ObjectNotSupported,
        JobError::Call(_) => JobError::Call(Error::DailyLimit { operation: "create the query job" }),
    });
    insta::assert_snapshot!(texts);
}
