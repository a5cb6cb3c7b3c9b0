//! Checks records against the objects as the writing connection's user sees them, before anything is written. Pure functions.
//!
//! A defect is reported only if Salesforce would certainly refuse the record, with two exceptions that are Ferry's own rules: a
//! `StageName` that is not in the pipeline of the record type, and a value of a restricted picklist that its record type or its
//! controlling value does not offer. What is unknown is no defect: Salesforce decides it.

mod fields;
mod picklists;
mod record_type;
mod references;
mod values;

use runtime::Schema;
use salesforce::{FieldName, JsonObject, ObjectDescribe, ObjectName, RecordId};
use writes::{Defect, DefectCode};

pub(crate) use fields::{find, find_by_relationship, is_empty, is_key};
pub(crate) use picklists::{OfRecordType, Picklists};

/// A record to write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a> {
    /// The object.
    pub(crate) object: &'a ObjectName,
    /// The fields that are set.
    pub(crate) fields: &'a JsonObject,
    /// The effect of the write.
    pub(crate) action: Action,
    /// The field that identifies the record of an update or an upsert.
    pub(crate) key: Option<&'a FieldName>,
}

/// The effect of a write on a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// The record does not exist.
    Create,
    /// The record exists.
    Update,
    /// It is not known whether the record exists: only what Salesforce refuses in both cases is a defect.
    Upsert,
}

/// A row and the describe of its object.
#[derive(Clone, Copy)]
struct Described<'a> {
    row: &'a Row<'a>,
    describe: &'a ObjectDescribe,
}

/// Returns all defects of the rows, in their order. An object that is not described has no defects, unless the schema says that
/// it is hidden from the connection's user.
pub(crate) fn check(schema: &Schema, picklists: &Picklists, rows: &[Row<'_>]) -> Vec<Defect> {
    let mut defects = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let of_row = match schema.object(row.object) {
            Some(describe) => check_row(schema, picklists, Described { row, describe }),
            None if schema.is_hidden(row.object) => vec![hidden_object(row.object)],
            None => Vec::new(),
        };
        defects.extend(of_row.into_iter().map(|defect| defect.of_record(index)));
    }
    defects
}

/// Returns the objects to which the rows refer by an external id, each once.
pub(crate) fn parents(schema: &Schema, rows: &[Row<'_>]) -> Vec<ObjectName> {
    let mut parents: Vec<ObjectName> = Vec::new();
    for row in rows {
        let Some(describe) = schema.object(row.object) else { continue };
        let named = row.fields.iter().filter(|(_, value)| value.is_object());
        for target in
            named.filter_map(|(name, _)| find_by_relationship(describe, name)).flat_map(|field| &field.reference_to)
        {
            if target != row.object && !parents.contains(target) {
                parents.push(target.clone());
            }
        }
    }
    parents
}

/// Returns the record types whose picklist values the check of these rows needs, each once.
pub(crate) fn needed_picklists(schema: &Schema, rows: &[Row<'_>]) -> Vec<(ObjectName, RecordId)> {
    let mut needed = Vec::new();
    for row in rows {
        let Some(describe) = schema.object(row.object) else { continue };
        if let Some(record_type) = picklists::needed(Described { row, describe }) {
            let entry = (describe.summary.name.clone(), record_type);
            if !needed.contains(&entry) {
                needed.push(entry);
            }
        }
    }
    needed
}

/// Returns whether the check of these rows needs the org's pipelines.
pub(crate) fn needs_pipelines(schema: &Schema, rows: &[Row<'_>]) -> bool {
    let described = |row| Some(Described { row, describe: schema.object(row.object)? });
    rows.iter().filter_map(described).any(picklists::needs_pipelines)
}

fn check_row(schema: &Schema, picklists: &Picklists, described: Described<'_>) -> Vec<Defect> {
    let mut defects: Vec<Defect> = permission(described).into_iter().collect();
    let may_write = defects.is_empty();
    for (name, value) in described.row.fields.iter().filter(|(name, _)| *name != "attributes") {
        let defect = match fields::resolve(described, name, value, may_write) {
            Err(defect) => defect,
            Ok(field) => values::check(field, value)
                .or_else(|| references::check(schema, field, value))
                .or_else(|| record_type::check(described, field, value))
                .or_else(|| picklists.check(described, field, value)),
        };
        defects.extend(defect.map(|defect| Defect { field: Some(name.clone()), ..defect }));
    }
    if may_write {
        defects.extend(fields::missing(described, picklists));
    }
    defects
}

/// Returns the defect of a row whose object the user may not create or update.
fn permission(Described { row, describe }: Described<'_>) -> Option<Defect> {
    let object = &describe.summary;
    let (may, missing) = match row.action {
        Action::Create => (object.createable, "create"),
        Action::Update => (object.updateable, "update"),
        Action::Upsert => (object.createable || object.updateable, "create or update"),
    };
    let defect = || {
        let name = &object.name;
        Defect::whole(format!("the connection's user may not {missing} records of {name}: an administrator of the org has to grant the object permissions Create and Edit on {name}, in a permission set or the user's profile"))
            .code(DefectCode::ObjectReadOnly)
    };
    (!may).then(defect)
}

fn hidden_object(object: &ObjectName) -> Defect {
    Defect::whole(format!("the object {object} does not exist or is hidden from the connection's user"))
        .code(DefectCode::ObjectNotVisible)
}

#[cfg(test)]
mod tests;
