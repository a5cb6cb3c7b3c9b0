//! Errors of onboarding.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use runtime::{Problem, ProblemCode};
use salesforce::{Classify, OrgId, Retry};
use soap_receiver::Rejection;

/// A failure to onboard an org or to acknowledge a message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The org belongs to another tenant, or the table is unavailable.
    #[error("could not activate the org")]
    Activate {
        /// The failure.
        source: store::Error,
    },
    /// The tenant has no usable team connection in the org, so that nothing proves the org.
    #[error("could not activate org {org}: its team connection is not stored")]
    NotConnected {
        /// The org.
        org: OrgId,
    },
    /// A message of the License Management Org did not authenticate, or could not be parsed.
    #[error(transparent)]
    Refused(#[from] Rejection),
    /// Ferry's own state could not be read or written. The message sent again completes the work.
    #[error(transparent)]
    State(#[from] store::Error),
    /// Connections of an org without the package are closed, and not yet revoked at Salesforce. The message sent again
    /// completes the work.
    #[error("could not revoke {unfinished} connections of org {org}: Salesforce or the vault is unavailable")]
    Unfinished {
        /// The org.
        org: OrgId,
        /// The number of connections that are not revoked.
        unfinished: usize,
    },
}

impl Classify for Error {
    fn retry(&self) -> Retry {
        match self {
            Self::Activate { source } => source.retry(),
            Self::State(error) => error.retry(),
            Self::Refused(refused) => refused.retry(),
            Self::NotConnected { .. } => Retry::Never,
            Self::Unfinished { .. } => Retry::After(Duration::from_secs(30)),
        }
    }
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        match error {
            Error::Refused(rejection) => rejection.into(),
            // 503 for every failure, so that Salesforce sends the message again.
            Error::Activate { .. } | Error::NotConnected { .. } | Error::State(_) | Error::Unfinished { .. } => {
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
