//! The indexes of the mirror: the rows of an object in the order of their changes, and the rows below a parent.
//!
//! The attributes of the indexes are computed from a row whenever it is stored, and are not part of [`MirrorRecord`]:
//!
//! - `changed`, the time at which Ferry stored the row's content and the record's id, in `by_changed` of every row and as
//!   the sort key of the others. It stays as it is when the same version is read once more, so that a backfill moves no
//!   row and costs no writes of the indexes.
//! - `parent`, in `by_parent`, and `other_parent`, in `by_other_parent`: of rows with such a field only; a tombstone has none.
//!
//! The indexes hold keys only; the rows are read from the table, consistently. Rows that were stored before the indexes
//! were are in none until they are written once more.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use salesforce::{ObjectName, OrgId, RecordId};
use serde::{Deserialize, Deserializer, Serialize};

use super::{MirrorRecord, Records, Tombstone, partition, row_key, rule};
use crate::table::{IndexPart, Item, SortKeys, from_item, from_items, text};
use crate::{Error, time};

/// The fields that name a record's parent; the first one with a value counts.
const PARENT_FIELDS: [&str; 6] = ["AccountId", "OpportunityId", "RelatedToId", "WhoId", "WhatId", "ParentId"];
/// The fields that name the person of a record that may have another parent.
const OTHER_PARENT_FIELDS: [&str; 2] = ["WhoId", "ContactId"];

/// The age at which a change is complete in `by_changed`: a reader that remembers a position does not read younger ones.
///
/// A writer takes the time before it sends the row, and the index follows the table. So a change with an earlier time can
/// become visible after one with a later time: by the 8 seconds that the SDK takes at most to store a row, by the moments
/// by which an index lags, and by the difference of two functions' clocks, which AWS synchronizes to less than a second.
pub const SETTLING_TIME: SignedDuration = SignedDuration::from_secs(15);

/// The place of a row in an index: the time of its change, then its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeKey {
    /// The time at which Ferry stored the row's content, in milliseconds.
    pub changed_at: Timestamp,
    /// The record's id.
    pub record_id: RecordId,
}

impl fmt::Display for ChangeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", time::format(self.changed_at), self.record_id)
    }
}

impl FromStr for ChangeKey {
    type Err = &'static str;

    fn from_str(key: &str) -> Result<Self, Self::Err> {
        let invalid = "expected a time and a record id";
        let (changed_at, record_id) = key.split_once('#').ok_or(invalid)?;
        let changed_at = time::to_millis(changed_at.parse().map_err(|_| invalid)?);
        Ok(Self { changed_at, record_id: record_id.parse().map_err(|_| invalid)? })
    }
}

impl<'de> Deserialize<'de> for ChangeKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for ChangeKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A stored row, with its place in the indexes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Stored {
    #[serde(flatten)]
    pub(super) row: MirrorRecord,
    /// `None` for a row that was stored before the indexes were.
    #[serde(default)]
    pub(super) changed: Option<ChangeKey>,
}

/// A row that an index found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedRecord {
    /// The row's place in the index.
    pub key: ChangeKey,
    /// The row, which may be a tombstone.
    pub record: MirrorRecord,
}

/// A page of rows that an index found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangedPage {
    /// The rows. A page that is not the last may have fewer rows than were asked for.
    pub records: Vec<ChangedRecord>,
    /// The key after which the next page starts; `None` at the end.
    pub next: Option<ChangeKey>,
}

/// The start of a range of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangesFrom {
    /// The first change at this time or later.
    Time(Timestamp),
    /// The first change after this one.
    After(ChangeKey),
}

impl ChangesFrom {
    /// Returns the least sort key of the range. `~` is greater than every character of a key.
    fn sort_key(self) -> String {
        match self {
            Self::Time(at) => time::format(at),
            Self::After(key) => format!("{key}~"),
        }
    }
}

/// Returns the time of a given row that replaces the known one. It moves with the content and with each save in
/// Salesforce, but not when the same version is read once more.
pub(super) fn changed_at(known: Option<&Stored>, given: &MirrorRecord, now: Timestamp) -> Timestamp {
    let same = known.filter(|known| rule::is_same_save(&known.row, given));
    same.and_then(|known| known.changed).map_or(time::to_millis(now), |key| key.changed_at)
}

/// Returns the attributes of the indexes.
pub(super) fn attributes(row: &MirrorRecord, changed_at: Timestamp) -> Item {
    let changed = ChangeKey { changed_at, record_id: row.record_id };
    let mut attributes = Item::from([("changed".to_owned(), text(changed.to_string()))]);
    for (attribute, fields) in [("parent", &PARENT_FIELDS[..]), ("other_parent", &OTHER_PARENT_FIELDS[..])] {
        if let Some(parent) = first_id(row, fields) {
            attributes.insert(attribute.to_owned(), text(below(row.org_id, &row.object, parent)));
        }
    }
    attributes
}

/// Returns the first of the fields that holds an id. A tombstone has no fields.
fn first_id(row: &MirrorRecord, fields: &[&str]) -> Option<RecordId> {
    fields.iter().find_map(|field| row.fields.get(*field)?.as_str()?.parse().ok())
}

/// Returns the partition key of the records of an object below a parent.
fn below(org: OrgId, object: &ObjectName, parent: RecordId) -> String {
    format!("{}#{parent}", partition(org, object))
}

/// Returns the sort keys from the last one to before a key.
fn before(key: Option<ChangeKey>) -> SortKeys {
    SortKeys::Before(key.map(|key| key.to_string()))
}

/// Returns the sort keys of a range of changes, which is empty if it ends before it begins.
fn between(from: ChangesFrom, until: Timestamp) -> SortKeys {
    let (first, last) = (from.sort_key(), format!("{}~", time::format(until)));
    // DynamoDB refuses a range whose end comes first.
    let last = last.max(first.clone());
    SortKeys::Between(first, last)
}

impl Records {
    /// Returns up to `limit` records of the object that are below this parent, the last changed first: those whose first
    /// field with a value among `AccountId`, `OpportunityId`, `RelatedToId`, `WhoId`, `WhatId` and `ParentId` names it.
    /// A record that changes while the pages are read moves to the front, and may be missing from the later ones.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn children(
        &self,
        org: OrgId,
        object: &ObjectName,
        parent: RecordId,
        (after, limit): (Option<ChangeKey>, u16),
    ) -> Result<ChangedPage, Error> {
        let partition = below(org, object, parent);
        let partition = ("parent", partition.as_str());
        let part = IndexPart { index: "by_parent", partition, sort_key: before(after), limit };
        let found = self.table.query_index_part(LIST, part).await?;
        let page = self.page_of(org, object, found).await?;
        Ok(page.only(|row| first_id(row, &PARENT_FIELDS) == Some(parent)))
    }

    /// Does the same as [`Self::children`] for the person of a record that may have another parent: `WhoId`, or `ContactId`.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn children_by_other_parent(
        &self,
        org: OrgId,
        object: &ObjectName,
        parent: RecordId,
        (after, limit): (Option<ChangeKey>, u16),
    ) -> Result<ChangedPage, Error> {
        let partition = below(org, object, parent);
        let partition = ("other_parent", partition.as_str());
        let part = IndexPart { index: "by_other_parent", partition, sort_key: before(after), limit };
        let found = self.table.query_index_part(LIST, part).await?;
        let page = self.page_of(org, object, found).await?;
        Ok(page.only(|row| first_id(row, &OTHER_PARENT_FIELDS) == Some(parent)))
    }

    /// Returns up to `limit` rows of the object, with tombstones, in the order of their changes. A row that changes while
    /// the pages are read is returned once more.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn changed_since(
        &self,
        org: OrgId,
        object: &ObjectName,
        from: ChangesFrom,
        limit: u16,
    ) -> Result<ChangedPage, Error> {
        let partition = partition(org, object);
        let partition = ("partition", partition.as_str());
        let part = IndexPart { index: "by_changed", partition, sort_key: between(from, Timestamp::MAX), limit };
        let found = self.table.query_index_part(LIST, part).await?;
        self.page_of(org, object, found).await
    }

    /// Does the same as [`Self::changed_since`], the last change first, and before `after`.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn last_changed(
        &self,
        org: OrgId,
        object: &ObjectName,
        after: Option<ChangeKey>,
        limit: u16,
    ) -> Result<ChangedPage, Error> {
        let partition = partition(org, object);
        let partition = ("partition", partition.as_str());
        let part = IndexPart { index: "by_changed", partition, sort_key: before(after), limit };
        let found = self.table.query_index_part(LIST, part).await?;
        self.page_of(org, object, found).await
    }

    /// Returns the keys of up to `limit` changes of the object in a range of times, in their order.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn change_keys(
        &self,
        org: OrgId,
        object: &ObjectName,
        (from, until): (ChangesFrom, Timestamp),
        limit: u16,
    ) -> Result<Vec<ChangeKey>, Error> {
        let partition = partition(org, object);
        let partition = ("partition", partition.as_str());
        let part = IndexPart { index: "by_changed", partition, sort_key: between(from, until), limit };
        keys_of(self.table.query_index_part(LIST, part).await?.0)
    }

    /// Returns the rows of these records that the mirror has, and their places in the indexes as they are now. The read is
    /// consistent.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn load_many(
        &self,
        org: OrgId,
        object: &ObjectName,
        ids: &[RecordId],
    ) -> Result<HashMap<RecordId, (MirrorRecord, Option<ChangeKey>)>, Error> {
        let keys = ids.iter().map(|id| row_key(org, object, *id)).collect();
        let stored = from_items::<Stored>(LIST, self.table.get_many(LIST, keys).await?)?;
        Ok(stored.into_iter().map(|stored| (stored.row.record_id, (stored.row, stored.changed))).collect())
    }

    /// Returns the tombstones of the records that the mirror has, which are not tombstones there already.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn live_among(
        &self,
        org: OrgId,
        object: &ObjectName,
        tombstones: Vec<Tombstone>,
    ) -> Result<Vec<Tombstone>, Error> {
        let ids: Vec<RecordId> = tombstones.iter().map(|tombstone| tombstone.record_id).collect();
        let known = self.load_many(org, object, &ids).await?;
        let is_live = |tombstone: &Tombstone| known.get(&tombstone.record_id).is_some_and(|(row, _)| !row.deleted);
        Ok(tombstones.into_iter().filter(is_live).collect())
    }

    /// Reads the rows that an index found. Leaves out rows that have disappeared meanwhile.
    async fn page_of(
        &self,
        org: OrgId,
        object: &ObjectName,
        (items, more): (Vec<Item>, bool),
    ) -> Result<ChangedPage, Error> {
        let keys = keys_of(items)?;
        let ids: Vec<RecordId> = keys.iter().map(|key| key.record_id).collect();
        let mut rows = self.load_many(org, object, &ids).await?;
        let found = keys.iter().filter_map(|key| {
            let (record, _) = rows.remove(&key.record_id)?;
            Some(ChangedRecord { key: *key, record })
        });
        Ok(ChangedPage { records: found.collect(), next: keys.last().filter(|_| more).copied() })
    }
}

impl ChangedPage {
    fn only(mut self, belongs: impl Fn(&MirrorRecord) -> bool) -> Self {
        self.records.retain(|found| belongs(&found.record));
        self
    }
}

fn keys_of(items: Vec<Item>) -> Result<Vec<ChangeKey>, Error> {
    #[derive(Deserialize)]
    struct Indexed {
        changed: ChangeKey,
    }
    items.into_iter().map(|item| from_item::<Indexed>(LIST, item).map(|indexed| indexed.changed)).collect()
}

const LIST: &str = "list the records";

#[cfg(test)]
mod tests;
