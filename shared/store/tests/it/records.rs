use futures::future::join_all;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use salesforce::{ObjectName, Record};
use serde_json::{Value, json};
use store::{ApplyOutcome, Change, Error, MirrorRecord, Records, Tombstone};

use crate::harness::{account, at, counted, org, other_org, run, tables};

static ACCOUNT: ObjectName = ObjectName::from_static("Account");

async fn records() -> Records {
    let (client, tables) = tables().await;
    Records::new(client, tables.name("records"))
}

fn upsert(n: usize, modstamp: i64, read_at: i64, name: &str) -> Change {
    let fields = json!({"Id": account(n), "Name": name, "Empty": "", "Null": null, "SystemModstamp": at(modstamp)});
    let fields = fields.as_object().unwrap().clone();
    Change::Upsert { record: Record { object: ACCOUNT.clone(), id: account(n), fields }, read_at: at(read_at) }
}

fn delete(n: usize, modstamp: i64, read_at: i64) -> Change {
    Change::Tombstone(Tombstone {
        record_id: account(n),
        system_modstamp: at(modstamp),
        read_at: at(read_at),
        master_record_id: None,
        reason: None,
    })
}

async fn apply(records: &Records, change: Change) -> ApplyOutcome {
    records.apply(org(), &ACCOUNT, change).await.unwrap()
}

fn name(row: &MirrorRecord) -> Option<&str> {
    row.fields.get("Name").and_then(Value::as_str)
}

#[test]
fn a_record_is_loaded_with_its_fields() {
    run(async {
        let records = records().await;
        assert_eq!(apply(&records, upsert(1, 10, 20, "Acme")).await, ApplyOutcome::Applied);

        let row = records.load(org(), &ACCOUNT, account(1)).await.unwrap().unwrap();

        let Change::Upsert { record, .. } = upsert(1, 10, 20, "Acme") else { unreachable!() };
        assert_eq!(row.fields, record.fields);
        assert_eq!((row.system_modstamp, row.read_at, row.deleted), (at(10), at(20), false));
        assert_eq!(records.load(other_org(), &ACCOUNT, account(1)).await.unwrap(), None);
    });
}

#[test]
fn versions_are_applied_by_the_rule() {
    run(async {
        let records = records().await;
        let steps = [
            (upsert(1, 10, 20, "a"), ApplyOutcome::Applied),
            (upsert(1, 10, 25, "a"), ApplyOutcome::Unchanged),
            (upsert(1, 9, 30, "old"), ApplyOutcome::Stale),
            (upsert(1, 10, 26, "b"), ApplyOutcome::Applied),
            (upsert(1, 11, 27, "b"), ApplyOutcome::Unchanged),
            (delete(1, 12, 28), ApplyOutcome::Applied),
            (upsert(1, 11, 40, "b"), ApplyOutcome::Stale),
            (delete(1, 12, 41), ApplyOutcome::Unchanged),
            (upsert(1, 13, 42, "back"), ApplyOutcome::Applied),
        ];
        for (step, (change, expected)) in steps.into_iter().enumerate() {
            assert_eq!(apply(&records, change).await, expected, "step {step}");
        }
        let row = records.load(org(), &ACCOUNT, account(1)).await.unwrap().unwrap();
        assert_eq!((name(&row), row.deleted), (Some("back"), false));
    });
}

#[test]
fn a_record_without_its_modstamp_is_refused() {
    run(async {
        let Change::Upsert { mut record, read_at } = upsert(1, 10, 20, "a") else { unreachable!() };
        record.fields.shift_remove("SystemModstamp");
        let refused = records().await.apply(org(), &ACCOUNT, Change::Upsert { record, read_at }).await;
        assert!(matches!(refused, Err(Error::Incomplete { field: "SystemModstamp", .. })), "{refused:?}");
    });
}

/// Versions of ten records with every case: equal timestamps with different content, reverted changes, deletions,
/// merges into each other, and undeletions.
fn versions(seed: u64) -> Vec<Change> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut version = |n: usize| {
        let (modstamp, read_at) = (rng.random_range(0..4), rng.random_range(0..4));
        match (rng.random_range(0..6), delete(n, modstamp, read_at)) {
            (0, gone) => gone,
            (1, Change::Tombstone(gone)) => {
                let master_record_id = Some(account(rng.random_range(0..10)));
                Change::Tombstone(Tombstone { master_record_id, ..gone })
            }
            (kind, _) => upsert(n, modstamp, read_at, ["a", "b"][kind % 2]),
        }
    };
    (0..10).flat_map(|n| (0..10).map(move |_| n)).map(&mut version).collect()
}

/// Returns all rows.
async fn rows(records: &Records) -> Vec<MirrorRecord> {
    records.list(org(), &ACCOUNT, None, 100).await.unwrap().records
}

#[test]
fn concurrent_writers_end_at_the_same_rows() {
    run(async {
        for seed in 0..3 {
            let in_order = records().await;
            for change in versions(seed) {
                apply(&in_order, change).await;
            }
            let expected = rows(&in_order).await;
            assert_eq!(expected.len(), 10);

            let records = records().await;
            let mut rng = StdRng::seed_from_u64(seed + 100);
            let mut arrivals = vec![versions(seed); 8];
            arrivals.iter_mut().for_each(|changes| changes.shuffle(&mut rng));
            let writers = arrivals.into_iter().map(|changes| records.apply_all(org(), &ACCOUNT, changes));
            let outcomes = join_all(writers).await;

            assert!(outcomes.iter().flatten().all(Result::is_ok), "{outcomes:?}");
            assert_eq!(rows(&records).await, expected, "seed {seed}");
        }
    });
}

#[test]
fn an_oversized_row_is_refused_before_it_is_sent() {
    run(async {
        let records = records().await;
        let refused = records.apply(org(), &ACCOUNT, upsert(1, 10, 20, &"x".repeat(409_600))).await;
        assert!(matches!(refused, Err(Error::TooLarge { size_bytes: 409_601.., .. })), "{refused:?}");
        assert_eq!(apply(&records, upsert(1, 10, 20, &"x".repeat(409_000))).await, ApplyOutcome::Applied);
    });
}

#[test]
fn a_version_that_is_too_large_marks_the_row_as_outdated() {
    run(async {
        let records = records().await;
        let outdated = async || records.load(org(), &ACCOUNT, account(1)).await.unwrap().unwrap().outdated_since;
        apply(&records, upsert(1, 10, 20, "a")).await;

        for _ in 0..2 {
            let too_large = vec![upsert(1, 30, 31, &"x".repeat(409_600))];
            let results = records.apply_all(org(), &ACCOUNT, too_large).await;
            assert!(matches!(results[0], Err(Error::TooLarge { .. })), "{results:?}");
            let row = records.load(org(), &ACCOUNT, account(1)).await.unwrap().unwrap();
            assert_eq!((name(&row), row.system_modstamp, row.outdated_since), (Some("a"), at(10), Some(at(30))));
        }
        apply(&records, upsert(1, 20, 32, "late")).await;
        assert_eq!(outdated().await, Some(at(30)), "an older version does not clear the mark");
        apply(&records, upsert(1, 40, 41, "smaller")).await;
        assert_eq!(outdated().await, None);
    });
}

#[test]
fn a_batch_has_one_result_a_change() {
    run(async {
        let records = records().await;
        let changes = |read_at| (0..250).map(|n| upsert(n, 10, read_at, "a")).collect::<Vec<_>>();
        let first = records.apply_all(org(), &ACCOUNT, changes(20)).await;
        assert!(first.iter().all(|result| matches!(result, Ok(ApplyOutcome::Applied))));

        let mut again = changes(30);
        again.push(upsert(7, 11, 31, "b"));
        let second = records.apply_all(org(), &ACCOUNT, again).await;

        let (last, others) = second.split_last().unwrap();
        assert!(matches!(last, Ok(ApplyOutcome::Applied)));
        assert_eq!(others.len(), 250);
        assert!(others.iter().all(|result| matches!(result, Ok(ApplyOutcome::Unchanged | ApplyOutcome::Stale))));
    });
}

#[test]
fn a_batch_costs_one_read_per_hundred_records() {
    run(async {
        let (client, tables) = tables().await;
        let (client, requests) = counted(&client);
        let records = Records::new(client, tables.name("records"));
        let all = |read_at| (0..1000).map(move |n| upsert(n, 10, read_at, "a"));

        records.apply_all(org(), &ACCOUNT, all(20).collect()).await;
        assert_eq!(requests.take(), 10 + 1000);

        records.apply_all(org(), &ACCOUNT, all(30).chain([upsert(1000, 10, 30, "a")]).collect()).await;
        assert_eq!(requests.take(), 11 + 1001);

        records.apply_all(org(), &ACCOUNT, all(30).chain(all(20)).collect()).await;
        assert_eq!(requests.take(), 10);
    });
}

#[test]
fn rows_are_listed_in_pages_and_counted() {
    run(async {
        let records = records().await;
        let changes = (0..25).map(|n| if n < 20 { upsert(n, 10, 20, "a") } else { delete(n, 10, 20) }).collect();
        records.apply_all(org(), &ACCOUNT, changes).await;

        let (mut after, mut ids) = (None, Vec::new());
        loop {
            let page = records.list(org(), &ACCOUNT, after, 10).await.unwrap();
            ids.extend(page.records.iter().map(|row| row.record_id));
            after = page.next;
            if after.is_none() {
                break;
            }
        }

        assert_eq!(ids, (0..25).map(account).collect::<Vec<_>>());
        let count = records.count(org(), &ACCOUNT).await.unwrap();
        assert_eq!((count.live, count.deleted), (20, 5));
        assert_eq!(records.count(other_org(), &ACCOUNT).await.unwrap().live, 0);
    });
}

#[test]
fn a_writer_does_not_bring_removed_fields_back() {
    run(async {
        let records = records().await;
        let without_empty = |n| match upsert(n, 11, 30, "new") {
            Change::Upsert { mut record, read_at } => {
                record.fields.shift_remove("Empty");
                Change::Upsert { record, read_at }
            }
            deletion => deletion,
        };
        for round in 0..4 {
            let ids = round * 40..(round + 1) * 40;
            records.apply_all(org(), &ACCOUNT, ids.clone().map(|n| upsert(n, 10, 20, "a")).collect()).await;
            let is_mirrored = |name: &str| name != "Empty";
            let removing = records.remove_fields(org(), &ACCOUNT, (None, 500), is_mirrored);
            let writing = records.apply_all(org(), &ACCOUNT, ids.map(without_empty).collect());
            let (removed, written) = futures::join!(removing, writing);
            assert!(removed.is_ok() && written.iter().all(Result::is_ok), "{removed:?} {written:?}");
            let rows = records.list(org(), &ACCOUNT, None, 500).await.unwrap().records;
            assert!(rows.iter().all(|row| !row.fields.contains_key("Empty") && name(row) == Some("new")));
        }
    });
}
