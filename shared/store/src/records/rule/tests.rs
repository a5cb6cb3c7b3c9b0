use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap()
}

fn live(modstamp: i64, read_at: i64, name: &str) -> MirrorRecord {
    let fields = json!({"Name": name, "SystemModstamp": modstamp});
    MirrorRecord {
        org_id: "00D5e000000KQ2eEAG".parse().unwrap(),
        object: "Account".parse().unwrap(),
        record_id: "0015e00000ZkM3hAAF".parse().unwrap(),
        fields: fields.as_object().unwrap().clone(),
        system_modstamp: at(modstamp),
        read_at: at(read_at),
        deleted: false,
        master_record_id: None,
    }
}

fn tombstone(modstamp: i64, read_at: i64) -> MirrorRecord {
    MirrorRecord { fields: Map::new(), deleted: true, ..live(modstamp, read_at, "") }
}

fn merged(modstamp: i64, read_at: i64) -> MirrorRecord {
    MirrorRecord { master_record_id: Some("0015e00000ZkM3iAAF".parse().unwrap()), ..tombstone(modstamp, read_at) }
}

fn apply_in_order<'a>(versions: impl IntoIterator<Item = &'a MirrorRecord>) -> Option<MirrorRecord> {
    versions.into_iter().fold(None, |known, given| match decide(known.as_ref(), given) {
        Decision::Replace(_) => Some(given.clone()),
        Decision::Keep(_) => known,
    })
}

/// What a reader of the mirror can see: everything but the time of reading.
fn visible(row: Option<MirrorRecord>) -> Option<MirrorRecord> {
    row.map(|row| MirrorRecord { read_at: at(0), ..row })
}

/// A record's life as Salesforce tells it: every change has its own SystemModstamp, and is read any number of times.
fn life() -> impl Strategy<Value = Vec<MirrorRecord>> {
    let change = (0..4_u8, 0..3_u8, prop::collection::vec(0..40_i64, 1..4));
    prop::collection::vec(change, 1..8).prop_map(|changes| {
        let mut versions = Vec::new();
        for (modstamp, (kind, name, reads)) in (1_i64..).zip(changes) {
            for read_at in reads {
                versions.push(match kind {
                    0 => tombstone(modstamp, read_at),
                    1 => merged(modstamp, read_at),
                    _ => live(modstamp, read_at, &format!("name {name}")),
                });
            }
        }
        versions
    })
}

/// Fields that change without a new SystemModstamp, never back: what was read later never shows less.
fn formula_changes() -> impl Strategy<Value = Vec<MirrorRecord>> {
    prop::collection::vec(0..30_i64, 1..12)
        .prop_map(|reads| reads.into_iter().map(|read| live(1, read, &format!("name {}", read / 7))).collect())
}

/// Readings of the same moment that differ all the same.
fn ties() -> impl Strategy<Value = Vec<MirrorRecord>> {
    let version = (0..4_u8).prop_map(|kind| match kind {
        0 => tombstone(1, 1),
        1 => merged(1, 1),
        name => live(1, 1, &format!("name {name}")),
    });
    prop::collection::vec(version, 1..5)
}

fn shuffled(
    versions: impl Strategy<Value = Vec<MirrorRecord>>,
) -> impl Strategy<Value = (Vec<MirrorRecord>, Vec<MirrorRecord>)> {
    versions.prop_flat_map(|versions| {
        let repeated: Vec<_> = versions.iter().chain(&versions).cloned().collect();
        (Just(versions), Just(repeated).prop_shuffle())
    })
}

proptest! {
    #[test]
    fn order_repetition_and_delay_do_not_matter((versions, arrivals) in shuffled(life())) {
        prop_assert_eq!(visible(apply_in_order(&arrivals)), visible(apply_in_order(&versions)));
    }

    #[test]
    fn the_newest_version_stays((versions, arrivals) in shuffled(life())) {
        let newest = versions.iter().max_by(|one, other| compare(one, other)).cloned();
        prop_assert_eq!(visible(apply_in_order(&arrivals)), visible(newest));
    }

    #[test]
    fn fields_that_change_without_a_new_modstamp_follow_the_time_of_reading(
        (versions, arrivals) in shuffled(formula_changes())
    ) {
        let newest = versions.iter().max_by(|one, other| compare(one, other)).cloned();
        prop_assert_eq!(visible(apply_in_order(&arrivals)), visible(newest));
    }

    #[test]
    fn even_a_tie_ends_the_same_in_any_order((versions, arrivals) in shuffled(ties())) {
        prop_assert_eq!(visible(apply_in_order(&arrivals)), visible(apply_in_order(&versions)));
    }

    #[test]
    fn what_was_applied_once_changes_nothing_again((_, arrivals) in shuffled(life())) {
        let known = apply_in_order(&arrivals);
        for version in &arrivals {
            prop_assert!(matches!(decide(known.as_ref(), version), Decision::Keep(_)));
        }
    }

    #[test]
    fn something_is_applied_only_when_the_mirror_shows_something_else_after((_, arrivals) in shuffled(life())) {
        let mut known: Option<MirrorRecord> = None;
        for given in arrivals {
            let decision = decide(known.as_ref(), &given);
            let differs = known.as_ref().is_none_or(|known| !shows_the_same(known, &given));
            if let Decision::Replace(apply) = decision {
                prop_assert_eq!(apply == Apply::Applied, differs);
                known = Some(given);
            }
        }
    }
}

#[test]
fn a_newer_modstamp_wins_whenever_it_was_read() {
    assert_eq!(decide(Some(&live(1, 100, "a")), &live(2, 50, "b")), Decision::Replace(Apply::Applied));
    assert_eq!(decide(Some(&live(2, 50, "b")), &live(1, 100, "a")), Decision::Keep(Apply::Stale));
}

#[test]
fn of_equal_modstamps_the_later_reading_wins() {
    assert_eq!(decide(Some(&live(1, 10, "a")), &live(1, 11, "b")), Decision::Replace(Apply::Applied));
    assert_eq!(decide(Some(&live(1, 11, "b")), &live(1, 10, "a")), Decision::Keep(Apply::Stale));
}

#[test]
fn the_same_again_writes_nothing() {
    assert_eq!(decide(Some(&live(1, 10, "a")), &live(1, 99, "a")), Decision::Keep(Apply::Unchanged));
}

#[test]
fn a_newer_version_that_shows_the_same_is_noted_without_being_a_change() {
    assert_eq!(decide(Some(&live(1, 10, "a")), &live(2, 11, "a")), Decision::Replace(Apply::Unchanged));
}

#[test]
fn an_undelete_is_a_newer_version() {
    let deleted = tombstone(2, 20);
    assert_eq!(decide(Some(&deleted), &live(1, 30, "a")), Decision::Keep(Apply::Stale));
    assert_eq!(decide(Some(&deleted), &live(3, 30, "a")), Decision::Replace(Apply::Applied));
}

#[test]
fn a_merge_is_another_thing_than_a_deletion() {
    assert_eq!(decide(Some(&tombstone(2, 20)), &merged(2, 21)), Decision::Replace(Apply::Applied));
}

#[test]
fn changed_fields_leave_out_bookkeeping_and_treat_missing_as_null() {
    let [old, new] = [
        json!({"Name": "a", "Amount": 1, "Phone": null, "SystemModstamp": 1, "LastViewedDate": 1}),
        json!({"Name": "b", "Amount": 1, "Website": null, "SystemModstamp": 2, "Stage": "x"}),
    ]
    .map(|fields| fields.as_object().unwrap().clone());
    assert_eq!(changed_fields(&old, &new), ["Name", "Stage"]);
}
