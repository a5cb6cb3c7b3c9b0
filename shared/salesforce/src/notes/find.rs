//! The search for a note by its mark.

use jiff::Timestamp;

use super::{LINK, LINK_NOTE, LINK_RECORD, VERSION, VERSION_MARK};
use crate::soql::{self, Condition, Literal, Soql};
use crate::{Client, Error, FieldName, ObjectName, Record, RecordId, datetime};

const LINK_TITLE: FieldName = FieldName::from_static("ContentDocument.Title");
const LINK_CREATED: FieldName = FieldName::from_static("ContentDocument.CreatedDate");
const LINK_FILE_TYPE: FieldName = FieldName::from_static("ContentDocument.FileType");

/// The maximum number of notes whose marks one query returns, so that it fits into a URL.
const MAX_MARK_IDS: usize = 200;

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
