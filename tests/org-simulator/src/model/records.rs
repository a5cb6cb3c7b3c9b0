//! Lookup, counts and JSON of whole records.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use crate::Error;
use crate::model::actor::Actor;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::schema::{self, Object};
use crate::model::store::Row;

/// Returns the number of live records by object; objects without records are left out.
pub(crate) fn record_counts(org: &Org) -> BTreeMap<String, usize> {
    let count = |name: &str| org.store.table(name).map_or(0, crate::model::store::Table::live);
    org.schema.objects().map(|object| (object.name.clone(), count(&object.name))).filter(|(_, n)| *n > 0).collect()
}

/// Returns all fields of a record, deleted or not.
pub(crate) fn record(org: &Org, object: &str, id: &str) -> Option<Map<String, Json>> {
    let object = org.schema.object(object)?;
    let row = org.store.get(&object.name, RecordId::parse(id)?)?;
    Some(org.render_all(object, row, "66.0"))
}

/// Parses the id of a record.
pub(crate) fn record_id(text: &str) -> Result<RecordId, Error> {
    RecordId::parse(text).ok_or_else(|| Error::Unknown { what: "record", name: text.to_owned() })
}

impl Org {
    /// Returns a record as the data API renders it, with all its fields and without `attributes`.
    pub(crate) fn render_all(&self, object: &Object, row: &Row, version: &str) -> Map<String, Json> {
        let render =
            |(at, field): (usize, &schema::Field)| (field.name.clone(), self.render_field(object, row, at, version));
        object.fields.iter().enumerate().filter(|(_, field)| !field.absent).map(render).collect()
    }

    /// Returns a record with the fields that the actor may read.
    pub(crate) fn render_for(&self, actor: &Actor, object: &Object, row: &Row, version: &str) -> Map<String, Json> {
        let mut fields = self.render_all(object, row, version);
        fields.retain(|name, _| object.field(name).is_some_and(|field| self.may_read_field(actor, object, field)));
        fields
    }
}
