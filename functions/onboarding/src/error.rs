//! Why an org was not onboarded, or a message not acknowledged.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use runtime::{Problem, ProblemCode, StateError};
use salesforce::{Classify, OrgId, Retry};
use soap_receiver::Rejection;

/// Why an org was not onboarded, or a message not acknowledged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The org could not be made active: it is another tenant's, or the table is not available.
    #[error("could not activate the org")]
    Activate {
        /// Why not.
        source: store::Error,
    },
    /// A message of the License Management Org is not believed, or not understood.
    #[error(transparent)]
    Refused(#[from] Rejection),
    /// Ferry's own state could not be read or written; sent again, the message finishes it.
    #[error(transparent)]
    State(#[from] StateError),
    /// Connections of a removed package are closed, and not yet ended at Salesforce; sent again, the message finishes it.
    #[error("{unfinished} connections of org {org} are not wholly ended")]
    Unfinished {
        /// The org.
        org: OrgId,
        /// How many.
        unfinished: usize,
    },
}

impl Classify for Error {
    fn retry(&self) -> Retry {
        match self {
            Self::Activate { source } => source.retry(),
            Self::State(error) => error.retry(),
            Self::Refused(refused) => refused.retry(),
            Self::Unfinished { .. } => Retry::After(Duration::from_secs(30)),
        }
    }
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        match error {
            Error::Refused(rejection) => rejection.into(),
            // 503 for every failure, so that Salesforce sends the message again.
            Error::Activate { .. } | Error::State(_) | Error::Unfinished { .. } => {
                Self::new(ProblemCode::Unavailable).next("Send the message again.")
            }
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        runtime::problem::refuse(&self).into_response()
    }
}
