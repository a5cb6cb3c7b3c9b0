//! Reads of one note.

use super::{DOCUMENT, LINK, LINK_NOTE, LINK_RECORD, NOTE, Note, VERSION};
use crate::soql::{self, Soql};
use crate::transport::Request;
use crate::{Client, Error, FieldName, Record, RecordId, datetime};

const IS_DELETED: FieldName = FieldName::from_static("IsDeleted");

/// The reason for which a note cannot be read or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// The org has no enhanced notes, or hides them from the user.
    NotesDisabled,
    /// The note was deleted, and is in the recycle bin.
    Deleted,
    /// There is no such note, or it is not shared with the user. Salesforce does not distinguish the two.
    NotVisible,
}

impl Client {
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

    async fn linked_records(&self, note: &RecordId) -> Result<Vec<RecordId>, Error> {
        let rows = self.query_pages(&LINK, &[LINK_RECORD], soql::eq(&LINK_NOTE, note)).await?;
        let ids = rows.iter().filter_map(|row| row.text("LinkedEntityId"));
        Ok(ids.filter_map(|id| id.parse().ok()).collect())
    }

    /// Returns the reason for which the user does not find a note; `None` if the user finds it now. Asks Salesforce about each
    /// reason, because one response of 404 proves none.
    ///
    /// # Errors
    ///
    /// Those of any call.
    pub async fn note_absence(&self, id: &RecordId) -> Result<Option<Absence>, Error> {
        if self.find_object(&NOTE).await?.is_none() {
            return Ok(Some(Absence::NotesDisabled));
        }
        let document = Soql::select(&[IS_DELETED]).from(&DOCUMENT).where_(soql::eq(&FieldName::ID, id));
        let found = self.query_all(&document).await?;
        Ok(match found.records.first().map(|found| found.fields.get("IsDeleted") == Some(&true.into())) {
            Some(false) => None,
            Some(true) => Some(Absence::Deleted),
            None => Some(Absence::NotVisible),
        })
    }

    /// Fetches the content of one version of a note; `None` if the note has no such version or is not visible to the user.
    ///
    /// # Errors
    ///
    /// Those of any call.
    pub async fn fetch_note_version(&self, note: &RecordId, version: &RecordId) -> Result<Option<String>, Error> {
        let is_this = soql::eq(&FieldName::ID, version).and(soql::eq(&LINK_NOTE, note));
        let found = self.query(&Soql::select(&[FieldName::ID]).from(&VERSION).where_(is_this)).await?;
        if found.records.is_empty() {
            return Ok(None);
        }
        let path = self.path(&format!("sobjects/ContentVersion/{version}/VersionData"));
        let content = self.send(&Request::get("fetch the content of the version", path)).await?;
        Ok(Some(String::from_utf8_lossy(&content.body).into_owned()))
    }
}
