use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::interceptors::BeforeSerializationInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept};
use futures::future::join_all;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use salesforce::{ObjectName, Record};
use serde_json::{Value, json};
use store::{Apply, Change, Error, MirrorRecord, Records, Tombstone};

use crate::world::{account, at, org, other_org, run, tables};

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
    })
}

async fn apply(records: &Records, change: Change) -> Apply {
    records.apply(org(), &ACCOUNT, change).await.unwrap()
}

fn name(row: &MirrorRecord) -> Option<&str> {
    row.fields.get("Name").and_then(Value::as_str)
}

#[test]
fn a_record_comes_back_with_its_fields_as_they_were() {
    run(async {
        let records = records().await;
        assert_eq!(apply(&records, upsert(1, 10, 20, "Acme")).await, Apply::Applied);

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
            (upsert(1, 10, 20, "a"), Apply::Applied),
            (upsert(1, 10, 25, "a"), Apply::Unchanged),
            (upsert(1, 9, 30, "old"), Apply::Stale),
            (upsert(1, 10, 26, "b"), Apply::Applied),
            (upsert(1, 11, 27, "b"), Apply::Unchanged),
            (delete(1, 12, 28), Apply::Applied),
            (upsert(1, 11, 40, "b"), Apply::Stale),
            (delete(1, 12, 41), Apply::Unchanged),
            (upsert(1, 13, 42, "back"), Apply::Applied),
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

/// Ten records, each changed, deleted and brought back in its own way.
fn lives() -> Vec<Change> {
    let mut rng = StdRng::seed_from_u64(7);
    let mut changes = Vec::new();
    for n in 0..10 {
        for modstamp in 0..6 {
            for _ in 0..2 {
                let read_at = modstamp + rng.random_range(0..10);
                changes.push(match (modstamp + i64::try_from(n).unwrap()) % 4 {
                    0 => delete(n, modstamp, read_at),
                    _ => upsert(n, modstamp, read_at, &format!("{n} at {}", modstamp / 2)),
                });
            }
        }
    }
    changes
}

/// What a reader of the mirror sees.
async fn visible(records: &Records) -> BTreeMap<String, (String, bool, String)> {
    let page = records.list(org(), &ACCOUNT, None, 100).await.unwrap();
    let seen = |row: &MirrorRecord| {
        let fields = Value::Object(row.fields.clone()).to_string();
        (row.record_id.to_string(), (row.system_modstamp.to_string(), row.deleted, fields))
    };
    page.records.iter().map(seen).collect()
}

#[test]
fn many_writers_in_any_order_end_at_the_same_mirror() {
    run(async {
        let in_order = records().await;
        for change in lives() {
            apply(&in_order, change).await;
        }
        let expected = visible(&in_order).await;

        for seed in 0..4 {
            let records = records().await;
            let mut rng = StdRng::seed_from_u64(seed);
            let mut arrivals = vec![lives(); 8];
            arrivals.iter_mut().for_each(|changes| changes.shuffle(&mut rng));
            let writers = arrivals.into_iter().map(|changes| records.apply_all(org(), &ACCOUNT, changes));
            let outcomes = join_all(writers).await;

            assert!(outcomes.iter().flatten().all(Result::is_ok), "{outcomes:?}");
            assert_eq!(visible(&records).await, expected, "seed {seed}");
        }
    });
}

#[test]
fn a_batch_has_one_result_a_change_and_repeats_are_unchanged() {
    run(async {
        let records = records().await;
        let changes = |read_at| (0..250).map(|n| upsert(n, 10, read_at, "a")).collect::<Vec<_>>();
        let first = records.apply_all(org(), &ACCOUNT, changes(20)).await;
        assert!(first.iter().all(|result| matches!(result, Ok(Apply::Applied))));

        let mut again = changes(30);
        again.push(upsert(7, 11, 31, "b"));
        let second = records.apply_all(org(), &ACCOUNT, again).await;

        let (last, others) = second.split_last().unwrap();
        assert!(matches!(last, Ok(Apply::Applied)));
        assert_eq!(others.len(), 250);
        assert!(others.iter().all(|result| matches!(result, Ok(Apply::Unchanged | Apply::Stale))));
    });
}

/// Counts what is sent to the table.
#[derive(Clone, Debug, Default)]
struct Requests(Arc<AtomicUsize>);

impl Intercept for Requests {
    fn name(&self) -> &'static str {
        "Requests"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        _: &mut ConfigBag,
    ) -> Result<(), aws_sdk_dynamodb::error::BoxError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

#[test]
fn a_batch_costs_a_read_for_a_hundred_records_and_a_write_for_each_that_changes() {
    run(async {
        let (client, tables) = tables().await;
        let requests = Requests::default();
        let config = client.config().to_builder().interceptor(requests.clone()).build();
        let records = Records::new(Client::from_conf(config), tables.name("records"));
        let all = |read_at| (0..1000).map(move |n| upsert(n, 10, read_at, "a"));

        records.apply_all(org(), &ACCOUNT, all(20).collect()).await;
        assert_eq!(requests.0.swap(0, Ordering::Relaxed), 10 + 1000);

        records.apply_all(org(), &ACCOUNT, all(30).chain([upsert(1000, 10, 30, "a")]).collect()).await;
        assert_eq!(requests.0.swap(0, Ordering::Relaxed), 11 + 1);
    });
}

#[test]
fn rows_are_listed_by_page_and_counted() {
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
