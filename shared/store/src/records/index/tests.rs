use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap()
}

fn row(fields: Value) -> MirrorRecord {
    MirrorRecord {
        org_id: "00D5e000000KQ2eEAG".parse().unwrap(),
        object: "Contact".parse().unwrap(),
        record_id: "0035e00000ZkM3hAAF".parse().unwrap(),
        fields: fields.as_object().unwrap().clone(),
        system_modstamp: at(10),
        read_at: at(20),
        deleted: false,
        master_record_id: None,
        deletion_reason: None,
        erased: false,
        outdated_since: None,
        carried: crate::records::Carried::default(),
    }
}

fn attribute(attributes: &Item, name: &str) -> Option<String> {
    attributes.get(name).map(|value| value.as_s().unwrap().clone())
}

#[test]
fn the_first_field_with_an_id_names_the_parent() {
    const ACCOUNT: &str = "0015e00000ZkM3hAAF";
    const DEAL: &str = "0065e00000ZkM3hAAF";
    const PERSON: &str = "0035e00000ZkM3hAAF";
    for (fields, parent, other) in [
        (json!({"AccountId": ACCOUNT, "Name": "Ann"}), Some(ACCOUNT), None),
        (json!({"AccountId": &ACCOUNT[..15]}), Some(ACCOUNT), None),
        (json!({"AccountId": null, "WhatId": DEAL, "WhoId": PERSON}), Some(PERSON), Some(PERSON)),
        (json!({"AccountId": ACCOUNT, "WhatId": DEAL, "WhoId": PERSON}), Some(ACCOUNT), Some(PERSON)),
        (json!({"OpportunityId": DEAL, "ContactId": PERSON}), Some(DEAL), Some(PERSON)),
        (json!({"AccountId": "no id"}), None, None),
        (json!({}), None, None),
    ] {
        let attributes = attributes(&row(fields.clone()), at(30));
        let expected = |id: Option<&str>| id.map(|id| format!("00D5e000000KQ2eEAG#Contact#{id}"));
        assert_eq!(attribute(&attributes, "parent"), expected(parent), "{fields}");
        assert_eq!(attribute(&attributes, "other_parent"), expected(other), "{fields}");
    }
}

#[test]
fn a_tombstone_has_a_change_and_no_parent() {
    let tombstone = MirrorRecord { deleted: true, ..row(json!({})) };
    let attributes = attributes(&tombstone, at(30));
    assert_eq!(attribute(&attributes, "changed").unwrap(), "1970-01-01T00:00:00.030Z#0035e00000ZkM3hAAF");
    assert_eq!(attributes.len(), 1);
}

#[test]
fn a_range_begins_at_a_time_or_after_a_key() {
    let key = ChangeKey { changed_at: at(30), record_id: "0035e00000ZkM3hAAF".parse().unwrap() };
    let next = ChangeKey { record_id: "0035e00000ZkM3iAAF".parse().unwrap(), ..key };
    assert!(ChangesFrom::Time(at(30)).sort_key() < key.to_string());
    assert!(ChangesFrom::After(key).sort_key() > key.to_string());
    assert!(ChangesFrom::After(key).sort_key() < next.to_string());
    assert!(ChangesFrom::Time(at(31)).sort_key() > next.to_string());
}

fn known(changed: Option<i64>, row: MirrorRecord) -> Stored {
    let changed = changed.map(|millis| ChangeKey { changed_at: at(millis), record_id: row.record_id });
    Stored { row, changed }
}

#[test]
fn the_time_stays_while_the_same_version_is_read_again() {
    let first = row(json!({"Name": "Ann"}));
    let again = MirrorRecord { read_at: at(99), ..first.clone() };
    let saved = MirrorRecord { system_modstamp: at(50), read_at: at(99), ..first.clone() };
    let renamed = MirrorRecord { read_at: at(99), ..row(json!({"Name": "Bob"})) };
    let indexed = known(Some(30), first.clone());
    assert_eq!(changed_at(Some(&indexed), &again, at(100)), at(30));
    assert_eq!(changed_at(Some(&indexed), &saved, at(100)), at(100));
    assert_eq!(changed_at(Some(&indexed), &renamed, at(100)), at(100));
    assert_eq!(changed_at(Some(&known(None, first.clone())), &again, at(100)), at(100), "it was in no index");
    assert_eq!(changed_at(None, &first, at(100)), at(100));
}

proptest! {
    #[test]
    fn keys_are_ordered_like_their_texts(one in 0..5_i64, other in 0..5_i64, a in 0..9_u8, b in 0..9_u8) {
        let key = |millis: i64, n: u8| ChangeKey {
            changed_at: at(millis * 999),
            record_id: format!("0035e00000ZkM{n}h").parse().unwrap(),
        };
        let (one, other) = (key(one, a), key(other, b));
        prop_assert_eq!(one.cmp(&other), one.to_string().cmp(&other.to_string()));
        prop_assert_eq!(one.to_string().parse(), Ok(one));
    }
}
