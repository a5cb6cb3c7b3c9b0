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
        erased: false,
        outdated_since: None,
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
        if let Decision::Replace(_) = decide(mirror.get(&given.record_id), given) {
            mirror.insert(given.record_id, given.clone());
        }
    }
    mirror
}

const RECORDS: [&str; 3] = ["0015e00000ZkM3hAAF", "0015e00000ZkM3iAAF", "0015e00000ZkM3jAAF"];

/// Any version of a few records: live with one of a few contents, deleted, or merged. The few timestamps produce every
/// kind of tie, and changes that are reverted.
fn version() -> impl Strategy<Value = MirrorRecord> {
    (0..3_usize, 0..4_i64, 0..4_i64, 0..8_u8).prop_map(|(record, modstamp, read_at, kind)| {
        let row = match kind {
            0 => tombstone(modstamp, read_at),
            1..=3 => {
                let master = RECORDS[usize::from(kind) - 1].parse().unwrap();
                MirrorRecord { master_record_id: Some(master), ..tombstone(modstamp, read_at) }
            }
            4 => live_with(modstamp, read_at, json!({ "Name": null })),
            5 => live_with(modstamp, read_at, json!({})),
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn order_and_repetition_do_not_matter((versions, arrivals) in arrivals()) {
        prop_assert_eq!(apply_all(&arrivals), apply_all(&versions));
    }

    #[test]
    fn the_greatest_version_of_each_record_is_kept((versions, arrivals) in arrivals()) {
        let mirror = apply_all(&arrivals);
        for record in RECORDS {
            let record: RecordId = record.parse().unwrap();
            let of_record = versions.iter().filter(|version| version.record_id == record);
            prop_assert_eq!(mirror.get(&record), of_record.max_by(|one, other| compare(one, other)));
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
            let differs = known.is_none_or(|known| !has_same_content(known, &given));
            if let Decision::Replace(apply) = decide(known, &given) {
                prop_assert_eq!(apply == ApplyOutcome::Applied, differs);
                mirror.insert(given.record_id, given);
            }
        }
    }
}

#[test]
fn a_newer_modstamp_wins() {
    assert_eq!(decide(Some(&live(1, 100, "a")), &live(2, 50, "b")), Decision::Replace(ApplyOutcome::Applied));
    assert_eq!(decide(Some(&live(2, 50, "b")), &live(1, 100, "a")), Decision::Keep(ApplyOutcome::Stale));
}

#[test]
fn of_equal_modstamps_the_later_read_wins() {
    assert_eq!(decide(Some(&live(1, 10, "a")), &live(1, 11, "b")), Decision::Replace(ApplyOutcome::Applied));
    assert_eq!(decide(Some(&live(1, 11, "b")), &live(1, 10, "a")), Decision::Keep(ApplyOutcome::Stale));
}

#[test]
fn a_later_read_of_the_same_content_is_no_change() {
    assert_eq!(decide(Some(&live(1, 10, "a")), &live(1, 99, "a")), Decision::Replace(ApplyOutcome::Unchanged));
    assert_eq!(decide(Some(&live(1, 99, "a")), &live(1, 10, "a")), Decision::Keep(ApplyOutcome::Unchanged));
    assert_eq!(decide(Some(&live(1, 10, "a")), &live(1, 10, "a")), Decision::Keep(ApplyOutcome::Unchanged));
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
    assert_eq!(decide(Some(&live(1, 10, "a")), &live(2, 11, "a")), Decision::Replace(ApplyOutcome::Unchanged));
}

#[test]
fn an_undelete_is_a_newer_version() {
    let deleted = tombstone(2, 20);
    assert_eq!(decide(Some(&deleted), &live(1, 30, "a")), Decision::Keep(ApplyOutcome::Stale));
    assert_eq!(decide(Some(&deleted), &live(3, 30, "a")), Decision::Replace(ApplyOutcome::Applied));
}

#[test]
fn a_merge_differs_from_a_deletion() {
    assert_eq!(decide(Some(&tombstone(2, 20)), &merged(2, 21)), Decision::Replace(ApplyOutcome::Applied));
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
    assert_eq!(outdated_since(Some(&known), &live(20, 21, "b")), Some(at(30)));
    assert_eq!(outdated_since(Some(&known), &live(30, 31, "c")), None);
    assert_eq!(outdated_since(None, &live(20, 21, "b")), None);
}
