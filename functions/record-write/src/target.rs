//! The object that a batch writes, as its describe shows it: whether its records have owners, and how the values of its key
//! fields are compared.

use std::collections::HashMap;

use salesforce::{ExternalIdType, FieldName, ObjectDescribe};

use crate::check::is_key;

/// The properties of an object on which a write on a rep's behalf depends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// `true` if records of the object have an owner.
    pub(crate) has_owner: bool,
    /// The key fields by their names in lower case.
    keys: HashMap<String, ExternalIdType>,
}

impl Target {
    pub(crate) fn new(describe: &ObjectDescribe) -> Self {
        let keys = describe.fields.iter().filter(|field| is_key(field));
        Self {
            has_owner: describe.fields.iter().any(|field| field.name.as_str() == "OwnerId"),
            keys: keys.map(|field| (field.name.as_str().to_lowercase(), ExternalIdType::of(field))).collect(),
        }
    }

    pub(crate) fn key(&self, field: &FieldName) -> Option<&ExternalIdType> {
        self.keys.get(&field.as_str().to_lowercase())
    }
}
