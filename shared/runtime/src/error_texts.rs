//! One snapshot of the texts of every error of this crate. See `tests/error-texts`.

use error_texts::error_texts;

use crate::http_event;
use crate::token_broker::{Refusal, RefusalCode, RetryHint};
use crate::{EnvError, Error};

#[test]
fn error_texts_read_as_sentences() {
    let mut texts = String::new();
    texts += &error_texts!(Error {
        Error::NotCalled { .. } => Error::NotCalled { function: function(), source: "connection reset".into() },
        Error::NoResponse { .. } => Error::NoResponse { function: function(), source: "timeout".into() },
        Error::NotAllowed { .. } => Error::NotAllowed { function: function(), code: "AccessDeniedException".to_owned(), source: "denied".into() },
        Error::Failed { .. } => Error::Failed { function: function(), error_type: "Transient".to_owned() },
        Error::InvalidResponse { .. } => Error::InvalidResponse { function: function() },
        Error::Refused(_) => Error::Refused(Refusal { code: RefusalCode::ReauthRequired, reason: "the grant has ended".to_owned(), retry: RetryHint::NeedsHuman, condition: None }),
    });
    texts += &error_texts!(EnvError {
        EnvError::Missing { .. } => EnvError::Missing { name: "ORGS_TABLE" },
        EnvError::Invalid { .. } => EnvError::Invalid { name: "LOG_LEVEL", reason: "unknown level".to_owned() },
    });
    texts += &error_texts!(http_event::Error {
        http_event::Error::InvalidEvent => http_event::Error::InvalidEvent,
        http_event::Error::ResponseTooLarge => http_event::Error::ResponseTooLarge,
    });
    insta::assert_snapshot!(texts);
}

fn function() -> String {
    "token-broker".to_owned()
}
