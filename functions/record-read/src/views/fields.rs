//! The objects whose fields have changed, or whose scans have another key than `SystemModstamp`.

use jiff::Timestamp;
use salesforce::{FieldName, ObjectName};
use serde::Serialize;
use store::cursors::fields::RetypedField;
use store::{FieldChanges, ScanKey, SeenFields};

use super::millis;

/// The fields of an object, as the team's connection sees them.
#[derive(Debug, Serialize)]
pub(crate) struct ObjectFieldsView {
    object: ObjectName,
    scanned_by: ScanKey,
    hidden: Vec<HiddenFieldView>,
    last_change: Option<FieldChangesView>,
}

/// A field that the connection sees no more.
#[derive(Debug, Serialize)]
struct HiddenFieldView {
    field: FieldName,
    #[serde(rename = "type")]
    field_type: String,
    #[serde(serialize_with = "millis")]
    since: Timestamp,
}

/// The last change of the fields.
#[derive(Debug, Serialize)]
struct FieldChangesView {
    #[serde(serialize_with = "millis")]
    at: Timestamp,
    added: Vec<FieldName>,
    hidden: Vec<FieldName>,
    shown: Vec<FieldName>,
    retyped: Vec<RetypedField>,
}

impl ObjectFieldsView {
    /// Returns the views of the objects of which there is something to say.
    pub(crate) fn of(seen: Vec<SeenFields>) -> Vec<Self> {
        let is_told =
            |fields: &SeenFields| fields.last_change.is_some() || fields.scanned_by != ScanKey::SystemModstamp;
        seen.into_iter().filter(is_told).map(Self::from).collect()
    }
}

impl From<SeenFields> for ObjectFieldsView {
    fn from(seen: SeenFields) -> Self {
        let at = seen.updated_at;
        let change =
            |FieldChanges { added, hidden, shown, retyped }| FieldChangesView { at, added, hidden, shown, retyped };
        let hidden = seen.hidden.into_iter().map(|(field, hidden)| HiddenFieldView {
            field,
            field_type: hidden.field_type,
            since: hidden.since,
        });
        Self {
            object: seen.object,
            scanned_by: seen.scanned_by,
            hidden: hidden.collect(),
            last_change: seen.last_change.map(change),
        }
    }
}
