//! Errors of handling a change event.

use runtime::StateError;
use salesforce::change_event::ParseError;
use salesforce::{Classify, Retry};

/// Why an event could not be handled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The event is not a change event. It becomes a dead letter, unchanged.
    ///
    /// # Troubleshooting
    /// A channel can relay change events or platform events; this function handles change events only.
    #[error("the event cannot be read")]
    Unreadable(#[from] ParseError),
    /// The event's id is too long for the ledger.
    #[error("the event has no name for the ledger")]
    Unnamed(#[from] store::InvalidText),
    /// Ferry's own state could not be read or written. The event is retried; hints that were queued already are harmless twice.
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
