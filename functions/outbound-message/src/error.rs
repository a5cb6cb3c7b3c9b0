//! Why a message is refused, and the problem that says so.

use axum::http::header::ALLOW;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use runtime::Problem;
use runtime::soap_message::Unfit;
use salesforce::soap::outbound_message::ParseError;
use salesforce::{Classify, OrgId, Retry};

/// Why a message is refused. None of these is acknowledged, and none has changed anything.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Something other than a POST.
    #[error("only POST is answered here")]
    WrongMethod,
    /// Not XML in UTF-8, or compressed.
    #[error("the body is not plain XML in UTF-8")]
    WrongContentType,
    /// More than is read.
    #[error("the body is too large")]
    TooLarge,
    /// The address is nobody's. An unknown org, one that is not active, and a wrong secret are all the same.
    ///
    /// # Troubleshooting
    /// A row of these for one org means that its outbound messages have an old address: the secret was rotated twice, or the
    /// org was refreshed from another one. The admin finds the present address on the connected page.
    #[error("there is no such address")]
    UnknownAddress,
    /// The body is no outbound message.
    #[error("the body is no outbound message")]
    Malformed(#[from] ParseError),
    /// The body is another org's.
    ///
    /// # Troubleshooting
    /// A refreshed sandbox keeps the addresses of the org it was copied from and sends to them under its own id
    /// (shared/salesforce/FACTS.md 8.4). It has to be connected by itself.
    #[error("the message is of org {named}, not of the org it was sent to")]
    OtherOrg {
        /// The org that the body names.
        named: OrgId,
    },
    /// Ferry's own state could not be read, or the queue did not take every notification.
    #[error("{operation} failed")]
    State {
        /// What was being done.
        operation: &'static str,
        /// Why it failed.
        source: store::Error,
    },
}

impl From<Unfit> for Error {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::WrongContentType => Self::WrongContentType,
            Unfit::TooLarge => Self::TooLarge,
        }
    }
}

impl Classify for Error {
    fn retry(&self) -> Retry {
        match self {
            Self::WrongMethod
            | Self::WrongContentType
            | Self::TooLarge
            | Self::UnknownAddress
            | Self::Malformed(_)
            | Self::OtherOrg { .. } => Retry::Never,
            Self::State { source, .. } => source.retry(),
        }
    }
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        let problem = match error {
            Error::WrongMethod => {
                Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Only POST is answered here")
            }
            Error::WrongContentType => Self::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "An outbound message is uncompressed XML in UTF-8",
            ),
            Error::TooLarge => Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The message is too large"),
            Error::UnknownAddress => Self::new(StatusCode::NOT_FOUND, "not_found", "There is no such address"),
            Error::Malformed(ParseError::TooLarge) => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The message is too large")
            }
            Error::Malformed(reason) => {
                Self::new(StatusCode::BAD_REQUEST, "malformed_message", "The body is no outbound message")
                    .detail(reason.to_string())
            }
            Error::OtherOrg { .. } => {
                Self::new(StatusCode::FORBIDDEN, "other_org", "The message is of another org than its address")
            }
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
        let mut response = runtime::problem::refuse(&self).into_response();
        if let Self::WrongMethod = self {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        }
        response
    }
}
