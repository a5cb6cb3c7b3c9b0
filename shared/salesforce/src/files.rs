//! Files: a `ContentVersion` holds the bytes and belongs to a `ContentDocument`, which `ContentDocumentLink` links to records
//! (Object Reference, ContentVersion and ContentDocumentLink).
//!
//! A version is created by a request of its own, because the bytes are a part of a multipart request, which cannot be a part of a
//! composite request. So only the link to the first record is made together with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use http::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::collections::{SaveOutcome, outcomes};
use crate::notes::ShareType;
use crate::soql::{self, Literal, Soql};
use crate::transport::{FileContent, Request, Upload};
use crate::{Client, Error, FieldName, JsonObject, ObjectName, RecordId};

/// The maximum length of a title, in characters.
pub const MAX_TITLE_CHARS: usize = 255;

/// The maximum length of a description, in characters.
pub const MAX_DESCRIPTION_CHARS: usize = 1_000;

/// The maximum length of a path, in characters.
pub const MAX_PATH_CHARS: usize = 500;

/// The object of the versions of files.
pub const VERSION: ObjectName = ObjectName::from_static("ContentVersion");

const LINK: ObjectName = ObjectName::from_static("ContentDocumentLink");
const ACCESS: ObjectName = ObjectName::from_static("UserRecordAccess");
const DOCUMENT: FieldName = FieldName::from_static("ContentDocumentId");
const TITLE: FieldName = FieldName::from_static("Title");
const PATH: FieldName = FieldName::from_static("PathOnClient");
const SIZE: FieldName = FieldName::from_static("ContentSize");
const RECORD: FieldName = FieldName::from_static("LinkedEntityId");
const SHARE_TYPE: FieldName = FieldName::from_static("ShareType");
const LINK_CREATED: FieldName = FieldName::from_static("ContentDocument.CreatedDate");
const LINK_FILE_TYPE: FieldName = FieldName::from_static("ContentDocument.FileType");
const ACCESS_USER: FieldName = FieldName::from_static("UserId");
const ACCESS_RECORD: FieldName = FieldName::from_static("RecordId");
const HAS_READ_ACCESS: FieldName = FieldName::from_static("HasReadAccess");

/// The maximum number of files whose versions one query returns, so that it fits into a URL.
const MAX_FILE_IDS: usize = 200;

/// A file to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFile {
    /// 1 to [`MAX_TITLE_CHARS`] characters.
    pub title: String,
    /// The path of the file on the machine that it comes from, at most [`MAX_PATH_CHARS`] characters. Its extension decides the
    /// type of the file. Salesforce stores it when the version is created and never changes it.
    pub path: String,
    /// At most [`MAX_DESCRIPTION_CHARS`] characters.
    pub description: Option<String>,
    /// The record that the file is linked to at once.
    pub record: RecordId,
}

/// A version that [`Client::find_files`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundFile {
    /// The id of the version.
    pub version: RecordId,
    /// The id of the document.
    pub document: RecordId,
    /// The title.
    pub title: String,
    /// The path, as the creator of the version sent it.
    pub path: String,
    /// The number of bytes.
    pub size: u64,
}

/// A link of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileLink {
    /// The id of the link.
    pub id: RecordId,
    /// The linked record, or the owner.
    pub record: RecordId,
    /// `V`, `I` or `C`, as Salesforce has it.
    pub share_type: String,
}

impl Client {
    /// Creates a file that is linked to its record, and returns the id of its version. The bytes are sent as they are read. Not
    /// idempotent: before a retry, search with [`Client::find_files`].
    ///
    /// # Errors
    ///
    /// [`Error::Content`] if the bytes cannot be opened; [`Error::Rejected`] with Salesforce's reasons; [`Error::NoResponse`] if
    /// the outcome is unknown.
    pub async fn create_file(&self, file: &NewFile, content: Arc<dyn FileContent>) -> Result<RecordId, Error> {
        let fields = file_fields(file)?;
        let name = file.path.rsplit('/').next().unwrap_or_default();
        let upload = Upload::new(("entity_content", &fields), ("VersionData", name), content)?;
        let request = Request::upload("create the file", self.path(&format!("sobjects/{VERSION}")), upload);
        let response = self.send(&request).await?;
        let created: Created = response.json().inspect_err(|_| self.mark_lost_write())?;
        Ok(created.id)
    }

    /// Returns the document of a version.
    ///
    /// # Errors
    ///
    /// Those of any call.
    pub async fn document_of(&self, version: &RecordId) -> Result<RecordId, Error> {
        let path = self.path(&format!("sobjects/{VERSION}/{version}"));
        let response = self.send(&Request::get("read the file", path).with_query("fields", DOCUMENT.as_str())).await?;
        let record: JsonObject = response.json()?;
        let id = record.get(DOCUMENT.as_str()).and_then(|id| id.as_str()?.parse().ok());
        id.ok_or_else(|| response.invalid("no document id"))
    }

    /// Finds the versions of files that are linked to a record and were created since a time, notes excluded.
    ///
    /// # Errors
    ///
    /// Those of any call.
    pub async fn find_files(&self, linked_to: &RecordId, created_since: Timestamp) -> Result<Vec<FoundFile>, Error> {
        let linked = soql::eq(&RECORD, linked_to)
            .and(soql::ne(&LINK_FILE_TYPE, "SNOTE"))
            .and(soql::ge(&LINK_CREATED, created_since));
        let rows = self.query_pages(&LINK, &[DOCUMENT], linked).await?;
        let documents: Vec<RecordId> =
            rows.iter().filter_map(|row| row.text(DOCUMENT.as_str())?.parse().ok()).collect();
        let mut found = Vec::new();
        for ids in documents.chunks(MAX_FILE_IDS) {
            let of_documents = soql::in_(&DOCUMENT, ids.iter().map(Literal::from));
            let rows = self.query_pages(&VERSION, &[DOCUMENT, TITLE, PATH, SIZE], of_documents).await?;
            found.extend(rows.iter().filter_map(|row| {
                Some(FoundFile {
                    version: row.id,
                    document: row.text(DOCUMENT.as_str())?.parse().ok()?,
                    title: row.text(TITLE.as_str())?.to_owned(),
                    path: row.text(PATH.as_str()).unwrap_or_default().to_owned(),
                    size: row.fields.get(SIZE.as_str()).and_then(Value::as_u64).unwrap_or_default(),
                })
            }));
        }
        Ok(found)
    }

    /// Returns the links of a file that the user sees.
    ///
    /// # Errors
    ///
    /// Those of any call.
    pub async fn file_links(&self, document: &RecordId) -> Result<Vec<FileLink>, Error> {
        let rows = self.query_pages(&LINK, &[RECORD, SHARE_TYPE], soql::eq(&DOCUMENT, document)).await?;
        let links = rows.iter().filter_map(|row| {
            let share_type = row.text(SHARE_TYPE.as_str()).unwrap_or_default().to_owned();
            Some(FileLink { id: row.id, record: row.text(RECORD.as_str())?.parse().ok()?, share_type })
        });
        Ok(links.collect())
    }

    /// Links a file to up to 200 records, in one call. The outcomes are in the order of `records`. A link that exists is the
    /// outcome `DUPLICATE_VALUE`, so that a repeated call does no harm.
    ///
    /// # Errors
    ///
    /// Those of any call. A refused link is an outcome.
    pub async fn link_file(
        &self,
        document: &RecordId,
        records: &[RecordId],
        share_type: ShareType,
    ) -> Result<Vec<SaveOutcome>, Error> {
        let row = |record: &RecordId| {
            json!({"attributes": {"type": LINK}, "ContentDocumentId": document, "LinkedEntityId": record,
                "ShareType": share_type.code(), "Visibility": "InternalUsers"})
        };
        let rows: Vec<Value> = records.iter().map(row).collect();
        self.save_links(Method::POST, &rows).await
    }

    /// Changes the access that up to 200 links give, in one call. The outcomes are in the order of `links`.
    ///
    /// # Errors
    ///
    /// Those of any call. A refused change is an outcome.
    pub async fn change_links(&self, links: &[RecordId], share_type: ShareType) -> Result<Vec<SaveOutcome>, Error> {
        let row = |id: &RecordId| json!({"attributes": {"type": LINK}, "Id": id, "ShareType": share_type.code()});
        let rows: Vec<Value> = links.iter().map(row).collect();
        self.save_links(Method::PATCH, &rows).await
    }

    async fn save_links(&self, method: Method, rows: &[Value]) -> Result<Vec<SaveOutcome>, Error> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let body = json!({"allOrNone": false, "records": rows});
        let request = Request::send("link the file", method, self.path("composite/sobjects"), &body)?;
        outcomes(&self.send(&request).await?, rows.len())
    }

    /// Returns those of up to 200 records that do not exist, or that the user may not read.
    ///
    /// # Errors
    ///
    /// Those of any call.
    pub async fn unreadable_records(&self, user: &RecordId, records: &[RecordId]) -> Result<BTreeSet<RecordId>, Error> {
        let of_user = soql::eq(&ACCESS_USER, user).and(soql::in_(&ACCESS_RECORD, records.iter().map(Literal::from)));
        let soql = Soql::select(&[ACCESS_RECORD, HAS_READ_ACCESS]).from(&ACCESS).where_(of_user);
        let request = Request::get("check access to records", self.path("query")).with_query("q", soql.to_string());
        // The rows have no id, so they are no records.
        let rows: AccessRows = self.send(&request).await?.json()?;
        let readable: BTreeMap<RecordId, bool> =
            rows.records.into_iter().map(|row| (row.record, row.has_read_access)).collect();
        Ok(records.iter().filter(|record| !readable.get(record).is_some_and(|readable| *readable)).copied().collect())
    }
}

#[derive(Deserialize)]
struct Created {
    id: RecordId,
}

#[derive(Deserialize)]
struct AccessRows {
    records: Vec<AccessRow>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AccessRow {
    #[serde(rename = "RecordId")]
    record: RecordId,
    has_read_access: bool,
}

/// Returns the fields of a version, without its bytes.
fn file_fields(file: &NewFile) -> Result<JsonObject, Error> {
    let invalid = |reason| Err(Error::Invalid { what: "file", reason });
    if file.title.trim().is_empty() || file.title.chars().count() > MAX_TITLE_CHARS {
        return invalid("does not have a title of 1 to 255 characters");
    }
    if file.path.is_empty() || file.path.chars().count() > MAX_PATH_CHARS {
        return invalid("does not have a path of 1 to 500 characters");
    }
    let mut fields = JsonObject::new();
    fields.insert("Title".to_owned(), json!(file.title));
    fields.insert("PathOnClient".to_owned(), json!(file.path));
    if let Some(description) = &file.description {
        fields.insert("Description".to_owned(), json!(description));
    }
    fields.insert("FirstPublishLocationId".to_owned(), json!(file.record));
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(title: &str, path: &str) -> NewFile {
        let record = "006000000000001".parse().unwrap();
        NewFile { title: title.to_owned(), path: path.to_owned(), description: None, record }
    }

    #[test]
    fn a_file_names_its_record_and_its_path() {
        let described = NewFile { description: Some("Q3".to_owned()), ..file("Deck", "Ferry write 1/deck.pdf") };
        let expected = json!({"Title": "Deck", "PathOnClient": "Ferry write 1/deck.pdf", "Description": "Q3",
            "FirstPublishLocationId": described.record});
        assert_eq!(Value::Object(file_fields(&described).unwrap()), expected);
        assert!(!file_fields(&file("Deck", "deck.pdf")).unwrap().contains_key("Description"));
    }

    #[test]
    fn an_invalid_file_is_not_sent() {
        assert!(file_fields(&file(&"ü".repeat(255), &"ü".repeat(500))).is_ok());
        for (title, path) in [(" ", "a"), (&*"ü".repeat(256), "a"), ("a", ""), ("a", &*"ü".repeat(501))] {
            assert!(file_fields(&file(title, path)).is_err(), "{title} {path}");
        }
    }
}
