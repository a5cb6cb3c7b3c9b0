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
        deletion_reason: None,
        erased: false,
        outdated_since: None,
        carried: store::records::Carried::default(),
    }
}

fn tombstone(master: Option<&str>) -> MirrorRecord {
    let master_record_id = master.map(|id| id.parse().unwrap());
    MirrorRecord { deleted: true, master_record_id, ..record(json!({})) }
}

fn change(old: Option<&MirrorRecord>, new: &MirrorRecord) -> Option<Change> {
    Change::between(old.cloned(), new.clone(), "change-1".to_owned())
}

fn kind_of(old: Option<&MirrorRecord>, new: &MirrorRecord) -> Option<Kind> {
    change(old, new).map(|change| change.kind)
}

fn acme() -> Tenant {
    "acme".parse().unwrap()
}

#[test]
fn a_new_record_is_a_change_that_created_it() {
    let change = change(None, &record(json!({"Id": "x", "StageName": "Prospecting"}))).unwrap();

    assert_eq!((change.kind, change.created()), (Kind::Changed, true));
    assert_eq!(change.changed_fields, ["Id", "StageName"]);
}

#[test]
fn a_change_names_the_fields_that_differ() {
    let old = record(json!({"Name": "Acme", "StageName": "Prospecting", "Amount": 5.0}));
    let new = record(json!({"Name": "Acme", "StageName": "Closed Won", "Amount": null}));
    let change = change(Some(&old), &new).unwrap();

    assert_eq!((change.kind, change.created()), (Kind::Changed, false));
    assert_eq!(change.changed_fields, ["Amount", "StageName"]);
}

#[test]
fn an_unchanged_record_makes_no_event() {
    let old = record(json!({"Name": "Acme", "SystemModstamp": "2026-11-22T10:15:30.000+0000"}));
    let touched = record(json!({"Name": "Acme", "SystemModstamp": "2026-11-22T11:00:00.000+0000"}));
    let read_later = MirrorRecord { read_at: "2026-11-22T12:00:00Z".parse().unwrap(), ..old.clone() };

    assert_eq!(kind_of(Some(&old), &old), None);
    assert_eq!(kind_of(Some(&old), &touched), None);
    assert_eq!(kind_of(Some(&old), &read_later), None);
}

#[test]
fn a_field_that_is_hidden_or_seen_since_makes_no_event() {
    let (whole, part) = (record(json!({"Name": "Acme", "Phone": "1"})), record(json!({"Name": "Acme"})));
    let saved_later = MirrorRecord { system_modstamp: "2026-11-22T11:00:00Z".parse().unwrap(), ..whole.clone() };

    assert_eq!(kind_of(Some(&whole), &part), None);
    assert_eq!(kind_of(Some(&part), &whole), None);
    assert_eq!(change(Some(&part), &saved_later).unwrap().changed_fields, ["Phone"]);
}

#[test]
fn a_delete_and_an_undelete_are_published_once_each() {
    let (live, gone) = (record(json!({"Name": "Acme"})), tombstone(None));

    assert_eq!(kind_of(Some(&live), &gone), Some(Kind::Deleted));
    assert_eq!(kind_of(None, &gone), Some(Kind::Deleted));
    assert_eq!(kind_of(Some(&gone), &gone), None);
    assert_eq!(kind_of(Some(&gone), &live), Some(Kind::Restored));
}

#[test]
fn a_merged_record_is_published_as_merged_once() {
    let (live, gone) = (record(json!({"Name": "Acme"})), tombstone(None));
    let merged = tombstone(Some("0065e00000AbCdFAAV"));
    let read_later = MirrorRecord { read_at: "2026-11-22T12:00:00Z".parse().unwrap(), ..merged.clone() };

    assert_eq!(kind_of(Some(&live), &merged), Some(Kind::Merged));
    assert_eq!(kind_of(None, &merged), Some(Kind::Merged));
    assert_eq!(
        kind_of(Some(&gone), &merged),
        Some(Kind::Merged),
        "the deletion was published before the merge was known"
    );
    assert_eq!(kind_of(Some(&merged), &read_later), None);
    assert_eq!(kind_of(Some(&merged), &gone), None, "it is as gone as before");
    let published = event(&change(Some(&live), &merged).unwrap(), &acme(), None, EventValues::Names);
    assert_eq!(
        (published.kind.as_str(), &published.data["master_record_id"]),
        ("record.merged", &json!("0065e00000AbCdFAAV"))
    );
}

#[test]
fn an_event_is_a_cloud_event_without_field_values() {
    let old = record(json!({"StageName": "Prospecting"}));
    let new = record(json!({"StageName": "Closed Won"}));
    let event = event(&change(Some(&old), &new).unwrap(), &acme(), None, EventValues::Names);

    insta::assert_json_snapshot!(event, @r#"
    {
      "specversion": "1.0",
      "id": "change-1",
      "source": "ferry/00D5e000000KQ2eEAG",
      "type": "record.changed",
      "subject": "Opportunity/0065e00000AbCdEAAV",
      "time": "2026-11-22T10:15:30.000Z",
      "datacontenttype": "application/json",
      "partitionkey": "00D5e000000KQ2eEAG/Opportunity/0065e00000AbCdEAAV",
      "sequence": "2026-11-22T10:15:30.000Z/2026-11-22T10:16:00.000Z",
      "data": {
        "org_id": "00D5e000000KQ2eEAG",
        "tenant": "acme",
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

#[test]
fn values_are_published_where_configured() {
    let old = record(json!({"Name": "Acme", "StageName": "Prospecting", "Amount": 5.0}));
    let new = record(json!({"Name": "Acme", "StageName": "Closed Won", "NextStep": "Call", "Amount": null}));
    let new = MirrorRecord { system_modstamp: "2026-11-22T11:00:00Z".parse().unwrap(), ..new };
    let published = event(&change(Some(&old), &new).unwrap(), &acme(), None, EventValues::Values).data;

    assert_eq!(published["changed_fields"], json!(["Amount", "NextStep", "StageName"]));
    let wanted = json!({
        "Amount": {"old": 5.0, "new": null},
        "NextStep": {"old": null, "new": "Call"},
        "StageName": {"old": "Prospecting", "new": "Closed Won"},
    });
    assert_eq!(published["values"], wanted);
    let deleted = event(&change(Some(&old), &tombstone(None)).unwrap(), &acme(), None, EventValues::Values).data;
    assert_eq!((deleted.get("values"), deleted.get("values_omitted")), (None, None));
}

/// A double would end in 56.8.
#[test]
fn a_published_number_keeps_its_18_digits() {
    let amount = |digits: &str| record(serde_json::from_str(&format!(r#"{{"Amount": {digits}}}"#)).unwrap());
    let (old, new) = (amount("1234567890123456.78"), amount("1234567890123456.79"));
    let event = event(&change(Some(&old), &new).unwrap(), &acme(), None, EventValues::Values);
    let text = serde_json::to_string(&event).unwrap();
    assert!(text.contains(r#""Amount":{"old":1234567890123456.78,"new":1234567890123456.79}"#), "{text}");
}

#[test]
fn a_write_of_ferrys_is_marked_with_its_unwritten_fields() {
    let old = record(json!({"Name": "Acme", "StageName": "Prospecting", "Probability": 10}));
    let rep = "0055e000001mKpCAAU";
    let new = record(json!({"Name": "Acme", "StageName": "Closed Won", "Probability": 100, "LastModifiedById": rep}));
    let change = change(Some(&old), &new).unwrap();
    let at = new.system_modstamp;
    assert_eq!(change.saved(), Some(SavedVersion { by: rep.parse().unwrap(), at }));
    let write_id = "2f1c3a52-7b0e-5d5f-8f3a-61e204c7b9d3".parse().unwrap();
    let origin = Origin { write_id, user_id: rep.parse().unwrap(), from: at, to: at, fields: vec!["stagename".into()] };

    let published = event(&change, &acme(), Some(&origin), EventValues::Names).data;

    assert_eq!((&published["origin"], &published["write_id"]), (&json!("ferry"), &json!(write_id)));
    assert_eq!(published["unwritten_fields"], json!(["Probability"]));
    let anybodys = event(&change, &acme(), None, EventValues::Names).data;
    assert!(["origin", "write_id", "unwritten_fields"].iter().all(|name| anybodys.get(name).is_none()));
}

#[test]
fn no_write_makes_a_deletion_or_an_undelete() {
    let live = record(json!({"Name": "Acme", "LastModifiedById": "0055e000001mKpCAAU"}));
    assert_eq!(change(Some(&live), &tombstone(None)).unwrap().saved(), None);
    assert_eq!(change(Some(&tombstone(None)), &live).unwrap().saved(), None);
    assert!(change(None, &live).unwrap().saved().is_some());
    assert_eq!(change(None, &record(json!({"Name": "Acme"}))).unwrap().saved(), None);
}

/// A rich text area holds up to 131,072 characters.
#[test]
fn values_too_large_for_an_event_are_omitted() {
    let text = |letter: &str| record(json!({"Terms__c": letter.repeat(131_072)}));
    let published =
        |new: &MirrorRecord| event(&change(Some(&text("a")), new).unwrap(), &acme(), None, EventValues::Values);

    let half = published(&record(json!({"Terms__c": null})));
    assert!(half.fits() && half.data["values"]["Terms__c"]["old"].is_string());
    let both = published(&text("b"));
    assert!(both.fits());
    assert_eq!((both.data.get("values"), &both.data["values_omitted"]), (None, &json!("too_large")));
    assert_eq!(both.data["changed_fields"], json!(["Terms__c"]));
}

#[test]
fn a_later_version_has_the_greater_sequence() {
    let at = |modstamp: &str, read: &str| {
        let (system_modstamp, read_at) = (modstamp.parse().unwrap(), read.parse().unwrap());
        sequence(&MirrorRecord { system_modstamp, read_at, ..record(json!({})) })
    };
    let versions = [
        at("2026-11-22T10:15:30Z", "2026-11-22T10:16:00Z"),
        at("2026-11-22T10:15:30Z", "2026-11-22T10:16:00.007Z"),
        at("2026-11-22T10:15:30.250Z", "2026-11-22T10:15:59Z"),
        at("2026-12-01T00:00:00Z", "2026-12-01T00:00:00Z"),
    ];
    assert!(versions.is_sorted() && versions.iter().all(|text| text.len() == versions[0].len()), "{versions:?}");
}

#[test]
fn a_replayed_record_is_marked_and_was_not_created() {
    let row = record(json!({"StageName": "Closed Won", "Amount": 5}));
    let first = Change::replay(row.clone()).unwrap();
    let event = event(&first, &acme(), None, EventValues::Names);

    assert_eq!(
        (event.kind.as_str(), &event.data["changed_fields"]),
        ("record.changed", &json!(["Amount", "StageName"]))
    );
    assert_eq!((&event.data["created"], &event.data["replayed"]), (&json!(false), &json!(true)));
    assert_eq!(Change::replay(row.clone()).unwrap().change_id, first.change_id, "a version is always the same event");
    let later = MirrorRecord { read_at: jiff::Timestamp::MAX, ..row.clone() };
    assert_ne!(Change::replay(later).unwrap().change_id, first.change_id);

    let tombstone = MirrorRecord { deleted: true, ..row.clone() };
    assert_eq!(Change::replay(tombstone).unwrap().kind, Kind::Deleted);
    assert_eq!(Change::replay(MirrorRecord { erased: true, ..row }), None);
}
