//! Enhanced notes: `ContentNote` and its links to records (Object Reference, ContentNote and ContentDocumentLink).

mod find;
pub mod html;
mod links;
mod list;
mod read;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};
use tracing::warn;

pub use find::FoundNote;
pub use html::NoteHtml;
pub use links::{MAX_LINKS, NoteError, NoteLink, RECORDS_OF_A_REQUEST, ShareType};
pub use list::{ListedNote, NoteKind, NoteVersion};
pub use read::Absence;

use crate::composite::{CompositeRequest, CompositeResponse, Subrequest};
use crate::transport::Request;
use crate::{Classify, Client, Error, FieldName, JsonObject, ObjectName, RecordId, Retry};

/// The maximum length of a title, in characters.
pub const MAX_TITLE_CHARS: usize = 255;

/// The maximum length of the HTML, in bytes. Salesforce's limit is higher, but such a note could not be read.
pub const MAX_HTML_BYTES: usize = 1024 * 1024;

/// The object of enhanced notes.
pub const NOTE: ObjectName = ObjectName::from_static("ContentNote");
/// The object of the links of notes and files to records.
pub const LINK: ObjectName = ObjectName::from_static("ContentDocumentLink");
const DOCUMENT: ObjectName = ObjectName::from_static("ContentDocument");
const VERSION: ObjectName = ObjectName::from_static("ContentVersion");
const LINK_NOTE: FieldName = FieldName::from_static("ContentDocumentId");
const LINK_RECORD: FieldName = FieldName::from_static("LinkedEntityId");
const VERSION_MARK: FieldName = FieldName::from_static("Description");

/// The parts of the request for a note with a mark, before its links.
const NOTE_PART: &str = "note";
const VERSION_PART: &str = "version";
const MARK_PART: &str = "mark";

/// A note to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNote {
    /// 1 to [`MAX_TITLE_CHARS`] characters.
    pub title: String,
    /// The content.
    pub html: NoteHtml,
    /// The records to link it to, 1 to [`MAX_LINKS`], each once. [`Client::create_note`] makes the first
    /// [`RECORDS_OF_A_REQUEST`] of them, and [`Client::add_note_links`] the others.
    pub links: Vec<NoteLink>,
    /// A text of at most 1,000 characters by which [`Client::find_notes`] recognizes the note, whatever becomes of its title
    /// and content. It is the `Description` of the note's first version, which Salesforce shows in the details of a file. A note
    /// in an org that refuses it gets none.
    pub mark: Option<String>,
}

/// An update of a note. `None` leaves a part unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoteUpdate {
    /// The new title.
    pub title: Option<String>,
    /// The new content.
    pub html: Option<NoteHtml>,
}

/// A note as Salesforce returns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The id, which is that of a ContentDocument.
    pub id: RecordId,
    /// The title.
    pub title: String,
    /// The content as Salesforce stores it.
    pub html: String,
    /// The linked records, and the owner (a user).
    pub links: Vec<RecordId>,
    /// The time of the last change.
    pub last_modified: Timestamp,
}

impl Client {
    /// Creates a note and its first [`RECORDS_OF_A_REQUEST`] links, or nothing. Not idempotent: before a retry, search with
    /// [`Client::find_notes`].
    ///
    /// If Salesforce refuses only the mark, nothing was saved, and the note is created without it.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with the problems of the failed subrequest, and the record if that is a link;
    /// [`Error::NoResponse`] if the outcome is unknown.
    pub async fn create_note(&self, note: &NewNote) -> Result<RecordId, NoteError> {
        let request = create_request(note)?;
        match created_note(&self.send_composite(&request).await?, note) {
            Err(Refused { is_mark: true, error }) => {
                warn!("could not mark a note, so it is created without a mark: {}", error.error);
                let unmarked = create_request(&NewNote { mark: None, ..note.clone() })?;
                created_note(&self.send_composite(&unmarked).await?, note).map_err(|refused| refused.error)
            }
            created => created.map_err(|refused| refused.error),
        }
    }

    /// Updates the title or the content of a note. Salesforce keeps the previous version.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with `NOT_FOUND` if the note does not exist.
    pub async fn update_note(&self, id: &RecordId, update: &NoteUpdate) -> Result<(), Error> {
        let fields = note_fields(update.title.as_deref(), update.html.as_ref())?;
        if fields.is_empty() {
            return Err(invalid("has no changes"));
        }
        let request = Request::send("update the note", Method::PATCH, self.note_path(id), &fields)?;
        self.send(&request).await.map(drop)
    }

    /// Deletes a note with its versions and links.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with `NOT_FOUND` or `ENTITY_IS_DELETED` if the note does not exist.
    pub async fn delete_note(&self, id: &RecordId) -> Result<(), Error> {
        self.send(&Request::delete("delete the note", self.note_path(id))).await.map(drop)
    }

    fn note_path(&self, id: &RecordId) -> String {
        self.path(&format!("sobjects/ContentNote/{id}"))
    }
}

/// Builds the request for a note and its first links, which succeeds or fails as a whole.
fn create_request(note: &NewNote) -> Result<CompositeRequest, Error> {
    if note.links.is_empty() || note.links.len() > MAX_LINKS {
        return Err(invalid("is not linked to 1 to 100 records"));
    }
    let fields = note_fields(Some(&note.title), Some(&note.html))?;
    let mut requests = vec![part("sobjects/ContentNote", NOTE_PART.to_owned(), fields)];
    requests.extend(note.mark.iter().flat_map(|mark| mark_parts(mark)));
    for (number, link) in note.first_links().iter().enumerate() {
        requests.push(part("sobjects/ContentDocumentLink", link_part(number), link.fields("@{note.id}")));
    }
    Ok(CompositeRequest { all_or_none: true, requests })
}

impl NewNote {
    /// Returns the links that are created with the note.
    pub fn first_links(&self) -> &[NoteLink] {
        self.links.get(..RECORDS_OF_A_REQUEST).unwrap_or(&self.links)
    }
}

/// Returns the name of the part for a link.
fn link_part(number: usize) -> String {
    format!("link_{number}")
}

/// Builds the subrequests that mark the first version of the note: Salesforce makes the version, so its id is read first.
fn mark_parts(mark: &str) -> [Subrequest; 2] {
    let mut fields = JsonObject::new();
    fields.insert(VERSION_MARK.to_string(), json!(mark));
    let version = Subrequest {
        method: "GET",
        url: "sobjects/ContentNote/@{note.id}?fields=LatestPublishedVersionId".to_owned(),
        reference_id: VERSION_PART.to_owned(),
        body: None,
    };
    let url = "sobjects/ContentVersion/@{version.LatestPublishedVersionId}".to_owned();
    let mark = Subrequest { method: "PATCH", url, reference_id: MARK_PART.to_owned(), body: Some(fields) };
    [version, mark]
}

/// A refusal of the request for a note. Nothing was saved, unless the error says that this is unknown.
struct Refused {
    /// `true` if only the mark was refused, and not for a lock or a fault of Salesforce.
    is_mark: bool,
    error: NoteError,
}

const CREATE: &str = "create the note";

/// Returns the id of the created note, or the refusal.
fn created_note(responses: &[CompositeResponse], note: &NewNote) -> Result<RecordId, Refused> {
    if let Some((part, error)) = responses.iter().find_map(|part| Some((part, part.failure(CREATE)?))) {
        let is_mark_part = [VERSION_PART, MARK_PART].contains(&part.reference_id.as_str());
        let is_refusal = part.status < 500 && (error.retry() == Retry::Never || error.is_not_found());
        let links = note.first_links().iter().enumerate();
        let link =
            links.filter(|(number, _)| part.reference_id == link_part(*number)).map(|(_, link)| link.record).next();
        return Err(Refused { is_mark: is_mark_part && is_refusal, error: NoteError { link, error } });
    }
    let id = responses.first().and_then(|note| note.body.get("id"));
    let error = Error::InvalidResponse { operation: CREATE, what: "no note id" };
    id.and_then(|id| id.as_str()?.parse().ok()).ok_or(Refused { is_mark: false, error: error.into() })
}

fn part(url: &str, reference_id: String, body: JsonObject) -> Subrequest {
    Subrequest { method: "POST", url: url.to_owned(), reference_id, body: Some(body) }
}

/// Builds the fields of a note. The content is base64 of UTF-8.
fn note_fields(title: Option<&str>, html: Option<&NoteHtml>) -> Result<JsonObject, Error> {
    let mut fields = JsonObject::new();
    if let Some(title) = title.map(str::trim) {
        if title.is_empty() || title.chars().count() > MAX_TITLE_CHARS {
            return Err(invalid("does not have a title of 1 to 255 characters"));
        }
        fields.insert("Title".to_owned(), json!(title));
    }
    if let Some(html) = html {
        if html.as_str().len() > MAX_HTML_BYTES {
            return Err(invalid("is longer than 1 MiB"));
        }
        let content = BASE64_STANDARD.encode(html.as_str());
        fields.insert("Content".to_owned(), Value::String(content));
    }
    Ok(fields)
}

fn invalid(reason: &'static str) -> Error {
    Error::Invalid { what: "note", reason }
}

#[cfg(test)]
mod tests;
