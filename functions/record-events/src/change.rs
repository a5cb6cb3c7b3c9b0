//! What a change of a mirrored record means to the platform: one event, or none.

use serde::Serialize;
use store::records::rule::changed_fields;
use store::{BusEvent, MirrorRecord};

/// What happened to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It is new, or fields of it have other values.
    Changed,
    /// It is in the recycle bin, gone, or merged into another record.
    Deleted,
    /// It came back from the recycle bin.
    Restored,
}

impl Kind {
    /// The event's type, and the `DetailType` that rules on the bus match.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Changed => "record.changed",
            Self::Deleted => "record.deleted",
            Self::Restored => "record.restored",
        }
    }
}

/// What one change of a record amounts to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What happened.
    pub kind: Kind,
    /// Whether the mirror has the record for the first time.
    pub created: bool,
    /// The fields whose values differ, in alphabetical order.
    pub changed_fields: Vec<String>,
}

/// Compares a record before and after; `None` when there is nothing to tell.
///
/// A tombstone has no fields, so that all fields of a restored record count as changed.
#[must_use]
pub fn compare(old: Option<&MirrorRecord>, new: &MirrorRecord) -> Option<Difference> {
    let was_deleted = old.is_some_and(|old| old.deleted);
    let kind = match (was_deleted, new.deleted) {
        (_, true) => Kind::Deleted,
        (true, false) => Kind::Restored,
        (false, false) => Kind::Changed,
    };
    let changed_fields = match kind {
        Kind::Deleted => Vec::new(),
        Kind::Restored | Kind::Changed => match old {
            Some(old) => changed_fields(&old.fields, &new.fields),
            None => changed_fields(&serde_json::Map::new(), &new.fields),
        },
    };
    let worth_telling = match kind {
        Kind::Deleted => !was_deleted || old.is_some_and(|old| old.master_record_id != new.master_record_id),
        Kind::Restored => true,
        Kind::Changed => old.is_none() || !changed_fields.is_empty(),
    };
    let created = old.is_none() && kind == Kind::Changed;
    worth_telling.then_some(Difference { kind, created, changed_fields })
}

/// The `data` of an event.
#[derive(Debug, Serialize)]
struct Data<'a> {
    org_id: &'a str,
    object: &'a str,
    record_id: &'a str,
    changed_fields: &'a [String],
    system_modstamp: String,
    created: bool,
    deleted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    master_record_id: Option<&'a str>,
}

/// The event for a change: names of fields, never their values.
///
/// `change_id` names the change itself, so that the same change published twice is the same event.
#[must_use]
pub fn event(record: &MirrorRecord, difference: &Difference, change_id: &str) -> BusEvent {
    let data = Data {
        org_id: record.org_id.as_str(),
        object: record.object.as_str(),
        record_id: record.record_id.as_str(),
        changed_fields: &difference.changed_fields,
        system_modstamp: store::time::text(record.system_modstamp),
        created: difference.created,
        deleted: record.deleted,
        master_record_id: record.master_record_id.as_ref().map(|id| id.as_str()),
    };
    let subject = format!("{}/{}", record.object, record.record_id);
    let mut event = BusEvent::new(record.org_id, difference.kind.name(), subject, change_id);
    event.time = record.system_modstamp;
    event.data = serde_json::to_value(data).unwrap_or_default();
    event
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn record(fields: Value) -> MirrorRecord {
        let Value::Object(fields) = fields else { panic!("an object is wanted") };
        MirrorRecord {
            org_id: "00D5e000000KQ2eEAG".parse().unwrap(),
            object: "Opportunity".parse().unwrap(),
            record_id: "0065e00000AbCdEAAV".parse().unwrap(),
            fields,
            system_modstamp: "2026-11-22T10:15:30Z".parse().unwrap(),
            read_at: "2026-11-22T10:16:00Z".parse().unwrap(),
            deleted: false,
            master_record_id: None,
        }
    }

    fn tombstone(master: Option<&str>) -> MirrorRecord {
        let master_record_id = master.map(|id| id.parse().unwrap());
        MirrorRecord { deleted: true, master_record_id, ..record(json!({})) }
    }

    fn kind_of(old: Option<&MirrorRecord>, new: &MirrorRecord) -> Option<Kind> {
        compare(old, new).map(|difference| difference.kind)
    }

    #[test]
    fn a_record_seen_for_the_first_time_is_a_change_that_created_it() {
        let difference = compare(None, &record(json!({"Id": "x", "StageName": "Prospecting"}))).unwrap();

        assert_eq!((difference.kind, difference.created), (Kind::Changed, true));
        assert_eq!(difference.changed_fields, ["Id", "StageName"]);
    }

    #[test]
    fn a_change_names_the_fields_that_differ() {
        let old = record(json!({"Name": "Acme", "StageName": "Prospecting", "Amount": 5.0}));
        let new = record(json!({"Name": "Acme", "StageName": "Closed Won", "Amount": null}));
        let difference = compare(Some(&old), &new).unwrap();

        assert_eq!((difference.kind, difference.created), (Kind::Changed, false));
        assert_eq!(difference.changed_fields, ["Amount", "StageName"]);
    }

    #[test]
    fn a_record_read_again_without_a_difference_makes_no_event() {
        let old = record(json!({"Name": "Acme", "SystemModstamp": "2026-11-22T10:15:30.000+0000"}));
        let touched = record(json!({"Name": "Acme", "SystemModstamp": "2026-11-22T11:00:00.000+0000"}));

        assert_eq!(compare(Some(&old), &old), None);
        assert_eq!(compare(Some(&old), &touched), None);
    }

    #[test]
    fn a_delete_an_undelete_and_a_merge_are_told_once_each() {
        let (live, gone) = (record(json!({"Name": "Acme"})), tombstone(None));
        let merged = tombstone(Some("0065e00000AbCdFAAV"));

        assert_eq!(kind_of(Some(&live), &gone), Some(Kind::Deleted));
        assert_eq!(kind_of(None, &gone), Some(Kind::Deleted));
        assert_eq!(kind_of(Some(&gone), &gone), None);
        assert_eq!(kind_of(Some(&gone), &merged), Some(Kind::Deleted));
        assert_eq!(kind_of(Some(&gone), &live), Some(Kind::Restored));
    }

    #[test]
    fn an_event_is_a_cloud_event_without_field_values() {
        let old = record(json!({"StageName": "Prospecting"}));
        let new = record(json!({"StageName": "Closed Won"}));
        let event = event(&new, &compare(Some(&old), &new).unwrap(), "change-1");

        insta::assert_json_snapshot!(event, @r#"
        {
          "specversion": "1.0",
          "id": "change-1",
          "source": "ferry/00D5e000000KQ2eEAG",
          "type": "record.changed",
          "subject": "Opportunity/0065e00000AbCdEAAV",
          "time": "2026-11-22T10:15:30.000Z",
          "data": {
            "org_id": "00D5e000000KQ2eEAG",
            "object": "Opportunity",
            "record_id": "0065e00000AbCdEAAV",
            "changed_fields": [
              "StageName"
            ],
            "system_modstamp": "2026-11-22T10:15:30.000Z",
            "created": false,
            "deleted": false
          }
        }
        "#);
    }
}
