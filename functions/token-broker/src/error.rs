//! Errors of the token broker.

use salesforce::{Classify, Retry};

/// An error of the token broker. A refusal is a response, not an error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Ferry's own state could not be read or written.
    #[error(transparent)]
    State(#[from] store::Error),
}

impl Classify for Error {
    fn retry(&self) -> Retry {
        match self {
            Self::State(error) => error.retry(),
        }
    }
}
