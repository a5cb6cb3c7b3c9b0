//! The errors of Bulk API 1.0.

use crate::model::errors::ApiError;

/// An error of Bulk API 1.0. The status is always 400; the code also tells clients when a session has ended.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into() }
    }
}

/// Bulk API 2.0 has the code of Bulk API 1.0 in capitals, and again before the message: `InvalidJob : Unable to ...`.
impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        match error.message.split_once(" : ") {
            Some((code, message)) if code.eq_ignore_ascii_case(error.code) => Self::new(code, message),
            _ if error.code == "INVALIDENTITY" => Self::new("InvalidEntity", error.message),
            _ => Self::new("InvalidJob", error.message),
        }
    }
}
