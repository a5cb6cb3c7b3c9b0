//! One snapshot of the texts of every error of this crate. See `tests/error-texts`.

use error_texts::error_texts;
use salesforce::change_event::ParseError;

use crate::Error;

#[test]
fn error_texts_read_as_sentences() {
    let texts = error_texts!(Error {
        Error::Malformed(_) => Error::Malformed(ParseError::Shape),
        Error::InvalidDeliveryId(_) => Error::InvalidDeliveryId("".parse::<store::Tenant>().unwrap_err()),
        Error::State(_) => Error::State(store::Error::NotFound { operation: "load the org", entity: "org" }),
    });
    insta::assert_snapshot!(texts);
}
