//! The object that a batch writes, as its describe shows it: whether its records have owners, and how the values of its key
//! fields are compared.

use std::collections::HashMap;

use salesforce::{ExternalIdType, FieldDescribe, FieldName, JsonObject, ObjectDescribe, ObjectName};
use writes::Hidden;

use crate::batch::{Batch, PEOPLE};

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

/// Returns whether a field identifies records in an upsert.
pub(crate) fn is_key(field: &FieldDescribe) -> bool {
    field.external_id || field.id_lookup || field.field_type == "id"
}

/// Returns the reason for which Salesforce knows nothing of a batch's fields, as the describe of the object shows it; `None` if
/// the connection's user sees each of them.
pub(crate) fn hidden(describe: &ObjectDescribe, object: &ObjectName, batch: &Batch) -> Option<Hidden> {
    let key = &batch.external_id_field;
    let find = |name: &str| describe.fields.iter().find(|field| field.name.as_str().eq_ignore_ascii_case(name));
    match find(key.as_str()) {
        None => return Some(Hidden::Key(object.clone(), key.clone())),
        Some(field) if !is_key(field) => return Some(Hidden::NotAKey(object.clone(), key.clone())),
        Some(_) => {}
    }
    hidden_fields(describe, object, &batch.records)
}

/// Returns the fields of the records that Salesforce does not know, or hides from the connection's user.
pub(crate) fn hidden_fields(describe: &ObjectDescribe, object: &ObjectName, records: &[JsonObject]) -> Option<Hidden> {
    let is_visible = |name: &str| {
        let of = |field: &FieldDescribe| {
            let relationship = field.relationship_name.as_ref();
            field.name.as_str().eq_ignore_ascii_case(name)
                || relationship.is_some_and(|relationship| relationship.eq_ignore_ascii_case(name))
        };
        describe.fields.iter().any(of) || PEOPLE.iter().any(|list| list.eq_ignore_ascii_case(name))
    };
    let mut fields: Vec<String> = Vec::new();
    for name in records.iter().flat_map(|record| record.keys()) {
        if !is_visible(name) && !fields.contains(name) {
            fields.push(name.clone());
        }
    }
    (!fields.is_empty()).then(|| Hidden::Fields(object.clone(), fields))
}
