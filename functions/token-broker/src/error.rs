//! Why the broker could not even say no.

use salesforce::{Classify, Retry};

/// Why there is no answer. A refusal is an answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Ferry's own state could not be read or written.
    #[error("could not {doing}")]
    State {
        /// What was being done.
        doing: &'static str,
        /// Why not.
        source: store::Error,
    },
}

impl Error {
    /// For `map_err`: `doing` failed in the store.
    pub(crate) fn state(doing: &'static str) -> impl FnOnce(store::Error) -> Self {
        move |source| Self::State { doing, source }
    }
}

impl Classify for Error {
    fn retry(&self) -> Retry {
        match self {
            Self::State { source, .. } => source.retry(),
        }
    }
}
