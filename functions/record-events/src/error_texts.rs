//! One snapshot of the texts of every error of this crate. See `tests/error-texts`.

use error_texts::error_texts;

use crate::Error;

#[test]
fn error_texts_read_as_sentences() {
    let texts = error_texts!(Error {
        Error::Unreadable(_) => Error::Unreadable(serde::de::Error::custom("missing field")),
        Error::UnknownTable { .. } => Error::UnknownTable { event_source_arn: "arn:aws:dynamodb:eu-central-1:123456789012:table/other/stream/1".to_owned() },
        Error::NotPublished { .. } => Error::NotPublished { lost: 3, total: 10, source: store::Error::NotFound { operation: "load the org", entity: "org" } },
    });
    insta::assert_snapshot!(texts);
}
