//! Upserts: creates or changes a record by a key.

use serde_json::{Map, Value as Json};

use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::schema::{self, Object};
use crate::model::value::Value;

/// The outcome of an upsert.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Upserted {
    Created(RecordId),
    Updated(RecordId),
    /// The key matches several records; nothing was written.
    Ambiguous(Vec<RecordId>),
}

impl Org {
    /// Returns the position of a key field that the actor may use for an object.
    pub(crate) fn key_field(&self, actor: &Actor, object: &Object, name: &str) -> Result<usize, ApiError> {
        let usable = |at: &usize| {
            object
                .fields
                .get(*at)
                .is_some_and(|f| (f.id_lookup || f.external_id) && self.may_read_field(actor, object, f))
        };
        object.position(name).filter(usable).ok_or_else(|| ApiError::no_external_id_field(name))
    }

    /// Creates or changes the record whose `key` field has that value.
    pub(crate) fn upsert(
        &mut self,
        actor: &Actor,
        object: &str,
        key: (&str, &Json),
        body: &Map<String, Json>,
    ) -> Result<Upserted, ApiError> {
        let object = self.object_for(actor, object)?;
        let at = self.key_field(actor, &object, key.0)?;
        let field = &object.fields[at];
        let value = Value::read(field, key.1)?;
        if value.is_null() && at != schema::ID {
            return Err(ApiError::new("MISSING_ARGUMENT", format!("{} not specified", field.name)).no_fields());
        }
        match self.matches(actor, &object, at, &value).as_slice() {
            [] if at == schema::ID && !value.is_null() => Err(self.no_such_record(&object, &value)),
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

    /// Returns the error for an id of a record that does not exist or is deleted.
    fn no_such_record(&self, object: &Object, value: &Value) -> ApiError {
        let row = value.as_id().and_then(|id| self.store.get(&object.name, id));
        if row.is_some_and(|row| row.is_deleted()) { ApiError::deleted() } else { ApiError::not_found() }
    }

    /// Returns the live records with that value in a key field.
    pub(crate) fn matches(&self, actor: &Actor, object: &Object, key: usize, value: &Value) -> Vec<RecordId> {
        let live = |id: RecordId| self.visible(actor, object, id).is_some_and(|row| !row.is_deleted());
        match value {
            Value::Id(id) if key == schema::ID => Some(*id).filter(|id| live(*id)).into_iter().collect(),
            value => self.store.table(&object.name).map(|table| table.find(key, value).to_vec()).unwrap_or_default(),
        }
    }
}
