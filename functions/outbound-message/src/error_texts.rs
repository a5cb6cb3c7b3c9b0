//! One snapshot of the texts of every error of this crate. See `tests/error-texts`.

use error_texts::error_texts;
use soap_receiver::Rejection;

use crate::Error;

#[test]
fn error_texts_read_as_sentences() {
    let texts = error_texts!(Error {
        Error::Refused(_) => Error::Refused(Rejection::UnknownAddress),
        Error::TooManyNotifications { .. } => Error::TooManyNotifications {
            org: "00D5e000000KQ2eEAG".parse().unwrap(),
            limit: 10_000,
        },
        Error::State(_) => Error::State(store::Error::NotFound { operation: "load the org", entity: "org" }),
    });
    insta::assert_snapshot!(texts);
}
