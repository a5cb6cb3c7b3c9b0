//! One snapshot of the texts of every error of this crate. See `tests/error-texts`.

use error_texts::error_texts;
use salesforce::OrgId;

use crate::owner_policy::{RouteError, UnknownPolicy};
use crate::{Error, ITEM_LIMIT, Tenant};

const OPERATION: &str = "load the org";

#[test]
fn error_texts_read_as_sentences() {
    let mut texts = String::new();
    texts += &error_texts!(Error {
        Error::Unavailable { .. } => Error::Unavailable { operation: OPERATION, source: "throttled".into() },
        Error::NoResponse { .. } => Error::NoResponse { operation: OPERATION, source: "timeout".into() },
        Error::Refused { .. } => Error::Refused { operation: OPERATION, code: "AccessDeniedException".to_owned(), source: "denied".into() },
        Error::NotAllQueued { .. } => Error::NotAllQueued { missing: 3, total: 10 },
        Error::Unfinished { .. } => Error::Unfinished { operation: OPERATION, missing: 3, total: 10 },
        Error::NotPublished { .. } => Error::NotPublished { code: "InternalFailure".to_owned() },
        Error::Conflict { .. } => Error::Conflict { operation: OPERATION },
        Error::LeaseLost { .. } => Error::LeaseLost { operation: OPERATION },
        Error::NotFound { .. } => Error::NotFound { operation: OPERATION, entity: "org" },
        Error::OwnedByAnotherTenant { .. } => Error::OwnedByAnotherTenant { org: org() },
        Error::NotAnAdministrator { .. } => Error::NotAnAdministrator { org: org() },
        Error::IdempotencyKeyReused => Error::IdempotencyKeyReused,
        Error::Incomplete { .. } => Error::Incomplete { operation: OPERATION, field: "tenant" },
        Error::TooLarge { .. } => Error::TooLarge { operation: OPERATION, size_bytes: 500_000, limit: ITEM_LIMIT },
        Error::Corrupt { .. } => Error::Corrupt { operation: OPERATION, source: "missing field".into() },
    });
    texts += &error_texts!(RouteError {
        RouteError::RepMustConnect => RouteError::RepMustConnect,
        RouteError::RepMustReconnect => RouteError::RepMustReconnect,
        RouteError::RepUnknown => RouteError::RepUnknown,
        RouteError::RepAmbiguous => RouteError::RepAmbiguous,
        RouteError::RepDisconnected => RouteError::RepDisconnected,
        RouteError::RepInactive => RouteError::RepInactive,
        RouteError::RepFrozen => RouteError::RepFrozen,
        RouteError::TeamMustConnect => RouteError::TeamMustConnect,
        RouteError::TeamMustReconnect => RouteError::TeamMustReconnect,
    });
    error_texts::push(&mut texts, "UnknownPolicy", &UnknownPolicy);
    error_texts::push(&mut texts, "InvalidText", &"".parse::<Tenant>().unwrap_err());
    insta::assert_snapshot!(texts);
}

fn org() -> OrgId {
    "00D5e000000KQ2eEAG".parse().unwrap()
}
