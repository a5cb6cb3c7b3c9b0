//! The rows of the objects with the history of tracked fields, such as `LeadHistory`.
//!
//! Sources: `StandardObjectNameHistory`, `EntityHistory` (two rows for a reference, no values of long texts and multi-select
//! picklists) and `FeedTrackedChange` (names of events) in the Object Reference; the names of fields are those of the
//! picklist `ContactHistory.Field` in a published WSDL, and the names of data types those that public queries use.
//! Unverified: the data types of texts other than plain ones, and the order of a reference's two rows.

use std::sync::Arc;

use crate::model::actor::Actor;
use crate::model::field_history::history_of;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::schema::{Field, FieldKind, Object};
use crate::model::store::Row;
use crate::model::value::Value;

/// The longest text of which a history keeps the old and the new value.
const MAX_TEXT: usize = 255;

impl Org {
    /// Adds what has happened to a record to its history: that it is new, or the change of each tracked field.
    pub(crate) fn track(&mut self, actor: &Actor, object: &str, id: RecordId, before: Option<&Row>) {
        if history_of(object).is_none() {
            return;
        }
        let Some((object, row)) = self.schema.object(object).cloned().zip(self.store.get(object, id).map(Arc::clone))
        else {
            return;
        };
        if !object.fields.iter().any(|field| field.track_history) {
            return;
        }
        let Some(before) = before else {
            let of_lead = format!("{}CreatedFromLead", object.name.to_ascii_lowercase());
            return self.track_event(actor, &object, id, if actor.write.converts_lead { &of_lead } else { "created" });
        };
        for (at, field) in object.fields.iter().enumerate().filter(|(_, field)| field.track_history) {
            let (old, new) = (before.get(at), row.get(at));
            if old == new {
                continue;
            }
            let hides_values =
                field.kind == FieldKind::MultiPicklist || field.kind.is_text() && field.length > MAX_TEXT;
            let mut changes = vec![if hides_values { (Value::Null, Value::Null) } else { (old.clone(), new.clone()) }];
            if field.kind == FieldKind::Reference {
                changes.insert(0, (self.name_of(old), self.name_of(new)));
            }
            for (old, new) in changes {
                let kind = if old.as_id().or(new.as_id()).is_some() { "EntityId" } else { data_type(field) };
                let values = [("DataType", Value::text(kind)), ("OldValue", old), ("NewValue", new)];
                self.add_history(actor, (&object, id), field.history_name(), &values);
            }
        }
    }

    /// Adds an event that has no values, such as the conversion of a lead, to the history of an object with tracked fields.
    pub(crate) fn track_event(&mut self, actor: &Actor, object: &Object, id: RecordId, event: &str) {
        if object.fields.iter().any(|field| field.track_history) {
            self.add_history(actor, (object, id), event, &[("DataType", Value::text("Text"))]);
        }
    }

    fn add_history(&mut self, actor: &Actor, (object, id): (&Object, RecordId), field: &str, values: &[(&str, Value)]) {
        let Some(history) = history_of(&object.name) else { return };
        let reference = format!("{}Id", object.name);
        let own = [(reference.as_str(), Value::Id(id)), ("Field", Value::text(field))];
        self.insert_row(Some(actor.user), history, &[&own[..], values].concat());
    }

    /// Returns the name of the record with that id.
    fn name_of(&self, id: &Value) -> Value {
        let record = id.as_id().and_then(|id| self.live_record(id));
        let name = record.and_then(|(object, row)| Some(row.get(object.name_field()?).clone()));
        name.unwrap_or(Value::Null)
    }
}

fn data_type(field: &Field) -> &'static str {
    match field.kind {
        FieldKind::Boolean => "Boolean",
        FieldKind::Int | FieldKind::Double => "Double",
        FieldKind::Currency => "Currency",
        FieldKind::Percent => "Percent",
        FieldKind::Date => "DateOnly",
        FieldKind::DateTime => "DateTime",
        FieldKind::Picklist => "DynamicEnum",
        FieldKind::MultiPicklist => "MultiEnum",
        FieldKind::Email => "Email",
        FieldKind::Phone => "Phone",
        FieldKind::Url => "Url",
        FieldKind::TextArea if field.length > MAX_TEXT => "StringPlusClob",
        _ => "Text",
    }
}
