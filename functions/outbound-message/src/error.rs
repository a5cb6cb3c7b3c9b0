//! Why a message is not acknowledged, and the problem that says so.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use runtime::Problem;
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
    #[error("{operation} failed")]
    State {
        /// What was being done.
        operation: &'static str,
        /// Why it failed.
        source: store::Error,
    },
}

impl Error {
    /// For `map_err`: `operation` failed in the store.
    pub(crate) fn state(operation: &'static str) -> impl FnOnce(store::Error) -> Self {
        move |source| Self::State { operation, source }
    }
}

impl Classify for Error {
    fn retry(&self) -> Retry {
        match self {
            Self::Refused(refused) => refused.retry(),
            Self::State { source, .. } => source.retry(),
        }
    }
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        let problem = match error {
            Error::Refused(refused) => refused.into(),
            // Whatever the reason, Salesforce should send the message again.
            Error::State { .. } => {
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
