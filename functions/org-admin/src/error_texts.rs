//! One snapshot of the texts of every error of this crate. See `tests/error-texts`.

use error_texts::error_texts;
use runtime::problem::Defect;
use store::OrgState;

use crate::Error;

#[test]
fn error_texts_read_as_sentences() {
    let texts = error_texts!(Error {
        Error::Invalid(_) => Error::Invalid("limit must be a number from 1 to 100"),
        Error::Refused(_) => Error::Refused(vec![Defect::field("objects[0]", "the org has no such object")]),
        Error::Changed => Error::Changed,
        Error::OrgNotActive(_) => Error::OrgNotActive(OrgState::Claimed),
        Error::Salesforce(_) => Error::Salesforce(salesforce::Error::DailyLimit { operation: "describe the objects" }),
        Error::State(_) => Error::State(store::Error::NotFound { operation: "load the org", entity: "org" }),
    });
    insta::assert_snapshot!(texts);
}
