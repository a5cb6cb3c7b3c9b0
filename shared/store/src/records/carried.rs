//! Fields that a read did not have, kept from earlier reads of the record.
//!
//! A read has the fields that the connection may see at that time. A field that it lacks was hidden or removed, which says
//! nothing about the record: its last value stays in the row. So a row is the join of all versions of a record: of each
//! field, the value of the greatest version that has the field and is newer than the last deletion. A join does not depend on
//! the order of the versions.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::MirrorRecord;

/// The order of a record's versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version {
    /// The record's `SystemModstamp`.
    #[serde(with = "crate::time::millis")]
    pub system_modstamp: Timestamp,
    /// The time at which the read was sent.
    #[serde(with = "crate::time::millis")]
    pub read_at: Timestamp,
}

/// What a row has from versions before its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    /// The fields that the row's version did not have, with the versions that had them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, Version>,
    /// The newest deletion before the row's version. Values that are older are not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_deletion: Option<Version>,
    /// The time at which fields were removed that are not mirrored any more. It tells the row from the one that still has them, so
    /// that a writer that knows that one decides again.
    #[serde(default, with = "crate::time::millis_option", skip_serializing_if = "Option::is_none")]
    pub fields_removed_at: Option<Timestamp>,
}

impl Carried {
    /// Returns whether the row has nothing from other versions.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl MirrorRecord {
    /// Returns the row's version.
    #[must_use]
    pub fn version(&self) -> Version {
        Version { system_modstamp: self.system_modstamp, read_at: self.read_at }
    }

    /// Returns the version that a field's value is of.
    fn version_of(&self, field: &str) -> Version {
        self.carried.fields.get(field).copied().unwrap_or_else(|| self.version())
    }

    fn newest_deletion(&self) -> Option<Version> {
        if self.deleted { Some(self.version()) } else { self.carried.last_deletion }
    }
}

/// Adds to `newer` what only `older` has. A tombstone stays as it is.
pub(super) fn join(newer: &MirrorRecord, older: &MirrorRecord) -> MirrorRecord {
    let mut row = newer.clone();
    if row.deleted {
        return row;
    }
    let last_deletion = newer.newest_deletion().max(older.newest_deletion());
    for (name, value) in &older.fields {
        let theirs = (older.version_of(name), text(Some(value)));
        if newer.fields.contains_key(name) && (newer.version_of(name), text(newer.fields.get(name))) >= theirs {
            continue;
        }
        row.fields.insert(name.clone(), value.clone());
        row.carried.fields.insert(name.clone(), theirs.0);
    }
    let own = newer.version();
    for (name, _) in row.carried.fields.extract_if(.., |_, version| Some(*version) <= last_deletion) {
        row.fields.remove(&name);
    }
    row.carried.fields.retain(|_, version| *version != own);
    row.carried.last_deletion = last_deletion;
    row.carried.fields_removed_at = newer.carried.fields_removed_at.max(older.carried.fields_removed_at);
    row
}

/// Orders the values of two reads that have the same version.
fn text(value: Option<&Value>) -> String {
    value.map(Value::to_string).unwrap_or_default()
}
