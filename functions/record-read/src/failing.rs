//! The failures of an org, grouped by the reason and by who has to act, and the work that waits.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join;
use jiff::{SignedDuration, Timestamp};
use runtime::failures::{Actor, FailedWork, Failure, FailureKind};
use salesforce::{ObjectName, OrgId, RecordId};
use serde::Serialize;
use store::{
    Cursor, CursorName, Delivery, DeliveryOutcome, LeftOut, ListedState, PlatformUser, RecordRef, Write, WriteFilter,
    WriteId, WriteState,
};

use crate::Deps;
use crate::views::{ConnectionView, millis, millis_option};

mod written;

/// The time for which failures are shown. Work that is deferred is given up after it.
const SHOWN: SignedDuration = store::deferral::OUTAGE;
/// The number of records, and of writes, that a group names.
const NAMED: usize = 20;
/// The number of writes that are read.
const WRITES: usize = 50;

/// One thing that fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failing {
    work: FailedWork,
    /// The reason, as a stable code.
    reason: String,
    /// The last time at which it failed, or since which it fails.
    at: Option<Timestamp>,
    /// `true` if Ferry does not try it again.
    given_up: bool,
    subject: Subject,
}

/// The thing that fails.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Subject {
    /// A message about a record, or a row that the scans leave out.
    Record(Option<RecordRef>),
    /// A scan.
    Scan(CursorName),
    /// A write, and the record if it exists.
    Write(WriteId, Option<RecordRef>),
    /// A connection, which the health lists.
    Connection,
}

/// What fails, the largest group first.
#[derive(Debug, Serialize)]
pub(crate) struct FailingView {
    /// The time from which failures are shown.
    #[serde(serialize_with = "millis")]
    since: Timestamp,
    /// `false` if older ones are left out, because there are too many.
    complete: bool,
    groups: Vec<Group>,
}

/// The failures with the same reason.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Group {
    kind: FailureKind,
    must_act: Actor,
    work: FailedWork,
    reason: String,
    count: usize,
    /// The number of those that Ferry does not try again.
    given_up: usize,
    #[serde(serialize_with = "millis_option")]
    latest_at: Option<Timestamp>,
    /// The records, at most [`NAMED`].
    records: Vec<RecordName>,
    /// The writes, at most [`NAMED`].
    writes: Vec<WriteId>,
    scans: Vec<CursorName>,
}

/// A record, as responses name it.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct RecordName {
    object: ObjectName,
    id: RecordId,
}

/// What waits.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct BacklogView {
    changes: Waiting,
    writes: Waiting,
    /// The number of scans that have begun and are not complete.
    scans: usize,
    /// `false` if older messages or writes are left out, because there are too many.
    complete: bool,
}

/// The number of those that wait, and the arrival of the oldest.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Waiting {
    count: usize,
    #[serde(serialize_with = "millis_option")]
    oldest_at: Option<Timestamp>,
}

/// What the health has read already.
pub(crate) struct Known<'a> {
    pub(crate) cursors: &'a [Cursor],
    pub(crate) left_out: &'a [LeftOut],
    pub(crate) connections: &'a [ConnectionView],
}

/// Loads what fails in an org, and what waits, with one request for messages, one to four for the writes, and one more if there
/// are any. For one user, `only`, the writes are that user's, and no other record or write is named.
///
/// # Errors
/// Those of the tables.
pub(crate) async fn load(
    deps: &Deps,
    org: OrgId,
    only: Option<&PlatformUser>,
    known: &Known<'_>,
) -> Result<(FailingView, BacklogView), store::Error> {
    let since = deps.clock.now().saturating_sub(SHOWN).unwrap_or(Timestamp::UNIX_EPOCH);
    let states = [ListedState::Is(WriteState::Queued), ListedState::Is(WriteState::Failed), ListedState::WithFailures];
    let filter = WriteFilter {
        states: states.to_vec(),
        users: only.into_iter().cloned().collect(),
        object: None,
        since: Some(since),
    };
    let page = deps.writes.list(org, &filter, None, WRITES);
    let ((deliveries, has_more), page) = try_join(deps.deliveries.unsettled(org, since), page).await?;
    let complete = !has_more && page.next.is_none();

    let rows = known.left_out.iter().map(Failing::of_row);
    let messages = deliveries.iter().filter_map(Failing::of_delivery).chain(rows);
    let messages =
        messages.map(|one| if only.is_some() { Failing { subject: Subject::Record(None), ..one } } else { one });
    let scans = known.cursors.iter().filter_map(Failing::of_scan);
    let unusable = known.connections.iter().filter_map(Failing::of_connection);
    let items = messages.chain(page.writes.iter().flat_map(written::failing)).chain(scans).chain(unusable);
    let failing = FailingView { since, complete, groups: grouped(items) };
    Ok((failing, BacklogView { complete, ..BacklogView::new(&deliveries, &page.writes, known.cursors) }))
}

impl Failing {
    fn of_delivery(delivery: &Delivery) -> Option<Self> {
        let (reason, given_up) = match &delivery.outcome {
            DeliveryOutcome::Deferred { reason } | DeliveryOutcome::LeftToRefresh { reason } => (reason, false),
            DeliveryOutcome::Failed { reason } => (reason, true),
            DeliveryOutcome::Applied
            | DeliveryOutcome::Unchanged
            | DeliveryOutcome::Stale
            | DeliveryOutcome::NotVisible
            | DeliveryOutcome::Deleted
            | DeliveryOutcome::ObjectRefresh => return None,
        };
        Some(Self {
            work: FailedWork::Sync,
            reason: reason.clone(),
            at: Some(delivery.settled_at),
            given_up,
            subject: Subject::Record(delivery.record.clone()),
        })
    }

    fn of_row(row: &LeftOut) -> Self {
        let record = RecordRef { object: row.object.clone(), record_id: row.record_id };
        Self {
            work: FailedWork::Sync,
            reason: row.reason.clone(),
            at: Some(row.updated_at),
            given_up: false,
            subject: Subject::Record(Some(record)),
        }
    }

    fn of_scan(cursor: &Cursor) -> Option<Self> {
        Some(Self {
            work: FailedWork::Sync,
            reason: cursor.failure.clone()?,
            at: cursor.failing_since,
            given_up: false,
            subject: Subject::Scan(cursor.cursor_name.clone()),
        })
    }

    fn of_connection(connection: &ConnectionView) -> Option<Self> {
        let (reason, at) = connection.unusable()?;
        let work = if connection.is_personal() { FailedWork::Write } else { FailedWork::Sync };
        Some(Self { work, reason: reason.to_owned(), at, given_up: false, subject: Subject::Connection })
    }
}

/// Groups failures by their reason, the largest group first. Each record and write of a group is named once, in the order of
/// the failures.
fn grouped(items: impl IntoIterator<Item = Failing>) -> Vec<Group> {
    let mut groups: BTreeMap<(FailedWork, String), Vec<Failing>> = BTreeMap::new();
    for item in items {
        groups.entry((item.work, item.reason.clone())).or_default().push(item);
    }
    let groups = groups.into_iter().map(|((work, reason), items)| group(work, reason, &items));
    let mut groups: Vec<Group> = groups.collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    groups
}

fn group(work: FailedWork, reason: String, items: &[Failing]) -> Group {
    let Failure { kind, actor } = Failure::of(&reason, work);
    let (mut records, mut write_ids, mut scans) = (Vec::new(), Vec::new(), Vec::new());
    for item in items {
        match &item.subject {
            Subject::Record(record) => records.extend(record.clone()),
            Subject::Scan(name) => scans.push(name.clone()),
            Subject::Write(write, record) => {
                write_ids.push(*write);
                records.extend(record.clone());
            }
            Subject::Connection => {}
        }
    }
    Group {
        kind,
        must_act: actor,
        work,
        reason,
        count: items.len(),
        given_up: items.iter().filter(|item| item.given_up).count(),
        latest_at: items.iter().filter_map(|item| item.at).max(),
        records: first_named(records).into_iter().map(RecordName::from).collect(),
        writes: first_named(write_ids),
        scans,
    }
}

impl From<RecordRef> for RecordName {
    fn from(RecordRef { object, record_id }: RecordRef) -> Self {
        Self { object, id: record_id }
    }
}

/// Returns the first [`NAMED`] that differ.
fn first_named<T: Ord + Clone>(all: Vec<T>) -> Vec<T> {
    let mut seen = BTreeSet::new();
    all.into_iter().filter(|one| seen.insert(one.clone())).take(NAMED).collect()
}

impl BacklogView {
    fn new(deliveries: &[Delivery], ledger: &[Write], cursors: &[Cursor]) -> Self {
        let deferred = deliveries.iter().filter(|one| matches!(one.outcome, DeliveryOutcome::Deferred { .. }));
        let queued = ledger.iter().filter(|write| write.state == WriteState::Queued);
        Self {
            changes: Waiting::of(deferred.map(|delivery| delivery.received_at)),
            writes: Waiting::of(queued.map(|write| write.accepted_at().unwrap_or(write.created_at))),
            scans: cursors.iter().filter(|cursor| cursor.checkpoint.is_some()).count(),
            complete: true,
        }
    }
}

impl Waiting {
    fn of(arrivals: impl Iterator<Item = Timestamp>) -> Self {
        let mut waiting = Self::default();
        for arrival in arrivals {
            waiting.count += 1;
            waiting.oldest_at = Some(waiting.oldest_at.map_or(arrival, |oldest| oldest.min(arrival)));
        }
        waiting
    }
}

#[cfg(test)]
mod tests;
