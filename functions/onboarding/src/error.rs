//! Why an org was not onboarded, or a message not acknowledged.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use runtime::Problem;
use runtime::soap_message::Unfit;
use salesforce::soap::outbound_message::ParseError;
use salesforce::{Classify, OrgId, Retry};

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
    /// The body is no uncompressed XML, or too large.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The address is nobody's: there is no License Management Org, it is another one, or the secret is wrong.
    #[error("there is no such address")]
    UnknownAddress,
    /// The body is no outbound message.
    #[error("the body is no outbound message")]
    Malformed(#[from] ParseError),
    /// The body is another org's.
    #[error("the message is of org {named}, not of the License Management Org")]
    OtherOrg {
        /// The org that the body names.
        named: OrgId,
    },
    /// Ferry's own state could not be read or written; sent again, the message finishes it.
    #[error("{operation} failed")]
    State {
        /// What was being done.
        operation: &'static str,
        /// Why it failed.
        source: store::Error,
    },
    /// Connections of a removed package are closed, and not yet ended at Salesforce; sent again, the message finishes it.
    #[error("{unfinished} connections of org {org} are not wholly ended")]
    Unfinished {
        /// The org.
        org: OrgId,
        /// How many.
        unfinished: usize,
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
            Self::Activate { source } | Self::State { source, .. } => source.retry(),
            Self::Unfit(_) | Self::UnknownAddress | Self::Malformed(_) | Self::OtherOrg { .. } => Retry::Never,
            Self::Unfinished { .. } => Retry::After(Duration::from_secs(30)),
        }
    }
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        match error {
            Error::Unfit(Unfit::WrongContentType) => Self::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "An outbound message is uncompressed XML in UTF-8",
            ),
            Error::Unfit(Unfit::TooLarge) | Error::Malformed(ParseError::TooLarge) => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The message is too large")
            }
            Error::UnknownAddress => Self::new(StatusCode::NOT_FOUND, "not_found", "There is no such address"),
            Error::Malformed(reason) => {
                Self::new(StatusCode::BAD_REQUEST, "malformed_message", "The body is no outbound message")
                    .detail(reason.to_string())
            }
            Error::OtherOrg { .. } => {
                Self::new(StatusCode::FORBIDDEN, "other_org", "The message is of another org than its address")
            }
            // Whatever the reason, Salesforce should send the message again.
            Error::Activate { .. } | Error::State { .. } | Error::Unfinished { .. } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "not_stored", "Not all of the message could be stored")
                    .next("send it again")
            }
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        runtime::problem::refuse(&self).into_response()
    }
}
