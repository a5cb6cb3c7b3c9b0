//! One snapshot of the texts of every error of this crate. See `tests/error-texts`.

use error_texts::error_texts;
use salesforce::ObjectName;
use store::OrgState;
use store::owner_policy::RouteError;

use crate::{Defect, Error, Hidden, NotRetryable, NoteError};

#[test]
fn error_texts_read_as_sentences() {
    let texts = error_texts!(Error {
        Error::Invalid(_) => Error::Invalid(vec![Defect::whole("must be an object")]),
        Error::Refused(_) => Error::Refused(vec![Defect::record(0, "must be shorter")]),
        Error::UnknownOrg => Error::UnknownOrg,
        Error::OrgNotActive(_) => Error::OrgNotActive(OrgState::Claimed),
        Error::NotFound(_) => Error::NotFound("note"),
        Error::InProgress => Error::InProgress,
        Error::TooManyWaiting => Error::TooManyWaiting,
        Error::NotWritable { .. } => Error::NotWritable { object: ObjectName::from_static("Case"), never: false },
        Error::Hidden(_) => Error::Hidden(Hidden::Object(ObjectName::from_static("Case"))),
        Error::MissingPermission { .. } => Error::MissingPermission { object: ObjectName::from_static("Case"), permission: "Delete" },
        Error::Gone { .. } => Error::Gone { what: "lead", merged_into: None },
        Error::NotInRecycleBin => Error::NotInRecycleBin,
        Error::NotAConvertedStatus { .. } => Error::NotAConvertedStatus { valid: Vec::new() },
        Error::Note(_) => Error::Note(NoteError::NotPermitted("create notes")),
        Error::NoRoute(_) => Error::NoRoute(RouteError::RepMustConnect),
        Error::Salesforce(_) => Error::Salesforce(salesforce::Error::DailyLimit { operation: "create the note" }),
        Error::OutcomeUnknown(_) => Error::OutcomeUnknown(salesforce::Error::DailyLimit { operation: "create the note" }),
        Error::MayTakeEffect { .. } => Error::MayTakeEffect { pause: std::time::Duration::from_secs(1) },
        Error::ForQueue => Error::ForQueue,
        Error::Store(_) => Error::Store(store::Error::NotFound { operation: "load the org", entity: "org" }),
        Error::NotRetryable(_) => Error::NotRetryable(NotRetryable::NothingLeft),
        Error::StoredRequest(_) => Error::StoredRequest(serde_json::from_str::<u8>("x").unwrap_err()),
    });
    insta::assert_snapshot!(texts);
}
