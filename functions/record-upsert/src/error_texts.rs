//! One snapshot of the texts of every error of this crate. See `tests/error-texts`.

use error_texts::error_texts;

use crate::Error;

#[test]
fn error_texts_read_as_sentences() {
    let texts = error_texts!(Error {
        Error::Salesforce(_) => Error::Salesforce(salesforce::Error::DailyLimit { operation: "query the records" }),
        Error::FieldsChanged(_) => Error::FieldsChanged(salesforce::Error::DailyLimit { operation: "query the records" }),
        Error::Hidden => Error::Hidden,
        Error::OverBudget => Error::OverBudget,
        Error::TooSlow => Error::TooSlow,
        Error::OutOfTime => Error::OutOfTime,
        Error::Mirror(_) => Error::Mirror(store::Error::NotFound { operation: "load the org", entity: "org" }),
        Error::Unreadable => Error::Unreadable,
        Error::Changing => Error::Changing,
    });
    insta::assert_snapshot!(texts);
}
