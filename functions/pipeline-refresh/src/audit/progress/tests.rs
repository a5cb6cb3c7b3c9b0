use std::cmp::Ordering;
use std::collections::BTreeMap;

use proptest::prelude::*;
use salesforce::ObjectName;
use store::{RowState, RowVersion};

use super::*;
use crate::audit::bucket::{Bucket, Differences};

/// The cutoff of the tests' audits.
const CUTOFF: i64 = 1_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

/// Ids whose order differs between collations.
fn id(n: usize) -> RecordId {
    const DIGITS: &[u8; 6] = b"09AZaz";
    let digit = |n: usize| char::from(DIGITS[n % 6]);
    format!("0015e0000000{}{}{}", digit(n / 36), digit(n / 6), digit(n)).parse().unwrap()
}

fn job_id() -> JobId {
    serde_json::from_value(json!("7505e000000KQ2eAAG")).unwrap()
}

fn start() -> Progress {
    Progress::fresh(at(CUTOFF) + OVERLAP)
}

type Org = BTreeMap<RecordId, Timestamp>;
type Mirror = BTreeMap<RecordId, RowVersion>;

/// The order in which the org returns ids.
#[derive(Debug, Clone, Copy)]
enum Collation {
    Bytes,
    WithoutCase,
    Reversed,
}

impl Collation {
    fn compare(self, one: RecordId, other: RecordId) -> Ordering {
        let folded = |id: RecordId| (id.as_str().to_ascii_lowercase(), id);
        match self {
            Self::Bytes => one.cmp(&other),
            Self::WithoutCase => folded(one).cmp(&folded(other)),
            Self::Reversed => other.cmp(&one),
        }
    }
}

/// The findings of an audit, and its end.
#[derive(Debug, Default, PartialEq)]
struct Found {
    differences: Differences,
    vanished: Vec<RecordId>,
    hashes: (RowsHash, RowsHash),
}

/// The sizes of an audit's pages, and the end of its reading by REST.
#[derive(Debug, Clone, Copy)]
struct Pages {
    records: usize,
    rows: usize,
    /// The records after which a query job reads the rest.
    by_rest: u64,
    /// The pages of the job after which it is lost.
    lost_after: u32,
}

impl Pages {
    fn by_rest(records: usize, rows: usize) -> Self {
        Self { records, rows, by_rest: u64::MAX, lost_after: u32::MAX }
    }

    /// Returns the next page and the end of its bucket, as the function does; `None` if the job is lost.
    fn next(
        &mut self,
        org: &Org,
        collation: Collation,
        progress: &mut Progress,
    ) -> Option<(Vec<Position>, Option<RecordId>)> {
        let is_after = |id: &RecordId| progress.after.is_none_or(|after| collation.compare(*id, after).is_gt());
        let mut records: Vec<Position> = org.iter().filter(|(id, _)| is_after(id)).map(position).collect();
        records.sort_by(|one, other| collation.compare(one.record_id, other.record_id));
        let has_more = records.len() > self.records;
        records.truncate(self.records);
        if progress.reading == Reading::Rest && progress.counts.checked >= self.by_rest {
            let id = job_id();
            progress.reading =
                Reading::Job(IdJob { id, created_at: at(0), is_complete: true, poll_at: None, locator: None });
        }
        let Reading::Job(job) = &progress.reading else {
            let limit = u32::try_from(self.records).unwrap();
            let shape = PageShape { rows: &records, total_size: records.len() as u64, done: true, limit, until: None };
            let end = progress.bucket_end(&shape).unwrap();
            return Some((records, end));
        };
        self.lost_after = self.lost_after.checked_sub(1)?;
        let next = has_more.then(|| Locator::try_from(format!("page{}", progress.counts.buckets)).unwrap());
        let end = progress.job_bucket_end(&records, next.as_ref()).unwrap();
        progress.reading = Reading::Job(IdJob { locator: next, ..job.clone() });
        Some((records, end))
    }
}

/// Audits as the function does, and resumes from the checkpoint after each bucket.
fn audit(org: &Org, mirror: &mut Mirror, collation: Collation, mut pages: Pages) -> Found {
    let (mut progress, mut found) = (start(), Found::default());
    while !progress.is_compared {
        progress = Progress::resume(&progress.checkpoint(), progress.started_at).unwrap();
        let Some((records, end)) = pages.next(org, collation, &mut progress) else {
            progress = progress.without_job();
            continue;
        };
        let mut bucket = Bucket::new(&records, progress.cutoff());
        let is_inside = |id: &RecordId| Some(*id) > progress.mirrored_to && end.is_none_or(|end| *id <= end);
        let rows: Vec<RowVersion> = mirror.values().filter(|row| is_inside(&row.record_id)).copied().collect();
        rows.chunks(pages.rows).for_each(|rows| bucket.compare(rows));
        let known: Vec<RowVersion> = bucket.unmatched().iter().filter_map(|id| mirror.get(id)).copied().collect();
        bucket.compare(&known);
        for row in bucket.take_unseen() {
            match org.get(&row.0) {
                Some(version) => bucket.compare_found(row, *version),
                None => {
                    bucket.add_surplus(row);
                    progress.vanished.push(row.0);
                }
            }
        }
        let compared = bucket.end();
        for id in compared.differences.missing.iter().chain(&compared.differences.stale) {
            mirror.insert(*id, row(*id, RowState::Live(org[id])));
        }
        progress.advance(&records, end, &compared);
        found.differences.missing.extend(compared.differences.missing);
        found.differences.stale.extend(compared.differences.stale);
        found.differences.ahead.extend(compared.differences.ahead);
    }
    for id in &progress.vanished {
        mirror.get_mut(id).unwrap().state = RowState::Deleted;
    }
    found.vanished = progress.vanished;
    found.hashes = (progress.org_hash, progress.mirror_hash);
    let Differences { missing, stale, ahead } = &mut found.differences;
    [missing, stale, ahead, &mut found.vanished].into_iter().for_each(|ids| ids.sort_unstable());
    found
}

fn position((id, version): (&RecordId, &Timestamp)) -> Position {
    Position { record_id: *id, system_modstamp: *version }
}

fn row(record_id: RecordId, state: RowState) -> RowVersion {
    let system_modstamp = if let RowState::Live(version) = state { version } else { at(0) };
    RowVersion { record_id, system_modstamp, state }
}

/// The differences as their definitions say, record by record.
fn expected(org: &Org, mirror: &Mirror) -> (Vec<RecordId>, Vec<RecordId>, Vec<RecordId>) {
    let (mut missing, mut stale) = (Vec::new(), Vec::new());
    for (id, version) in org.iter().filter(|(_, version)| **version <= at(CUTOFF)) {
        match mirror.get(id).map(|row| row.state) {
            None | Some(RowState::Deleted) => missing.push(*id),
            Some(RowState::Live(mirrored)) if mirrored < *version => stale.push(*id),
            _ => {}
        }
    }
    let is_surplus = |row: &&RowVersion| {
        matches!(row.state, RowState::Live(mirrored) if mirrored <= at(CUTOFF)) && !org.contains_key(&row.record_id)
    };
    (missing, stale, mirror.values().filter(is_surplus).map(|row| row.record_id).collect())
}

/// A record in the org and in the mirror. A version of the mirror came from the org, so it is never the newer one.
fn pair() -> impl Strategy<Value = (Option<i64>, Option<RowState>)> {
    let mirrored = prop_oneof![
        6 => (0..1_200_i64).prop_map(|second| Some(RowState::Live(at(second)))),
        1 => Just(Some(RowState::Deleted)),
        1 => Just(Some(RowState::Erased)),
        1 => Just(None),
    ];
    (prop::option::weighted(0.8, 0..1_200_i64), mirrored).prop_map(|(version, state)| match (version, state) {
        (Some(version), Some(RowState::Live(mirrored))) => {
            (Some(version), Some(RowState::Live(mirrored.min(at(version)))))
        }
        other => other,
    })
}

fn world(pairs: &[(Option<i64>, Option<RowState>)]) -> (Org, Mirror) {
    let records = pairs.iter().enumerate().filter_map(|(n, (version, _))| Some((id(n), at((*version)?))));
    let rows = pairs.iter().enumerate().filter_map(|(n, (_, state))| Some((id(n), row(id(n), (*state)?))));
    (records.collect(), rows.collect())
}

proptest! {
    #[test]
    fn any_mirror_after_repair_audits_to_zero(
        pairs in prop::collection::vec(pair(), 0..120), page_records in 1..40_usize, page_rows in 1..40_usize,
        collation in prop::sample::select(vec![Collation::Bytes, Collation::WithoutCase, Collation::Reversed]),
        by_rest in prop_oneof![Just(u64::MAX), 0..120_u64],
    ) {
        let (org, mut mirror) = world(&pairs);
        let (missing, stale, surplus) = expected(&org, &mirror);

        let pages = Pages { by_rest, ..Pages::by_rest(page_records, page_rows) };
        let found = audit(&org, &mut mirror, collation, pages);

        prop_assert_eq!(&found.differences, &Differences { missing, stale, ahead: Vec::new() });
        prop_assert_eq!(&found.vanished, &surplus);
        let is_equal = found.differences == Differences::default() && found.vanished.is_empty();
        prop_assert_eq!(found.hashes.0 == found.hashes.1, is_equal, "equal hashes say that nothing differed");
        let again = audit(&org, &mut mirror, collation, pages);
        prop_assert_eq!(&again.differences, &Differences::default());
        prop_assert!(again.vanished.is_empty() && again.hashes.0 == again.hashes.1, "{:?}", again);
    }

    #[test]
    fn any_bucket_size_gives_the_same_differences(
        pairs in prop::collection::vec(pair(), 0..120), one in 1..200_usize, other in 1..200_usize,
    ) {
        let (org, mirror) = world(&pairs);
        let found = |size| audit(&org, &mut mirror.clone(), Collation::Bytes, Pages::by_rest(size, size));
        prop_assert_eq!(found(one), found(other));
    }

    #[test]
    fn a_lost_job_hides_no_difference(
        pairs in prop::collection::vec(pair(), 0..120), size in 1..40_usize, by_rest in 0..60_u64, lost_after in 0..4_u32,
        collation in prop::sample::select(vec![Collation::Bytes, Collation::WithoutCase, Collation::Reversed]),
    ) {
        let (org, mut mirror) = world(&pairs);
        let (missing, stale, surplus) = expected(&org, &mirror);

        let found = audit(&org, &mut mirror, collation, Pages { by_rest, lost_after, ..Pages::by_rest(size, size) });

        prop_assert_eq!(&found.differences, &Differences { missing, stale, ahead: Vec::new() });
        prop_assert_eq!(&found.vanished, &surplus);
    }
}

#[test]
fn a_version_that_is_newer_than_the_orgs_is_told_and_kept() {
    let org = Org::from([(id(1), at(10))]);
    let mut mirror = Mirror::from([(id(1), row(id(1), RowState::Live(at(11))))]);
    let found = audit(&org, &mut mirror, Collation::Bytes, Pages::by_rest(10, 10));
    assert_eq!(found.differences, Differences { ahead: vec![id(1)], ..Differences::default() });
}

#[test]
fn what_changed_during_the_audit_is_no_difference() {
    let (before, during) = (at(CUTOFF), at(CUTOFF + 1));
    let org = Org::from([(id(1), during), (id(2), during), (id(3), before)]);
    let live = |n, version| (id(n), row(id(n), RowState::Live(version)));
    let mut mirror = Mirror::from([live(2, before), live(3, during), live(4, during)]);
    let found = audit(&org, &mut mirror, Collation::Bytes, Pages::by_rest(10, 10));
    assert_eq!((found.differences, found.vanished), (Differences::default(), Vec::new()));
}

#[test]
fn a_page_of_records_is_read_after_the_last_one() {
    let object = ObjectName::from_static("Account");
    let soql = |progress: &Progress| {
        progress.next_records(Soql::select(&[FieldName::ID]).from(&object), Some(2_000)).to_string()
    };
    assert_eq!(soql(&start()), "SELECT Id FROM Account ORDER BY Id LIMIT 2000");
    let after = Progress { after: Some(id(0)), ..start() };
    assert_eq!(soql(&after), format!("SELECT Id FROM Account WHERE Id > '{}' ORDER BY Id LIMIT 2000", id(0)));
}

#[test]
fn a_page_that_is_short_or_repeats_a_record_is_a_fault() {
    let records = [Position { record_id: id(1), system_modstamp: at(1) }];
    let page = |total_size, done, limit| PageShape { rows: &records, total_size, done, limit, until: None };
    assert_eq!(start().bucket_end(&page(2, true, 10)), Err(PageFault::Short));
    assert_eq!(start().bucket_end(&PageShape { rows: &[], ..page(5, false, 10) }), Err(PageFault::Short));
    let after = Progress { after: Some(id(1)), ..start() };
    assert_eq!(after.bucket_end(&page(1, true, 10)), Err(PageFault::NoProgress));
    assert_eq!(start().bucket_end(&page(1, true, 1)), Ok(Some(id(1))), "a full page is never the last");
    assert_eq!(start().bucket_end(&page(1, true, 10)), Ok(None));
}

#[test]
fn an_audit_that_was_given_up_or_is_too_old_begins_anew() {
    let now = at(0);
    let progress = Progress { vanished: vec![id(1), id(2)], ..Progress::fresh(now) };
    assert_eq!(Progress::resume(&progress.checkpoint(), now), Some(progress.clone()));
    assert_eq!(Progress::resume(&progress.checkpoint(), now + TOO_OLD), None);
    assert_eq!(Progress::given_up_at(&progress.checkpoint()), None);
    let given_up = Progress { is_given_up: true, ..progress };
    assert_eq!(Progress::resume(&given_up.checkpoint(), now), None);
    assert_eq!(Progress::given_up_at(&given_up.checkpoint()), Some(now));
    assert_eq!(Progress::resume("of another version", now), None);
}

#[test]
fn a_checkpoint_fits_into_an_item() {
    let full = Progress { vanished: (0..MAX_VANISHED).map(|_| id(7)).collect(), ..start() };
    assert!(full.checkpoint().len() < 300 * 1024, "{}", full.checkpoint().len());
}

#[test]
fn a_tenth_of_an_object_does_not_vanish_at_once() {
    assert!(is_plausible(20, 20) && is_plausible(100, 1_000));
    assert!(!is_plausible(21, 21) && !is_plausible(101, 1_000));
}

#[test]
fn a_page_of_a_job_that_leads_to_itself_is_a_fault() {
    let locator = Locator::try_from("MTAw".to_owned()).unwrap();
    let id = job_id();
    let job = IdJob { id, created_at: at(0), is_complete: true, poll_at: None, locator: Some(locator.clone()) };
    let progress = Progress { reading: Reading::Job(job), ..start() };
    let records = [Position { record_id: self::id(1), system_modstamp: at(1) }];
    assert_eq!(progress.job_bucket_end(&records, Some(&locator)), Err(PageFault::NoProgress));
    let other = Locator::try_from("MjAw".to_owned()).unwrap();
    assert_eq!(progress.job_bucket_end(&records, Some(&other)), Ok(Some(self::id(1))));
    assert_eq!(progress.job_bucket_end(&[], Some(&other)), Err(PageFault::NoProgress), "no end of the bucket is known");
    assert_eq!(progress.job_bucket_end(&records, None), Ok(None));
}

#[test]
fn a_checkpoint_of_an_earlier_version_is_read() {
    let mut checkpoint: serde_json::Value = serde_json::from_str(&start().checkpoint()).unwrap();
    checkpoint.as_object_mut().unwrap().remove("reading");
    let progress = Progress::resume(&checkpoint.to_string(), start().started_at);
    assert_eq!(progress, Some(start()));
}

#[test]
fn only_one_task_asks_for_a_job_and_queues_the_next_poll() {
    let job = |is_complete| IdJob { id: job_id(), created_at: at(0), is_complete, poll_at: None, locator: None };
    let mut progress = Progress { reading: Reading::Job(job(false)), ..start() };
    assert_eq!(progress.poll_in(at(0)), None, "a checkpoint of an earlier version");
    progress.poll_after(Duration::from_secs(10), at(0));
    progress = Progress::resume(&progress.checkpoint(), progress.started_at).unwrap();
    assert_eq!(progress.poll_in(at(1)), Some(Duration::from_secs(9)), "another task");
    assert_eq!(progress.poll_in(at(9)), None, "the message, by another clock");
    assert_eq!(progress.poll_in(at(5_000)), None, "any task, if the message is lost");

    progress.poll_after(Duration::from_secs(300), at(5_000));
    assert_eq!(progress.poll_in(at(5_001)), Some(Duration::from_secs(299)), "the message that was not lost");
    progress.reading = Reading::Job(IdJob { is_complete: true, poll_at: Some(at(9_000)), ..job(true) });
    assert_eq!(progress.poll_in(at(5_001)), None, "its pages are read");
    progress.reading = Reading::Rest;
    progress.poll_after(Duration::from_secs(300), at(5_000));
    assert_eq!((progress.poll_in(at(5_001)), &progress.reading), (None, &Reading::Rest));
}
