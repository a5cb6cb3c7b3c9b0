//! One snapshot of the texts of every error of this crate. See `tests/error-texts`.

use error_texts::error_texts;
use salesforce::ObjectName;
use store::OrgState;
use store::owner_policy::RouteError;

use crate::{Defect, Error, Hidden};

#[test]
fn error_texts_read_as_sentences() {
    let texts = error_texts!(Error {
        Error::Invalid(_) => Error::Invalid(vec![Defect::whole("must be an object")]),
        Error::UnknownOrg => Error::UnknownOrg,
        Error::OrgNotActive(_) => Error::OrgNotActive(OrgState::Claimed),
        Error::NotFound(_) => Error::NotFound("note"),
        Error::InProgress => Error::InProgress,
        Error::TooManyWaiting => Error::TooManyWaiting,
        Error::NotWritable { .. } => Error::NotWritable { object: ObjectName::from_static("Case"), never: false },
        Error::Hidden(_) => Error::Hidden(Hidden::Object(ObjectName::from_static("Case"))),
        Error::NoRoute(_) => Error::NoRoute(RouteError::RepMustConnect),
        Error::Salesforce(_) => Error::Salesforce(salesforce::Error::DailyLimit { operation: "create the note" }),
        Error::OutcomeUnknown(_) => Error::OutcomeUnknown(salesforce::Error::DailyLimit { operation: "create the note" }),
        Error::MayTakeEffect { .. } => Error::MayTakeEffect { pause: std::time::Duration::from_secs(1) },
        Error::ForQueue => Error::ForQueue,
        Error::Store(_) => Error::Store(store::Error::NotFound { operation: "load the org", entity: "org" }),
        Error::StoredRequest(_) => Error::StoredRequest(serde_json::from_str::<u8>("x").unwrap_err()),
    });
    insta::assert_snapshot!(texts);
}
