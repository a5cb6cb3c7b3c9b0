//! The apply rule: the version of a record that the mirror keeps (invariants 10 and 11 of `ARCHITECTURE.md`).
//!
//! Versions are ordered by `SystemModstamp`, then by the time of the read; a tombstone is a version like any other. The
//! mirror keeps the greatest version it was ever given, so the order, number and delay of arrivals do not matter. Fields that
//! the version lacks, because they are hidden by then, keep the value of the greatest version that has them (`carried.rs`).
//!
//! A later read with the same fields is written too: otherwise an older read with other fields that arrives after it would
//! be newer than the stored time of reading, and would replace the row. The outcome is [`ApplyOutcome::Unchanged`], and no
//! event is published.
//!
//! The write has the condition that the row is still the known one (`is_seen` in `applying.rs`), because another writer may
//! be first; `concurrent_writers_end_at_the_same_rows` fails otherwise.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use jiff::Timestamp;
use salesforce::{Decimal, RecordId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

use super::carried::join;
use super::{DeletionReason, MirrorRecord};

/// The outcome of applying a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApplyOutcome {
    /// The mirror changed.
    Applied,
    /// The mirror had the same content already.
    Unchanged,
    /// The mirror has a newer version.
    Stale,
}

/// The decision about a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Store this row in place of the known one.
    Replace(Box<MirrorRecord>, ApplyOutcome),
    /// Keep the known row.
    Keep(ApplyOutcome),
}

/// Decides between the known row and the given version.
#[must_use]
pub fn decide(known: Option<&MirrorRecord>, given: &MirrorRecord) -> Decision {
    let Some(known) = known else {
        return Decision::Replace(Box::new(given.clone()), ApplyOutcome::Applied);
    };
    let is_newer = compare(given, known) == Ordering::Greater;
    let mut joined = if is_newer { join(given, known) } else { join(known, given) };
    joined.outdated_since = outdated_since(known, &joined);
    let outcome = match (is_changed(known, &joined), is_newer) {
        (true, _) => ApplyOutcome::Applied,
        (false, false) if given.version() < known.version() && is_changed(given, known) => ApplyOutcome::Stale,
        (false, _) => ApplyOutcome::Unchanged,
    };
    if joined == *known {
        return Decision::Keep(outcome);
    }
    Decision::Replace(Box::new(joined), outcome)
}

/// Returns whether both rows have the same version. Then the greater content is kept, so that the order of arrival does
/// not matter.
pub(super) fn is_tied(one: &MirrorRecord, other: &MirrorRecord) -> bool {
    one.version() == other.version()
}

/// Returns whether both rows are reads of the same save in Salesforce, without a change in between.
pub(super) fn is_same_save(old: &MirrorRecord, new: &MirrorRecord) -> bool {
    old.system_modstamp == new.system_modstamp && !is_changed(old, new)
}

/// Returns the mark of a row that replaces the known one: a version that was too large stays newer than both.
fn outdated_since(known: &MirrorRecord, row: &MirrorRecord) -> Option<Timestamp> {
    known.outdated_since.filter(|newer| *newer > row.system_modstamp)
}

fn compare(one: &MirrorRecord, other: &MirrorRecord) -> Ordering {
    one.version().cmp(&other.version()).then_with(|| content(one).cmp(&content(other)))
}

fn content(row: &MirrorRecord) -> (bool, BTreeMap<&str, String>, Option<RecordId>, Option<DeletionReason>) {
    let fields = row.fields.iter().map(|(name, value)| (name.as_str(), value.to_string()));
    (row.deleted, fields.collect(), row.master_record_id, row.deletion_reason)
}

fn is_changed(old: &MirrorRecord, new: &MirrorRecord) -> bool {
    old.deleted != new.deleted || old.master_record_id != new.master_record_id || !changed_between(old, new).is_empty()
}

/// Returns the names of the fields that differ between two rows of a record, in alphabetical order.
///
/// A field that the new row lacks was hidden or removed, which is no change of the record. A value that appears without a new
/// `SystemModstamp` is that of a field which the connection may see since, and no change either; with one, the user who saved
/// the record may have set it.
#[must_use]
pub fn changed_between(old: &MirrorRecord, new: &MirrorRecord) -> Vec<String> {
    let is_same_version = old.system_modstamp == new.system_modstamp;
    let mut names = changed_fields(&old.fields, &new.fields);
    names.retain(|name| new.fields.contains_key(name) && (old.fields.contains_key(name) || !is_same_version));
    names
}

/// Fields that Salesforce changes with every save, for every reader, or with every login of a user.
const BOOKKEEPING: [&str; 8] = [
    "LastLoginDate",
    "LastModifiedById",
    "LastModifiedDate",
    "LastPasswordChangeDate",
    "LastReferencedDate",
    "LastViewedDate",
    "NumberOfFailedLogins",
    "SystemModstamp",
];

/// Returns the names of the fields that differ, in alphabetical order, without bookkeeping fields. A missing field
/// equals null, and a number equals the same number in another spelling.
#[must_use]
pub fn changed_fields(old: &Map<String, Value>, new: &Map<String, Value>) -> Vec<String> {
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| {
        let [before, after] = [old, new].map(|fields| fields.get(*name).filter(|value| !value.is_null()));
        let same = before.zip(after).map_or(before == after, |(before, after)| is_same_value(before, after));
        !same && !BOOKKEEPING.contains(&name.as_str())
    });
    names.into_iter().cloned().collect()
}

/// Returns whether two values mean the same to JSON: `15000`, `15000.0` and `1.5e4` do. No digit is left out.
#[must_use]
pub fn is_same_value(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            let decimal = |number: &Number| number.to_string().parse::<Decimal>().ok();
            one == other || decimal(one).zip(decimal(other)).is_some_and(|(one, other)| one == other)
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same_value(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let has_same =
                |(name, value): (&String, &Value)| other.get(name).is_some_and(|of| is_same_value(value, of));
            one.len() == other.len() && one.iter().all(has_same)
        }
        (one, other) => one == other,
    }
}

#[cfg(test)]
mod tests;
