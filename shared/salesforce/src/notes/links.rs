//! The links of a note to records.

use std::fmt;

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{LINK, LINK_NOTE, LINK_RECORD};
use crate::collections::outcomes;
use crate::composite::MAX_SUBREQUESTS;
use crate::soql;
use crate::transport::Request;
use crate::{Classify, Client, Error, FieldName, JsonObject, Problem, RecordId, Retry, SaveError};

/// The maximum number of links of a new note.
pub const MAX_LINKS: usize = 100;

/// The number of links that are created in the same request as the note: the note takes one of its parts, and the mark two.
pub const RECORDS_OF_A_REQUEST: usize = MAX_SUBREQUESTS - 3;

const LINK_SHARE_TYPE: FieldName = FieldName::from_static("ShareType");
const ADD: &str = "link the note";

/// The access to a note that a link gives to those who can see the record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShareType {
    /// They can read it.
    #[default]
    Viewer,
    /// They can change it.
    Collaborator,
    /// They have the access that they have to the record.
    Inferred,
}

impl ShareType {
    const ALL: [Self; 3] = [Self::Viewer, Self::Collaborator, Self::Inferred];

    /// Returns the value of the field `ShareType`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Viewer => "V",
            Self::Collaborator => "C",
            Self::Inferred => "I",
        }
    }

    /// Returns the share type of a value of the field.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.code() == code)
    }
}

/// A link of a note to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct NoteLink {
    /// The record.
    pub record: RecordId,
    /// The access that it gives.
    pub share_type: ShareType,
}

impl NoteLink {
    /// Returns the fields of the link of a note, which may be a reference to another part of the request.
    pub(super) fn fields(&self, note: &str) -> JsonObject {
        let fields = [
            ("ContentDocumentId", json!(note)),
            ("LinkedEntityId", json!(self.record)),
            ("ShareType", json!(self.share_type.code())),
            ("Visibility", json!("InternalUsers")),
        ];
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// A failure of a request for a note, and the record if it concerns one of the links.
#[derive(Debug)]
pub struct NoteError {
    /// The record whose link was refused.
    pub link: Option<RecordId>,
    /// The failure.
    pub error: Error,
}

impl From<Error> for NoteError {
    fn from(error: Error) -> Self {
        Self { link: None, error }
    }
}

impl Classify for NoteError {
    fn retry(&self) -> Retry {
        self.error.retry()
    }
}

impl fmt::Display for NoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Client {
    /// Links a note to records, those that it is not linked to. Idempotent: Salesforce keeps one link of a note to a record.
    /// Costs one call, which is not repeated after an unknown outcome.
    ///
    /// # Errors
    ///
    /// The first refusal, with its record, if any link was refused. The other links may have been made.
    pub async fn add_note_links(&self, note: &RecordId, links: &[NoteLink]) -> Result<(), NoteError> {
        if links.is_empty() {
            return Ok(());
        }
        let records = links.iter().map(|link| {
            let mut record = JsonObject::from_iter([("attributes".to_owned(), json!({ "type": LINK }))]);
            record.extend(link.fields(note.as_str()));
            record
        });
        let body = json!({ "allOrNone": false, "records": records.collect::<Vec<_>>() });
        let request = Request::send(ADD, Method::POST, self.path("composite/sobjects"), &body)?;
        let response = self.send(&request).await?;
        let outcomes = outcomes(&response, links.len()).inspect_err(|_| self.mark_lost_write())?;
        let refused =
            links.iter().zip(&outcomes).filter(|(_, outcome)| !outcome.success && !is_linked(&outcome.errors));
        // One that passes comes last: it is only worth repeating if no other is final.
        let first = refused.min_by_key(|(_, outcome)| outcome.errors.iter().all(|error| error.retry() != Retry::Never));
        first.map_or(Ok(()), |(link, outcome)| {
            Err(NoteError { link: Some(link.record), error: rejected(&outcome.errors) })
        })
    }

    /// Returns the links of a note to these records, or to all if there are none, with their ids.
    ///
    /// # Errors
    ///
    /// Those of any call.
    pub async fn note_links(
        &self,
        note: &RecordId,
        only: Option<&RecordId>,
    ) -> Result<Vec<(RecordId, NoteLink)>, Error> {
        let of_note = soql::eq(&LINK_NOTE, note);
        let condition = match only {
            Some(record) => of_note.and(soql::eq(&LINK_RECORD, record)),
            None => of_note,
        };
        let rows = self.query_pages(&LINK, &[FieldName::ID, LINK_RECORD, LINK_SHARE_TYPE], condition).await?;
        let links = rows.iter().filter_map(|row| {
            let record = row.text(LINK_RECORD.as_str())?.parse().ok()?;
            let share_type = row.text(LINK_SHARE_TYPE.as_str()).and_then(ShareType::from_code).unwrap_or_default();
            Some((row.id, NoteLink { record, share_type }))
        });
        Ok(links.collect())
    }

    /// Changes the share type of a link.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] if Salesforce refuses it.
    pub async fn change_note_link(&self, link: &RecordId, share_type: ShareType) -> Result<(), Error> {
        let path = self.path(&format!("sobjects/{LINK}/{link}"));
        let body = json!({ "ShareType": share_type.code() });
        self.send(&Request::send("change the link of the note", Method::PATCH, path, &body)?).await.map(drop)
    }

    /// Removes a link of a note.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with `NOT_FOUND` or `ENTITY_IS_DELETED` if the link does not exist.
    pub async fn remove_note_link(&self, link: &RecordId) -> Result<(), Error> {
        let path = self.path(&format!("sobjects/{LINK}/{link}"));
        self.send(&Request::delete("remove the link of the note", path)).await.map(drop)
    }
}

/// Returns whether a link was refused only because it exists.
fn is_linked(errors: &[SaveError]) -> bool {
    !errors.is_empty() && errors.iter().all(|error| error.code == "DUPLICATE_VALUE")
}

fn rejected(errors: &[SaveError]) -> Error {
    let problems = errors.iter().map(|error| Problem { code: error.code.clone(), fields: error.fields.clone() });
    Error::Rejected { operation: ADD, status: 400, problems: problems.collect() }
}
