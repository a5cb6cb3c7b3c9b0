//! One snapshot of the texts of every error of this crate. See `tests/error-texts`.

use std::io;

use error_texts::error_texts;

use crate::Error;

#[test]
fn error_texts_read_as_sentences() {
    let texts = error_texts!(Error {
        Error::Listen { .. } => Error::Listen { port: 8080, source: io::ErrorKind::AddrInUse.into() },
        Error::Read { .. } => Error::Read { path: path(), source: io::ErrorKind::NotFound.into() },
        Error::Layout { .. } => Error::Layout { path: path(), reason: "not a list".to_owned() },
        Error::NotLoopback { .. } => Error::NotLoopback { url: "https://example.com".to_owned() },
        Error::Refused { .. } => Error::Refused { code: "INVALID_FIELD".to_owned(), message: "No such column".to_owned() },
        Error::Unknown { .. } => Error::Unknown { what: "user", name: "nobody@larkspur.example".to_owned() },
        Error::Invalid { .. } => Error::Invalid { what: "seed", reason: "not a number".to_owned() },
        Error::State { .. } => Error::State { path: path(), reason: "another version".to_owned() },
        Error::NoResponse { .. } => {
            Error::NoResponse { url: "http://127.0.0.1:9".to_owned(), timed_out: true, source: "timeout".into() }
        },
        Error::Prepare { .. } => Error::Prepare { what: "the signing key" },
    });
    insta::assert_snapshot!(texts);
}

fn path() -> String {
    "data/accounts.csv".to_owned()
}
