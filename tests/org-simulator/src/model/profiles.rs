//! The limits that profiles set on objects, their fields and record types.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::ids::RecordId;

/// What a profile may not do with an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ObjectLimits {
    /// Not even to be told that the object exists.
    pub(crate) hidden: bool,
    pub(crate) no_create: bool,
    pub(crate) no_edit: bool,
    pub(crate) no_delete: bool,
    /// Field-level security: names, in lower case, of fields that are as good as absent.
    pub(crate) hidden_fields: BTreeSet<String>,
    /// Fields that can be read and not written, in lower case.
    pub(crate) locked_fields: BTreeSet<String>,
    /// Record types that cannot be chosen for a record.
    pub(crate) hidden_record_types: BTreeSet<RecordId>,
}

/// The limits of every profile that has some, by profile and object.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Profiles(BTreeMap<RecordId, BTreeMap<String, ObjectLimits>>);

impl Profiles {
    /// The limits of a profile for an object, to be changed.
    pub(crate) fn limits_mut(&mut self, profile: RecordId, object: &str) -> &mut ObjectLimits {
        self.0.entry(profile).or_default().entry(object.to_owned()).or_default()
    }

    pub(crate) fn limits(&self, profile: RecordId, object: &str) -> Option<&ObjectLimits> {
        self.0.get(&profile)?.get(object)
    }
}
