//! The order of the writes of a record: the table `write_order`, and the rule which write goes ahead.
//!
//! A write takes its place in the row of each record that it changes before it calls Salesforce, and leaves once it is
//! finished. It goes ahead if no earlier write is unfinished; otherwise it waits. Whether an earlier one is unfinished is
//! asked of the ledger, so a write that was killed before it left holds nobody up.
//!
//! Places are ordered by the time of the request and then by the id of the write: the same order in every row, so that no
//! two writes wait for each other.

use std::cmp::Reverse;
use std::fmt;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use salesforce::external_id::order_key;
use salesforce::{ExternalIdType, FieldName, ObjectName, OrgId, RecordId};
use serde_json::Value;

use super::rule::settled_at;
use super::{Write, WriteState};
use crate::ids::{WriteId, sha256_hex};
use crate::table::{Conditional, Item, Place as Rowset, Rows, Table, Update, key, number, text};
use crate::{Error, time};

/// A record as the order of writes knows it: a hash of its object, its key field and the value of that field, without the
/// value itself.
///
/// Values that are the same to Salesforce have the same key ([`order_key`]). The type of the field is not known, so some values
/// that differ in a text field, such as `007` and `7`, have the same key too; such writes only wait for each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey(String);

impl RecordKey {
    /// Returns the key of a record of `object` that `field` identifies.
    #[must_use]
    pub fn new(object: &ObjectName, field: &FieldName, value: &Value) -> Self {
        let (object, field) = (object.as_str().to_lowercase(), field.as_str().to_lowercase());
        let id = if field == "id" { ExternalIdType::Id.canonical(value) } else { None };
        let value = id.or_else(|| order_key(value)).unwrap_or_default();
        Self(sha256_hex(format!("{object}\n{field}\n{value}").as_bytes()))
    }

    /// Returns the key of the record with this id.
    #[must_use]
    pub fn of_id(object: &ObjectName, id: RecordId) -> Self {
        Self::new(object, &FieldName::from_static("Id"), &Value::from(id.as_str()))
    }
}

/// The place of a write among those of its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The time of the request.
    pub at: Timestamp,
    /// The write.
    pub write: WriteId,
}

impl Place {
    /// Returns the place of a write: the time at which it was requested or, if its first attempt ended before it was
    /// accepted, requested again.
    #[must_use]
    pub fn of(write: &Write) -> Self {
        Self { at: time::to_millis(write.ordered_at.unwrap_or(write.created_at)), write: write.write_id }
    }

    fn parse(text: &str) -> Option<Self> {
        let (at, write) = text.split_once('#')?;
        Some(Self { at: at.parse().ok()?, write: write.parse().ok()? })
    }
}

impl fmt::Display for Place {
    /// Writes the stored form, whose order as text is that of the places.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", time::format(self.at), self.write)
    }
}

/// Returns the places before `mine`, the latest first.
#[must_use]
pub fn before(mine: Place, members: &[Place]) -> Vec<Place> {
    let mut before: Vec<Place> = members.iter().copied().filter(|place| *place < mine).collect();
    before.sort_unstable_by_key(|place| Reverse(*place));
    before
}

/// Returns whether later writes wait for the write at this place, given the write as the ledger holds it.
///
/// They do not if it was erased or abandoned, or has another place by now. If it has ended, they wait only while a request of
/// it that got no response may still take effect. A first attempt that was killed before it was answered was never accepted:
/// it is waited for until its request cannot take effect any more, and if it is requested again it takes a new place.
#[must_use]
pub fn is_unfinished(place: Place, write: Option<&Write>, now: Timestamp) -> bool {
    let Some(write) = write.filter(|write| Place::of(write) == place) else { return false };
    match write.state {
        WriteState::Finished | WriteState::Failed => unsettled_for(write, now).is_positive(),
        WriteState::Queued => true,
        WriteState::InProgress => write.accepted_at().is_some() || now < settled_at(write.deadline),
    }
}

/// Returns the time for which a write that has ended is still waited for; zero if no request of it may take effect late.
#[must_use]
pub fn unsettled_for(write: &Write, now: Timestamp) -> SignedDuration {
    write.unsettled_until.map_or(SignedDuration::ZERO, |until| until.duration_since(now)).max(SignedDuration::ZERO)
}

/// The `write_order` table.
#[derive(Clone, Debug)]
pub struct WriteOrder {
    table: Table,
}

/// The time for which a row is stored after its last change. An unfinished write takes its place again in each attempt, at
/// least every 15 minutes, unless its task is a dead letter: SQS keeps it for 14 days, and it may be sent again until then.
const RETENTION: SignedDuration = SignedDuration::from_hours(21 * 24);
/// The largest number of places in a row. Each takes about 60 bytes, of which every change of the row costs one write unit a KB.
pub const MAX_PLACES: usize = 1_000;
/// The number of rows that are changed at the same time.
const PARALLEL_UPDATES: usize = 32;

impl WriteOrder {
    /// Creates a client for the table of this name.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table::new(client, table) }
    }

    /// Takes the write's place in the row of each record: one update a record. Returns the places in each row; `None` if a row
    /// has [`MAX_PLACES`] others. Taking a place again does no harm, and is always possible.
    ///
    /// # Errors
    /// Only those of the table. After an error or `None`, some places may be taken.
    pub async fn join(
        &self,
        org: OrgId,
        records: &[RecordKey],
        place: Place,
        now: Timestamp,
    ) -> Result<Option<Vec<Vec<Place>>>, Error> {
        let operation = "take a place in the order of writes";
        let values = || vec![(":max", number(MAX_PLACES as u64)), (":place", text(place.to_string()))];
        let members = || Some((MEMBERS, vec![place.to_string()]));
        let join = || Update { join: members(), when: HAS_ROOM, values: values(), ..touch(now) };
        Ok(self.update_all(operation, org, records, join).await?.into_iter().collect())
    }

    /// Removes places from the row of each record: one update a record. Returns the places that remain in each row.
    ///
    /// # Errors
    /// Only those of the table. Some places may be left.
    pub async fn leave(
        &self,
        org: OrgId,
        records: &[RecordKey],
        places: &[Place],
        now: Timestamp,
    ) -> Result<Vec<Vec<Place>>, Error> {
        let operation = "leave the order of writes";
        let places: Vec<String> = places.iter().map(ToString::to_string).collect();
        let leave = || Update { leave: Some((MEMBERS, places.clone())), ..touch(now) };
        Ok(self.update_all(operation, org, records, leave).await?.into_iter().map(Option::unwrap_or_default).collect())
    }

    async fn update_all(
        &self,
        operation: &'static str,
        org: OrgId,
        records: &[RecordKey],
        update: impl Fn() -> Update,
    ) -> Result<Vec<Option<Vec<Place>>>, Error> {
        let updates: Vec<_> = records.iter().map(|record| self.update(operation, org, record, update())).collect();
        stream::iter(updates).buffered(PARALLEL_UPDATES).try_collect().await
    }

    async fn update(
        &self,
        operation: &'static str,
        org: OrgId,
        record: &RecordKey,
        update: Update,
    ) -> Result<Option<Vec<Place>>, Error> {
        match self.table.update(operation, key([("org_id", org.as_str()), ("record", &record.0)]), update).await? {
            Conditional::Done(item) => Ok(Some(places(&item))),
            Conditional::Refused(_) => Ok(None),
        }
    }
}

/// Returns an update that moves the time to live.
fn touch(now: Timestamp) -> Update {
    let expires_at = now.saturating_add(RETENTION).unwrap_or(now).as_second();
    Update { set: vec![("expires_at", number(expires_at))], ..Update::default() }
}

/// The attribute with the places.
const MEMBERS: &str = "waiting";
/// The condition that a row has room for a place, or has it already.
const HAS_ROOM: &str = "attribute_not_exists(#waiting) OR size(#waiting) < :max OR contains(#waiting, :place)";

/// Returns the places of a row. A text that is no place holds nobody up.
fn places(item: &Item) -> Vec<Place> {
    let Some(AttributeValue::Ss(members)) = item.get(MEMBERS) else { return Vec::new() };
    members.iter().filter_map(|text| Place::parse(text)).collect()
}

/// Returns the rows of an org.
pub(crate) fn rows_of_org(org: OrgId) -> Rows {
    Rows { keys: &["org_id", "record"], place: Rowset::of_org(org) }
}

#[cfg(test)]
mod tests;
