//! The field in whose order the scans of an object read its records.

use salesforce::FieldName;
use serde::{Deserialize, Serialize};

/// The field in whose order the scans of an object read its records, and by which they find the changed ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScanKey {
    /// Every change of a record sets it.
    #[default]
    SystemModstamp,
    /// Every change by a user sets it, but none that Salesforce makes by itself.
    LastModifiedDate,
    /// Only the creation of a record sets it.
    CreatedDate,
    /// Nothing tells which records have changed: each scan reads all of them, in the order of their ids.
    Id,
}

impl ScanKey {
    /// The keys, the best first.
    pub const ALL: [Self; 4] = [Self::SystemModstamp, Self::LastModifiedDate, Self::CreatedDate, Self::Id];

    /// Returns the field.
    #[must_use]
    pub fn field(self) -> FieldName {
        FieldName::from_static(match self {
            Self::SystemModstamp => "SystemModstamp",
            Self::LastModifiedDate => "LastModifiedDate",
            Self::CreatedDate => "CreatedDate",
            Self::Id => "Id",
        })
    }

    /// Returns whether this is the usual key.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
