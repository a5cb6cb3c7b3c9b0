//! The restrictions of profiles on objects, fields and record types.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::ids::RecordId;

/// The restrictions of a profile on an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ObjectLimits {
    /// The object is treated as nonexistent.
    pub(crate) hidden: bool,
    pub(crate) no_create: bool,
    pub(crate) no_edit: bool,
    pub(crate) no_delete: bool,
    /// Names, in lower case, of the fields that field-level security hides.
    pub(crate) hidden_fields: BTreeSet<String>,
    /// Names, in lower case, of the fields that can be read but not written.
    pub(crate) locked_fields: BTreeSet<String>,
    /// Record types that cannot be assigned to a record.
    pub(crate) hidden_record_types: BTreeSet<RecordId>,
}

/// The restrictions of every profile that has some, by profile and object.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Profiles(BTreeMap<RecordId, BTreeMap<String, ObjectLimits>>);

impl Profiles {
    /// Returns the restrictions of a profile on an object, for a change.
    pub(crate) fn limits_mut(&mut self, profile: RecordId, object: &str) -> &mut ObjectLimits {
        self.0.entry(profile).or_default().entry(object.to_owned()).or_default()
    }

    pub(crate) fn limits(&self, profile: RecordId, object: &str) -> Option<&ObjectLimits> {
        self.0.get(&profile)?.get(object)
    }
}
