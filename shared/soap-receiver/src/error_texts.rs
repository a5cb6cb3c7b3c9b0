//! One snapshot of the texts of every error of this crate. See `tests/error-texts`.

use error_texts::error_texts;
use salesforce::soap::outbound_message::ParseError;

use crate::Rejection;

#[test]
fn error_texts_read_as_sentences() {
    let texts = error_texts!(Rejection {
        Rejection::MethodNotAllowed => Rejection::MethodNotAllowed,
        Rejection::UnsupportedMediaType => Rejection::UnsupportedMediaType,
        Rejection::TooLarge => Rejection::TooLarge,
        Rejection::UnknownAddress => Rejection::UnknownAddress,
        Rejection::Malformed(_) => Rejection::Malformed(ParseError::NotUtf8),
        Rejection::OtherOrg { .. } => Rejection::OtherOrg { named: "00D5e000000KQ2eEAG".parse().unwrap() },
    });
    insta::assert_snapshot!(texts);
}
