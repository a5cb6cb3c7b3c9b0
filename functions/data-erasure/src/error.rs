//! Errors of erasures.

use runtime::{Problem, ProblemCode};
use salesforce::{Classify, Retry};

/// A failure of an erasure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The resource, for example an `org`, does not exist.
    #[error("could not find the {0}: it does not exist")]
    NotFound(&'static str),
    /// The org is active: its data would be copied again at once.
    #[error("could not erase the data of the org: the org is active; disconnect it first")]
    OrgActive,
    /// The id is not that of a contact or a lead.
    #[error("could not erase the record: only a contact (003) or a lead (00Q) can be erased")]
    NotAPerson,
    /// Ferry's own state could not be read or written.
    #[error(transparent)]
    State(#[from] store::Error),
}

impl Classify for Error {
    fn retry(&self) -> Retry {
        match self {
            Self::NotFound(_) | Self::NotAPerson => Retry::Never,
            Self::OrgActive => Retry::NeedsHuman,
            Self::State(error) => error.retry(),
        }
    }
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        match error {
            Error::NotFound(resource) => Self::not_found(resource),
            Error::OrgActive => Self::new(ProblemCode::OrgActive),
            Error::NotAPerson => Self::invalid("record_id must be the id of a contact (003) or of a lead (00Q)"),
            Error::State(error) => Self::from(error),
        }
    }
}
