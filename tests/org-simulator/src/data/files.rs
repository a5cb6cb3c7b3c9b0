//! Files: a version holds the bytes, and belongs to a document that is linked to records.

use std::sync::Arc;

use md5::{Digest as _, Md5};
use serde_json::{Map, Value as Json};

use crate::data::notes::{as_document, may_change, preview, saved_body, with_fields};
use crate::data::write::Purpose;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::schema::{self, Object};
use crate::model::store::Row;
use crate::model::value::Value;

/// The extension of enhanced notes.
const NOTE: &str = "snote";
/// Extensions of files and the types that Salesforce gives them; other files are `UNKNOWN`.
const TYPES: [(&str, &str); 19] = [
    ("csv", "CSV"),
    ("doc", "WORD"),
    ("docx", "WORD_X"),
    ("gif", "GIF"),
    ("html", "HTML"),
    ("jpeg", "JPEG"),
    ("jpg", "JPG"),
    ("json", "JSON"),
    ("pdf", "PDF"),
    ("png", "PNG"),
    ("ppt", "POWER_POINT"),
    ("pptx", "POWER_POINT_X"),
    ("rtf", "RTF"),
    ("snote", "SNOTE"),
    ("txt", "TEXT"),
    ("xls", "EXCEL"),
    ("xlsx", "EXCEL_X"),
    ("xml", "XML"),
    ("zip", "ZIP"),
];

impl Org {
    /// Creates a version of a file: of the document that the body names, or of a new one, which is linked to its creator and
    /// to `FirstPublishLocationId` (Object Reference, `ContentVersion`). A file with the extension `snote` is an enhanced
    /// note.
    pub(crate) fn create_version(
        &mut self,
        actor: &Actor,
        object: &Arc<Object>,
        body: &Map<String, Json>,
    ) -> Result<RecordId, ApiError> {
        let text = |name: &str| {
            let given = body.iter().find(|(key, value)| key.eq_ignore_ascii_case(name) && !value.is_null());
            given.and_then(|(_, value)| value.as_str()).filter(|text| !text.is_empty())
        };
        let missing: Vec<&str> =
            ["VersionData", "PathOnClient"].into_iter().filter(|name| text(name).is_none()).collect();
        if !missing.is_empty() {
            let message = format!("Required fields are missing: [{}]", missing.join(", "));
            return Err(ApiError::new("REQUIRED_FIELD_MISSING", message).fields(missing));
        }
        let name = text("PathOnClient").unwrap_or_default().rsplit(['/', '\\']).next().unwrap_or_default();
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
        let is_note = extension.eq_ignore_ascii_case(NOTE);
        let mut body = if is_note { saved_body(body, "VersionData")? } else { body.clone() };
        if text("Title").is_none() {
            body.retain(|key, _| !key.eq_ignore_ascii_case("Title"));
            body.insert("Title".to_owned(), Json::from(stem));
        }
        let known = body.iter().find(|(key, _)| key.eq_ignore_ascii_case("ContentDocumentId"));
        let known = known.and_then(|(_, id)| RecordId::parse(id.as_str()?));
        if let Some(row) = known.and_then(|id| self.store.get("ContentDocument", id)) {
            may_change(actor, row)?;
        }
        let location = text("FirstPublishLocationId").and_then(RecordId::parse).filter(|id| *id != actor.user);
        if let Some(location) = location.filter(|_| known.is_none()) {
            self.check_location(actor, location)?;
        }
        let document = known.unwrap_or_else(|| self.ids.next("069"));
        let number = self.retire_versions(object, document) + 1;
        let id = self.insert(actor, object, &body, Purpose::Create)?;
        self.complete_version(actor, object, (document, id), (number, extension))?;
        if known.is_none() {
            self.link(actor, document, actor.user, "I")?;
            if let Some(location) = location {
                self.link(actor, document, location, "V")?;
            }
        }
        self.notify(actor, &object.name, id);
        Ok(id)
    }

    /// Returns an error unless the actor sees the record that a new file is published to (the code is unverified).
    fn check_location(&self, actor: &Actor, location: RecordId) -> Result<(), ApiError> {
        match self.live_record(location) {
            Some((object, row)) if object.name == "User" || self.may_see(actor, object, row) => Ok(()),
            _ => Err(ApiError::no_access_to_reference(location)),
        }
    }

    /// Sets the fields of a new version that Salesforce derives, and creates or updates its document.
    fn complete_version(
        &mut self,
        actor: &Actor,
        object: &Arc<Object>,
        (document, id): (RecordId, RecordId),
        (number, extension): (usize, &str),
    ) -> Result<(), ApiError> {
        let Some(row) = self.store.get(&object.name, id).map(Arc::clone) else { return Ok(()) };
        let of = |name: &str| self.value("ContentVersion", &row, name).clone();
        let (size, preview) = measures(&of("VersionData"), extension);
        let lower = extension.to_ascii_lowercase();
        let kind = TYPES.iter().find(|(known, _)| *known == lower).map_or("UNKNOWN", |(_, kind)| kind);
        let shared = [
            ("Title", of("Title")),
            ("Description", of("Description")),
            ("FileType", Value::text(kind)),
            ("FileExtension", if extension.is_empty() { Value::Null } else { Value::text(extension) }),
            ("ContentSize", size),
            ("Checksum", checksum(&of("VersionData"))),
            ("TextPreview", preview),
            ("ContentModifiedDate", Value::Instant(self.stamp())),
            ("LatestPublishedVersionId", Value::Id(id)),
            ("PublishStatus", Value::text("P")),
            ("SharingPrivacy", of("SharingPrivacy")),
            ("ContentDocumentId", Value::Id(document)),
            ("IsLatest", Value::Bool(true)),
            ("VersionNumber", Value::text(number.to_string())),
        ];
        let documents = self.object("ContentDocument")?;
        let document_row = match self.store.get("ContentDocument", document) {
            Some(before) => {
                let mut row = with_fields((**before).clone(), &documents, &shared);
                self.stamp_changed(&mut row, actor.user);
                row
            }
            None => {
                let mut fresh = Row::default();
                self.stamp_new(&mut fresh, document, actor.user);
                fresh.set(schema::OWNER, row.get(schema::OWNER).clone());
                as_document(&fresh, &documents, &shared)
            }
        };
        if let Some(notes) = self.schema.object("ContentNote").filter(|_| extension.eq_ignore_ascii_case(NOTE)).cloned()
        {
            let own = [("Content", of("VersionData")), ("LatestContentId", Value::Id(id))];
            let note = as_document(&document_row, &notes, &[&shared[..], &own].concat());
            self.store.put(&notes, document, note);
        }
        self.store.put(object, id, with_fields((*row).clone(), object, &shared));
        self.store.put(&documents, document, document_row);
        Ok(())
    }

    /// Returns the body of a change of a version as it is saved; only the latest version can be changed (Object Reference,
    /// `ContentVersion`; the code of the error is unverified).
    pub(crate) fn version_changes(
        &self,
        actor: &Actor,
        before: &Row,
        body: &Map<String, Json>,
    ) -> Result<Map<String, Json>, ApiError> {
        may_change(actor, before)?;
        let of = |name: &str| self.value("ContentVersion", before, name);
        if *of("IsLatest") != Value::Bool(true) {
            let message = "only the latest version of a document can be updated";
            return Err(ApiError::new("FIELD_INTEGRITY_EXCEPTION", message).no_fields());
        }
        if of("FileExtension").as_text().eq_ignore_ascii_case(NOTE) {
            return saved_body(body, "VersionData");
        }
        Ok(body.clone())
    }

    /// Lets the document, and the note if it is one, follow a changed version. That their time stamps stay is unverified.
    pub(crate) fn version_changed(&mut self, id: RecordId) {
        let Some(row) = self.store.get("ContentVersion", id).map(Arc::clone) else { return };
        let of = |name: &str| self.value("ContentVersion", &row, name).clone();
        let Some(document) = of("ContentDocumentId").as_id() else { return };
        let (size, preview) = measures(&of("VersionData"), of("FileExtension").as_text());
        let own = [
            ("ContentSize", size),
            ("Checksum", checksum(&of("VersionData"))),
            ("TextPreview", preview),
            ("Content", of("VersionData")),
        ];
        let shared = ["Title", "Description", "SharingPrivacy", "OwnerId"].map(|name| (name, of(name)));
        self.set_fields("ContentVersion", id, &own);
        for object in ["ContentDocument", "ContentNote"] {
            self.set_fields(object, document, &[&shared[..], &own].concat());
        }
    }

    /// Links a document to a record.
    pub(crate) fn link(
        &mut self,
        actor: &Actor,
        document: RecordId,
        entity: RecordId,
        share_type: &str,
    ) -> Result<(), ApiError> {
        let link = self.object("ContentDocumentLink")?;
        let fields =
            [("ContentDocumentId", document.as_str()), ("LinkedEntityId", entity.as_str()), ("ShareType", share_type)];
        let fields = fields.map(|(name, value)| (name.to_owned(), Json::from(value)));
        self.insert(actor, &link, &Map::from_iter(fields), Purpose::Load).map(drop)
    }
}

/// Returns the MD5 of the bytes in hexadecimal (Object Reference, `ContentVersion`).
fn checksum(data: &Value) -> Value {
    let Value::Blob(bytes) = data else { return Value::Null };
    Value::text(Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// Returns the size of a file, and for a note the beginning of its text.
fn measures(data: &Value, extension: &str) -> (Value, Value) {
    let Value::Blob(bytes) = data else { return (Value::Int(0), Value::Null) };
    let size = Value::Int(i64::try_from(bytes.len()).unwrap_or(i64::MAX));
    (size, if extension.eq_ignore_ascii_case(NOTE) { preview(bytes) } else { Value::Null })
}
