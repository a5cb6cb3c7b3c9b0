//! Enhanced notes: `ContentNote` and its links to records (Object Reference, ContentNote and ContentDocumentLink).

pub mod html;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

pub use html::NoteHtml;

use crate::composite::{CompositeRequest, MAX_SUBREQUESTS, Subrequest};
use crate::soql::{self, Condition, Soql};
use crate::transport::Request;
use crate::{Client, Error, FieldName, JsonObject, ObjectName, Record, RecordId, datetime};

/// The maximum number of records that a new note can be linked to.
pub const MAX_LINKS: usize = MAX_SUBREQUESTS - 1;

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

/// A note to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNote {
    /// 1 to [`MAX_TITLE_CHARS`] characters.
    pub title: String,
    /// The content.
    pub html: NoteHtml,
    /// The records to link it to, 1 to [`MAX_LINKS`].
    pub links: Vec<RecordId>,
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
}

impl Client {
    /// Creates a note and all its links, or nothing. Not idempotent: before a retry, search with [`Client::find_notes`].
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with the problems of the failed subrequest; [`Error::NoResponse`] if the outcome is unknown.
    pub async fn create_note(&self, note: &NewNote) -> Result<RecordId, Error> {
        const OPERATION: &str = "create the note";
        let responses = self.send_composite(&create_request(note)?).await?;
        if let Some(failure) = responses.iter().find_map(|part| part.failure(OPERATION)) {
            return Err(failure);
        }
        let id = responses.first().and_then(|note| note.body.get("id"));
        id.and_then(|id| id.as_str()?.parse().ok())
            .ok_or(Error::InvalidResponse { operation: OPERATION, what: "no note id" })
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

    /// Finds the notes with exactly this title that are linked to a record and were created since a time, oldest first.
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
        // Salesforce requires a filter by record or by note; the fields of the document can only be additional filters.
        let linked = soql::eq(&LINK_RECORD, linked_to)
            .and(soql::eq(&LINK_FILE_TYPE, "SNOTE"))
            .and(soql::ge(&LINK_CREATED, created_since));
        let rows = self.query_links(&[LINK_NOTE, LINK_TITLE, LINK_CREATED], linked).await?;
        let mut found: Vec<FoundNote> = rows.iter().filter_map(found_note).collect();
        found.retain(|note| note.title == title.trim());
        found.sort_by_key(|note| (note.created, note.id));
        Ok(found)
    }

    async fn linked_records(&self, note: &RecordId) -> Result<Vec<RecordId>, Error> {
        let rows = self.query_links(&[LINK_RECORD], soql::eq(&LINK_NOTE, note)).await?;
        let ids = rows.iter().filter_map(|row| row.text("LinkedEntityId"));
        Ok(ids.filter_map(|id| id.parse().ok()).collect())
    }

    /// Queries links, all pages.
    async fn query_links(&self, fields: &[FieldName], condition: Condition) -> Result<Vec<Record>, Error> {
        let soql = Soql::select(fields).from(&LINK).where_(condition);
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
    let mut requests = vec![part("sobjects/ContentNote", "note".to_owned(), fields)];
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
