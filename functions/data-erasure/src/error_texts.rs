//! One snapshot of the texts of every error of this crate. See `tests/error-texts`.

use error_texts::error_texts;

use crate::Error;

#[test]
fn error_texts_read_as_sentences() {
    let texts = error_texts!(Error {
        Error::NotFound(_) => Error::NotFound("erasure"),
        Error::OrgActive => Error::OrgActive,
        Error::NotAPerson => Error::NotAPerson,
        Error::State(_) => Error::State(store::Error::NotFound { operation: "mark the org as erased", entity: "org" }),
    });
    insta::assert_snapshot!(texts);
}
