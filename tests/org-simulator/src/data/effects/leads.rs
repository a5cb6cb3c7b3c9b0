//! The history of a lead, in an org that tracks two of its fields.
//!
//! Source: the page of `LeadHistory` in the Object Reference.

use std::sync::Arc;

use crate::model::actor::Actor;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::store::Row;
use crate::model::value::Value;

/// The tracked fields, with their data types in the history.
const TRACKED: [(&str, &str); 2] = [("Status", "DynamicEnum"), ("OwnerId", "EntityId")];

impl Org {
    /// Adds a row to the history of a new lead, and one for each tracked field that differs from that in `before`.
    pub(crate) fn lead_written(&mut self, actor: &Actor, id: RecordId, before: Option<&Row>) {
        let Some(row) = self.store.get("Lead", id).map(Arc::clone) else { return };
        let Some(before) = before else {
            self.add_lead_history(actor, id, &[("Field", Value::text("created"))]);
            return;
        };
        for (field, data_type) in TRACKED {
            let value = |row: &Row| self.value("Lead", row, field).clone();
            let (old, new) = (value(before), value(&row));
            if old != new {
                let change = [
                    ("Field", Value::text(field.trim_end_matches("Id"))),
                    ("DataType", Value::text(data_type)),
                    ("OldValue", as_text(&old)),
                    ("NewValue", as_text(&new)),
                ];
                self.add_lead_history(actor, id, &change);
            }
        }
    }

    fn add_lead_history(&mut self, actor: &Actor, lead: RecordId, change: &[(&str, Value)]) {
        let mut fields = vec![("LeadId", Value::Id(lead))];
        fields.extend(change.iter().cloned());
        self.insert_row(Some(actor.user), "LeadHistory", &fields);
    }
}

fn as_text(value: &Value) -> Value {
    value.as_id().map_or_else(|| value.clone(), |id| Value::text(id.as_str()))
}
