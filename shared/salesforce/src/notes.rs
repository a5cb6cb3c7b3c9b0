//! Enhanced notes: a `ContentNote` and its links to records (docs/salesforce.md 7).

mod html;

use jiff::Timestamp;

pub use html::NoteHtml;

use crate::{Client, Error, RecordId};

/// A note to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNote {
    /// At most 255 characters.
    pub title: String,
    /// The text.
    pub html: NoteHtml,
    /// The records that shall show it, at least one.
    pub links: Vec<RecordId>,
}

/// What to change of a note; `None` leaves it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoteUpdate {
    /// The new title.
    pub title: Option<String>,
    /// The new text.
    pub html: Option<NoteHtml>,
}

/// A note that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Its id, which is that of a ContentDocument.
    pub id: RecordId,
    /// Its title.
    pub title: String,
    /// Its text as Salesforce keeps it.
    pub html: String,
    /// The records that it is linked to, its owner among them.
    pub links: Vec<RecordId>,
    /// When it last changed.
    pub last_modified: Timestamp,
}

/// A note that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundNote {
    /// Its id.
    pub id: RecordId,
    /// Its title.
    pub title: String,
    /// When it was written.
    pub created: Timestamp,
}

impl Client {
    /// Writes a note and all its links, or nothing. Not idempotent: before repeating it, look with [`Client::find_notes`].
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with the problem of the part that failed; [`Error::NoAnswer`] when it may have been written.
    pub async fn create_note(&self, note: &NewNote) -> Result<RecordId, Error> {
        todo!()
    }

    /// A note with its text and links, or `None` when there is none that the user may see.
    ///
    /// # Errors
    ///
    /// Those of any call.
    pub async fn fetch_note(&self, id: &RecordId) -> Result<Option<Note>, Error> {
        todo!()
    }

    /// Changes a note's title or text; Salesforce keeps the earlier version.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with `NOT_FOUND` when there is no such note.
    pub async fn update_note(&self, id: &RecordId, update: &NoteUpdate) -> Result<(), Error> {
        todo!()
    }

    /// The notes with exactly this title that are linked to a record and were written at or after a time, oldest first.
    ///
    /// # Errors
    ///
    /// Those of any call.
    pub async fn find_notes(
        &self,
        linked_to: &RecordId,
        title: &str,
        created_since: Timestamp,
    ) -> Result<Vec<FoundNote>, Error> {
        todo!()
    }
}
