//! Which fields of an object are mirrored: those that are configured, or all that the connection may read.
//!
//! Every function that fills the mirror selects them here, so that no two of them write different rows of one version.

mod cache;
mod configured;

pub use cache::FieldCache;
pub use configured::{Malformed, MirroredFields};

use salesforce::{FieldName, ObjectDescribe};

const IS_DELETED: FieldName = FieldName::from_static("IsDeleted");
const MASTER_RECORD_ID: FieldName = FieldName::from_static("MasterRecordId");
const LAST_MODIFIED_BY_ID: FieldName = FieldName::from_static("LastModifiedById");

/// What is read whatever is configured: what orders versions, what tells of deletions and merges, and who changed it.
const ALWAYS: [FieldName; 5] =
    [FieldName::ID, IS_DELETED, FieldName::SYSTEM_MODSTAMP, MASTER_RECORD_ID, LAST_MODIFIED_BY_ID];

/// What is read of an object through a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectFields {
    /// Whether the object can be queried.
    pub queryable: bool,
    /// The fields of the mirror.
    pub selected: Vec<FieldName>,
    /// What tells of a deletion; empty for an object whose records cannot be deleted.
    pub of_the_deleted: Vec<FieldName>,
    /// Configured, but not to be read by the connection.
    pub left_out: Vec<FieldName>,
}

impl ObjectFields {
    /// From what is configured and what the org says about the object.
    #[must_use]
    pub fn of(describe: &ObjectDescribe, configured: &MirroredFields) -> Self {
        let readable = describe.readable_fields();
        let wanted = configured.of(&describe.summary.name);
        let is_wanted = |field: &FieldName| {
            let configured = wanted.is_none_or(|wanted| wanted.iter().any(|one| is_same(one, field)));
            configured || ALWAYS.contains(field)
        };
        let is_missing = |one: &&FieldName| !readable.iter().any(|field| is_same(one, field));
        let left_out = wanted.unwrap_or_default().iter().filter(is_missing).cloned().collect();
        let mut of_the_deleted = Vec::new();
        if readable.contains(&IS_DELETED) {
            let tell = [FieldName::ID, IS_DELETED, FieldName::SYSTEM_MODSTAMP, MASTER_RECORD_ID];
            of_the_deleted.extend(tell.into_iter().filter(|field| readable.contains(field)));
        }
        let selected = readable.into_iter().filter(is_wanted).collect();
        Self { queryable: describe.summary.queryable, selected, of_the_deleted, left_out }
    }
}

/// Salesforce takes names in any case.
fn is_same(one: &FieldName, other: &FieldName) -> bool {
    one.as_str().eq_ignore_ascii_case(other.as_str())
}

#[cfg(test)]
mod tests;
