//! The owner of the records that a batch creates: pure changes to the records, and the queries for existing ones.
//!
//! An existing record keeps its owner: an upsert on a rep's behalf must not take a colleague's account away. So only new
//! records whose request does not name an owner get one. Salesforce's assignment rules do not change it: the client switches
//! them off for every write.

use salesforce::soql::{self, Condition, Literal};
use salesforce::{ExternalIdType, FieldName, ObjectDescribe, ObjectName, Record, RecordId, SaveError, Soql};
use serde_json::{Map, Value};

use crate::batch::{Batch, find_field};
use crate::check::Action;

/// The maximum number of bytes of values in one query, so that the encoded query fits into a URL (16,384 bytes).
const MAX_QUERY_BYTES: usize = 3_000;

/// Salesforce's codes for an owner who is inactive.
const INACTIVE_OWNER: [&str; 2] = ["INACTIVE_OWNER_OR_USER", "OPERATION_WITH_INACTIVE_USER"];

/// The values of the key in existing records.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Existing {
    values: Vec<Value>,
    /// `true` if Salesforce returned a record that matches no record of the request: then its comparison is another than
    /// [`ExternalIdType::is_same`], and no record may be taken for new.
    unclear: bool,
}

impl Existing {
    /// Adds the rows of a query of [`queries`].
    pub(crate) fn extend(&mut self, key: &FieldName, key_type: &ExternalIdType, batch: &Batch, found: &[Record]) {
        for row in found {
            let value = find_field(&row.fields, key.as_str()).cloned().unwrap_or_default();
            let is_requested = |record: &Map<String, Value>| {
                find_field(record, key.as_str()).is_some_and(|requested| key_type.is_same(requested, &value))
            };
            self.unclear |= !batch.records.iter().any(is_requested);
            self.values.push(value);
        }
    }

    /// Returns whether all returned records could be matched with the request's.
    pub(crate) fn is_clear(&self) -> bool {
        !self.unclear
    }

    /// Returns whether the record may exist.
    fn may_contain(&self, key: &FieldName, key_type: &ExternalIdType, record: &Map<String, Value>) -> bool {
        let Some(value) = find_field(record, key.as_str()) else { return true };
        self.unclear
            || key_type.literals(value).is_empty()
            || self.values.iter().any(|known| key_type.is_same(value, known))
    }
}

impl Existing {
    /// Returns what the upsert does with a record of the request. It is known only of one whose owner the request does not name,
    /// since only those are looked for.
    pub(crate) fn action(&self, key: &FieldName, key_type: &ExternalIdType, record: &Map<String, Value>) -> Action {
        let is_found = |value: &Value| self.values.iter().any(|known| key_type.is_same(value, known));
        match find_field(record, key.as_str()) {
            _ if names_owner(record) => Action::Upsert,
            _ if !self.may_contain(key, key_type, record) => Action::Create,
            Some(value) if !self.unclear && is_found(value) => Action::Update,
            _ => Action::Upsert,
        }
    }
}

/// Returns the queries that find those existing records whose owner the request does not name.
pub(crate) fn queries(object: &ObjectName, key_type: &ExternalIdType, batch: &Batch) -> Vec<Soql> {
    let key = &batch.external_id_field;
    let unowned = batch.records.iter().filter(|record| !names_owner(record));
    let values: Vec<Literal> = unowned
        .filter_map(|record| find_field(record, key.as_str()))
        .flat_map(|value| key_type.literals(value))
        .collect();
    chunks_of(values).into_iter().map(|values| query(object, key, soql::in_(key, values))).collect()
}

/// Returns the records to send. New records without an owner get `owner`.
pub(crate) fn with_owner(
    batch: &Batch,
    owner: RecordId,
    key_type: &ExternalIdType,
    existing: &Existing,
) -> Vec<Map<String, Value>> {
    let mut records = batch.records.clone();
    for record in &mut records {
        if !existing.may_contain(&batch.external_id_field, key_type, record) {
            add_owner(record, owner);
        }
    }
    records
}

/// Adds an owner to a record without one. Returns whether it was added.
pub(crate) fn add_owner(record: &mut Map<String, Value>, owner: RecordId) -> bool {
    let adds = !names_owner(record);
    if adds {
        record.insert("OwnerId".to_owned(), Value::String(owner.to_string()));
    }
    adds
}

/// Returns the records to send of those that are all new: those without an owner get `owner`, if records of the object have one
/// that the user may set.
pub(crate) fn new_with_owner(
    records: impl IntoIterator<Item = Map<String, Value>>,
    owner: RecordId,
    describe: &ObjectDescribe,
) -> Vec<Map<String, Value>> {
    let has_owner = describe.fields.iter().any(|field| field.name.as_str() == "OwnerId" && field.createable);
    let owned = records.into_iter().map(|mut record| {
        if has_owner {
            add_owner(&mut record, owner);
        }
        record
    });
    owned.collect()
}

/// Returns whether Salesforce refused a record because its owner is inactive.
pub(crate) fn is_inactive(errors: &[SaveError]) -> bool {
    errors.iter().any(|error| INACTIVE_OWNER.contains(&error.code.as_str()))
}

/// Returns whether the request itself names the owner of the record.
pub(crate) fn names_owner(record: &Map<String, Value>) -> bool {
    find_field(record, "OwnerId").is_some() || find_field(record, "Owner").is_some()
}

fn query(object: &ObjectName, key: &FieldName, condition: Condition) -> Soql {
    Soql::select(std::slice::from_ref(key)).from(object).where_(condition)
}

/// Returns literals or conditions in chunks that each fit into a query.
pub(crate) fn chunks_of<T: std::fmt::Display>(items: Vec<T>) -> Vec<Vec<T>> {
    let mut chunks: Vec<Vec<T>> = Vec::new();
    let mut bytes_left = 0;
    for item in items {
        let size = item.to_string().len() + 2;
        match chunks.last_mut() {
            Some(chunk) if size <= bytes_left => chunk.push(item),
            _ => {
                chunks.push(vec![item]);
                bytes_left = MAX_QUERY_BYTES;
            }
        }
        bytes_left = bytes_left.saturating_sub(size);
    }
    chunks
}

#[cfg(test)]
mod tests;
