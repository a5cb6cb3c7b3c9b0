//! Why one function got no use out of another.

use std::time::Duration;

use salesforce::{BoxError, Classify, Retry};

use crate::token_broker::Refusal;

/// Why one of Ferry's functions got no use out of another.
///
/// It is exhaustive on purpose: whoever maps it to an answer must choose for a new variant too.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It was not called: Lambda was not reached, or had too much to do.
    #[error("{function} could not be called")]
    NotCalled {
        /// The function.
        function: String,
        /// What the SDK said.
        source: BoxError,
    },
    /// It was called, and no answer came.
    #[error("{function} did not answer")]
    NoAnswer {
        /// The function.
        function: String,
        /// What the SDK said.
        source: BoxError,
    },
    /// Lambda refused the call: a permission or a name is wrong.
    #[error("Lambda refused to call {function}: {code}")]
    NotAllowed {
        /// The function.
        function: String,
        /// Lambda's code.
        code: String,
        /// What the SDK said.
        source: BoxError,
    },
    /// It was called and failed; `error_type` is what its own diagnostic says.
    #[error("{function} failed with {error_type}")]
    Failed {
        /// The function.
        function: String,
        /// Its diagnostic's `errorType`.
        error_type: String,
    },
    /// It answered something that is no answer.
    #[error("{function} gave an answer that is none")]
    BadAnswer {
        /// The function.
        function: String,
    },
    /// The token broker said no.
    #[error("the token broker refused: {}", .0.reason)]
    Refused(Refusal),
}

impl Classify for Error {
    fn retry(&self) -> Retry {
        let pause = Duration::from_secs(1);
        match self {
            Self::NotCalled { .. } => Retry::After(pause),
            Self::NoAnswer { .. } => Retry::Unknown(pause),
            Self::Failed { error_type, .. } if error_type == "Permanent" => Retry::Never,
            Self::Failed { error_type, .. } if error_type == "NeedsHuman" => Retry::NeedsHuman,
            Self::Failed { .. } => Retry::Unknown(pause),
            Self::NotAllowed { .. } | Self::BadAnswer { .. } => Retry::Never,
            Self::Refused(refusal) => refusal.retry.into(),
        }
    }
}
