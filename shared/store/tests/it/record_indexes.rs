//! The indexes of the mirror.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use futures::future::join_all;
use jiff::SignedDuration;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use salesforce::{Clock, ObjectName, Record, RecordId};
use serde_json::{Value, json};
use store::{ApplyOutcome, Change, ChangedPage, ChangesFrom, Records, Tombstone};

use crate::harness::{account, at, counted, org, other_org, run, tables};

static CONTACT: ObjectName = ObjectName::from_static("Contact");

fn contact(n: usize) -> RecordId {
    format!("003000000000{n:03}").parse().unwrap()
}

fn upsert(n: usize, modstamp: i64, read_at: i64, mut fields: Value) -> Change {
    fields["SystemModstamp"] = json!(at(modstamp));
    let fields = fields.as_object().unwrap().clone();
    Change::Upsert { record: Record { object: CONTACT.clone(), id: contact(n), fields }, read_at: at(read_at) }
}

fn delete(n: usize, modstamp: i64, read_at: i64) -> Change {
    let (record_id, system_modstamp, read_at) = (contact(n), at(modstamp), at(read_at));
    Change::Tombstone(Tombstone { record_id, system_modstamp, read_at, master_record_id: None, reason: None })
}

struct Mirror {
    client: Client,
    table: String,
    records: Records,
    clock: Clock,
}

impl Mirror {
    async fn new() -> Self {
        let (client, tables) = tables().await;
        let (table, clock) = (tables.name("records"), Clock::manual(at(1_000)));
        let records = Records::new(client.clone(), &table).with_clock(clock.clone());
        Self { client, table, records, clock }
    }

    fn advance(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    async fn apply(&self, change: Change) -> ApplyOutcome {
        self.records.apply(org(), &CONTACT, change).await.unwrap()
    }

    async fn changed_since(&self, from: ChangesFrom, limit: u16) -> ChangedPage {
        self.records.changed_since(org(), &CONTACT, from, limit).await.unwrap()
    }

    /// Returns the seconds of each record's change.
    async fn changes(&self) -> Vec<(RecordId, i64)> {
        let page = self.changed_since(ChangesFrom::Time(at(0)), 1_000).await;
        page.records
            .iter()
            .map(|found| (found.record.record_id, found.key.changed_at.as_second() - at(0).as_second()))
            .collect()
    }

    async fn items(&self) -> Vec<HashMap<String, AttributeValue>> {
        self.client.scan().table_name(&self.table).send().await.unwrap().items.unwrap_or_default()
    }
}

fn ids(page: &ChangedPage) -> Vec<RecordId> {
    page.records.iter().map(|found| found.record.record_id).collect()
}

#[test]
fn a_row_moves_when_its_content_changes_only() {
    run(async {
        let mirror = Mirror::new().await;
        mirror.apply(upsert(1, 10, 20, json!({"LastName": "Ann"}))).await;
        mirror.advance(1);
        mirror.apply(upsert(2, 10, 20, json!({"LastName": "Bob"}))).await;
        assert_eq!(mirror.changes().await, [(contact(1), 1_000), (contact(2), 1_001)]);

        mirror.advance(1);
        assert_eq!(mirror.apply(upsert(1, 10, 30, json!({"LastName": "Ann"}))).await, ApplyOutcome::Unchanged);
        assert_eq!(mirror.changes().await, [(contact(1), 1_000), (contact(2), 1_001)]);

        mirror.apply(upsert(1, 11, 31, json!({"LastName": "Anna"}))).await;
        assert_eq!(mirror.changes().await, [(contact(2), 1_001), (contact(1), 1_002)]);
        mirror.advance(1);
        mirror.apply(delete(2, 12, 32)).await;
        assert_eq!(mirror.changes().await, [(contact(1), 1_002), (contact(2), 1_003)]);
        mirror.advance(1);
        mirror.records.erase(org(), &CONTACT, contact(1)).await.unwrap();
        assert_eq!(mirror.changes().await, [(contact(2), 1_003), (contact(1), 1_004)]);
    });
}

/// The read of the known row and the write of a later read of the same version lie apart, and another content may be
/// stored in between: then the row has changed twice.
#[test]
fn a_change_in_between_moves_the_row() {
    run(async {
        for _ in 0..5 {
            let mirror = Mirror::new().await;
            mirror.apply(upsert(1, 10, 20, json!({"LastName": "Ann"}))).await;
            mirror.advance(1);
            let later =
                vec![upsert(1, 10, 30, json!({"LastName": "Bob"})), upsert(1, 10, 40, json!({"LastName": "Ann"}))];
            let outcomes = mirror.records.apply_all(org(), &CONTACT, later).await;
            let was_stored = matches!(outcomes[0], Ok(ApplyOutcome::Applied));
            let expected = if was_stored { 1_001 } else { 1_000 };
            assert_eq!(mirror.changes().await, [(contact(1), expected)], "{outcomes:?}");
        }
    });
}

#[test]
fn a_row_of_an_older_release_gets_its_place_when_it_is_read_again() {
    run(async {
        let mirror = Mirror::new().await;
        mirror.apply(upsert(1, 10, 20, json!({"LastName": "Ann", "AccountId": account(1)}))).await;
        let mut item = mirror.items().await.pop().unwrap();
        item.retain(|name, _| !["changed", "parent", "other_parent"].contains(&name.as_str()));
        mirror.client.put_item().table_name(&mirror.table).set_item(Some(item)).send().await.unwrap();
        assert!(mirror.changes().await.is_empty());

        mirror.advance(1);
        mirror.apply(upsert(1, 10, 30, json!({"LastName": "Ann", "AccountId": account(1)}))).await;
        assert_eq!(mirror.changes().await, [(contact(1), 1_001)]);
        let children = mirror.records.children(org(), &CONTACT, account(1), (None, 10)).await.unwrap();
        assert_eq!(ids(&children), [contact(1)]);
    });
}

#[test]
fn the_attributes_of_the_indexes_follow_the_row() {
    run(async {
        for seed in 0..3 {
            let mirror = Mirror::new().await;
            let mut rng = StdRng::seed_from_u64(seed);
            let mut change = || {
                let (n, modstamp, read_at) = (rng.random_range(0..8), rng.random_range(0..6), rng.random_range(0..6));
                let field = ["AccountId", "WhoId", "ContactId", "LastName"][rng.random_range(0..4)];
                let fields = json!({ field: account(rng.random_range(0..2)) });
                if rng.random_bool(0.2) { delete(n, modstamp, read_at) } else { upsert(n, modstamp, read_at, fields) }
            };
            let writers: Vec<Vec<Change>> = (0..4).map(|_| (0..40).map(|_| change()).collect()).collect();
            join_all(writers.into_iter().map(|changes| mirror.records.apply_all(org(), &CONTACT, changes))).await;

            let mut below: BTreeMap<(&str, String), Vec<String>> = BTreeMap::new();
            for item in mirror.items().await {
                let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok().cloned());
                let fields: Value = serde_json::from_str(&text("fields").unwrap()).unwrap();
                let first = |names: &[&str]| names.iter().find_map(|name| fields[*name].as_str());
                let parent_of = |id: &str| format!("{}#{id}", text("partition").unwrap());
                assert_eq!(text("parent"), first(&["AccountId", "WhoId"]).map(parent_of), "{item:?}");
                assert_eq!(text("other_parent"), first(&["WhoId", "ContactId"]).map(parent_of), "{item:?}");
                assert!(text("changed").unwrap().ends_with(&format!("#{}", text("record_id").unwrap())), "{item:?}");
                for index in ["parent", "other_parent"] {
                    if let Some(parent) = text(index) {
                        below.entry((index, parent)).or_default().push(text("record_id").unwrap());
                    }
                }
            }
            for (index, parent) in
                [0, 1].into_iter().flat_map(|n| [("parent", account(n)), ("other_parent", account(n))])
            {
                let page = match index {
                    "parent" => mirror.records.children(org(), &CONTACT, parent, (None, 100)).await,
                    _ => mirror.records.children_by_other_parent(org(), &CONTACT, parent, (None, 100)).await,
                };
                let mut found: Vec<String> = ids(&page.unwrap()).iter().map(ToString::to_string).collect();
                found.sort();
                let mut expected = below.remove(&(index, format!("{}#Contact#{parent}", org()))).unwrap_or_default();
                expected.sort();
                assert_eq!(found, expected, "{index} {parent}");
            }
        }
    });
}

#[test]
fn children_are_paged_with_the_last_changed_first() {
    run(async {
        let mirror = Mirror::new().await;
        for n in 0..7 {
            mirror.apply(upsert(n, 10, 20, json!({"AccountId": account(n % 2)}))).await;
            mirror.advance(1);
        }
        let (mut after, mut found, mut pages) = (None, Vec::new(), 0);
        loop {
            let page = mirror.records.children(org(), &CONTACT, account(0), (after, 2)).await.unwrap();
            found.extend(ids(&page));
            pages += 1;
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, [6, 4, 2, 0].map(contact));
        assert!((2..=3).contains(&pages), "{pages}");
        let elsewhere = mirror.records.children(other_org(), &CONTACT, account(0), (None, 10)).await.unwrap();
        assert_eq!(elsewhere, ChangedPage::default());

        mirror.apply(upsert(6, 11, 30, json!({"AccountId": account(1)}))).await;
        let moved = mirror.records.children(org(), &CONTACT, account(0), (None, 10)).await.unwrap();
        assert_eq!(ids(&moved), [4, 2, 0].map(contact));
    });
}

#[test]
fn a_reader_of_changes_sees_rows_that_change_meanwhile() {
    run(async {
        let mirror = Mirror::new().await;
        for n in 0..4 {
            mirror.apply(upsert(n, 10, 20, json!({"LastName": "a"}))).await;
            mirror.advance(1);
        }
        let first = mirror.changed_since(ChangesFrom::Time(at(1_001)), 2).await;
        assert_eq!(ids(&first), [contact(1), contact(2)]);
        mirror.apply(upsert(1, 11, 21, json!({"LastName": "b"}))).await;
        let rest = mirror.changed_since(ChangesFrom::After(first.next.unwrap()), 10).await;
        assert_eq!((ids(&rest), rest.next), (vec![contact(3), contact(1)], None));

        let range = (ChangesFrom::Time(at(1_000)), at(1_002));
        let keys = mirror.records.change_keys(org(), &CONTACT, range, 10).await.unwrap();
        assert_eq!(keys.iter().map(|key| key.record_id).collect::<Vec<_>>(), [contact(0), contact(2)]);
        let none = (ChangesFrom::Time(at(1_002)), at(1_001));
        assert!(mirror.records.change_keys(org(), &CONTACT, none, 10).await.unwrap().is_empty());

        let newest = mirror.records.last_changed(org(), &CONTACT, None, 3).await.unwrap();
        assert_eq!(ids(&newest), [1, 3, 2].map(contact));
        let oldest = mirror.records.last_changed(org(), &CONTACT, newest.next, 3).await.unwrap();
        assert_eq!((ids(&oldest), oldest.next), (vec![contact(0)], None));
    });
}

#[test]
fn a_page_costs_a_query_and_a_read_of_100_rows() {
    run(async {
        let mirror = Mirror::new().await;
        let rows = (0..150).map(|n| upsert(n, 10, 20, json!({"AccountId": account(1)}))).collect();
        mirror.records.apply_all(org(), &CONTACT, rows).await;
        let (client, requests) = counted(&mirror.client);
        let records = Records::new(client, &mirror.table);
        for (limit, expected) in [(50, 2), (100, 2), (150, 3)] {
            let page = records.children(org(), &CONTACT, account(1), (None, limit)).await.unwrap();
            assert_eq!((page.records.len(), requests.take()), (usize::from(limit), expected));
        }
    });
}
