//! One snapshot of the texts of every error of this crate. See `tests/error-texts`.

use error_texts::error_texts;

use crate::Error;

#[test]
fn error_texts_read_as_sentences() {
    let texts = error_texts!(Error {
        Error::NotFound => Error::NotFound,
        Error::Url(_) => Error::Url("it is not an https URL"),
        Error::Invalid(_) => Error::Invalid("the description has more than 500 characters"),
        Error::TooMany => Error::TooMany,
        Error::Tls => Error::Tls,
        Error::EventId => Error::EventId,
        Error::State(_) => Error::State(store::Error::NotFound { operation: "change the endpoint", entity: "endpoint" }),
    });
    insta::assert_snapshot!(texts);
}
