//! Errors of the function.

use runtime::{Problem, ProblemCode};
use salesforce::{Classify, Retry};
use store::event_endpoints::MAX_ENDPOINTS;

/// A failure of a request or of a message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The tenant has no endpoint of this id.
    #[error("could not find the webhook endpoint: it does not exist")]
    NotFound,
    /// The URL of an endpoint is refused, for this reason.
    #[error("could not store the webhook endpoint: its URL is refused, {0}")]
    Url(&'static str),
    /// A member of the request is refused, for this reason.
    #[error("could not store the webhook endpoint: {0}")]
    Invalid(&'static str),
    /// The tenant has as many endpoints as it may have.
    #[error("could not create the webhook endpoint: the tenant has {MAX_ENDPOINTS} already")]
    TooMany,
    /// The machine has no usable TLS configuration.
    #[error("could not start: the TLS configuration is not usable")]
    Tls,
    /// The event cannot be sent in an HTTP request.
    #[error("could not build the request: the id of the event is not a header")]
    EventId,
    /// Ferry's own state could not be read or written.
    #[error(transparent)]
    State(#[from] store::Error),
}

impl Classify for Error {
    fn retry(&self) -> Retry {
        match self {
            Self::NotFound | Self::Url(_) | Self::Invalid(_) | Self::TooMany | Self::Tls | Self::EventId => {
                Retry::Never
            }
            Self::State(error) => error.retry(),
        }
    }
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        match error {
            Error::NotFound => Self::not_found("webhook endpoint"),
            Error::Url(reason) => Self::invalid(format!("the url is refused: {reason}")),
            Error::Invalid(reason) => Self::invalid(*reason),
            Error::TooMany => Self::invalid(format!("a tenant has at most {MAX_ENDPOINTS} webhook endpoints"))
                .next("Delete an endpoint first (DELETE /v1/webhook-endpoints/{id})."),
            Error::Tls | Error::EventId => Self::new(ProblemCode::InternalError),
            Error::State(error) => Self::from(error),
        }
    }
}
