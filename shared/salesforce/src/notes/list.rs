//! The notes of a record, and the versions of a note.

use jiff::Timestamp;
use serde::Serialize;

use super::{LINK, LINK_NOTE, LINK_RECORD, NOTE, ShareType, VERSION};
use crate::query::Page;
use crate::soql::{self, Literal, Soql};
use crate::{Client, Error, FieldName, ObjectName, Record, RecordId, datetime};

const CLASSIC: ObjectName = ObjectName::from_static("Note");
const PARENT: FieldName = FieldName::from_static("ParentId");
const MODIFIED: FieldName = FieldName::from_static("LastModifiedDate");
const LINK_FILE_TYPE: FieldName = FieldName::from_static("ContentDocument.FileType");
const LINK_MODIFIED: FieldName = FieldName::from_static("ContentDocument.LastModifiedDate");
const VERSION_NUMBER: FieldName = FieldName::from_static("VersionNumber");

/// The kind of a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoteKind {
    /// An enhanced note (`ContentNote`).
    Enhanced,
    /// A note as Salesforce had them before (`Note`), of one record.
    Classic,
}

/// A note in the list of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedNote {
    /// The kind.
    pub kind: NoteKind,
    /// The id.
    pub id: RecordId,
    /// The title.
    pub title: String,
    /// The beginning of its text, as Salesforce has it.
    pub preview: Option<String>,
    /// The time of the last change.
    pub last_modified: Option<Timestamp>,
    /// The owner.
    pub owner: Option<RecordId>,
    /// The owner's name.
    pub owner_name: Option<String>,
    /// The access that the link to the record gives; of an enhanced note.
    pub share_type: Option<ShareType>,
    /// The latest version; of an enhanced note.
    pub version: Option<RecordId>,
}

/// A version of a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteVersion {
    /// The id.
    pub id: RecordId,
    /// The number, from 1.
    pub number: Option<u32>,
    /// The time at which it was saved.
    pub modified: Option<Timestamp>,
    /// The user who saved it.
    pub by: Option<RecordId>,
    /// That user's name.
    pub by_name: Option<String>,
    /// The size of the content in bytes.
    pub bytes: Option<u64>,
    /// It is the latest one.
    pub is_latest: bool,
}

impl Client {
    /// Returns the notes of a record of each kind, the latest first, at most `limit` of each, and whether there are more. Costs
    /// two calls, or one if the record has no enhanced notes. The user sees the notes that are shared with that user.
    ///
    /// # Errors
    ///
    /// Those of any call. A kind that the org does not have, or hides from the user, has no notes.
    pub async fn list_notes(&self, record: &RecordId, limit: u32) -> Result<(Vec<ListedNote>, bool), Error> {
        let names = |names: &[&'static str]| names.iter().map(|name| FieldName::from_static(name)).collect::<Vec<_>>();
        let documents = names(&[
            "ContentDocumentId",
            "ShareType",
            "ContentDocument.Title",
            "ContentDocument.LastModifiedDate",
            "ContentDocument.OwnerId",
            "ContentDocument.Owner.Name",
            "ContentDocument.LatestPublishedVersionId",
        ]);
        let enhanced = soql::eq(&LINK_RECORD, record).and(soql::eq(&LINK_FILE_TYPE, "SNOTE"));
        let enhanced = Soql::select(&documents).from(&LINK).where_(enhanced);
        let notes = names(&["Id", "Title", "Body", "LastModifiedDate", "OwnerId", "Owner.Name"]);
        let classic = Soql::select(&notes).from(&CLASSIC).where_(soql::eq(&PARENT, record));
        let queries = [
            enhanced.order_by_descending(&LINK_MODIFIED).limit(limit + 1),
            classic.order_by_descending(&MODIFIED).limit(limit + 1),
        ];
        let (mut listed, mut has_more) = (Vec::new(), false);
        for (page, read) in self.query_several(&queries).await?.into_iter().zip([enhanced_note, classic_note]) {
            let rows = rows_or_hidden(page)?;
            has_more |= rows.len() > usize::try_from(limit).unwrap_or(usize::MAX);
            listed.extend(rows.iter().take(usize::try_from(limit).unwrap_or(usize::MAX)).filter_map(read));
        }
        self.add_previews(&mut listed).await?;
        listed.sort_by_key(|note| std::cmp::Reverse((note.last_modified, note.id)));
        Ok((listed, has_more))
    }

    async fn add_previews(&self, notes: &mut [ListedNote]) -> Result<(), Error> {
        const PREVIEW: FieldName = FieldName::from_static("TextPreview");
        let enhanced = notes.iter().filter(|note| note.kind == NoteKind::Enhanced);
        let ids: Vec<Literal> = enhanced.map(|note| Literal::from(&note.id)).collect();
        if ids.is_empty() {
            return Ok(());
        }
        for found in self.query_pages(&NOTE, &[FieldName::ID, PREVIEW], soql::in_(&FieldName::ID, ids)).await? {
            if let Some(note) = notes.iter_mut().find(|note| note.id == found.id) {
                note.preview = found.text(PREVIEW.as_str()).map(str::to_owned);
            }
        }
        Ok(())
    }

    /// Returns the versions of a note, the latest first, at most `limit`; none if the note is not visible to the user.
    ///
    /// # Errors
    ///
    /// Those of any call.
    pub async fn note_versions(&self, note: &RecordId, limit: u32) -> Result<Vec<NoteVersion>, Error> {
        let fields = ["Id", "VersionNumber", "CreatedDate", "CreatedById", "CreatedBy.Name", "ContentSize", "IsLatest"];
        let fields: Vec<FieldName> = fields.into_iter().map(FieldName::from_static).collect();
        let versions = Soql::select(&fields).from(&VERSION).where_(soql::eq(&LINK_NOTE, note));
        // `VersionNumber` is a text, in which 10 comes before 9.
        let page =
            self.query(&versions.order_by_descending(&FieldName::from_static("CreatedDate")).limit(limit)).await?;
        let mut versions: Vec<NoteVersion> = page.records.iter().map(version).collect();
        versions.sort_by_key(|version| std::cmp::Reverse(version.number));
        Ok(versions)
    }
}

/// Returns the rows; none if the object or a field of it does not exist or is hidden.
fn rows_or_hidden(page: Result<Page, Error>) -> Result<Vec<Record>, Error> {
    match page {
        Err(error) if error.has_code("INVALID_TYPE") || error.has_code("INVALID_FIELD") => Ok(Vec::new()),
        page => page.map(|page| page.records),
    }
}

fn enhanced_note(link: &Record) -> Option<ListedNote> {
    let document = link.fields.get("ContentDocument")?;
    let text = |name: &str| document.get(name).and_then(|value| value.as_str());
    Some(ListedNote {
        kind: NoteKind::Enhanced,
        id: link.text("ContentDocumentId")?.parse().ok()?,
        title: text("Title").unwrap_or_default().to_owned(),
        preview: None,
        last_modified: text("LastModifiedDate").and_then(|time| datetime::parse(time).ok()),
        owner: text("OwnerId").and_then(|id| id.parse().ok()),
        owner_name: document.pointer("/Owner/Name").and_then(|name| name.as_str()).map(str::to_owned),
        share_type: link.text("ShareType").and_then(ShareType::from_code),
        version: text("LatestPublishedVersionId").and_then(|id| id.parse().ok()),
    })
}

fn classic_note(note: &Record) -> Option<ListedNote> {
    const PREVIEW_CHARS: usize = 255;
    let owner_name = note.fields.get("Owner").and_then(|owner| owner.get("Name")?.as_str());
    Some(ListedNote {
        kind: NoteKind::Classic,
        id: note.id,
        title: note.text("Title").unwrap_or_default().to_owned(),
        preview: note.text("Body").map(|body| body.chars().take(PREVIEW_CHARS).collect()),
        last_modified: note.text("LastModifiedDate").and_then(|time| datetime::parse(time).ok()),
        owner: note.text("OwnerId").and_then(|id| id.parse().ok()),
        owner_name: owner_name.map(str::to_owned),
        share_type: None,
        version: None,
    })
}

fn version(row: &Record) -> NoteVersion {
    NoteVersion {
        id: row.id,
        number: row.text(VERSION_NUMBER.as_str()).and_then(|number| number.parse().ok()),
        modified: row.text("CreatedDate").and_then(|time| datetime::parse(time).ok()),
        by: row.text("CreatedById").and_then(|id| id.parse().ok()),
        by_name: row.fields.get("CreatedBy").and_then(|user| user.get("Name")?.as_str()).map(str::to_owned),
        bytes: row.fields.get("ContentSize").and_then(serde_json::Value::as_u64),
        is_latest: row.fields.get("IsLatest").and_then(serde_json::Value::as_bool).unwrap_or_default(),
    }
}
