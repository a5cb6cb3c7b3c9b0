//! Failures of Ferry's own state, as functions report them.

use salesforce::{Classify, Retry};

/// A failure of Ferry's own state: a table, a secret or a queue.
#[derive(Debug, thiserror::Error)]
#[error("could not {operation}")]
pub struct StateError {
    /// The operation that failed: an infinitive that reads after "could not".
    pub operation: &'static str,
    /// The failure.
    pub source: store::Error,
}

impl StateError {
    /// Returns a function for `map_err` that adds the operation to a failure.
    pub fn during(operation: &'static str) -> impl FnOnce(store::Error) -> Self {
        move |source| Self { operation, source }
    }
}

impl Classify for StateError {
    fn retry(&self) -> Retry {
        self.source.retry()
    }
}
