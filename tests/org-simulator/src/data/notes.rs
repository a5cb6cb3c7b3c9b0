//! Enhanced notes: a note is a document whose versions hold HTML and which is linked to records.

mod html;

use std::sync::Arc;

use base64::Engine as _;
use serde_json::{Map, Value as Json};

use crate::data::write::Purpose;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::schema::{self, Object};
use crate::model::store::Row;
use crate::model::value::Value;

impl Org {
    /// Creates the note, its document, its first version and the link to its creator.
    pub(crate) fn create_note(
        &mut self,
        actor: &Actor,
        object: &Arc<Object>,
        body: &Map<String, Json>,
    ) -> Result<RecordId, ApiError> {
        let body = saved_body(body, "Content")?;
        let id = self.insert(actor, object, &body, Purpose::Create)?;
        self.write_version(actor, object, id)?;
        self.link(actor, id, actor.user, "I")?;
        Ok(id)
    }

    /// Changes the title or the content, which adds a version.
    pub(crate) fn update_note(
        &mut self,
        actor: &Actor,
        object: &Arc<Object>,
        before: &Arc<Row>,
        body: &Map<String, Json>,
    ) -> Result<(), ApiError> {
        may_change(actor, before)?;
        let refused: Vec<String> =
            body.keys().filter(|key| !["Title", "Content", "attributes"].contains(&key.as_str())).cloned().collect();
        if !refused.is_empty() {
            return Err(ApiError::not_writeable(refused));
        }
        let mut row = (**before).clone();
        for (name, json) in saved_body(body, "Content")?.iter().filter(|(name, _)| *name != "attributes") {
            if let Some(at) = object.position(name) {
                row.set(at, Value::read(&object.fields[at], json)?);
            }
        }
        if self.value("ContentNote", &row, "Title").is_null() {
            return Err(
                ApiError::new("REQUIRED_FIELD_MISSING", "Required fields are missing: [Title]").fields(["Title"])
            );
        }
        self.stamp_changed(&mut row, actor.user);
        let Some(id) = row.id() else { return Ok(()) };
        self.store.put(object, id, row);
        self.write_version(actor, object, id)
    }

    /// Writes a version with the note's content, and updates note and document.
    fn write_version(&mut self, actor: &Actor, note: &Arc<Object>, id: RecordId) -> Result<(), ApiError> {
        let (version, document) = (self.object("ContentVersion")?, self.object("ContentDocument")?);
        let Some(row) = self.store.get("ContentNote", id).map(Arc::clone) else { return Ok(()) };
        let content = match self.value("ContentNote", &row, "Content") {
            Value::Blob(bytes) => Arc::clone(bytes),
            _ => Arc::from([]),
        };
        let number = self.retire_versions(&version, id) + 1;
        let version_id = self.ids.next("068");
        let now = Value::Instant(self.stamp());
        let shared = [
            ("Title", self.value("ContentNote", &row, "Title").clone()),
            ("FileType", Value::text("SNOTE")),
            ("FileExtension", Value::text("snote")),
            ("ContentSize", Value::Int(i64::try_from(content.len()).unwrap_or_default())),
            ("TextPreview", preview(&content)),
            ("ContentModifiedDate", now),
            ("LatestPublishedVersionId", Value::Id(version_id)),
            ("LatestContentId", Value::Id(version_id)),
            ("IsReadOnly", Value::Bool(false)),
            ("PublishStatus", Value::text("P")),
            ("SharingPrivacy", self.value("ContentNote", &row, "SharingPrivacy").clone()),
            ("ContentDocumentId", Value::Id(id)),
            ("IsLatest", Value::Bool(true)),
            ("VersionNumber", Value::text(number.to_string())),
        ];
        let owner = row.get(schema::OWNER).clone();
        let mut fresh = Row::default();
        self.stamp_new(&mut fresh, version_id, actor.user);
        fresh.set(schema::OWNER, owner);
        let mut version_row = with_fields(fresh, &version, &shared);
        if let Some(at) = version.position("VersionData") {
            version_row.set(at, Value::Blob(content));
        }
        self.store.put(&version, version_id, version_row);
        let twin = with_fields((*row).clone(), note, &shared);
        let document_row = as_document(&twin, &document, &shared);
        self.store.put(note, id, twin);
        self.store.put(&document, id, document_row);
        Ok(())
    }

    /// Marks the document's versions as not the latest; returns their number.
    pub(super) fn retire_versions(&mut self, version: &Arc<Object>, document: RecordId) -> usize {
        let Some(latest) = version.position("IsLatest") else { return 0 };
        let old = self.rows_of("ContentVersion", document);
        for row in &old {
            if let (Some(id), Value::Bool(true)) = (row.id(), row.get(latest)) {
                let mut row = (**row).clone();
                row.set(latest, Value::Bool(false));
                self.store.put(version, id, row);
            }
        }
        old.len()
    }

    /// Links a document to a record that the actor may see; a second link to the same record is an error.
    pub(crate) fn create_link(
        &mut self,
        actor: &Actor,
        object: &Arc<Object>,
        body: &Map<String, Json>,
    ) -> Result<RecordId, ApiError> {
        let id = |name: &str| {
            body.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).and_then(|(_, v)| RecordId::parse(v.as_str()?))
        };
        let (document, entity) = (id("ContentDocumentId"), id("LinkedEntityId"));
        if let Some((document, entity)) = document.zip(entity) {
            let hidden = self
                .live_record(entity)
                .is_some_and(|(object, row)| object.name != "User" && !self.may_see(actor, object, row));
            if hidden {
                return Err(ApiError::no_access_to_reference(entity));
            }
            if self.links_of(document).contains(&entity) {
                let message = format!("{} is already linked with {}", document.short(), entity.short());
                return Err(ApiError::new("DUPLICATE_VALUE", message).no_fields());
            }
        }
        self.insert(actor, object, body, Purpose::Create)
    }
}

/// Returns an error unless the actor is the owner of the note or an admin; only they may change or delete it.
pub(crate) fn may_change(actor: &Actor, note: &Row) -> Result<(), ApiError> {
    let own = note.get(schema::OWNER).as_id() == Some(actor.user);
    if own || actor.is_admin { Ok(()) } else { Err(ApiError::no_access()) }
}

pub(super) fn with_fields(mut row: Row, object: &Object, fields: &[(&str, Value)]) -> Row {
    for (name, value) in fields {
        if let Some(at) = object.position(name) {
            row.set(at, value.clone());
        }
    }
    row
}

/// Returns the note as its `ContentDocument`; the system fields have the same positions.
pub(super) fn as_document(note: &Row, document: &Object, fields: &[(&str, Value)]) -> Row {
    let mut row = Row::default();
    for at in 0..=schema::OWNER {
        row.set(at, note.get(at).clone());
    }
    with_fields(row, document, fields)
}

pub(super) fn preview(content: &[u8]) -> Value {
    let text: String = html::text_of(&String::from_utf8_lossy(content)).chars().take(255).collect();
    if text.is_empty() { Value::Null } else { Value::text(text) }
}

/// Returns the body with a note's content, which is in the field of that name, as Salesforce saves it.
pub(super) fn saved_body(body: &Map<String, Json>, content: &str) -> Result<Map<String, Json>, ApiError> {
    let engine = base64::engine::general_purpose::STANDARD;
    let mut saved = body.clone();
    for (name, json) in &mut saved {
        let Some(text) = json.as_str().filter(|_| name.eq_ignore_ascii_case(content)) else { continue };
        let Ok(bytes) = engine.decode(text.replace(['\r', '\n'], "")) else { continue };
        let html = String::from_utf8(bytes).ok().and_then(|html| html::saved(&html));
        let html = html.ok_or_else(|| cannot_be_saved(content))?;
        *json = Json::from(engine.encode(html));
    }
    Ok(saved)
}

fn cannot_be_saved(field: &str) -> ApiError {
    let message =
        "Note can't be saved because it contains HTML tags or unescaped characters that are not allowed in a Note.";
    ApiError::new("FIELD_INTEGRITY_EXCEPTION", message).fields([field])
}
