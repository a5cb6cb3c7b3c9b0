use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use salesforce::ObjectName;
use serde_json::{Map, Value};
use store::Position;
use store::records::Carried;

use super::*;

const ACCOUNT: ObjectName = ObjectName::from_static("Account");
const TOTAL: FieldName = FieldName::from_static("Total__c");

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

fn id(n: usize) -> RecordId {
    format!("0015e00000{n:05}").parse().unwrap()
}

fn fields(values: Value) -> Map<String, Value> {
    let Value::Object(fields) = values else { panic!("not a JSON object") };
    fields
}

fn row(saved_at: i64, read_at: i64, values: Value) -> MirrorRecord {
    MirrorRecord {
        org_id: "00D5e000000KQ2eEAG".parse().unwrap(),
        object: ACCOUNT,
        record_id: id(1),
        fields: fields(values),
        system_modstamp: at(saved_at),
        read_at: at(read_at),
        deleted: false,
        master_record_id: None,
        deletion_reason: None,
        erased: false,
        outdated_since: None,
        carried: Carried::default(),
    }
}

fn record(saved_at: i64, values: Value) -> Record {
    let mut fields = fields(values);
    fields.insert("SystemModstamp".to_owned(), json!(at(saved_at).to_string()));
    Record { object: ACCOUNT, id: id(1), fields }
}

#[test]
fn only_another_value_of_the_same_version_differs() {
    let read = (&record(5, json!({"Total__c": 2.0})), at(20));
    let differs = |row: MirrorRecord| differs(&row, read, &[TOTAL]);
    assert!(differs(row(5, 10, json!({"Total__c": 1}))));
    assert!(differs(row(5, 10, json!({"Total__c": null}))));
    assert!(!differs(row(5, 10, json!({"Total__c": 2}))), "2 and 2.0 are the same number");
    assert!(!differs(row(5, 21, json!({"Total__c": 1}))), "the row was read later");
    assert!(!differs(row(6, 10, json!({"Total__c": 1}))), "the row has a newer version");
    assert!(!differs(row(4, 10, json!({"Total__c": 1}))), "the next scan reads the newer version");
    assert!(!differs(row(5, 10, json!({}))), "a new field is backfilled");
    assert!(!differs(MirrorRecord { deleted: true, ..row(5, 10, json!({"Total__c": 1})) }));
}

#[test]
fn a_query_begins_after_the_last_record_of_the_page_before() {
    let query =
        |progress: Progress| progress.next_records(Soql::select(&[FieldName::ID]).from(&ACCOUNT), 10).to_string();
    assert_eq!(query(Progress::fresh(at(0))), "SELECT Id FROM Account ORDER BY Id LIMIT 10");
    let later = Progress { after: Some(id(1)), ..Progress::fresh(at(0)) };
    assert!(query(later).contains("WHERE Id > '0015e0000000001AAA'"), "{}", query(later));
}

#[test]
fn a_page_that_is_short_or_repeats_a_record_is_a_fault() {
    let progress = Progress { after: Some(id(1)), ..Progress::fresh(at(0)) };
    let rows = [Position { system_modstamp: at(0), record_id: id(1) }];
    let page = |total_size| PageShape { rows: &rows, total_size, done: true, limit: 10, until: None };
    assert_eq!(progress.after(&page(2)), Err(PageFault::Short));
    assert_eq!(progress.after(&page(1)), Err(PageFault::NoProgress));
}

/// One step of a scenario.
#[derive(Debug, Clone)]
enum Action {
    /// The worker takes its next step.
    Work,
    /// The worker is killed and loses its memory.
    Kill,
    /// A value changes without a new version of its record.
    Drift(usize),
    /// A record is saved, which changes its value too; a scan stores it.
    Save(usize),
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        6 => Just(Action::Work),
        1 => Just(Action::Kill),
        2 => (0..30_usize).prop_map(Action::Drift),
        1 => (0..30_usize).prop_map(Action::Save),
    ]
}

/// The records of an org and the rows of the mirror: the versions and the values.
struct World {
    /// Salesforce's order of ids, which is not that of their bytes.
    order: Vec<usize>,
    org: BTreeMap<usize, (i64, i64)>,
    mirror: BTreeMap<usize, (i64, i64)>,
    /// The records whose value was changed since the reading began.
    touched: BTreeSet<usize>,
    saves: i64,
}

/// The state of a worker between its steps.
#[derive(Default)]
enum Memory {
    #[default]
    Idle,
    Read(Vec<(usize, (i64, i64))>, Step),
    Stored(Step),
}

impl World {
    fn page(&self, progress: &Progress, limit: usize) -> (Vec<Position>, u64) {
        let begin = self.order.iter().position(|n| progress.after == Some(id(*n))).map_or(0, |last| last + 1);
        let rest = &self.order[begin..];
        let position = |n: &usize| Position { system_modstamp: at(self.org[n].0), record_id: id(*n) };
        (rest.iter().take(limit).map(position).collect(), rest.len().min(limit) as u64)
    }

    fn read(&self, row: &Position) -> (usize, (i64, i64)) {
        let n = *self.order.iter().find(|n| id(**n) == row.record_id).unwrap();
        (n, self.org[&n])
    }

    /// Stores what differs of a page, as the function does: the record is read again.
    fn store(&mut self, rows: &[(usize, (i64, i64))]) {
        for (n, (saved, value)) in rows {
            let Some((mirrored_save, mirrored)) = self.mirror.get(n).copied() else { continue };
            let row = row(mirrored_save, 0, json!({ "Total__c": mirrored }));
            if differs(&row, (&record(*saved, json!({ "Total__c": value })), at(1)), &[TOTAL]) {
                self.mirror.insert(*n, self.org[n]);
            }
        }
    }
}

proptest! {
    /// With any changes meanwhile and kills of the worker at any point, every value that had changed before the reading began is in
    /// the mirror, and no version of the mirror is replaced by an older one.
    #[test]
    fn every_value_that_has_changed_is_stored_in_spite_of_kills(
        order in Just((0..30_usize).collect::<Vec<_>>()).prop_shuffle(),
        drifted in prop::collection::btree_set(0..30_usize, 0..20),
        actions in prop::collection::vec(action(), 0..60),
        limit in 1..12_usize,
    ) {
        let mirror: BTreeMap<usize, (i64, i64)> = order.iter().map(|n| (*n, (0, 0))).collect();
        let org = mirror.keys().map(|n| (*n, (0, i64::from(drifted.contains(n))))).collect();
        let mut world = World { order, org, mirror, touched: BTreeSet::new(), saves: 0 };
        let (mut stored, mut memory) = (ScanState::Running(json!(Progress::fresh(at(0))).to_string()), Memory::Idle);
        let endless = std::iter::repeat(Action::Work);
        for action in actions.into_iter().chain(endless) {
            let ScanState::Running(checkpoint) = &stored else { break };
            let progress = Progress::resume(checkpoint).unwrap();
            match action {
                Action::Kill => memory = Memory::Idle,
                Action::Drift(n) => {
                    world.touched.insert(n);
                    if let Some((_, value)) = world.org.get_mut(&n) {
                        *value += 10;
                    }
                }
                Action::Save(n) => {
                    world.touched.insert(n);
                    world.saves += 1;
                    world.org.insert(n, (world.saves, world.saves * 100));
                    world.mirror.insert(n, world.org[&n]);
                }
                Action::Work => memory = match std::mem::take(&mut memory) {
                    Memory::Idle => {
                        let (rows, total_size) = world.page(&progress, limit);
                        let limit = u32::try_from(limit).unwrap();
                        let shape = PageShape { rows: &rows, total_size, done: true, limit, until: None };
                        let step = progress.after(&shape).unwrap();
                        Memory::Read(rows.iter().map(|row| world.read(row)).collect(), step)
                    }
                    Memory::Read(rows, step) => {
                        let before = world.mirror.clone();
                        world.store(&rows);
                        for (n, (version, _)) in before {
                            prop_assert!(world.mirror[&n].0 >= version);
                        }
                        Memory::Stored(step)
                    }
                    Memory::Stored(step) => {
                        stored = progress.state_after(&step);
                        Memory::Idle
                    }
                },
            }
        }
        prop_assert_eq!(stored, ScanState::Complete(at(0)));
        for n in world.order.iter().filter(|n| !world.touched.contains(*n)) {
            prop_assert_eq!(world.mirror[n], world.org[n], "record {}", n);
        }
    }
}
