//! Why a message is refused, whoever was to receive it, and the problem that says so.

use axum::http::header::ALLOW;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use runtime::{Problem, problem};
use salesforce::soap::outbound_message::ParseError;
use salesforce::{Classify, OrgId, Retry};

use super::MAX_BODY_BYTES;

/// Why a message is refused. None of these is acknowledged, and the same message will never be taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// Something other than a POST.
    #[error("only POST is answered here")]
    WrongMethod,
    /// Not XML in UTF-8, or compressed.
    #[error("the body is not plain XML in UTF-8")]
    WrongContentType,
    /// More than is read.
    #[error("the message is larger than {MAX_BODY_BYTES} bytes")]
    TooLarge,
    /// The address is nobody's. Whatever is wrong with an address or its caller, this is all that is said of it.
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
}

impl Classify for Refused {
    fn retry(&self) -> Retry {
        Retry::Never
    }
}

impl From<&Refused> for Problem {
    fn from(refused: &Refused) -> Self {
        match refused {
            Refused::WrongMethod => {
                Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Only POST is answered here")
            }
            Refused::WrongContentType => Self::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "An outbound message is uncompressed XML in UTF-8",
            ),
            Refused::TooLarge | Refused::Malformed(ParseError::TooLarge) => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The message is too large")
            }
            Refused::UnknownAddress => Self::new(StatusCode::NOT_FOUND, "not_found", "There is no such address"),
            Refused::Malformed(reason) => {
                Self::new(StatusCode::BAD_REQUEST, "malformed_message", "The body is no outbound message")
                    .detail(reason.to_string())
            }
            Refused::OtherOrg { .. } => {
                Self::new(StatusCode::FORBIDDEN, "other_org", "The message is of another org than its address")
            }
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = problem::refuse(&self).into_response();
        if let Self::WrongMethod = self {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        }
        response
    }
}
