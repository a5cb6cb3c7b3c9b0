//! Why a message is not acknowledged, and the problem that says so.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use runtime::{Problem, StateError};
use salesforce::{Classify, Retry};
use soap_receiver::Refused;

/// Why a message is not acknowledged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is not believed, or not understood.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// Ferry's own state could not be read, or the queue did not take every notification.
    #[error(transparent)]
    State(#[from] StateError),
}

impl Classify for Error {
    fn retry(&self) -> Retry {
        match self {
            Self::Refused(refused) => refused.retry(),
            Self::State(error) => error.retry(),
        }
    }
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        let problem = match error {
            Error::Refused(refused) => refused.into(),
            // Whatever the reason, Salesforce should send the message again.
            Error::State(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "not_queued", "The message could not be queued")
                    .next("send it again")
            }
        };
        let retry_after = match error.retry() {
            Retry::After(pause) | Retry::Unknown(pause) => Some(pause),
            Retry::Never | Retry::NeedsHuman => None,
        };
        Self { retry_after, ..problem }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        runtime::problem::refuse(&self).into_response()
    }
}
