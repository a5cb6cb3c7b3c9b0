//! Lists of the mirror: rows by id, by change, or below an account, filtered here.

use jiff::{SignedDuration, Timestamp};
use mirroring::OrgMirror;
use salesforce::{ObjectName, OrgId, RecordId};
use serde::{Deserialize, Serialize};
use store::{ChangeKey, ChangesFrom, MirrorRecord, Records};

use super::condition::value_of;
use super::request::{Filter, ListRequest, Sort, SortBy};
use super::{List, within_bytes};
use crate::Error;
use crate::summary::is_contact_of_person;

/// The number of rows in one read of the table.
const CHUNK: u16 = 200;
/// The maximum number of reads for one page. With few matches the page ends early, and the next one continues there.
const MAX_CHUNKS: usize = 10;
/// The most by which Salesforce's clock is ahead of Ferry's. A record that was modified at a time is stored later, but for
/// this.
const CLOCK_DIFFERENCE: SignedDuration = SignedDuration::from_mins(5);

/// The last row that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum LastRow {
    /// In the order of the ids.
    Id(RecordId),
    /// In the order of the changes.
    Change(ChangeKey),
}

/// The order in which the rows are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Id,
    Oldest,
    Newest,
    NewestOf(RecordId),
}

/// Chooses the order: the one that was asked for, or the one that reads the fewest rows.
///
/// # Errors
/// [`Error::Parameter`] for an order that the mirror does not have.
fn order(filter: &Filter) -> Result<Order, Error> {
    match (&filter.sort, filter.account, filter.modified_since) {
        (None, Some(account), _) => Ok(Order::NewestOf(account)),
        (None, None, None) | (Some(Sort { by: SortBy::Id, descending: false }), ..) => Ok(Order::Id),
        (None, None, Some(_)) | (Some(Sort { by: SortBy::Modified, descending: false }), ..) => Ok(Order::Oldest),
        (Some(Sort { by: SortBy::Modified, descending: true }), Some(account), _) => Ok(Order::NewestOf(account)),
        (Some(Sort { by: SortBy::Modified, descending: true }), None, _) => Ok(Order::Newest),
        (Some(_), ..) => Err(Error::Parameter(
            "the mirror is sorted by id, modified or -modified; with `as` a list is sorted by any field".to_owned(),
        )),
    }
}

/// Reads a page of the mirror.
pub(super) async fn page(
    records: &Records,
    (org, object, org_mirror): (OrgId, &ObjectName, &OrgMirror),
    request: &ListRequest,
    after: Option<LastRow>,
) -> Result<List<MirrorRecord, LastRow>, Error> {
    let mut collector = Collector::new(request, order(&request.filter)?, after);
    for _ in 0..MAX_CHUNKS {
        let (mut rows, more) = read(records, (org, object), &collector).await?;
        rows.iter_mut().for_each(|(_, row)| org_mirror.retain(row));
        if collector.add(rows, more) {
            break;
        }
    }
    collector.finish(object)
}

/// Reads rows after the last one, each with its place, and whether more follow.
async fn read(
    records: &Records,
    (org, object): (OrgId, &ObjectName),
    collector: &Collector<'_>,
) -> Result<(Vec<(LastRow, MirrorRecord)>, Option<LastRow>), Error> {
    let (id, key) = match collector.last {
        None => (None, None),
        Some(LastRow::Id(id)) => (Some(id), None),
        Some(LastRow::Change(key)) => (None, Some(key)),
    };
    let since = collector.request.filter.modified_since.map(before_clock_difference);
    let page = match collector.order {
        Order::Id => {
            let page = records.list(org, object, id, CHUNK).await?;
            let rows = page.records.into_iter().map(|row| (LastRow::Id(row.record_id), row));
            return Ok((rows.collect(), page.next.map(LastRow::Id)));
        }
        Order::Oldest => {
            let from = key.map_or(ChangesFrom::Time(since.unwrap_or(Timestamp::UNIX_EPOCH)), ChangesFrom::After);
            records.changed_since(org, object, from, CHUNK).await?
        }
        Order::Newest => records.last_changed(org, object, key, CHUNK).await?,
        Order::NewestOf(account) => records.children(org, object, account, (key, CHUNK)).await?,
    };
    let is_over =
        |key: &ChangeKey| collector.order != Order::Oldest && since.is_some_and(|since| key.changed_at < since);
    let next = page.next.filter(|key| !is_over(key)).map(LastRow::Change);
    Ok((page.records.into_iter().map(|found| (LastRow::Change(found.key), found.record)).collect(), next))
}

fn before_clock_difference(since: Timestamp) -> Timestamp {
    since.saturating_sub(CLOCK_DIFFERENCE).unwrap_or(since)
}

/// Collects the rows of a page that match.
struct Collector<'a> {
    request: &'a ListRequest,
    order: Order,
    last: Option<LastRow>,
    /// `true` if the page begins with the first row of the list.
    is_first: bool,
    rows: Vec<(LastRow, MirrorRecord)>,
    /// The number of records that were read.
    read: usize,
    /// For each condition, whether a record has its field.
    known: Vec<bool>,
}

impl<'a> Collector<'a> {
    fn new(request: &'a ListRequest, order: Order, last: Option<LastRow>) -> Self {
        let known = vec![false; request.filter.conditions.len()];
        Self { request, order, last, is_first: last.is_none(), rows: Vec::new(), read: 0, known }
    }

    /// Adds the rows that match. Returns whether the page is complete.
    fn add(&mut self, rows: Vec<(LastRow, MirrorRecord)>, next: Option<LastRow>) -> bool {
        let count = rows.len();
        for (position, (place, row)) in rows.into_iter().enumerate() {
            if !row.deleted && self.matches(&row) {
                self.rows.push((place, row));
                if self.rows.len() == usize::from(self.request.limit) {
                    let is_last = position + 1 == count && next.is_none();
                    self.last = (!is_last).then_some(place);
                    return true;
                }
            }
        }
        self.last = next;
        next.is_none()
    }

    fn matches(&mut self, row: &MirrorRecord) -> bool {
        let filter = &self.request.filter;
        self.read += 1;
        for (known, condition) in self.known.iter_mut().zip(&filter.conditions) {
            *known |= value_of(&row.fields, &condition.field).is_some();
        }
        let is_meant = filter.asks_for_persons() || !is_contact_of_person(&row.object, &row.fields);
        is_meant
            && filter.modified_since.is_none_or(|since| row.system_modstamp >= since)
            && filter.conditions.iter().all(|condition| condition.holds_for(&row.fields))
    }

    /// Returns the page.
    ///
    /// # Errors
    /// [`Error::Parameter`] if the whole list was read in this page and no record has the field of a condition: then its name
    /// is wrong, or it is not mirrored.
    fn finish(self, object: &ObjectName) -> Result<List<MirrorRecord, LastRow>, Error> {
        let mut conditions = self.known.iter().zip(&self.request.filter.conditions);
        let is_whole = self.is_first && self.last.is_none();
        if let Some((_, condition)) = conditions.find(|(known, _)| !**known && self.read > 0 && is_whole) {
            return Err(Error::Parameter(format!(
                "no mirrored record of {object} has the field {}: check its name, or send the request with `as`",
                condition.field
            )));
        }
        let kept = within_bytes(&self.rows, usize::from(self.request.limit), |(_, row)| &row.fields);
        let mut rows = self.rows;
        let cut = rows.split_off(kept);
        let next = if cut.is_empty() { self.last } else { rows.last().map(|(place, _)| *place) };
        Ok(List { rows: rows.into_iter().map(|(_, row)| row).collect(), next })
    }
}

#[cfg(test)]
mod tests;
