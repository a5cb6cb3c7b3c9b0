//! The fields of each object that are mirrored: the configured ones, or all that the connection may read.
//!
//! Every function that fills the mirror selects its fields here, so that two functions never write different rows for the
//! same version of a record.

mod cache;
mod computed;
mod configured;
#[cfg(test)]
mod error_texts;
mod extent;
mod filtered;
mod org_mirror;
mod retrieve;

pub use cache::FieldCache;
pub use computed::ComputedFields;
pub use configured::{InvalidFieldList, MirroredFields};
pub use extent::{Excess, Extent, MAX_ROWS};
pub use filtered::{Filtered, filter};
pub use org_mirror::OrgMirror;
pub use retrieve::{Narrowing, Retrieved};

use std::collections::BTreeMap;

use salesforce::{Classify as _, FieldName, ObjectDescribe, Retry};
use store::ScanKey;

const IS_DELETED: FieldName = FieldName::from_static("IsDeleted");
const MASTER_RECORD_ID: FieldName = FieldName::from_static("MasterRecordId");
const LAST_MODIFIED_BY_ID: FieldName = FieldName::from_static("LastModifiedById");

/// The fields that are read regardless of the configuration: they order versions, describe deletions, merges and authors, and tell
/// person accounts and their contacts from companies and their contacts.
const ALWAYS: [FieldName; 7] = [
    FieldName::ID,
    IS_DELETED,
    FieldName::SYSTEM_MODSTAMP,
    MASTER_RECORD_ID,
    LAST_MODIFIED_BY_ID,
    FieldName::from_static("IsPersonAccount"),
    FieldName::from_static("PersonContactId"),
];

/// The fields to read of an object through a connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectFields {
    /// `true` if the object supports SOQL queries.
    pub queryable: bool,
    /// The mirrored fields.
    pub selected: Vec<FieldName>,
    /// The fields that describe a deletion. Empty for an object whose records cannot be deleted.
    pub deletion_fields: Vec<FieldName>,
    /// The configured fields that the connection cannot read.
    pub unreadable: Vec<FieldName>,
    /// The types of the mirrored fields.
    pub types: BTreeMap<FieldName, String>,
    /// The key of the object's scans.
    pub key: ScanKey,
    /// The mirrored fields that Salesforce computes: formulas and roll-ups. They change without a new `SystemModstamp`.
    pub computed: Vec<FieldName>,
}

impl ObjectFields {
    /// Selects the fields of a described object.
    #[must_use]
    pub fn from_describe(describe: &ObjectDescribe, configured: &MirroredFields) -> Self {
        let readable = describe.readable_fields();
        let configured = configured.for_object(&describe.summary.name);
        let key = scan_key(describe, &readable);
        let is_selected = |field: &FieldName| {
            let configured = configured.is_none_or(|names| names.iter().any(|name| is_same(name, field)));
            configured || ALWAYS.contains(field) || *field == key.field()
        };
        let is_unreadable = |name: &&FieldName| !readable.iter().any(|field| is_same(name, field));
        let unreadable = configured.unwrap_or_default().iter().filter(is_unreadable).cloned().collect();
        let mut deletion_fields = Vec::new();
        if readable.contains(&IS_DELETED) {
            let fields = [FieldName::ID, IS_DELETED, FieldName::SYSTEM_MODSTAMP, MASTER_RECORD_ID];
            deletion_fields.extend(fields.into_iter().filter(|field| readable.contains(field)));
        }
        let selected: Vec<FieldName> = readable.into_iter().filter(is_selected).collect();
        let mirrored = || describe.fields.iter().filter(|field| selected.contains(&field.name));
        let types = mirrored().map(|field| (field.name.clone(), field.field_type.clone())).collect();
        let computed = mirrored().filter(|field| field.calculated).map(|field| field.name.clone()).collect();
        let queryable = describe.summary.queryable;
        Self { queryable, selected, deletion_fields, unreadable, types, key, computed }
    }
}

/// Returns the best key that queries of the object may filter and sort by.
fn scan_key(describe: &ObjectDescribe, readable: &[FieldName]) -> ScanKey {
    let is_usable = |key: &ScanKey| {
        let field = describe.fields.iter().find(|field| field.name == key.field());
        field.is_some_and(|field| field.filterable && field.sortable && readable.contains(&field.name))
    };
    ScanKey::ALL.into_iter().find(is_usable).unwrap_or(ScanKey::Id)
}

/// Returns a stable code for the failure of a read: Salesforce's own error code where there is one.
#[must_use]
pub fn reason(error: &salesforce::Error) -> &str {
    match error.problems().first() {
        Some(problem) => &problem.code,
        None => match (error, error.retry()) {
            (salesforce::Error::DailyLimit { .. }, _) => "daily_limit",
            (salesforce::Error::Blocked { condition, .. }, _) => condition.code(),
            (_, Retry::Never) => "salesforce_refused",
            (_, Retry::NeedsHuman) => "reconnect_required",
            (_, Retry::After(_) | Retry::Unknown(_)) => "salesforce_unavailable",
        },
    }
}

/// Compares field names without case, as Salesforce does.
fn is_same(one: &FieldName, other: &FieldName) -> bool {
    one.as_str().eq_ignore_ascii_case(other.as_str())
}

#[cfg(test)]
mod tests;
