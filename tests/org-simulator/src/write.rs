//! Creating, changing and deleting records, by the rules of the data API.

mod check;
mod derive;

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use crate::api_error::ApiError;
use crate::ids::RecordId;
use crate::notes::may_change;
use crate::org::{Actor, Org};
use crate::schema::{self, Access, Object};
use crate::store::Row;
use crate::value::Value;

pub(crate) use check::Purpose;

/// Records that go when their parent goes: parent object, child object, child's reference.
const CASCADES: [(&str, &str, &str); 7] = [
    ("Account", "Contact", "AccountId"),
    ("Account", "Opportunity", "AccountId"),
    ("Account", "Case", "AccountId"),
    ("Opportunity", "OpportunityContactRole", "OpportunityId"),
    ("Contact", "OpportunityContactRole", "ContactId"),
    ("ContentDocument", "ContentDocumentLink", "ContentDocumentId"),
    ("ContentDocument", "ContentVersion", "ContentDocumentId"),
];

/// What an upsert did.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Upserted {
    Created(RecordId),
    Updated(RecordId),
    /// The key matches several records; nothing was done.
    Ambiguous(Vec<RecordId>),
}

impl Org {
    /// Creates a record and returns its id.
    pub(crate) fn create(
        &mut self,
        actor: &Actor,
        object: &str,
        body: &Map<String, Json>,
    ) -> Result<RecordId, ApiError> {
        let object = self.object(object)?;
        if object.access == Access::ReadOnly {
            return Err(ApiError::new(
                "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
                format!("entity type {} does not support create", object.name),
            ));
        }
        match object.name.as_str() {
            "ContentNote" => self.create_note(actor, &object, body),
            "ContentDocumentLink" => self.create_link(actor, &object, body),
            _ => {
                let id = self.insert(actor, &object, body, Purpose::Create)?;
                self.outbox.changed(&object.name, id, self.clock.now(), &mut self.ids);
                Ok(id)
            }
        }
    }

    /// Creates a record as part of loading data: audit fields may be given, and nobody is notified.
    pub(crate) fn load(&mut self, actor: &Actor, object: &str, body: &Map<String, Json>) -> Result<RecordId, ApiError> {
        let object = self.object(object)?;
        self.insert(actor, &object, body, Purpose::Load)
    }

    /// The steps all creates have in common.
    pub(crate) fn insert(
        &mut self,
        actor: &Actor,
        object: &Arc<Object>,
        body: &Map<String, Json>,
        purpose: Purpose,
    ) -> Result<RecordId, ApiError> {
        let changes = check::changes(self, object, body, purpose)?;
        let mut row = Row::default();
        for (at, field) in object.fields.iter().enumerate().filter(|(_, f)| !f.default.is_null()) {
            row.set(at, field.default.clone());
        }
        let given_id = changes.iter().find(|(at, _)| *at == schema::ID).and_then(|(_, value)| value.as_id());
        let id = given_id.unwrap_or_else(|| self.free_id(object));
        self.stamp_new(&mut row, id, actor.user);
        if object.has_owner {
            row.set(schema::OWNER, Value::Id(actor.user));
        }
        self.set_default_record_type(object, &mut row);
        let changed: Vec<usize> = changes.iter().map(|(at, _)| *at).collect();
        for (at, value) in changes {
            row.set(at, value);
        }
        derive::derive(self, object, None, &mut row, &changed);
        check::complete(object, &row)?;
        check::unique(self, object, &row, None)?;
        check::combination(object, &row)?;
        self.store.put(object, id, row);
        self.add_primary_contact(actor, object, id)?;
        Ok(id)
    }

    fn free_id(&mut self, object: &Object) -> RecordId {
        loop {
            let id = self.ids.next(&object.key_prefix);
            if self.store.get(&object.name, id).is_none() {
                return id;
            }
        }
    }

    fn set_default_record_type(&self, object: &Object, row: &mut Row) {
        if let (Some(at), Some(id)) = (object.position("RecordTypeId"), self.default_record_types.get(&object.name)) {
            row.set(at, Value::Id(*id));
        }
    }

    /// `ContactId` of a new opportunity makes its primary contact role.
    fn add_primary_contact(&mut self, actor: &Actor, object: &Object, id: RecordId) -> Result<(), ApiError> {
        if object.name != "Opportunity" {
            return Ok(());
        }
        let contact =
            self.store.get("Opportunity", id).and_then(|row| self.value("Opportunity", row, "ContactId").as_id());
        if let Some(contact) = contact {
            let body = [
                ("OpportunityId".to_owned(), Json::from(id.as_str())),
                ("ContactId".to_owned(), Json::from(contact.as_str())),
                ("IsPrimary".to_owned(), Json::from(true)),
            ];
            let role = self.object("OpportunityContactRole")?;
            self.insert(actor, &role, &body.into_iter().collect(), Purpose::Create)?;
        }
        Ok(())
    }

    /// Changes a record.
    pub(crate) fn update(
        &mut self,
        actor: &Actor,
        object: &str,
        id: RecordId,
        body: &Map<String, Json>,
    ) -> Result<(), ApiError> {
        let object = self.object(object)?;
        let before = Arc::clone(self.writeable(actor, &object, id)?);
        if object.name == "ContentNote" {
            return self.update_note(actor, &object, &before, body);
        }
        let changes = check::changes(self, &object, body, Purpose::Update)?;
        let mut row = (*before).clone();
        let changed: Vec<usize> = changes.iter().map(|(at, _)| *at).collect();
        for (at, value) in changes {
            row.set(at, value);
        }
        derive::derive(self, &object, Some(&before), &mut row, &changed);
        check::complete(&object, &row)?;
        check::unique(self, &object, &row, Some(id))?;
        check::combination(&object, &row)?;
        self.stamp_changed(&mut row, actor.user);
        self.store.put(&object, id, row);
        self.outbox.changed(&object.name, id, self.clock.now(), &mut self.ids);
        Ok(())
    }

    /// A live record that the actor may change.
    fn writeable(&self, actor: &Actor, object: &Object, id: RecordId) -> Result<&Arc<Row>, ApiError> {
        let unknown =
            || ApiError::new("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id").status(404).no_fields();
        let row = self.store.get(&object.name, id).ok_or_else(unknown)?;
        if row.is_deleted() {
            return Err(ApiError::deleted());
        }
        if object.access == Access::ReadOnly || !self.may_see(actor, object, row) {
            return Err(ApiError::no_access());
        }
        Ok(row)
    }

    /// Moves a record, and what belongs to it, to the recycle bin.
    pub(crate) fn delete(&mut self, actor: &Actor, object: &str, id: RecordId) -> Result<(), ApiError> {
        // Every document is a note, and goes by a note's rules.
        let object = self.object(if object == "ContentDocument" { "ContentNote" } else { object })?;
        let row = self.writeable(actor, &object, id)?;
        if object.name == "ContentNote" {
            may_change(actor, row)?;
        }
        self.set_deleted(actor, &object, id, true);
        Ok(())
    }

    /// Takes a record, and what went with it, out of the recycle bin.
    pub(crate) fn undelete(&mut self, actor: &Actor, object: &str, id: RecordId) -> Result<(), ApiError> {
        let object = self.object(object)?;
        if !self.store.get(&object.name, id).is_some_and(|row| row.is_deleted()) {
            return Err(ApiError::new("UNDELETE_FAILED", "Entity is not in the recycle bin"));
        }
        self.set_deleted(actor, &object, id, false);
        Ok(())
    }

    fn set_deleted(&mut self, actor: &Actor, object: &Arc<Object>, id: RecordId, deleted: bool) {
        let Some(row) = self.store.get(&object.name, id).filter(|row| row.is_deleted() != deleted) else { return };
        let mut row = (**row).clone();
        row.set(schema::IS_DELETED, Value::Bool(deleted));
        self.stamp_changed(&mut row, actor.user);
        self.store.put(object, id, row);
        for (child, ids) in self.dependents(object, id, deleted) {
            for id in ids {
                self.set_deleted(actor, &child, id, deleted);
            }
        }
    }

    /// Records that share the fate of `id`, by object.
    fn dependents(&self, object: &Object, id: RecordId, deleting: bool) -> Vec<(Arc<Object>, Vec<RecordId>)> {
        let mut found = Vec::new();
        for (_, child, reference) in CASCADES.iter().filter(|(parent, _, _)| *parent == object.name) {
            let Some(child) = self.schema.object(child) else { continue };
            let Some(at) = child.position(reference) else { continue };
            let rows = self.store.table(&child.name).into_iter().flat_map(|table| table.rows());
            let theirs = rows.filter(|row| row.is_deleted() != deleting && row.get(at).as_id() == Some(id));
            found.push((Arc::clone(child), theirs.filter_map(|row| row.id()).collect()));
        }
        // A note and its document are one thing under two names.
        for twin in ["ContentNote", "ContentDocument"] {
            if id.key_prefix() == "069" && object.name != twin {
                found.extend(self.schema.object(twin).map(|o| (Arc::clone(o), vec![id])));
            }
        }
        found
    }

    /// Creates or changes the record whose `key` field has that value.
    pub(crate) fn upsert(
        &mut self,
        actor: &Actor,
        object: &str,
        key: (&str, &Json),
        body: &Map<String, Json>,
    ) -> Result<Upserted, ApiError> {
        let object = self.object(object)?;
        let at =
            object.position(key.0).filter(|at| object.fields.get(*at).is_some_and(|f| f.id_lookup || f.external_id));
        let at = at.ok_or_else(|| ApiError::no_external_id_field(key.0))?;
        let field = &object.fields[at];
        let value = Value::read(field, key.1)?;
        if value.is_null() && at != schema::ID {
            return Err(ApiError::new("MISSING_ARGUMENT", format!("{} not specified", field.name)).no_fields());
        }
        match self.matches(actor, &object, at, &value).as_slice() {
            [] if at == schema::ID && !value.is_null() => Err(ApiError::not_found()),
            [] => {
                let mut body = body.clone();
                if at != schema::ID {
                    body.insert(field.name.clone(), key.1.clone());
                }
                self.create(actor, &object.name, &body).map(Upserted::Created)
            }
            [id] => self.update(actor, &object.name, *id, body).map(|()| Upserted::Updated(*id)),
            several => Ok(Upserted::Ambiguous(several.to_vec())),
        }
    }

    /// Live records with that value in a key field.
    pub(crate) fn matches(&self, actor: &Actor, object: &Object, key: usize, value: &Value) -> Vec<RecordId> {
        let live = |id: RecordId| self.visible(actor, object, id).is_some_and(|row| !row.is_deleted());
        match value {
            Value::Id(id) if key == schema::ID => Some(*id).filter(|id| live(*id)).into_iter().collect(),
            value => self.store.table(&object.name).map(|table| table.find(key, value).to_vec()).unwrap_or_default(),
        }
    }
}
