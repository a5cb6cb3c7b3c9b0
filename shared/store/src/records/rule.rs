//! The apply rule: the version of a record that the mirror keeps (invariants 10 and 11 of `ARCHITECTURE.md`).
//!
//! Versions are ordered by `SystemModstamp`, then by the time of the read; a tombstone is a version like any other. The
//! mirror keeps the greatest version it was ever given, so the order, number and delay of arrivals do not matter.
//!
//! A later read with the same fields is written too: otherwise an older read with other fields that arrives after it would
//! be newer than the stored time of reading, and would replace the row. The outcome is [`ApplyOutcome::Unchanged`], and no
//! event is published.
//!
//! `applying.rs` repeats the order as a condition of the write (`decision_holds`), because another writer may be first. A
//! change of the order belongs into both; `concurrent_writers_end_at_the_same_rows` fails otherwise.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use jiff::Timestamp;
use salesforce::{Decimal, RecordId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

use super::MirrorRecord;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Store it.
    Replace(ApplyOutcome),
    /// Keep the known row.
    Keep(ApplyOutcome),
}

/// Decides between the known row and the given one.
#[must_use]
pub fn decide(known: Option<&MirrorRecord>, given: &MirrorRecord) -> Decision {
    let Some(known) = known else {
        return Decision::Replace(ApplyOutcome::Applied);
    };
    let differs = !has_same_content(known, given);
    match compare(given, known) {
        Ordering::Greater => Decision::Replace(if differs { ApplyOutcome::Applied } else { ApplyOutcome::Unchanged }),
        Ordering::Equal => Decision::Keep(ApplyOutcome::Unchanged),
        Ordering::Less => Decision::Keep(if differs { ApplyOutcome::Stale } else { ApplyOutcome::Unchanged }),
    }
}

/// Returns whether both rows have the same version. Then the greater content is kept, so that the order of arrival does
/// not matter.
pub(super) fn is_tied(one: &MirrorRecord, other: &MirrorRecord) -> bool {
    version(one) == version(other)
}

/// Returns whether both rows are reads of the same save in Salesforce, with the same content.
pub(super) fn is_same_save(one: &MirrorRecord, other: &MirrorRecord) -> bool {
    one.system_modstamp == other.system_modstamp && has_same_content(one, other)
}

/// Returns the mark of a given row that replaces the known one: a version that was too large stays newer than both.
pub(super) fn outdated_since(known: Option<&MirrorRecord>, given: &MirrorRecord) -> Option<Timestamp> {
    known.and_then(|known| known.outdated_since).filter(|newer| *newer > given.system_modstamp)
}

fn compare(one: &MirrorRecord, other: &MirrorRecord) -> Ordering {
    version(one).cmp(&version(other)).then_with(|| content(one).cmp(&content(other)))
}

fn version(row: &MirrorRecord) -> (Timestamp, Timestamp) {
    (row.system_modstamp, row.read_at)
}

fn content(row: &MirrorRecord) -> (bool, BTreeMap<&str, String>, Option<RecordId>) {
    let fields = row.fields.iter().map(|(name, value)| (name.as_str(), value.to_string()));
    (row.deleted, fields.collect(), row.master_record_id)
}

fn has_same_content(one: &MirrorRecord, other: &MirrorRecord) -> bool {
    one.deleted == other.deleted
        && one.master_record_id == other.master_record_id
        && changed_fields(&one.fields, &other.fields).is_empty()
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
