//! Enhanced notes: `ContentNote` and its links to records (Object Reference, ContentNote and ContentDocumentLink).

pub mod html;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};
use tracing::warn;

pub use html::NoteHtml;

use crate::composite::{CompositeRequest, CompositeResponse, MAX_SUBREQUESTS, Subrequest};
use crate::soql::{self, Condition, Literal, Soql};
use crate::transport::Request;
use crate::{Classify, Client, Error, FieldName, JsonObject, ObjectName, Record, RecordId, Retry, datetime};

/// The maximum number of records that a new note can be linked to.
pub const MAX_LINKS: usize = MAX_SUBREQUESTS - 1;

/// The maximum number of links of a new note that gets a mark: the mark needs two subrequests.
pub const MAX_MARKED_LINKS: usize = MAX_LINKS - 2;

/// The maximum length of a title, in characters.
pub const MAX_TITLE_CHARS: usize = 255;

/// The maximum length of the HTML, in bytes. Salesforce's limit is higher, but such a note could not be read.
pub const MAX_HTML_BYTES: usize = 1024 * 1024;

const NOTE: ObjectName = ObjectName::from_static("ContentNote");
const LINK: ObjectName = ObjectName::from_static("ContentDocumentLink");
const LINK_NOTE: FieldName = FieldName::from_static("ContentDocumentId");
const LINK_RECORD: FieldName = FieldName::from_static("LinkedEntityId");
const LINK_TITLE: FieldName = FieldName::from_static("ContentDocument.Title");
const LINK_CREATED: FieldName = FieldName::from_static("ContentDocument.CreatedDate");
const LINK_FILE_TYPE: FieldName = FieldName::from_static("ContentDocument.FileType");

const VERSION: ObjectName = ObjectName::from_static("ContentVersion");
const VERSION_MARK: FieldName = FieldName::from_static("Description");

/// The maximum number of notes whose marks one query returns, so that it fits into a URL.
const MAX_MARK_IDS: usize = 200;

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
    /// The records to link it to, 1 to [`MAX_LINKS`].
    pub links: Vec<RecordId>,
    /// A text of at most 1,000 characters by which [`Client::find_notes`] recognizes the note, whatever becomes of its title
    /// and content. It is the `Description` of the note's first version, which Salesforce shows in the details of a file. A note
    /// with more than [`MAX_MARKED_LINKS`] links gets none, nor does one in an org that refuses it.
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

/// A note that [`Client::find_notes`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundNote {
    /// The id.
    pub id: RecordId,
    /// The title.
    pub title: String,
    /// The time of creation.
    pub created: Timestamp,
    /// The marks of its versions: each `Description` that is not empty.
    pub marks: Vec<String>,
}

impl Client {
    /// Creates a note and all its links, or nothing. Not idempotent: before a retry, search with [`Client::find_notes`].
    ///
    /// If Salesforce refuses only the mark, nothing was saved, and the note is created without it.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with the problems of the failed subrequest; [`Error::NoResponse`] if the outcome is unknown.
    pub async fn create_note(&self, note: &NewNote) -> Result<RecordId, Error> {
        let request = create_request(note)?;
        match created_note(&self.send_composite(&request).await?) {
            Err(Refused { is_mark: true, error }) => {
                warn!("could not mark a note, so it is created without a mark: {error}");
                let unmarked = create_request(&NewNote { mark: None, ..note.clone() })?;
                created_note(&self.send_composite(&unmarked).await?).map_err(|refused| refused.error)
            }
            created => created.map_err(|refused| refused.error),
        }
    }

    /// Fetches a note with its content and links; `None` if it does not exist or is not visible to the user.
    ///
    /// # Errors
    ///
    /// Those of any call.
    pub async fn fetch_note(&self, id: &RecordId) -> Result<Option<Note>, Error> {
        let path = self.note_path(id);
        let request = Request::get("fetch the note", path.clone()).with_query("fields", "Title,LastModifiedDate");
        let response = match self.send(&request).await {
            Err(error) if error.is_deleted() => return Ok(None),
            Err(error) if error.is_not_found() && !self.record_exists(&NOTE, id).await? => return Ok(None),
            response => response?,
        };
        let invalid = || response.invalid("not a note");
        let record = Record::from_json(response.json()?).ok_or_else(invalid)?;
        let modified = record.text("LastModifiedDate").ok_or_else(invalid)?;
        // `Content` in the JSON is only the path of this resource.
        let content = Request::get("fetch the content of the note", format!("{path}/Content"));
        let content = self.send(&content).await?;
        Ok(Some(Note {
            id: record.id,
            title: record.text("Title").unwrap_or_default().to_owned(),
            html: String::from_utf8_lossy(&content.body).into_owned(),
            links: self.linked_records(id).await?,
            last_modified: datetime::parse(modified).map_err(|_| invalid())?,
        }))
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

    /// Finds the notes that are linked to a record and were created since a time, oldest first, with their marks.
    ///
    /// # Errors
    ///
    /// Those of any call.
    pub async fn find_notes(&self, linked_to: &RecordId, created_since: Timestamp) -> Result<Vec<FoundNote>, Error> {
        // Salesforce requires a filter by record or by note; the fields of the document can only be additional filters.
        let linked = soql::eq(&LINK_RECORD, linked_to)
            .and(soql::eq(&LINK_FILE_TYPE, "SNOTE"))
            .and(soql::ge(&LINK_CREATED, created_since));
        let rows = self.query_pages(&LINK, &[LINK_NOTE, LINK_TITLE, LINK_CREATED], linked).await?;
        let mut found: Vec<FoundNote> = rows.iter().filter_map(found_note).collect();
        found.sort_by_key(|note| (note.created, note.id));
        self.add_marks(&mut found).await?;
        Ok(found)
    }

    /// Queries the marks of the notes. Salesforce finds each version that the user can see only by the id of its document. To a
    /// user from whom the field is hidden, the notes have no marks.
    async fn add_marks(&self, notes: &mut [FoundNote]) -> Result<(), Error> {
        for notes in notes.chunks_mut(MAX_MARK_IDS) {
            let ids: Vec<Literal> = notes.iter().map(|note| Literal::from(&note.id)).collect();
            let of_notes = soql::in_(&LINK_NOTE, ids);
            let versions = match self.query_pages(&VERSION, &[LINK_NOTE, VERSION_MARK], of_notes).await {
                Err(error) if error.has_code("INVALID_FIELD") || error.has_code("INVALID_TYPE") => {
                    return if self.shows_marks().await? { Err(error.contradicted()) } else { Ok(()) };
                }
                versions => versions?,
            };
            for version in versions {
                let note = version.text(LINK_NOTE.as_str()).and_then(|id| id.parse::<RecordId>().ok());
                let note = notes.iter_mut().find(|found| Some(found.id) == note);
                if let Some((note, mark)) = note.zip(version.text(VERSION_MARK.as_str())) {
                    note.marks.push(mark.to_owned());
                }
            }
        }
        Ok(())
    }

    /// Returns whether the user may read the marks.
    async fn shows_marks(&self) -> Result<bool, Error> {
        let versions = self.find_object(&VERSION).await?;
        Ok(versions.is_some_and(|versions| versions.readable_fields().contains(&VERSION_MARK)))
    }

    async fn linked_records(&self, note: &RecordId) -> Result<Vec<RecordId>, Error> {
        let rows = self.query_pages(&LINK, &[LINK_RECORD], soql::eq(&LINK_NOTE, note)).await?;
        let ids = rows.iter().filter_map(|row| row.text("LinkedEntityId"));
        Ok(ids.filter_map(|id| id.parse().ok()).collect())
    }

    /// Queries records, page by page.
    pub(crate) async fn query_pages(
        &self,
        object: &ObjectName,
        fields: &[FieldName],
        condition: Condition,
    ) -> Result<Vec<Record>, Error> {
        let soql = Soql::select(fields).from(object).where_(condition);
        let mut page = self.query(&soql).await?;
        let mut rows = page.records;
        while let Some(next) = page.next {
            page = self.query_more(&next).await?;
            rows.append(&mut page.records);
        }
        Ok(rows)
    }

    fn note_path(&self, id: &RecordId) -> String {
        self.path(&format!("sobjects/ContentNote/{id}"))
    }
}

/// Builds the request for a note and its links, which succeeds or fails as a whole.
fn create_request(note: &NewNote) -> Result<CompositeRequest, Error> {
    let mut links = note.links.clone();
    links.sort_unstable();
    links.dedup();
    if links.is_empty() || links.len() > MAX_LINKS {
        return Err(invalid("is not linked to 1 to 24 records"));
    }
    let fields = note_fields(Some(&note.title), Some(&note.html))?;
    let mut requests = vec![part("sobjects/ContentNote", NOTE_PART.to_owned(), fields)];
    if let Some(mark) = note.mark.as_ref().filter(|_| links.len() <= MAX_MARKED_LINKS) {
        requests.extend(mark_parts(mark));
    }
    for (number, record) in links.iter().enumerate() {
        let mut link = JsonObject::new();
        link.insert("ContentDocumentId".to_owned(), json!("@{note.id}"));
        link.insert("LinkedEntityId".to_owned(), json!(record));
        link.insert("ShareType".to_owned(), json!("V"));
        link.insert("Visibility".to_owned(), json!("InternalUsers"));
        let name = format!("link_{number}");
        requests.push(part("sobjects/ContentDocumentLink", name, link));
    }
    Ok(CompositeRequest { all_or_none: true, requests })
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
    error: Error,
}

const CREATE: &str = "create the note";

/// Returns the id of the created note, or the refusal.
fn created_note(responses: &[CompositeResponse]) -> Result<RecordId, Refused> {
    if let Some((part, error)) = responses.iter().find_map(|part| Some((part, part.failure(CREATE)?))) {
        let is_mark_part = [VERSION_PART, MARK_PART].contains(&part.reference_id.as_str());
        let is_refusal = part.status < 500 && (error.retry() == Retry::Never || error.is_not_found());
        return Err(Refused { is_mark: is_mark_part && is_refusal, error });
    }
    let id = responses.first().and_then(|note| note.body.get("id"));
    let error = Error::InvalidResponse { operation: CREATE, what: "no note id" };
    id.and_then(|id| id.as_str()?.parse().ok()).ok_or(Refused { is_mark: false, error })
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

fn found_note(link: &Record) -> Option<FoundNote> {
    let document = link.fields.get("ContentDocument")?;
    Some(FoundNote {
        id: link.text("ContentDocumentId")?.parse().ok()?,
        title: document.get("Title")?.as_str()?.to_owned(),
        created: datetime::parse(document.get("CreatedDate")?.as_str()?).ok()?,
        marks: Vec::new(),
    })
}

fn invalid(reason: &'static str) -> Error {
    Error::Invalid { what: "note", reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(title: &str, links: usize) -> NewNote {
        let link = |n: usize| format!("0065e0000{n:06}").parse().unwrap();
        NewNote {
            title: title.to_owned(),
            html: NoteHtml::from_text("Line 1\nLine & 2"),
            links: (0..links).map(link).collect(),
            mark: None,
        }
    }

    #[test]
    fn a_note_and_its_links_are_one_request() {
        let request = create_request(&note(" Call ", 1)).unwrap();
        let expected = json!({"allOrNone": true, "compositeRequest": [
            {"method": "POST", "url": "sobjects/ContentNote", "referenceId": "note",
             "body": {"Title": "Call", "Content": BASE64_STANDARD.encode("Line 1<br>Line &amp; 2")}},
            {"method": "POST", "url": "sobjects/ContentDocumentLink", "referenceId": "link_0",
             "body": {"ContentDocumentId": "@{note.id}", "LinkedEntityId": "0065e0000000000AAA",
                      "ShareType": "V", "Visibility": "InternalUsers"}},
        ]});
        assert_eq!(serde_json::to_value(&request).unwrap(), expected);
    }

    #[test]
    fn a_mark_is_set_on_the_first_version_in_the_same_request() {
        let marked = |links: usize| NewNote { mark: Some("Ferry write 1".to_owned()), ..note("Call", links) };
        let parts = serde_json::to_value(create_request(&marked(22)).unwrap()).unwrap()["compositeRequest"].clone();
        let expected = json!([
            {"method": "GET", "url": "sobjects/ContentNote/@{note.id}?fields=LatestPublishedVersionId", "referenceId": "version"},
            {"method": "PATCH", "url": "sobjects/ContentVersion/@{version.LatestPublishedVersionId}", "referenceId": "mark",
             "body": {"Description": "Ferry write 1"}},
        ]);
        assert_eq!(parts.as_array().unwrap()[1..3], *expected.as_array().unwrap());
        assert_eq!(parts.as_array().unwrap().len(), MAX_SUBREQUESTS);
        assert_eq!(create_request(&marked(23)).unwrap().requests.len(), 24, "without a mark");
    }

    /// A part whose body is a page.
    fn odd_part(reference: &str) -> CompositeResponse {
        CompositeResponse { reference_id: reference.to_owned(), status: 404, body: json!("<html></html>") }
    }

    #[test]
    fn only_a_refusal_of_the_mark_itself_drops_it() {
        let responses = |part: &str, code: &str| {
            let response = |reference: &str| {
                let code = if reference == part { code } else { "PROCESSING_HALTED" };
                CompositeResponse {
                    reference_id: reference.to_owned(),
                    status: 400,
                    body: json!([{"errorCode": code, "message": ""}]),
                }
            };
            ["note", "version", "mark", "link_0"].map(response)
        };
        let is_mark = |part, code| created_note(&responses(part, code)).is_err_and(|refused| refused.is_mark);
        assert!(is_mark("mark", "INSUFFICIENT_ACCESS_OR_READONLY"));
        assert!(is_mark("version", "NOT_FOUND"));
        assert!(!is_mark("mark", "UNABLE_TO_LOCK_ROW"));
        assert!(!is_mark("mark", "ENTITY_IS_LOCKED"));
        let page = |status| CompositeResponse { status, ..odd_part("mark") };
        for status in [403, 404, 500, 503] {
            assert!(created_note(&[page(status)]).is_err_and(|refused| !refused.is_mark), "{status}");
        }
        assert!(!is_mark("note", "REQUIRED_FIELD_MISSING"));
        assert!(!is_mark("link_0", "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"));
    }

    #[test]
    fn a_duplicate_link_is_created_once() {
        let mut note = note("Call", 2);
        note.links.extend(note.links.clone());
        assert_eq!(create_request(&note).unwrap().requests.len(), 3);
    }

    #[test]
    fn an_invalid_note_is_not_sent() {
        assert!(create_request(&note("Call", 24)).is_ok());
        assert!(create_request(&note("Call", 25)).is_err());
        assert!(create_request(&note("Call", 0)).is_err());
        assert!(create_request(&note(" ", 1)).is_err());
        assert!(create_request(&note(&"ü".repeat(255), 1)).is_ok());
        assert!(create_request(&note(&"ü".repeat(256), 1)).is_err());
    }
}
