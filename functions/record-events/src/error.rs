//! Why a change could not be told.

use std::time::Duration;

use salesforce::{Classify, Retry};

/// Why a change could not be told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A stream record is not a row of the mirror.
    ///
    /// # Troubleshooting
    /// The stream stops at this record until its retries are used up; the event source then hands it to its failure
    /// destination and goes on. Read the row with its keys from there: it was not written by this version of Ferry.
    #[error("a stream record is not a row of the mirror")]
    Unreadable(#[source] serde_dynamo::Error),
    /// The bus did not take an event.
    #[error("the bus did not take {lost} of {total} events")]
    NotPublished {
        /// How many it did not take.
        lost: usize,
        /// How many there were.
        total: usize,
        /// Why it did not take the first of them.
        source: store::Error,
    },
}

impl Classify for Error {
    fn retry(&self) -> Retry {
        match self {
            Self::Unreadable(_) => Retry::Never,
            Self::NotPublished { .. } => Retry::Unknown(Duration::from_secs(1)),
        }
    }
}
