//! One snapshot of the texts of every error of this crate. See `tests/error-texts`.

use error_texts::error_texts;
use soap_receiver::Rejection;

use crate::Error;

#[test]
fn error_texts_read_as_sentences() {
    let texts = error_texts!(Error {
        Error::Activate { .. } => Error::Activate { source: store::Error::NotFound { operation: "load the org", entity: "org" } },
        Error::NotConnected { .. } => Error::NotConnected { org: "00D5e000000KQ2eEAG".parse().unwrap() },
        Error::Refused(_) => Error::Refused(Rejection::UnknownAddress),
        Error::State(_) => Error::State(store::Error::NotFound { operation: "load the org", entity: "org" }),
        Error::Unfinished { .. } => Error::Unfinished { org: "00D5e000000KQ2eEAG".parse().unwrap(), unfinished: 3 },
    });
    insta::assert_snapshot!(texts);
}
