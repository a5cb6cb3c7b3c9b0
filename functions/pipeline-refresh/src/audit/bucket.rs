//! The comparison of one bucket of ids, as sets. Pure.
//!
//! A bucket is a page of the org's records, in Salesforce's order of ids, beside the mirror's rows up to the greatest of these
//! ids, in the order of their bytes. Salesforce does not document its order, so nothing here relies on it: a record that has
//! no row among these is looked up in the mirror, and a row that has no record is looked up in the org, before either is a
//! difference. If both orders agree, no lookup finds anything.
//!
//! Changes after the audit's cutoff are left to the next scan.

use std::collections::HashMap;

use jiff::Timestamp;
use salesforce::RecordId;
use store::{Position, RowState, RowVersion, RowsHash};

/// A bucket in comparison.
#[derive(Debug, Clone, Default)]
pub struct Bucket {
    cutoff: Timestamp,
    /// The records without a row so far.
    unmatched: HashMap<RecordId, Timestamp>,
    differences: Differences,
    /// The live rows whose records were not among the org's, with their versions.
    unseen: Vec<(RecordId, Timestamp)>,
    org_hash: RowsHash,
    mirror_hash: RowsHash,
}

/// The differences within a bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Differences {
    /// Records that the mirror lacks, or has as deleted.
    pub missing: Vec<RecordId>,
    /// Records that changed after the mirror's version.
    pub stale: Vec<RecordId>,
    /// Records of which the mirror has a version that is newer than the org's. A version comes from the org, so this is damage,
    /// and no read repairs it: the apply rule keeps the newest version.
    pub ahead: Vec<RecordId>,
}

/// The end of a comparison.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compared {
    /// The differences.
    pub differences: Differences,
    /// The hash of the org's records.
    pub org_hash: RowsHash,
    /// The hash of the mirror's rows.
    pub mirror_hash: RowsHash,
}

impl Bucket {
    /// Begins the comparison of these records of the org.
    #[must_use]
    pub fn new(records: &[Position], cutoff: Timestamp) -> Self {
        let unmatched = records.iter().map(|record| (record.record_id, record.system_modstamp)).collect();
        Self { cutoff, unmatched, ..Self::default() }
    }

    /// Begins with live rows whose records are to be looked up.
    #[must_use]
    pub fn of_unseen(unseen: Vec<(RecordId, Timestamp)>) -> Self {
        Self { unseen, ..Self::default() }
    }

    /// Compares rows of the mirror.
    pub fn compare(&mut self, rows: &[RowVersion]) {
        for row in rows {
            let record = self.unmatched.remove(&row.record_id);
            match (record, row.state) {
                (_, RowState::Erased) => {}
                (Some(version), _) if version > self.cutoff => {}
                (Some(version), RowState::Live(mirrored)) => self.compare_versions(row.record_id, version, mirrored),
                (Some(version), RowState::Deleted) if row.system_modstamp <= self.cutoff => {
                    self.differences.missing.push(row.record_id);
                    self.org_hash.add(row.record_id, version);
                }
                (None, RowState::Live(mirrored)) if mirrored <= self.cutoff => {
                    self.unseen.push((row.record_id, mirrored));
                }
                _ => {}
            }
        }
    }

    fn compare_versions(&mut self, id: RecordId, version: Timestamp, mirrored: Timestamp) {
        if mirrored > self.cutoff {
            return;
        }
        self.org_hash.add(id, version);
        self.mirror_hash.add(id, mirrored);
        match mirrored.cmp(&version) {
            std::cmp::Ordering::Less => self.differences.stale.push(id),
            std::cmp::Ordering::Equal => {}
            std::cmp::Ordering::Greater => self.differences.ahead.push(id),
        }
    }

    /// Returns the records that have no row so far. Their rows, if there are any, are to be compared as well.
    #[must_use]
    pub fn unmatched(&self) -> Vec<RecordId> {
        let old = self.unmatched.iter().filter(|(_, version)| **version <= self.cutoff);
        old.map(|(id, _)| *id).collect()
    }

    /// Returns the number of live rows whose records are to be looked up.
    #[must_use]
    pub fn unseen(&self) -> usize {
        self.unseen.len()
    }

    /// Takes the live rows whose records are to be looked up.
    #[must_use]
    pub fn take_unseen(&mut self) -> Vec<(RecordId, Timestamp)> {
        std::mem::take(&mut self.unseen)
    }

    /// Compares an unseen row with its record, which the org has after all.
    pub fn compare_found(&mut self, (id, mirrored): (RecordId, Timestamp), version: Timestamp) {
        if version <= self.cutoff {
            self.compare_versions(id, version, mirrored);
        }
    }

    /// Adds a row to the hash whose record the org does not have.
    pub fn add_surplus(&mut self, (id, mirrored): (RecordId, Timestamp)) {
        self.mirror_hash.add(id, mirrored);
    }

    /// Ends the comparison: records that still have no row are missing.
    #[must_use]
    pub fn end(mut self) -> Compared {
        for id in self.unmatched() {
            if let Some(version) = self.unmatched.get(&id) {
                self.org_hash.add(id, *version);
            }
            self.differences.missing.push(id);
        }
        Compared { differences: self.differences, org_hash: self.org_hash, mirror_hash: self.mirror_hash }
    }
}
