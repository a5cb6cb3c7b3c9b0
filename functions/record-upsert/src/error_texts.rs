//! One snapshot of the texts of every error of this crate. See `tests/error-texts`.

use error_texts::{push, samples};
use runtime::failures::{FailedWork, Failure};

use crate::Error;

fn errors() -> Vec<(&'static str, Error)> {
    samples!(Error {
        Error::Salesforce(_) => Error::Salesforce(salesforce::Error::DailyLimit { operation: "query the records" }),
        Error::FieldsChanged(_) => Error::FieldsChanged(salesforce::Error::DailyLimit { operation: "query the records" }),
        Error::Hidden => Error::Hidden,
        Error::OverBudget => Error::OverBudget,
        Error::TooSlow => Error::TooSlow,
        Error::OutOfTime => Error::OutOfTime,
        Error::Mirror(_) => Error::Mirror(store::Error::NotFound { operation: "load the org", entity: "org" }),
        Error::Unreadable => Error::Unreadable,
        Error::Changing => Error::Changing,
    })
}

#[test]
fn error_texts_read_as_sentences() {
    let mut texts = String::new();
    errors().iter().for_each(|(variant, error)| push(&mut texts, variant, error));
    insta::assert_snapshot!(texts);
}

#[test]
fn the_health_knows_every_reason_of_a_failed_hint() {
    let too_large = Error::Mirror(store::Error::TooLarge { operation: "store", size_bytes: 1, limit: "400 KB" });
    let reasons = errors().into_iter().map(|(_, error)| error.reason()).chain([too_large.reason()]);
    for reason in reasons {
        assert!(Failure::known(&reason, FailedWork::Sync).is_some(), "runtime::failures does not know {reason}");
    }
}
