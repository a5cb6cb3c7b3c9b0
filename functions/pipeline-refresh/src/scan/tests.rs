use std::collections::{BTreeMap, VecDeque};

use mirroring::{Excess, Extent};
use proptest::prelude::*;
use salesforce::{ObjectName, RecordId};

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

fn id(n: usize) -> RecordId {
    format!("0065e00000{n:05}").parse().unwrap()
}

fn row(second: i64, n: usize) -> Position {
    Position { system_modstamp: at(second), record_id: id(n) }
}

fn page(rows: &[Position], total_size: u64, done: bool) -> PageShape<'_> {
    PageShape { rows, total_size, done, limit: 2_000, until: None }
}

fn scan_at(second: i64, last: Option<usize>) -> Scan {
    let position = Some(ScanPoint { system_modstamp: at(second), last_id: last.map(id) });
    Scan { started_at: at(1_000), position, key: ScanKey::default() }
}

fn soql_of(scan: &Scan) -> String {
    let object = ObjectName::from_static("Opportunity");
    scan.next_rows(Soql::select(&[FieldName::ID]).from(&object), 2_000, None).to_string()
}

#[test]
fn a_first_scan_selects_every_row() {
    let expected = "SELECT Id FROM Opportunity ORDER BY SystemModstamp, Id LIMIT 2000";
    assert_eq!(soql_of(&Scan::fresh(None, at(0))), expected);
}

#[test]
fn a_new_scan_overlaps_the_last_one_by_ten_minutes() {
    let expected = "SELECT Id FROM Opportunity WHERE SystemModstamp >= 2026-09-21T14:13:20.000Z \
                  ORDER BY SystemModstamp, Id LIMIT 2000";
    assert_eq!(soql_of(&Scan::fresh(Some(at(600)), at(9_999))), expected);
}

#[test]
fn a_running_scan_selects_the_rows_after_its_last_row() {
    let expected = "SELECT Id FROM Opportunity WHERE (SystemModstamp >= 2026-09-21T14:13:25.000Z AND \
                  (SystemModstamp > 2026-09-21T14:13:25.000Z OR Id > '0065e0000000007AAA')) \
                  ORDER BY SystemModstamp, Id LIMIT 2000";
    assert_eq!(soql_of(&scan_at(5, Some(7))), expected);
}

#[test]
fn a_checkpoint_survives_being_stored() {
    for scan in [Scan::fresh(None, at(1)), Scan::fresh(Some(at(0)), at(1)), scan_at(5, Some(7))] {
        assert_eq!(Scan::resume(&scan.checkpoint()), Some(scan));
    }
    assert_eq!(Scan::resume("of another version"), None);
}

#[test]
fn a_checkpoint_of_an_earlier_version_is_resumed() {
    let checkpoint = r#"{"started_at":"2026-09-21T14:30:00Z","position":{"system_modstamp":"2026-09-21T14:13:25Z","last_id":"0065e0000000007AAA"}}"#;
    assert_eq!(Scan::resume(checkpoint), Some(scan_at(5, Some(7))));
    assert_eq!(scan_at(5, Some(7)).checkpoint(), checkpoint, "a version still deployed resumes it too");
}

#[test]
fn a_last_page_with_fewer_rows_than_matched_is_a_fault() {
    let fault = Scan::fresh(None, at(1_000)).after(&page(&[row(1, 1)], 2, true));
    assert_eq!(fault, Err(PageFault::Short));
}

#[test]
fn an_empty_page_that_is_not_the_last_is_a_fault() {
    assert_eq!(Scan::fresh(None, at(1_000)).after(&page(&[], 5, false)), Err(PageFault::Short));
}

#[test]
fn a_short_page_before_the_last_continues_after_its_last_row() {
    let step = Scan::fresh(None, at(1_000)).after(&page(&[row(1, 1), row(2, 2)], 900, false));
    assert_eq!(step, Ok(Step::Next(scan_at(2, Some(2)))));
}

#[test]
fn a_full_page_is_never_taken_for_the_last() {
    let rows: Vec<_> = (0..2_000).map(|n| row(1, n)).collect();
    let step = Scan::fresh(None, at(1_000)).after(&page(&rows, 2_000, true));
    assert_eq!(step, Ok(Step::Next(scan_at(1, Some(1_999)))));
}

#[test]
fn rows_out_of_order_are_a_fault() {
    let scan = scan_at(5, Some(1));
    assert_eq!(scan.after(&page(&[row(4, 2)], 1, true)), Err(PageFault::OutOfOrder));
    assert_eq!(scan.after(&page(&[row(7, 2), row(6, 3)], 2, true)), Err(PageFault::OutOfOrder));
}

#[test]
fn a_page_that_repeats_the_last_row_is_a_fault() {
    assert_eq!(scan_at(5, Some(1)).after(&page(&[row(5, 1)], 1, true)), Err(PageFault::NoProgress));
}

#[test]
fn rows_changed_after_the_scan_began_end_it() {
    let rows = [row(999, 1), row(1_001, 2)];
    assert_eq!(Scan::fresh(None, at(1_000)).after(&page(&rows, 5_000, false)), Ok(Step::Complete));
}

#[test]
fn a_query_with_an_end_is_followed_by_one_that_begins_there() {
    let scan = scan_at(5, Some(7));
    let until = scan.until(Some(SignedDuration::from_secs(60)));
    let object = ObjectName::from_static("Opportunity");
    let query = scan.next_rows(Soql::select(&[FieldName::ID]).from(&object), 2_000, until).to_string();
    assert!(query.contains("SystemModstamp < 2026-09-21T14:14:25.000Z"), "{query}");

    let next = |rows: &[Position]| scan.after(&PageShape { until, ..page(rows, rows.len() as u64, true) });
    assert_eq!(next(&[]), Ok(Step::Next(scan_at(65, None))));
    assert_eq!(next(&[row(6, 8)]), Ok(Step::Next(scan_at(65, None))));
    assert_eq!(scan_at(950, None).until(Some(SignedDuration::from_secs(60))), None, "the last query has no end");
}

/// One step of a scenario.
#[derive(Debug, Clone)]
enum Action {
    /// A row is written now and becomes visible when its transaction commits, `delay` seconds later.
    Edit { row: usize, delay: i64 },
    /// Many rows are written in one transaction: one `SystemModstamp`.
    MassEdit { rows: usize, delay: i64 },
    /// Time passes.
    Wait(i64),
    /// The worker takes its next step.
    Work,
    /// Salesforce refuses so many of the worker's queries for taking too long.
    TimeOut(u32),
    /// The worker is killed and loses its memory.
    Kill,
}

/// An org whose rows get their `SystemModstamp` when they are written and become visible when they are committed.
#[derive(Default)]
struct Org {
    now: i64,
    visible: BTreeMap<usize, i64>,
    uncommitted: VecDeque<(i64, usize, i64)>,
}

impl Org {
    fn edit(&mut self, row: usize, delay: i64) {
        // A row in an open transaction is locked for all others.
        if !self.uncommitted.iter().any(|(_, locked, _)| *locked == row) {
            self.uncommitted.push_back((self.now + delay, row, self.now));
        }
        self.commit();
    }

    fn wait(&mut self, seconds: i64) {
        self.now += seconds;
        self.commit();
    }

    fn commit(&mut self) {
        let now = self.now;
        let (due, open): (Vec<_>, Vec<_>) = self.uncommitted.drain(..).partition(|(commit, ..)| *commit <= now);
        self.uncommitted = open.into();
        self.visible.extend(due.into_iter().map(|(_, row, stamp)| (row, stamp)));
    }

    /// Returns the last of the next ids; `None` if they are the last ones.
    fn last_of_range(&self, begin: Option<RecordId>, limit: usize) -> Option<RecordId> {
        let ids: Vec<_> =
            self.visible.keys().map(|n| id(*n)).filter(|id| begin.is_none_or(|begin| *id > begin)).collect();
        (ids.len() >= limit).then(|| ids[limit - 1])
    }

    /// Returns the first rows of `scan`'s query for a range of ids.
    fn query_ids(
        &self,
        scan: &Scan,
        limit: usize,
        until: Option<Timestamp>,
        (begin, to_id): (Option<RecordId>, Option<RecordId>),
    ) -> (Vec<Position>, usize) {
        let (mut rows, _) = self.query(scan, usize::MAX, until);
        rows.retain(|row| begin.is_none_or(|begin| row.record_id > begin));
        rows.retain(|row| to_id.is_none_or(|to_id| row.record_id <= to_id));
        let total = rows.len();
        rows.truncate(limit);
        (rows, total)
    }

    /// Returns the first rows of `scan`'s query, and the number of rows that it matches.
    fn query(&self, scan: &Scan, limit: usize, until: Option<Timestamp>) -> (Vec<Position>, usize) {
        let mut rows: Vec<_> = self.visible.iter().map(|(n, stamp)| row(*stamp, *n)).collect();
        rows.retain(|row| match scan.position {
            None => true,
            Some(ScanPoint { system_modstamp, last_id: None }) => row.system_modstamp >= system_modstamp,
            Some(ScanPoint { system_modstamp, last_id: Some(id) }) => {
                (row.system_modstamp, row.record_id) > (system_modstamp, id)
            }
        });
        rows.retain(|row| until.is_none_or(|until| row.system_modstamp < until));
        rows.sort_by_key(|row| (row.system_modstamp, row.record_id));
        let total = rows.len();
        rows.truncate(limit);
        (rows, total)
    }
}

/// A worker, with its memory apart from its stored state.
#[derive(Default)]
struct Worker {
    mirror: BTreeMap<RecordId, Timestamp>,
    watermark: Option<Timestamp>,
    checkpoint: Option<Scan>,
    extent: Extent,
    memory: Memory,
}

#[derive(Default)]
enum Memory {
    #[default]
    Idle,
    Read(Scan, Option<Timestamp>, Option<RecordId>, Vec<Position>, usize),
    Stored(Scan, Step),
}

impl Worker {
    fn step(&mut self, org: &Org, page_rows: usize) {
        self.memory = match std::mem::take(&mut self.memory) {
            Memory::Idle => {
                let scan = self.checkpoint.unwrap_or_else(|| Scan::fresh(self.watermark, at(org.now)));
                self.checkpoint = Some(scan);
                let until = scan.until(self.extent.span());
                let extent = self.extent;
                let begin = scan.moment(until).filter(|_| extent.by_ids());
                let to_id = begin.and_then(|begin| org.last_of_range(begin, page_rows.min(extent.rows() as usize)));
                let (rows, total) = match begin {
                    Some(begin) => org.query_ids(&scan, page_rows, until, (begin, to_id)),
                    None => org.query(&scan, page_rows, until),
                };
                self.extent = if rows.is_empty() { extent.after_nothing() } else { extent.after_success() };
                Memory::Read(scan, until, to_id, rows, total)
            }
            Memory::Read(scan, until, to_id, rows, total) => {
                let (total_size, done) = (total as u64, rows.len() == total);
                let shape = PageShape { rows: &rows, total_size, done, limit: 2_000, until };
                let step = match to_id {
                    Some(to_id) => scan.after_ids(&shape, to_id).unwrap(),
                    None => scan.after(&shape).unwrap(),
                };
                if !scan.stays_at(&step) {
                    self.extent = self.extent.without_ids();
                }
                for row in rows {
                    let mirrored = self.mirror.entry(row.record_id).or_insert(row.system_modstamp);
                    *mirrored = row.system_modstamp.max(*mirrored);
                }
                Memory::Stored(scan, step)
            }
            Memory::Stored(_, Step::Next(next)) => {
                self.checkpoint = Some(next);
                Memory::Idle
            }
            Memory::Stored(scan, Step::Complete) => {
                self.checkpoint = None;
                self.watermark = Some(scan.started_at);
                Memory::Idle
            }
        };
    }

    fn time_out(&mut self) {
        if let (Memory::Idle, Some(scan)) = (&self.memory, self.checkpoint) {
            self.extent = self.extent.narrowed(Excess::Time, 10, Some(scan.range())).unwrap_or(self.extent);
        }
    }

    fn finish_a_scan(&mut self, org: &Org, page_rows: usize) {
        let begun = at(org.now);
        while self.watermark < Some(begun) {
            self.step(org, page_rows);
        }
    }
}

fn action() -> impl Strategy<Value = Action> {
    let delay = 0..OVERLAP.as_secs();
    prop_oneof![
        4 => (0..40_usize, delay.clone()).prop_map(|(row, delay)| Action::Edit { row, delay }),
        1 => (1..40_usize, delay).prop_map(|(rows, delay)| Action::MassEdit { rows, delay }),
        3 => (0..900_i64).prop_map(Action::Wait),
        8 => Just(Action::Work),
        3 => (1..12_u32).prop_map(Action::TimeOut),
        1 => Just(Action::Kill),
    ]
}

proptest! {
    #[test]
    fn no_row_is_lost_by_edits_late_commits_or_kills(
        actions in prop::collection::vec(action(), 1..120),
        page_rows in 1..12_usize,
    ) {
        let (mut org, mut worker) = (Org::default(), Worker::default());
        for action in actions {
            match action {
                Action::Edit { row, delay } => org.edit(row, delay),
                Action::MassEdit { rows, delay } => (0..rows).for_each(|row| org.edit(row, delay)),
                Action::Wait(seconds) => org.wait(seconds),
                Action::Work => worker.step(&org, page_rows),
                Action::TimeOut(times) => (0..times).for_each(|_| worker.time_out()),
                Action::Kill => worker.memory = Memory::Idle,
            }
        }
        org.wait(OVERLAP.as_secs());
        worker.finish_a_scan(&org, page_rows);

        let expected: BTreeMap<_, _> = org.visible.iter().map(|(n, stamp)| (id(*n), at(*stamp))).collect();
        prop_assert_eq!(worker.mirror, expected);
    }
}

#[test]
fn a_checkpoint_of_version_0_1_0_is_resumed() {
    let cursors = include_str!("../../../../tests/fixtures/stored/0.1.0/cursors.json");
    let cursors: Vec<serde_json::Value> = serde_json::from_str(cursors).unwrap();
    let checkpoint = cursors.iter().find_map(|cursor| cursor["checkpoint"]["S"].as_str()).unwrap();

    let position = Scan::resume(checkpoint).unwrap().position.unwrap();

    assert!(position.last_id.is_some_and(|id| id.as_str().starts_with("001")));
}

#[test]
fn another_key_takes_the_place_of_the_modstamp() {
    let object = ObjectName::from_static("Opportunity");
    let soql = |scan: Scan| scan.next_rows(Soql::select(&[FieldName::ID]).from(&object), 2_000, None).to_string();
    let by_creation = Scan { key: ScanKey::CreatedDate, ..scan_at(5, Some(7)) };
    let expected = "SELECT Id FROM Opportunity WHERE (CreatedDate >= 2026-09-21T14:13:25.000Z AND \
                  (CreatedDate > 2026-09-21T14:13:25.000Z OR Id > '0065e0000000007AAA')) \
                  ORDER BY CreatedDate, Id LIMIT 2000";
    assert_eq!(soql(by_creation), expected);
    assert_eq!(Scan::resume(&by_creation.checkpoint()), Some(by_creation));

    let by_id = Scan { key: ScanKey::Id, ..scan_at(5, Some(7)) };
    assert_eq!(soql(by_id), "SELECT Id FROM Opportunity WHERE Id > '0065e0000000007AAA' ORDER BY Id LIMIT 2000");
    assert_eq!((by_id.until(Some(SignedDuration::from_secs(60))), by_id.range()), (None, SignedDuration::ZERO));
    assert_eq!(by_id.last_row(&[row(5, 8)]), None, "each scan begins anew");
}

#[test]
fn a_scan_in_another_order_begins_anew() {
    let fresh = Scan::fresh(Some(at(600)), at(1_000));
    assert_eq!(fresh.by(ScanKey::LastModifiedDate, false).position, fresh.position);
    assert_eq!(fresh.by(ScanKey::Id, false).position, None, "every record may have changed");

    let interrupted = scan_at(5, Some(7));
    assert_eq!(interrupted.by(ScanKey::SystemModstamp, true), interrupted);
    let changed = interrupted.by(ScanKey::CreatedDate, true);
    assert_eq!((changed.position, changed.started_at), (None, interrupted.started_at));
    assert_eq!(changed.by(ScanKey::SystemModstamp, true).position, None);
}

proptest! {
    /// Rows at every second, and queries that end at any of them: each row is read by one query and by no other.
    #[test]
    fn queries_with_ends_read_every_row_once(
        rows in prop::collection::btree_map(0..60_usize, 0..40_i64, 1..60),
        spans in prop::collection::vec(prop::option::of(1..12_i64), 1..8),
        page_rows in 1..12_usize,
    ) {
        let org = Org { now: 100, visible: rows.clone(), ..Org::default() };
        let mut scan = Scan { started_at: at(100), position: Some(ScanPoint { system_modstamp: at(0), last_id: None }), key: ScanKey::default() };
        let (mut read, mut spans) = (Vec::new(), spans.iter().cycle());
        loop {
            let until = scan.until(spans.next().unwrap().map(SignedDuration::from_secs));
            let (page, total) = org.query(&scan, page_rows, until);
            let (total_size, done) = (total as u64, page.len() == total);
            read.extend(page.iter().map(|row| row.record_id));
            let shape = PageShape { rows: &page, total_size, done, limit: 2_000, until };
            match scan.after(&shape).unwrap() {
                Step::Next(next) => scan = next,
                Step::Complete => break,
            }
        }
        read.sort_unstable();
        let expected: Vec<RecordId> = rows.keys().map(|n| id(*n)).collect();
        prop_assert_eq!(read, expected);
    }
}

#[test]
fn a_range_of_ids_is_followed_by_the_rest_of_the_same_time() {
    let scan = scan_at(5, Some(3));
    let until = scan.until(Some(SignedDuration::from_secs(1)));
    assert_eq!(scan.moment(until), Some(Some(id(3))));
    assert_eq!(scan.moment(scan.until(Some(SignedDuration::from_secs(2)))), None, "rows of two times");
    let (first, last) = ([row(5, 4)], [row(5, 9)]);
    let shape = |rows| PageShape { until, ..page(rows, 1, true) };

    let next = scan.after_ids(&shape(&first), id(8)).unwrap();
    assert_eq!(next, Step::Next(scan_at(5, Some(8))));
    assert!(scan.stays_at(&next));
    let empty = PageShape { until, ..page(&[], 0, true) };
    assert_eq!(scan.after_ids(&empty, id(8)), Ok(next), "also without a row of this time");
    let end = scan.after(&shape(&last)).unwrap();
    assert_eq!((end, scan.stays_at(&end)), (Step::Next(scan_at(6, None)), false), "the last range has no end");

    let between = Scan {
        position: Some(ScanPoint { system_modstamp: at(5) + SignedDuration::from_millis(500), last_id: None }),
        ..scan
    };
    let until = between.until(Some(SignedDuration::from_secs(1)));
    assert_eq!((until, between.moment(until)), (Some(at(6)), None), "no row is between two seconds");
}
