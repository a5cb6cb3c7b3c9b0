//! Rejections of a message, and their problems.

use axum::http::HeaderValue;
use axum::http::header::ALLOW;
use axum::response::{IntoResponse, Response};
use runtime::{Problem, ProblemCode, problem};
use salesforce::soap::outbound_message::ParseError;
use salesforce::{Classify, OrgId, Retry};

use super::MAX_BODY_BYTES;

/// A rejection of a message. The message is not acknowledged. Only a message to an org that becomes active within a day can still be accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// The method is not POST.
    #[error("the method is not POST")]
    MethodNotAllowed,
    /// The body is compressed, or not XML in UTF-8.
    #[error("the body is not uncompressed XML in UTF-8")]
    UnsupportedMediaType,
    /// The body exceeds the size limit.
    #[error("the message is larger than {MAX_BODY_BYTES} bytes")]
    TooLarge,
    /// The address belongs to no org, or the sender is not verified. Both get the same response.
    ///
    /// # Troubleshooting
    /// Several of these in succession for one org mean that its outbound messages have an old address: the secret was rotated
    /// twice, or the org was refreshed from another one. An address is shown only when it is made: connect the team again, or
    /// run `cargo ferry rotate-webhook-secret`.
    #[error("the address does not exist")]
    UnknownAddress,
    /// The body is not an outbound message.
    #[error("the body is not an outbound message")]
    Malformed(#[from] ParseError),
    /// The body comes from another org.
    ///
    /// # Troubleshooting
    /// A refreshed sandbox keeps the addresses of the org it was copied from and sends to them under its own id
    /// (shared/salesforce/FACTS.md 8.4). It has to be connected by itself.
    #[error("the message comes from org {named}, not from the org of its address")]
    OtherOrg {
        /// The org that the body names.
        named: OrgId,
    },
}

impl Classify for Rejection {
    fn retry(&self) -> Retry {
        Retry::Never
    }
}

impl From<&Rejection> for Problem {
    fn from(rejection: &Rejection) -> Self {
        match rejection {
            Rejection::MethodNotAllowed => Self::new(ProblemCode::MethodNotAllowed),
            Rejection::UnsupportedMediaType => {
                Self::new(ProblemCode::UnsupportedMediaType).next("Send the body as uncompressed XML in UTF-8.")
            }
            Rejection::TooLarge | Rejection::Malformed(ParseError::TooLarge) => Self::new(ProblemCode::PayloadTooLarge),
            Rejection::UnknownAddress => Self::new(ProblemCode::NotFound),
            Rejection::Malformed(reason) => Self::new(ProblemCode::MalformedMessage).detail(reason.to_string()),
            Rejection::OtherOrg { .. } => Self::new(ProblemCode::OtherOrg),
        }
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        let mut response = problem::refuse(&self).into_response();
        if let Self::MethodNotAllowed = self {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        }
        response
    }
}
