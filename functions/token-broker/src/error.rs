//! Errors of the token broker.

use salesforce::{Classify, Retry};

/// An error of the token broker. A refusal is a response, not an error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Ferry's own state could not be read or written.
    #[error("could not {operation}")]
    State {
        /// The operation, for example "load the connection".
        operation: &'static str,
        /// The error of the store.
        source: store::Error,
    },
}

impl Error {
    /// Returns a function for `map_err` that names the operation that failed.
    pub(crate) fn state(operation: &'static str) -> impl FnOnce(store::Error) -> Self {
        move |source| Self::State { operation, source }
    }
}

impl Classify for Error {
    fn retry(&self) -> Retry {
        match self {
            Self::State { source, .. } => source.retry(),
        }
    }
}
