//! Records.

use jiff::Timestamp;
use salesforce::{FieldName, InstanceUrl, JsonObject, ObjectDescribe, ObjectName, Record, RecordId};
use serde::Serialize;
use serde_json::Value;
use store::{Cursor, CursorName, MirrorRecord, PlatformUser};

use super::millis_option;
use crate::summary::is_contact_of_person;

/// The source of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Source {
    /// Ferry's copy.
    Mirror,
    /// Salesforce, through the rep's connection.
    Salesforce,
    /// Salesforce, through the team's connection.
    Team,
}

impl Source {
    /// Returns the source of a live read as this user, or through the team without one.
    pub(crate) fn live(user: Option<&PlatformUser>) -> Self {
        if user.is_some() { Self::Salesforce } else { Self::Team }
    }
}

/// A record.
#[derive(Debug, Serialize)]
pub(crate) struct RecordView {
    object: ObjectName,
    /// The object's label in the language of the connection's user; `None` if no describe of the object is known.
    label: Option<String>,
    id: RecordId,
    /// The record's page in Salesforce; `None` if the org's address is not known.
    url: Option<String>,
    /// `None` if the record has no owner or the user may not see it.
    owner: Option<OwnerView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    record_type: Option<RecordTypeView>,
    source: Source,
    fields: JsonObject,
    #[serde(serialize_with = "millis_option")]
    system_modstamp: Option<Timestamp>,
    #[serde(serialize_with = "millis_option", skip_serializing_if = "Option::is_none")]
    read_at: Option<Timestamp>,
    /// The time since which the record has a newer version that is too large for the mirror.
    #[serde(serialize_with = "millis_option", skip_serializing_if = "Option::is_none")]
    outdated_since: Option<Timestamp>,
    /// The account of a person whose contact the record is; `None` for a contact of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    person_account: Option<RecordId>,
    /// The fields that the team's connection could not see when the record was read last. Their values are of earlier reads.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hidden_fields: Vec<String>,
}

/// The owner of a record: a user, or a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct OwnerView {
    id: RecordId,
    name: Option<String>,
}

/// The record type of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct RecordTypeView {
    id: RecordId,
    name: String,
    developer_name: Option<String>,
}

/// The state of the mirror's copy of an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Freshness {
    /// The `SystemModstamp` of the newest row that a scan has read; `None` before the first.
    #[serde(serialize_with = "millis_option")]
    synced_to: Option<Timestamp>,
    /// The beginning of the last finished scan. It read everything that was saved before.
    #[serde(serialize_with = "millis_option")]
    finished_at: Option<Timestamp>,
    /// `false` while the first copy is not finished.
    complete: bool,
}

impl Freshness {
    /// Returns the state of an object's copy from the positions of the org's scans.
    pub(crate) fn of(object: &ObjectName, cursors: &[Cursor]) -> Self {
        let scans = [CursorName::incremental(object), CursorName::backfill(object)];
        let of_object = || cursors.iter().filter(|cursor| scans.contains(&cursor.cursor_name));
        let finished_at = of_object().filter_map(|cursor| cursor.covered_until).max();
        Self {
            synced_to: of_object().filter_map(|cursor| Some(cursor.position?.system_modstamp)).max(),
            finished_at,
            complete: finished_at.is_some(),
        }
    }
}

impl OwnerView {
    /// Reads `OwnerId` and `Owner.Name`.
    pub(crate) fn of(fields: &JsonObject) -> Option<Self> {
        let id = fields.get("OwnerId")?.as_str()?.parse().ok()?;
        let name = fields.get("Owner").and_then(|owner| owner["Name"].as_str());
        Some(Self { id, name: name.map(str::to_owned) })
    }
}

impl RecordView {
    /// Adds the label and the record type, of which the record has the id.
    #[must_use]
    pub(crate) fn described(mut self, describe: &ObjectDescribe) -> Self {
        self.label = Some(describe.summary.label.clone());
        let record_type = self.fields.get("RecordTypeId").and_then(Value::as_str).and_then(|id| id.parse().ok());
        self.record_type = record_type.and_then(|id: RecordId| {
            let info = describe.record_type_infos.iter().find(|info| info.record_type_id == id)?;
            Some(RecordTypeView { id, name: info.name.clone(), developer_name: info.developer_name.clone() })
        });
        self
    }

    /// Sets the source.
    #[must_use]
    pub(crate) fn with_source(self, source: Source) -> Self {
        Self { source, ..self }
    }

    /// Adds the page in Salesforce.
    #[must_use]
    pub(crate) fn with_page(self, instance: Option<&InstanceUrl>) -> Self {
        Self { url: instance.map(|instance| instance.record_page(&self.object, &self.id)), ..self }
    }

    /// Adds the owner, if it is known.
    #[must_use]
    pub(crate) fn with_owner(self, owner: Option<OwnerView>) -> Self {
        Self { owner: owner.or(self.owner), ..self }
    }

    /// Keeps only these fields. Names are compared without case.
    pub(crate) fn retain_fields(&mut self, is_kept: impl Fn(&str) -> bool) {
        self.fields.retain(|name, _| is_kept(name));
        self.hidden_fields.retain(|name| is_kept(name));
    }

    /// Removes the fields that were not selected; `None` selects all. Names are compared without case.
    pub(crate) fn with_fields(mut self, selected: Option<&[FieldName]>) -> Self {
        if let Some(selected) = selected {
            self.retain_fields(|name| selected.iter().any(|field| field.as_str().eq_ignore_ascii_case(name)));
        }
        self
    }
}

impl From<MirrorRecord> for RecordView {
    fn from(row: MirrorRecord) -> Self {
        Self {
            person_account: person_account(&row.object, &row.fields),
            object: row.object,
            label: None,
            id: row.record_id,
            url: None,
            owner: OwnerView::of(&row.fields),
            record_type: None,
            source: Source::Mirror,
            fields: row.fields,
            system_modstamp: Some(row.system_modstamp),
            read_at: Some(row.read_at),
            outdated_since: row.outdated_since,
            hidden_fields: row.carried.fields.into_keys().collect(),
        }
    }
}

impl From<Record> for RecordView {
    fn from(mut record: Record) -> Self {
        let owner = OwnerView::of(&record.fields);
        record.fields.remove("Owner");
        Self {
            person_account: person_account(&record.object, &record.fields),
            system_modstamp: record.system_modstamp(),
            object: record.object,
            label: None,
            id: record.id,
            url: None,
            owner,
            record_type: None,
            source: Source::Salesforce,
            fields: record.fields,
            read_at: None,
            outdated_since: None,
            hidden_fields: Vec::new(),
        }
    }
}

/// Returns the account of the person whose contact has these fields.
fn person_account(object: &ObjectName, fields: &JsonObject) -> Option<RecordId> {
    let account = fields.get("AccountId")?.as_str()?.parse().ok()?;
    is_contact_of_person(object, fields).then_some(account)
}

#[cfg(test)]
mod tests {
    use salesforce::HostPolicy;
    use serde_json::json;

    use super::*;

    fn live(fields: Value) -> RecordView {
        let (object, id) = (ObjectName::from_static("Account"), "001D000000IRFma".parse().unwrap());
        RecordView::from(Record { object, id, fields: fields.as_object().unwrap().clone() })
    }

    #[test]
    fn a_live_record_has_no_read_at() {
        let shown = serde_json::to_value(live(json!({"SystemModstamp": "2026-11-22T10:15:30.000+0000"}))).unwrap();
        assert_eq!(shown["source"], "salesforce");
        assert_eq!(shown["system_modstamp"], "2026-11-22T10:15:30.000Z");
        assert!(shown.get("read_at").is_none());
    }

    #[test]
    fn a_record_names_the_fields_that_were_hidden_later() {
        let at: Timestamp = "2026-11-22T10:15:30Z".parse().unwrap();
        let version = store::records::Version { system_modstamp: at, read_at: at };
        let row = MirrorRecord {
            org_id: "00D000000000001".parse().unwrap(),
            object: ObjectName::from_static("Account"),
            record_id: "001D000000IRFma".parse().unwrap(),
            fields: json!({"Name": "Acme", "Phone": "1", "Fax": "2"}).as_object().unwrap().clone(),
            system_modstamp: at,
            read_at: at,
            deleted: false,
            master_record_id: None,
            deletion_reason: None,
            erased: false,
            outdated_since: None,
            carried: store::records::Carried {
                fields: [("Phone".to_owned(), version), ("Fax".to_owned(), version)].into(),
                last_deletion: None,
                fields_removed_at: None,
            },
        };
        let shown = serde_json::to_value(RecordView::from(row.clone())).unwrap();
        assert_eq!(shown["hidden_fields"], json!(["Fax", "Phone"]));
        let selected = RecordView::from(row).with_fields(Some(&[FieldName::from_static("phone")]));
        assert_eq!(serde_json::to_value(selected).unwrap()["hidden_fields"], json!(["Phone"]));
    }

    #[test]
    fn a_record_has_its_owner_label_and_page() {
        let fields =
            json!({"OwnerId": "005D0000001aaaa", "Owner": {"Name": "Casey"}, "RecordTypeId": "012D00000000001"});
        let describe: ObjectDescribe = serde_json::from_value(json!({
            "name": "Account", "label": "Firm", "keyPrefix": "001", "custom": false, "queryable": true, "createable": true,
            "updateable": true, "replicateable": true, "fields": [],
            "recordTypeInfos": [{"recordTypeId": "012D00000000001", "name": "Partner", "developerName": "Partner",
                "active": true, "available": true, "defaultRecordTypeMapping": true, "master": false}],
        }))
        .unwrap();
        let instance = InstanceUrl::parse("https://acme.my.salesforce.com", HostPolicy::SalesforceOnly).unwrap();
        let shown = serde_json::to_value(live(fields).described(&describe).with_page(Some(&instance))).unwrap();
        assert_eq!(shown["owner"], json!({"id": "005D0000001aaaaIAA", "name": "Casey"}));
        assert_eq!((&shown["label"], &shown["record_type"]["name"]), (&json!("Firm"), &json!("Partner")));
        assert_eq!(shown["url"], "https://acme.lightning.force.com/lightning/r/Account/001D000000IRFmaIAH/view");
        assert!(shown["fields"].get("Owner").is_none());
    }
}
