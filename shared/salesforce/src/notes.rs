//! Enhanced notes: a `ContentNote` and its links to records (Object Reference, ContentNote and ContentDocumentLink).

mod html;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

pub use html::NoteHtml;

use crate::composite::{CompositeRequest, MAX_SUBREQUESTS, Subrequest};
use crate::rest::is_gone;
use crate::soql::{self, Condition, Soql};
use crate::transport::Request;
use crate::{Client, Error, FieldName, JsonObject, ObjectName, Record, RecordId, datetime};

/// How many records one note can be linked to when it is written.
pub const MAX_LINKS: usize = MAX_SUBREQUESTS - 1;

/// The longest title, in characters.
pub const MAX_TITLE_CHARS: usize = 255;

/// The longest text, in bytes; Salesforce's own limit is higher, but the note would not be fit to read.
pub const MAX_HTML_BYTES: usize = 1024 * 1024;

const LINK: ObjectName = ObjectName::from_static("ContentDocumentLink");
const LINK_NOTE: FieldName = FieldName::from_static("ContentDocumentId");
const LINK_RECORD: FieldName = FieldName::from_static("LinkedEntityId");
const LINK_TITLE: FieldName = FieldName::from_static("ContentDocument.Title");
const LINK_CREATED: FieldName = FieldName::from_static("ContentDocument.CreatedDate");
const LINK_FILE_TYPE: FieldName = FieldName::from_static("ContentDocument.FileType");

/// A note to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNote {
    /// 1 to [`MAX_TITLE_CHARS`] characters.
    pub title: String,
    /// The text.
    pub html: NoteHtml,
    /// The records that shall show it, 1 to [`MAX_LINKS`].
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
    /// What it is linked to: records, and its owner (a user).
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
    /// [`Error::Rejected`] with the problem of the part that failed; [`Error::NoResponse`] when it may have been written.
    pub async fn create_note(&self, note: &NewNote) -> Result<RecordId, Error> {
        const OPERATION: &str = "create note";
        let answers = self.send_composite(&creation(note)?).await?;
        if let Some(failure) = answers.iter().find_map(|part| part.failure(OPERATION)) {
            return Err(failure);
        }
        let id = answers.first().and_then(|note| note.body.get("id"));
        id.and_then(|id| id.as_str()?.parse().ok())
            .ok_or(Error::InvalidResponse { operation: OPERATION, what: "a note without an id" })
    }

    /// A note with its text and links, or `None` when there is none that the user may see.
    ///
    /// # Errors
    ///
    /// Those of any call.
    pub async fn fetch_note(&self, id: &RecordId) -> Result<Option<Note>, Error> {
        let path = self.note(id);
        let request = Request::get("fetch note", path.clone()).with_query("fields", "Title,LastModifiedDate");
        let answer = match self.send(&request).await {
            Err(error) if is_gone(&error) => return Ok(None),
            answer => answer?,
        };
        let bad = || answer.invalid("not a note");
        let record = Record::from_json(answer.json()?).ok_or_else(bad)?;
        let modified = record.text("LastModifiedDate").ok_or_else(bad)?;
        // `Content` in the JSON of a note is only the path of this.
        let content = Request::get("fetch note text", format!("{path}/Content"));
        let content = self.send(&content).await?;
        Ok(Some(Note {
            id: record.id,
            title: record.text("Title").unwrap_or_default().to_owned(),
            html: String::from_utf8_lossy(&content.body).into_owned(),
            links: self.links_of(id).await?,
            last_modified: datetime::parse(modified).map_err(|_| bad())?,
        }))
    }

    /// Changes a note's title or text; Salesforce keeps the earlier version.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with `NOT_FOUND` when there is no such note.
    pub async fn update_note(&self, id: &RecordId, update: &NoteUpdate) -> Result<(), Error> {
        let fields = note_fields(update.title.as_deref(), update.html.as_ref())?;
        if fields.is_empty() {
            return Err(invalid("is not changed at all"));
        }
        let request = Request::send("update note", Method::PATCH, self.note(id), &fields)?;
        self.send(&request).await.map(drop)
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
        // Links can be queried only by record or by note, and by the document's fields only besides that.
        let linked = soql::eq(&LINK_RECORD, linked_to)
            .and(soql::eq(&LINK_FILE_TYPE, "SNOTE"))
            .and(soql::ge(&LINK_CREATED, created_since));
        let rows = self.links(&[LINK_NOTE, LINK_TITLE, LINK_CREATED], linked).await?;
        let mut found: Vec<FoundNote> = rows.iter().filter_map(found_note).collect();
        found.retain(|note| note.title == title.trim());
        found.sort_by_key(|note| (note.created, note.id));
        Ok(found)
    }

    async fn links_of(&self, note: &RecordId) -> Result<Vec<RecordId>, Error> {
        let rows = self.links(&[LINK_RECORD], soql::eq(&LINK_NOTE, note)).await?;
        let ids = rows.iter().filter_map(|row| row.text("LinkedEntityId"));
        Ok(ids.filter_map(|id| id.parse().ok()).collect())
    }

    /// All rows of a query of links.
    async fn links(&self, fields: &[FieldName], linked: Condition) -> Result<Vec<Record>, Error> {
        let soql = Soql::select(fields).from(&LINK).where_(linked);
        let mut page = self.query(&soql).await?;
        let mut rows = page.records;
        while let Some(next) = page.next {
            page = self.query_more(&next).await?;
            rows.append(&mut page.records);
        }
        Ok(rows)
    }

    fn note(&self, id: &RecordId) -> String {
        self.path(&format!("sobjects/ContentNote/{id}"))
    }
}

/// The note and its links as one request that succeeds or fails as a whole.
fn creation(note: &NewNote) -> Result<CompositeRequest, Error> {
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

/// Title and content as Salesforce takes them: the content is base64 of UTF-8.
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
            return Err(invalid("is longer than a note may be"));
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
        let request = creation(&note(" Call ", 1)).unwrap();
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
    fn a_link_given_twice_is_made_once() {
        let mut note = note("Call", 2);
        note.links.extend(note.links.clone());
        assert_eq!(creation(&note).unwrap().requests.len(), 3);
    }

    #[test]
    fn what_salesforce_would_refuse_is_not_sent() {
        assert!(creation(&note("Call", 24)).is_ok());
        assert!(creation(&note("Call", 25)).is_err());
        assert!(creation(&note("Call", 0)).is_err());
        assert!(creation(&note(" ", 1)).is_err());
        assert!(creation(&note(&"ü".repeat(255), 1)).is_ok());
        assert!(creation(&note(&"ü".repeat(256), 1)).is_err());
    }
}
