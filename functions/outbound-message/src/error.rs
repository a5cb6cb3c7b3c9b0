//! The reasons for which a message is not acknowledged, and their HTTP problems.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use runtime::{Problem, ProblemCode};
use salesforce::{Classify, OrgId, Retry};
use soap_receiver::Rejection;

/// A failure because of which a message is not acknowledged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The message did not authenticate, or could not be parsed.
    #[error(transparent)]
    Refused(#[from] Rejection),
    /// The org has queued its notifications of this minute. Salesforce sends the message again.
    #[error("could not queue the notifications of org {org}: it sends more than {limit} in a minute")]
    TooManyNotifications {
        /// The org.
        org: OrgId,
        /// The bound for one execution environment.
        limit: usize,
    },
    /// The `orgs` table could not be read, or not every hint was queued.
    #[error(transparent)]
    State(#[from] store::Error),
}

impl Classify for Error {
    fn retry(&self) -> Retry {
        match self {
            Self::Refused(refused) => refused.retry(),
            Self::TooManyNotifications { .. } => Retry::After(Duration::from_secs(60)),
            Self::State(error) => error.retry(),
        }
    }
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        match error {
            Error::Refused(rejection) => rejection.into(),
            // 503 for every failure, so that Salesforce sends the message again.
            Error::State(_) | Error::TooManyNotifications { .. } => {
                Self::new(ProblemCode::Unavailable).next("Send the message again.").retry_after(error.retry())
            }
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        runtime::problem::refuse(&self).into_response()
    }
}
