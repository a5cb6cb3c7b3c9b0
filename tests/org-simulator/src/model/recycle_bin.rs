//! The recycle bin: the parent with which each record was deleted.

use std::collections::BTreeMap;

use crate::model::ids::RecordId;

/// The state of the recycle bin that the records themselves do not hold.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct RecycleBin {
    /// The parent with which a record was deleted. Entries of records that are not deleted are ignored.
    pub(crate) deleted_with: BTreeMap<RecordId, RecordId>,
    /// The hour of the org's clock in which old records were last purged.
    pub(crate) looked: i64,
}

impl RecycleBin {
    /// Records that a record was deleted by itself, or with its parent.
    pub(crate) fn add(&mut self, id: RecordId, with: Option<RecordId>) {
        match with {
            Some(parent) => self.deleted_with.insert(id, parent),
            None => self.deleted_with.remove(&id),
        };
    }

    pub(crate) fn went_with(&self, id: RecordId, parent: RecordId) -> bool {
        self.deleted_with.get(&id) == Some(&parent)
    }
}
