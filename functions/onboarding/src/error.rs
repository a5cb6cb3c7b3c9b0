//! Why an org was not onboarded.

use salesforce::{Classify, Retry};

/// Why an org was not onboarded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The org could not be made active: it is another tenant's, or the table is not available.
    #[error("could not activate the org")]
    Activate {
        /// Why not.
        source: store::Error,
    },
}

impl Classify for Error {
    fn retry(&self) -> Retry {
        match self {
            Self::Activate { source } => source.retry(),
        }
    }
}
