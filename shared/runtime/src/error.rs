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

impl Error {
    /// Returns whether the deployment is at fault: a permission is missing, a name is wrong, or the versions of two functions do
    /// not understand each other. It passes with the deployment that causes it, or an operator has to act.
    pub(crate) fn is_fault_of_the_deployment(&self) -> bool {
        match self {
            Self::NotAllowed { .. } | Self::InvalidResponse { .. } => true,
            // A function that fails counts that itself.
            Self::NotCalled { .. } | Self::NoResponse { .. } | Self::Failed { .. } | Self::Refused(_) => false,
        }
    }
}

/// A call that failed decides nothing about the work of the caller: a permission may be missing for the minutes of a deployment,
/// and functions of two versions may not understand each other.
impl Classify for Error {
    fn retry(&self) -> Retry {
        match self {
            Self::NotCalled { .. } => Retry::After(PAUSE),
            Self::NotAllowed { .. } => Retry::After(DEPLOYMENT_PAUSE),
            Self::NoResponse { .. } => Retry::Unknown(PAUSE),
            Self::Failed { error_type, .. } if error_type == "NeedsHuman" => Retry::NeedsHuman,
            Self::Failed { error_type, .. } if error_type == "Permanent" => Retry::Unknown(DEPLOYMENT_PAUSE),
            Self::Failed { .. } => Retry::Unknown(PAUSE),
            Self::InvalidResponse { .. } => Retry::Unknown(DEPLOYMENT_PAUSE),
            Self::Refused(refusal) => refusal.retry.into(),
        }
    }
}

const PAUSE: Duration = Duration::from_secs(1);
/// The pause after a fault of the deployment.
const DEPLOYMENT_PAUSE: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_failure_of_a_call_is_final() {
        let function = || "token-broker".to_owned();
        let failed = |error_type: &str| Error::Failed { function: function(), error_type: error_type.to_owned() };
        for error in [
            Error::NotCalled { function: function(), source: "throttled".into() },
            Error::NoResponse { function: function(), source: "timeout".into() },
            Error::NotAllowed { function: function(), code: "AccessDeniedException".to_owned(), source: "no".into() },
            Error::InvalidResponse { function: function() },
            failed("Permanent"),
            failed("NeedsHuman"),
            failed("Runtime.ExitError"),
        ] {
            assert_ne!(error.retry(), Retry::Never, "{error}");
        }
    }
}
