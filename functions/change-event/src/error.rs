//! Errors of handling a change event.

use salesforce::change_event::ParseError;
use salesforce::{Classify, Retry};

/// A failure to handle an event.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The event is not a change event. It becomes a dead letter, unchanged.
    ///
    /// # Troubleshooting
    /// A channel can relay change events or platform events; this function handles change events only.
    #[error("could not parse the change event")]
    Malformed(#[from] ParseError),
    /// The event's transaction key and sequence number do not make a valid delivery id.
    #[error("could not derive a delivery id from the change event")]
    InvalidDeliveryId(#[from] store::InvalidText),
    /// Ferry's own state could not be read or written. The event is retried, which may queue some hints twice. That is harmless.
    #[error(transparent)]
    State(#[from] store::Error),
}

impl Classify for Error {
    fn retry(&self) -> Retry {
        match self {
            Self::Malformed(_) | Self::InvalidDeliveryId(_) => Retry::Never,
            Self::State(error) => error.retry(),
        }
    }
}
