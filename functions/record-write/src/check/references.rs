//! References to other records, by id or by an external id.

use runtime::Schema;
use salesforce::{FieldDescribe, ObjectName};
use serde_json::Value;
use writes::{Defect, DefectCode};

use super::find;

/// The objects of well-known key prefixes (Salesforce Help, "Standard Field Record ID Prefix Decoder").
const PREFIXES: [(&str, &str); 10] = [
    ("001", "Account"),
    ("003", "Contact"),
    ("005", "User"),
    ("006", "Opportunity"),
    ("00G", "Group"),
    ("00Q", "Lead"),
    ("00T", "Task"),
    ("00U", "Event"),
    ("500", "Case"),
    ("701", "Campaign"),
];

/// Returns the defect of a reference to an object that the field cannot refer to, or by a field that the object does not have.
pub(super) fn check(schema: &Schema, field: &FieldDescribe, value: &Value) -> Option<Defect> {
    if field.field_type != "reference" || field.reference_to.is_empty() {
        return None;
    }
    match value {
        Value::Object(_) => by_external_id(schema, field, value),
        Value::String(id) => by_id(field, id.trim()),
        _ => None,
    }
}

fn by_id(field: &FieldDescribe, id: &str) -> Option<Defect> {
    let (_, object) = PREFIXES.iter().find(|(prefix, _)| id.starts_with(prefix))?;
    let refers_to = |name: &str| field.reference_to.iter().any(|target| target.as_str() == name);
    // The account of a person may stand for the person's contact.
    let is_person = *object == "Account" && refers_to("Contact");
    let is_wrong = !refers_to(object) && !is_person;
    is_wrong.then(|| wrong_object(field, object))
}

fn by_external_id(schema: &Schema, field: &FieldDescribe, value: &Value) -> Option<Defect> {
    let named = value.get("attributes").and_then(|attributes| attributes.get("type")).and_then(Value::as_str);
    let is_named = |target: &&ObjectName| named.is_none_or(|named| target.as_str().eq_ignore_ascii_case(named));
    let mut targets = field.reference_to.iter().filter(is_named);
    let target = match (targets.next(), targets.next(), named) {
        (None, _, Some(named)) => return Some(wrong_object(field, named)),
        (Some(target), None, _) => target,
        // Without the object's name, Salesforce decides what the reference means.
        _ => return None,
    };
    let key = value.as_object()?.keys().find(|name| *name != "attributes")?;
    let describe = schema.object(target)?;
    find(describe, key).is_none().then(|| {
        Defect::whole(format!("{target} has no field {key} that the connection's user can see: name an external-id field of {target}, or set {} to a record id", field.name))
            .code(DefectCode::InvalidReference)
    })
}

fn wrong_object(field: &FieldDescribe, object: &str) -> Defect {
    let allowed = field.reference_to.iter().map(ToString::to_string);
    Defect::whole(format!(
        "refers to a record of {object}, which {} cannot: name a record of one of the allowed objects",
        field.name
    ))
    .code(DefectCode::InvalidReference)
    .allowed(allowed)
}
