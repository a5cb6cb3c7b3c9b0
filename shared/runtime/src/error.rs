//! Errors of calls between Ferry's functions.

use std::time::Duration;

use salesforce::{BoxError, Classify, Retry};

use crate::token_broker::Refusal;

/// An error of a call to another of Ferry's functions.
///
/// It is exhaustive on purpose: each caller that maps it has to decide about a new variant.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The function was not called: Lambda was unreachable or throttled the call.
    #[error("could not call {function}: Lambda is unavailable")]
    NotCalled {
        /// The name of the function.
        function: String,
        /// The SDK's error.
        source: BoxError,
    },
    /// The function was called, and no response arrived.
    #[error("could not call {function}: no response in time")]
    NoResponse {
        /// The name of the function.
        function: String,
        /// The SDK's error.
        source: BoxError,
    },
    /// Lambda refused the call: a permission is missing, or the name is wrong.
    #[error("could not call {function}: Lambda returned {code}")]
    NotAllowed {
        /// The name of the function.
        function: String,
        /// Lambda's error code.
        code: String,
        /// The SDK's error.
        source: BoxError,
    },
    /// The function was called and failed.
    #[error("could not call {function}: it failed with {error_type}")]
    Failed {
        /// The name of the function.
        function: String,
        /// The `errorType` of the function's diagnostic.
        error_type: String,
    },
    /// The response does not parse.
    #[error("could not call {function}: it returned an invalid response")]
    InvalidResponse {
        /// The name of the function.
        function: String,
    },
    /// The token broker refused the request.
    #[error("the token broker refused the request: {}", .0.reason)]
    Refused(Refusal),
}

impl Classify for Error {
    fn retry(&self) -> Retry {
        let pause = Duration::from_secs(1);
        match self {
            Self::NotCalled { .. } => Retry::After(pause),
            Self::NoResponse { .. } => Retry::Unknown(pause),
            Self::Failed { error_type, .. } if error_type == "Permanent" => Retry::Never,
            Self::Failed { error_type, .. } if error_type == "NeedsHuman" => Retry::NeedsHuman,
            Self::Failed { .. } => Retry::Unknown(pause),
            Self::NotAllowed { .. } | Self::InvalidResponse { .. } => Retry::Never,
            Self::Refused(refusal) => refusal.retry.into(),
        }
    }
}
