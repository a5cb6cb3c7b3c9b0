use proptest::prelude::*;
use serde_json::json;

use super::*;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap()
}

fn live(modstamp: i64, read_at: i64, name: &str) -> MirrorRecord {
    live_with(modstamp, read_at, json!({"Name": name, "SystemModstamp": modstamp}))
}

fn live_with(modstamp: i64, read_at: i64, fields: Value) -> MirrorRecord {
    MirrorRecord {
        org_id: "00D5e000000KQ2eEAG".parse().unwrap(),
        object: "Account".parse().unwrap(),
        record_id: "0015e00000ZkM3hAAF".parse().unwrap(),
        fields: fields.as_object().unwrap().clone(),
        system_modstamp: at(modstamp),
        read_at: at(read_at),
        deleted: false,
        master_record_id: None,
        deletion_reason: None,
        erased: false,
        outdated_since: None,
        carried: crate::records::Carried::default(),
    }
}

fn tombstone(modstamp: i64, read_at: i64) -> MirrorRecord {
    MirrorRecord { deleted: true, ..live_with(modstamp, read_at, json!({})) }
}

fn merged(modstamp: i64, read_at: i64) -> MirrorRecord {
    MirrorRecord { master_record_id: Some("0015e00000ZkM3iAAF".parse().unwrap()), ..tombstone(modstamp, read_at) }
}

/// The rows of a few records.
type Mirror = BTreeMap<RecordId, MirrorRecord>;

fn apply_all<'a>(versions: impl IntoIterator<Item = &'a MirrorRecord>) -> Mirror {
    let mut mirror = Mirror::new();
    for given in versions {
        if let Decision::Replace(row, _) = decide(mirror.get(&given.record_id), given) {
            mirror.insert(given.record_id, *row);
        }
    }
    mirror
}

const RECORDS: [&str; 3] = ["0015e00000ZkM3hAAF", "0015e00000ZkM3iAAF", "0015e00000ZkM3jAAF"];

/// Any version of a few records: live with one of a few contents, deleted, or merged. The few timestamps produce every
/// kind of tie, and changes that are reverted.
fn version() -> impl Strategy<Value = MirrorRecord> {
    (0..3_usize, 0..4_i64, 0..4_i64, 0..10_u8).prop_map(|(record, modstamp, read_at, kind)| {
        let row = match kind {
            0 => tombstone(modstamp, read_at),
            1..=3 => {
                let master = RECORDS[usize::from(kind) - 1].parse().unwrap();
                MirrorRecord { master_record_id: Some(master), ..tombstone(modstamp, read_at) }
            }
            4 => live_with(modstamp, read_at, json!({ "Name": null })),
            5 => live_with(modstamp, read_at, json!({})),
            6 => live_with(modstamp, read_at, json!({ "Phone": read_at })),
            7 => live_with(modstamp, read_at, json!({ "Name": "name 9", "Phone": null })),
            name => live(modstamp, read_at, &format!("name {name}")),
        };
        MirrorRecord { record_id: RECORDS[record].parse().unwrap(), ..row }
    })
}

/// Any versions, and the same versions in any order, each repeated any number of times.
fn arrivals() -> impl Strategy<Value = (Vec<MirrorRecord>, Vec<MirrorRecord>)> {
    prop::collection::vec(version(), 0..24).prop_flat_map(|versions| {
        let count = versions.len();
        let repeated = prop::collection::vec(0..count.max(1), 0..24);
        (Just(versions), repeated).prop_flat_map(|(versions, repeated)| {
            let again = repeated.iter().filter_map(|index| versions.get(*index));
            let arrivals: Vec<_> = versions.iter().chain(again).cloned().collect();
            (Just(versions), Just(arrivals).prop_shuffle())
        })
    })
}

/// Returns the row of all versions of a record, computed from all of them at once.
fn expected(versions: &[&MirrorRecord]) -> Option<MirrorRecord> {
    let greatest = *versions.iter().max_by(|one, other| compare(one, other))?;
    let mut row = greatest.clone();
    if row.deleted {
        return Some(row);
    }
    let last_deletion = versions.iter().filter(|version| version.deleted).map(|version| version.version()).max();
    row.carried.last_deletion = last_deletion;
    for field in ["Name", "Phone", "SystemModstamp"] {
        let read = versions.iter().filter(|version| Some(version.version()) > last_deletion);
        let read = read.filter_map(|version| Some((version.version(), version.fields.get(field)?)));
        let Some((version, value)) = read.max_by_key(|(version, value)| (*version, value.to_string())) else {
            continue;
        };
        row.fields.insert(field.to_owned(), value.clone());
        if version != row.version() {
            row.carried.fields.insert(field.to_owned(), version);
        }
    }
    Some(row)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn order_and_repetition_do_not_matter((versions, arrivals) in arrivals()) {
        prop_assert_eq!(apply_all(&arrivals), apply_all(&versions));
    }

    #[test]
    fn a_row_is_the_greatest_version_with_the_last_value_of_each_field((versions, arrivals) in arrivals()) {
        let mirror = apply_all(&arrivals);
        for record in RECORDS {
            let record: RecordId = record.parse().unwrap();
            let of_record: Vec<_> = versions.iter().filter(|version| version.record_id == record).collect();
            prop_assert_eq!(mirror.get(&record).cloned(), expected(&of_record));
        }
    }

    #[test]
    fn two_mirrors_that_exchange_rows_converge((one, other) in (arrivals(), arrivals())) {
        let [one, other] = [one.1, other.1].map(|arrivals| apply_all(&arrivals));
        let there = apply_all(one.values().chain(other.values()));
        let back = apply_all(other.values().chain(one.values()));
        prop_assert_eq!(there, back);
    }

    #[test]
    fn an_applied_version_changes_nothing_again((_, arrivals) in arrivals()) {
        let mirror = apply_all(&arrivals);
        for version in &arrivals {
            prop_assert!(matches!(decide(mirror.get(&version.record_id), version), Decision::Keep(_)));
        }
    }

    #[test]
    fn applied_means_that_the_content_changed((_, arrivals) in arrivals()) {
        let mut mirror = Mirror::new();
        for given in arrivals {
            let known = mirror.get(&given.record_id);
            if let Decision::Replace(row, apply) = decide(known, &given) {
                prop_assert_eq!(apply == ApplyOutcome::Applied, known.is_none_or(|known| is_changed(known, &row)));
                mirror.insert(given.record_id, *row);
            }
        }
    }
}

const REPLACED: bool = true;
const KEPT: bool = false;

/// Returns whether the row is replaced, and the outcome.
fn outcome(known: Option<&MirrorRecord>, given: &MirrorRecord) -> (bool, ApplyOutcome) {
    match decide(known, given) {
        Decision::Replace(_, outcome) => (REPLACED, outcome),
        Decision::Keep(outcome) => (KEPT, outcome),
    }
}

fn replaced(known: &MirrorRecord, given: &MirrorRecord) -> MirrorRecord {
    let Decision::Replace(row, _) = decide(Some(known), given) else { panic!("kept") };
    *row
}

#[test]
fn a_field_that_was_hidden_keeps_its_value_and_is_no_change() {
    let seen = live_with(1, 10, json!({"Name": "a", "Phone": "1"}));
    let hidden = live_with(2, 20, json!({"Name": "b"}));
    let row = replaced(&seen, &hidden);
    assert_eq!((&row.fields["Name"], &row.fields["Phone"]), (&json!("b"), &json!("1")));
    assert_eq!(row.carried.fields, BTreeMap::from([("Phone".to_owned(), seen.version())]));
    assert_eq!(changed_between(&seen, &row), ["Name"]);
    assert_eq!(replaced(&hidden, &seen), row, "the older read arrived later");

    let visible = replaced(&row, &live_with(2, 30, json!({"Name": "b", "Phone": "1"})));
    assert!(visible.carried.is_empty() && changed_between(&row, &visible).is_empty());
    let other = replaced(&row, &live_with(2, 30, json!({"Name": "b", "Phone": "2"})));
    assert_eq!(changed_between(&row, &other), ["Phone"], "it was changed while it was hidden");
}

#[test]
fn an_explicit_null_is_a_change() {
    let row = replaced(&live_with(1, 10, json!({"Phone": "1"})), &live_with(2, 20, json!({"Phone": null})));
    assert_eq!((&row.fields["Phone"], row.carried.is_empty()), (&Value::Null, true));
    assert_eq!(changed_between(&live_with(1, 10, json!({"Phone": "1"})), &row), ["Phone"]);
}

#[test]
fn the_first_value_of_a_field_is_a_change_with_a_new_save_only() {
    let before = live_with(1, 10, json!({"Name": "a"}));
    let gained = live_with(1, 20, json!({"Name": "a", "New__c": "x"}));
    assert_eq!(outcome(Some(&before), &gained), (REPLACED, ApplyOutcome::Unchanged));
    assert!(is_same_save(&before, &gained), "its place in the order of changes stays");
    let saved = live_with(2, 20, json!({"Name": "a", "New__c": "x"}));
    assert_eq!(outcome(Some(&before), &saved), (REPLACED, ApplyOutcome::Applied));
    assert_eq!(changed_between(&before, &saved), ["New__c"]);
}

#[test]
fn a_restored_record_has_no_value_from_before_its_deletion() {
    let seen = live_with(1, 10, json!({"Name": "a", "Phone": "1"}));
    let restored = replaced(&replaced(&seen, &tombstone(2, 20)), &live_with(3, 30, json!({"Name": "a"})));
    assert!(!restored.fields.contains_key("Phone"));
    assert_eq!(outcome(Some(&restored), &seen), (KEPT, ApplyOutcome::Unchanged));
}

#[test]
fn a_newer_modstamp_wins() {
    assert_eq!(outcome(Some(&live(1, 100, "a")), &live(2, 50, "b")), (REPLACED, ApplyOutcome::Applied));
    assert_eq!(outcome(Some(&live(2, 50, "b")), &live(1, 100, "a")), (KEPT, ApplyOutcome::Stale));
}

#[test]
fn of_equal_modstamps_the_later_read_wins() {
    assert_eq!(outcome(Some(&live(1, 10, "a")), &live(1, 11, "b")), (REPLACED, ApplyOutcome::Applied));
    assert_eq!(outcome(Some(&live(1, 11, "b")), &live(1, 10, "a")), (KEPT, ApplyOutcome::Stale));
}

#[test]
fn a_later_read_of_the_same_content_is_no_change() {
    assert_eq!(outcome(Some(&live(1, 10, "a")), &live(1, 99, "a")), (REPLACED, ApplyOutcome::Unchanged));
    assert_eq!(outcome(Some(&live(1, 99, "a")), &live(1, 10, "a")), (KEPT, ApplyOutcome::Unchanged));
    assert_eq!(outcome(Some(&live(1, 10, "a")), &live(1, 10, "a")), (KEPT, ApplyOutcome::Unchanged));
}

/// The value of a formula field changes with the day, while `SystemModstamp` stays.
#[test]
fn a_reverted_value_ends_as_it_was_read_last() {
    let readings = [live(1, 10, "a"), live(1, 20, "b"), live(1, 30, "a")];
    let late = [&readings[0], &readings[2], &readings[1]];
    assert_eq!(apply_all(late).into_values().next().unwrap(), readings[2]);
}

#[test]
fn a_newer_version_of_the_same_content_is_no_change() {
    assert_eq!(outcome(Some(&live(1, 10, "a")), &live(2, 11, "a")), (REPLACED, ApplyOutcome::Unchanged));
}

#[test]
fn an_undelete_is_a_newer_version() {
    let deleted = tombstone(2, 20);
    assert_eq!(outcome(Some(&deleted), &live(1, 30, "a")), (KEPT, ApplyOutcome::Stale));
    assert_eq!(outcome(Some(&deleted), &live(3, 30, "a")), (REPLACED, ApplyOutcome::Applied));
}

#[test]
fn a_merge_differs_from_a_deletion() {
    assert_eq!(outcome(Some(&tombstone(2, 20)), &merged(2, 21)), (REPLACED, ApplyOutcome::Applied));
}

#[test]
fn changed_fields_exclude_bookkeeping() {
    let [old, new] = [
        json!({"Name": "a", "Amount": 1, "Phone": null, "SystemModstamp": 1, "LastViewedDate": 1}),
        json!({"Name": "b", "Amount": 1, "Website": null, "SystemModstamp": 2, "Stage": "x"}),
    ]
    .map(|fields| fields.as_object().unwrap().clone());
    assert_eq!(changed_fields(&old, &new), ["Name", "Stage"]);
}

#[test]
fn a_number_in_another_spelling_is_no_change() {
    let fields = |text: &str| serde_json::from_str::<Map<String, Value>>(text).unwrap();
    let old =
        fields(r#"{"Amount": 15000.0, "Big": 1.5E10, "Exact": 1234567890123456.78, "Place": {"latitude": 1.50}}"#);
    let same =
        fields(r#"{"Amount": 15000, "Big": 15000000000, "Exact": 1.23456789012345678E15, "Place": {"latitude": 1.5}}"#);
    assert!(changed_fields(&old, &same).is_empty());
    let other = fields(r#"{"Amount": "15000.0", "Big": 15000000000.1, "Exact": 1234567890123456.8, "Place": {}}"#);
    assert_eq!(changed_fields(&old, &other), ["Amount", "Big", "Exact", "Place"]);
}

#[test]
fn a_login_does_not_change_a_user() {
    let user = |login: &str, failed: u32| {
        let fields = json!({"Name": "Ada", "IsActive": true, "LastLoginDate": login, "NumberOfFailedLogins": failed});
        fields.as_object().unwrap().clone()
    };
    assert!(changed_fields(&user("2026-11-22", 0), &user("2026-11-23", 2)).is_empty());
}

#[test]
fn a_row_is_outdated_until_a_newer_version_fits() {
    let known = MirrorRecord { outdated_since: Some(at(30)), ..live(10, 11, "a") };
    assert_eq!(replaced(&known, &live(20, 21, "b")).outdated_since, Some(at(30)));
    assert_eq!(replaced(&known, &live(30, 31, "c")).outdated_since, None);
}
