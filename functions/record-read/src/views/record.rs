//! Records.

use jiff::Timestamp;
use salesforce::{FieldName, ObjectName, Record, RecordId};
use serde::Serialize;
use serde_json::{Map, Value};
use store::MirrorRecord;

use super::millis_option;

/// The source of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Source {
    /// Ferry's copy.
    Mirror,
    /// Salesforce, through the rep's connection.
    Salesforce,
    /// Salesforce, through the team's connection: the object is not mirrored.
    Team,
}

/// A record.
#[derive(Debug, Serialize)]
pub(crate) struct RecordView {
    object: ObjectName,
    id: RecordId,
    source: Source,
    fields: Map<String, Value>,
    #[serde(serialize_with = "millis_option")]
    system_modstamp: Option<Timestamp>,
    #[serde(serialize_with = "millis_option", skip_serializing_if = "Option::is_none")]
    read_at: Option<Timestamp>,
    /// The time since which the record has a newer version that is too large for the mirror.
    #[serde(serialize_with = "millis_option", skip_serializing_if = "Option::is_none")]
    outdated_since: Option<Timestamp>,
}

impl RecordView {
    /// Names another source.
    pub(crate) fn with_source(self, source: Source) -> Self {
        Self { source, ..self }
    }

    /// Removes the fields that were not selected; `None` selects all. Names are compared without case.
    pub(crate) fn with_fields(mut self, selected: Option<&[FieldName]>) -> Self {
        if let Some(selected) = selected {
            let is_selected = |name: &str| selected.iter().any(|field| field.as_str().eq_ignore_ascii_case(name));
            self.fields.retain(|name, _| is_selected(name));
        }
        self
    }
}

impl From<MirrorRecord> for RecordView {
    fn from(row: MirrorRecord) -> Self {
        Self {
            object: row.object,
            id: row.record_id,
            source: Source::Mirror,
            fields: row.fields,
            system_modstamp: Some(row.system_modstamp),
            read_at: Some(row.read_at),
            outdated_since: row.outdated_since,
        }
    }
}

impl From<Record> for RecordView {
    fn from(record: Record) -> Self {
        Self {
            system_modstamp: record.system_modstamp(),
            object: record.object,
            id: record.id,
            source: Source::Salesforce,
            fields: record.fields,
            read_at: None,
            outdated_since: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_live_record_has_no_read_at() {
        let fields = json!({"SystemModstamp": "2026-11-22T10:15:30.000+0000"}).as_object().unwrap().clone();
        let object = ObjectName::from_static("Account");
        let view = RecordView::from(Record { object, id: "001D000000IRFma".parse().unwrap(), fields });
        let shown = serde_json::to_value(view).unwrap();
        assert_eq!(shown["source"], "salesforce");
        assert_eq!(shown["system_modstamp"], "2026-11-22T10:15:30.000Z");
        assert!(shown.get("read_at").is_none());
    }
}
