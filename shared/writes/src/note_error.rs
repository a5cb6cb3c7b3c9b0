//! The reasons for which a note is not written or read that are not Salesforce's own errors.

use runtime::{Problem, ProblemCode};
use salesforce::{Classify, RecordId, Retry};

/// A reason for which a note is not written or read.
#[derive(Debug, thiserror::Error)]
pub enum NoteError {
    /// The org has no enhanced notes, or hides them from the connection's user.
    #[error("could not use notes: they are switched off in the org or hidden from the connection's user")]
    Disabled,
    /// The connection's user may not do this with notes.
    #[error("could not {0}: the connection's user may not")]
    NotPermitted(&'static str),
    /// The note was deleted.
    #[error("could not load the note: it was deleted")]
    Deleted,
    /// The note exists, and is not shared with the connection's user.
    #[error("could not load the note: it is not shared with the connection's user")]
    NotShared,
    /// Salesforce refused a link.
    #[error("could not link the note to {record}")]
    Link {
        /// The record.
        record: RecordId,
        /// The refusal.
        #[source]
        error: salesforce::Error,
    },
}

impl Classify for NoteError {
    fn retry(&self) -> Retry {
        match self {
            Self::Disabled | Self::NotPermitted(_) | Self::NotShared => Retry::NeedsHuman,
            Self::Deleted => Retry::Never,
            Self::Link { error, .. } => error.retry(),
        }
    }
}

impl From<&NoteError> for Problem {
    fn from(error: &NoteError) -> Self {
        match error {
            NoteError::Disabled => Self::new(ProblemCode::ObjectNotVisible)
                .detail("enhanced notes (ContentNote) are switched off in the org, or hidden from the connection's user")
                .next("Ask an administrator of the org to switch notes on: Setup, Notes Settings, Enable Notes."),
            NoteError::NotPermitted(action) => Self::new(ProblemCode::SalesforceForbidden)
                .detail(format!("the connection's user may not {action}"))
                .next("Ask an administrator of the org to check the user's profile and permission sets: access to ContentNote and ContentDocumentLink."),
            NoteError::Deleted => Self::new(ProblemCode::RecordDeleted)
                .detail("the note was deleted")
                .next("Write a new note, or ask its owner to restore it from the recycle bin in Salesforce."),
            NoteError::NotShared => Self::new(ProblemCode::SalesforceForbidden)
                .detail("the note is not shared with the connection's user")
                .next("Ask the owner of the note to share it with the user, or link it to a record that the user can see."),
            NoteError::Link { record, error } => {
                let problem = Self::from(error);
                let detail = match &problem.detail {
                    Some(detail) => format!("the link to {record} was refused: {detail}"),
                    None => format!("the link to {record} was refused"),
                };
                problem.detail(detail)
            }
        }
    }
}
