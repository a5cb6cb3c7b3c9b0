//! The fields whose changes are kept in the history of an object.
//!
//! Source: Salesforce Help, "Field History Tracking": none are tracked at first, at most 20 of an object, and no formulas,
//! roll-up summaries, auto-numbers, Created By and Last Modified By.

use crate::Error;
use crate::model::org::Org;
use crate::model::schema::{Field, MODSTAMP};

/// Objects with a history: the object, and that of its history.
const HISTORIES: [(&str, &str); 4] = [
    ("Account", "AccountHistory"),
    ("Contact", "ContactHistory"),
    ("Lead", "LeadHistory"),
    ("Opportunity", "OpportunityFieldHistory"),
];
const MAX_FIELDS: usize = 20;

/// Returns the object in which the changes of an object's records are kept.
pub(crate) fn history_of(object: &str) -> Option<&'static str> {
    HISTORIES.iter().find(|(tracked, _)| *tracked == object).map(|(_, history)| *history)
}

/// Returns the object whose changes are kept in an object.
pub(crate) fn tracked_in(history: &str) -> Option<&'static str> {
    HISTORIES.iter().find(|(_, known)| *known == history).map(|(tracked, _)| *tracked)
}

impl Field {
    /// Returns the name of the field in a history: references of standard objects have the name of the relationship.
    pub(crate) fn history_name(&self) -> &str {
        self.relationship.as_deref().filter(|_| !self.custom).unwrap_or(&self.name)
    }
}

impl Org {
    /// Tracks these fields of an object from now on, and no others.
    pub(crate) fn track_fields(&mut self, object: &str, names: &[&str]) -> Result<(), Error> {
        let object = self.object(object)?;
        if history_of(&object.name).is_none() {
            return Err(Error::Unknown { what: "object with a history", name: object.name.clone() });
        }
        if names.len() > MAX_FIELDS {
            let reason = format!("at most {MAX_FIELDS} fields of an object can be tracked");
            return Err(Error::Invalid { what: "history", reason });
        }
        let mut tracked = Vec::new();
        for name in names {
            let at = object
                .position(name)
                .ok_or_else(|| Error::Unknown { what: "field", name: format!("{}.{name}", object.name) })?;
            let field = &object.fields[at];
            if at <= MODSTAMP || field.calculated || field.auto_number.is_some() || field.kind.is_compound() {
                let reason = format!("{}.{} cannot be tracked", object.name, field.name);
                return Err(Error::Invalid { what: "history", reason });
            }
            tracked.push(at);
        }
        for (at, field) in object.fields.iter().enumerate().filter(|(_, field)| !field.absent) {
            let track_history = tracked.contains(&at);
            if field.track_history != track_history {
                self.schema.add_field(&object.name, Field { track_history, ..field.clone() });
            }
        }
        Ok(())
    }
}
