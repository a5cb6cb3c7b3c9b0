//! Changes of the schema while clients are at work: when they took effect, and the removal and retyping of fields.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value as Json;

use crate::Error;
use crate::model::criteria::FilterItem;
use crate::model::datetime::whole_seconds;
use crate::model::org::Org;
use crate::model::schema::{Field, FieldKind, Object};
use crate::model::store::Row;
use crate::model::value::Value;

/// The time of the last change of the schema.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SchemaChange {
    revision: u64,
    at: Option<Timestamp>,
}

impl Org {
    /// Returns the time of the last change of the schema, noting a change since the last call as one of now; two changes
    /// never have the same second.
    pub(crate) fn schema_changed(&mut self) -> Timestamp {
        let (now, revision) = (whole_seconds(self.clock.now()), self.schema.revision());
        let known = self.schema_change;
        let at = match known.at {
            Some(at) if known.revision == revision => at,
            Some(at) => now.max(Timestamp::from_second(at.as_second() + 1).unwrap_or(now)),
            None => now,
        };
        self.schema_change = SchemaChange { revision, at: Some(at) };
        at
    }

    /// Makes the details of a roll-up summary findable by their reference.
    pub(crate) fn summarize(&mut self, object: &str, reference: &str) {
        let Some(field) = self.schema.object(object).and_then(|object| object.field(reference)).cloned() else {
            return;
        };
        self.schema.add_field(object, Field { summarized: true, ..field });
        if let Some(object) = self.schema.object(object).cloned() {
            self.store.reindex(&object);
        }
    }

    /// Removes a custom field with its values. A field that a formula, a roll-up summary, a rule or an outbound message
    /// reads is not removed.
    pub(crate) fn remove_field(&mut self, object: &str, field: &str) -> Result<(), Error> {
        let (object, at) = self.custom_field(object, field)?;
        let field = object.fields[at].clone();
        self.check_unused(&object, &field)?;
        self.change_values(&object, at, |_| Value::Null);
        self.schema.remove_field(&object.name, &field.name);
        self.after_change(&object.name);
        Ok(())
    }

    /// Changes the type of a custom field. Values that the new type cannot hold are lost.
    pub(crate) fn retype_field(
        &mut self,
        object: &str,
        field: &str,
        kind: &str,
        length: Option<usize>,
    ) -> Result<(), Error> {
        let kind = FieldKind::from_name(kind)
            .filter(|kind| {
                !matches!(kind, FieldKind::Id | FieldKind::Reference | FieldKind::Base64) && !kind.is_compound()
            })
            .ok_or_else(|| Error::Unknown { what: "field type", name: kind.to_owned() })?;
        let (object, at) = self.custom_field(object, field)?;
        let old = object.fields[at].clone();
        if old.computed.is_some() || old.kind == FieldKind::Reference || old.kind.is_compound() {
            return Err(refused(&old, "formulas, references and geolocations keep their type"));
        }
        self.check_unused(&object, &old)?;
        let sized = Field::new(&old.name, kind);
        let keeps = kind.is_text();
        let new = Field {
            label: old.label.clone(),
            length: length.unwrap_or(sized.length),
            picklist: if matches!(kind, FieldKind::Picklist | FieldKind::MultiPicklist) {
                old.picklist.clone()
            } else {
                Vec::new()
            },
            external_id: old.external_id && keeps,
            unique: old.unique && keeps,
            id_lookup: old.id_lookup && keeps,
            ..sized
        };
        let read = |value: &Value| {
            let text = match value {
                // A number without decimals has none as a text either.
                Value::Double(number) => Some(number.to_string()),
                value => value.soap(),
            };
            let read = text.and_then(|text| Value::read(&new, &Json::from(text)).ok());
            read.unwrap_or_else(|| new.default.clone())
        };
        self.change_values(&object, at, read);
        self.schema.add_field(&object.name, new.clone());
        self.after_change(&object.name);
        Ok(())
    }

    fn custom_field(&self, object: &str, field: &str) -> Result<(Arc<Object>, usize), Error> {
        let object = self.object(object)?;
        let unknown = || Error::Unknown { what: "field", name: format!("{}.{field}", object.name) };
        let at = object.position(field).ok_or_else(unknown)?;
        if !object.fields[at].custom {
            return Err(refused(&object.fields[at], "only custom fields are changed and removed"));
        }
        Ok((object, at))
    }

    fn check_unused(&self, object: &Object, field: &Field) -> Result<(), Error> {
        for other in self.schema.objects() {
            for reader in other.fields.iter().filter(|reader| !reader.absent) {
                let used =
                    |computed: &crate::model::computed::Computed| computed.uses(self, other, &object.name, &field.name);
                if reader.computed.as_deref().is_some_and(used) {
                    return Err(refused(field, &format!("{}.{} reads it", other.name, reader.name)));
                }
            }
        }
        let reads = |item: &FilterItem| item.field.eq_ignore_ascii_case(&field.name);
        let mut sharing = self.sharing.rules.iter().filter(|rule| rule.object == object.name);
        if let Some(rule) = sharing.find(|rule| rule.criteria.iter().any(reads)) {
            return Err(refused(field, &format!("the sharing rule {} reads it", rule.name)));
        }
        if let Some(rule) = self.rule_that_reads(&object.name, &field.name) {
            return Err(refused(field, &format!("the rule {rule} reads it")));
        }
        let message = self
            .outbox
            .definitions()
            .iter()
            .map(|definition| &definition.message)
            .find(|message| message.object == object.name && message.fields.contains(&field.name));
        match message {
            Some(message) => Err(refused(field, &format!("the outbound message {} sends it", message.name))),
            None => Ok(()),
        }
    }

    /// Changes a field of every record, also of those in the recycle bin, without a change of their system fields.
    fn change_values(&mut self, object: &Arc<Object>, at: usize, value: impl Fn(&Value) -> Value) {
        let rows: Vec<Arc<Row>> =
            self.store.table(&object.name).into_iter().flat_map(|table| table.rows().cloned()).collect();
        for before in rows {
            let (Some(id), value) = (before.id(), value(before.get(at))) else { continue };
            if *before.get(at) != value {
                let mut row = (*before).clone();
                row.set(at, value);
                self.store.put(object, id, row);
            }
        }
        self.store.commit();
    }

    fn after_change(&mut self, object: &str) {
        if let Some(object) = self.schema.object(object).cloned() {
            self.store.reindex(&object);
        }
        self.schema_changed();
    }
}

fn refused(field: &Field, reason: &str) -> Error {
    Error::Invalid { what: "change of a field", reason: format!("{}: {reason}", field.name) }
}
