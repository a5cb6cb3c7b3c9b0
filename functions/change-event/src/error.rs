//! Why an event was not taken.

use runtime::StateError;
use salesforce::change_event::ParseError;
use salesforce::{Classify, Retry};

/// Why an event was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It does not say what changed. It ends among the dead letters, as it came.
    ///
    /// # Troubleshooting
    /// A channel may hold change events or platform events; only the former are understood here.
    #[error("the event cannot be read")]
    Unreadable(#[from] ParseError),
    /// What names the event is too long for the ledger.
    #[error("the event has no name for the ledger")]
    Unnamed(#[from] store::InvalidText),
    /// Ferry's own state could not be read or written; the event comes again, and what was queued already does no harm twice.
    #[error(transparent)]
    State(#[from] StateError),
}

impl Classify for Error {
    fn retry(&self) -> Retry {
        match self {
            Self::Unreadable(_) | Self::Unnamed(_) => Retry::Never,
            Self::State(error) => error.retry(),
        }
    }
}
