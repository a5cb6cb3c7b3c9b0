//! The apply rule: which of two versions of a record the mirror keeps (invariants 10 and 11).
//!
//! Versions are ordered by `SystemModstamp`, then by the time of reading; a tombstone is a version like any other. The
//! mirror keeps the greatest version it was ever given, so the order, the number and the delay of its arrivals do not matter.
//!
//! A later reading that shows the same is written too, since it is the greater version: without it, a reading from in between
//! that arrives late would win. It is [`ApplyOutcome::Unchanged`] and makes no event.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use salesforce::RecordId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::MirrorRecord;

/// What a change came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApplyOutcome {
    /// The mirror shows something else than before.
    Applied,
    /// The mirror showed the same already.
    Unchanged,
    /// The mirror has something newer.
    Stale,
}

/// What to do with a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Write it.
    Replace(ApplyOutcome),
    /// Leave what is there.
    Keep(ApplyOutcome),
}

/// Decides between what the mirror has and what it is given.
#[must_use]
pub fn decide(known: Option<&MirrorRecord>, given: &MirrorRecord) -> Decision {
    let Some(known) = known else {
        return Decision::Replace(ApplyOutcome::Applied);
    };
    let differs = !shows_the_same(known, given);
    match compare(given, known) {
        Ordering::Greater => Decision::Replace(if differs { ApplyOutcome::Applied } else { ApplyOutcome::Unchanged }),
        Ordering::Equal => Decision::Keep(ApplyOutcome::Unchanged),
        Ordering::Less => Decision::Keep(if differs { ApplyOutcome::Stale } else { ApplyOutcome::Unchanged }),
    }
}

/// Whether neither is newer. Then the greater content wins, so that the order of arrival does not matter here either.
pub(super) fn is_tied(one: &MirrorRecord, other: &MirrorRecord) -> bool {
    version(one) == version(other)
}

fn compare(one: &MirrorRecord, other: &MirrorRecord) -> Ordering {
    version(one).cmp(&version(other)).then_with(|| content(one).cmp(&content(other)))
}

fn version(row: &MirrorRecord) -> (jiff::Timestamp, jiff::Timestamp) {
    (row.system_modstamp, row.read_at)
}

fn content(row: &MirrorRecord) -> (bool, BTreeMap<&str, String>, Option<RecordId>) {
    let fields = row.fields.iter().map(|(name, value)| (name.as_str(), value.to_string()));
    (row.deleted, fields.collect(), row.master_record_id)
}

fn shows_the_same(one: &MirrorRecord, other: &MirrorRecord) -> bool {
    one.deleted == other.deleted
        && one.master_record_id == other.master_record_id
        && changed_fields(&one.fields, &other.fields).is_empty()
}

/// Fields that Salesforce changes with every save, or for every reader.
const BOOKKEEPING: [&str; 5] =
    ["LastModifiedById", "LastModifiedDate", "LastReferencedDate", "LastViewedDate", "SystemModstamp"];

/// The names of the fields that differ, in alphabetical order, without those that Salesforce changes on its own. A field that
/// is missing is as good as one that is null.
#[must_use]
pub fn changed_fields(old: &Map<String, Value>, new: &Map<String, Value>) -> Vec<String> {
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| {
        let [before, after] = [old, new].map(|fields| fields.get(*name).filter(|value| !value.is_null()));
        before != after && !BOOKKEEPING.contains(&name.as_str())
    });
    names.into_iter().cloned().collect()
}

#[cfg(test)]
mod tests;
