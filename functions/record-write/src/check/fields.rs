//! The fields of a record: whether the user sees them, may set them, and has set those that a new record needs.

use salesforce::{FieldDescribe, ObjectDescribe};
use serde_json::Value;
use writes::{Defect, DefectCode};

use super::picklists::is_stage;
use super::{Action, Described, Picklists};

/// The field that the package adds, and the permission set that grants it.
const PACKAGE_FIELD: &str = "Ferry_External_Id__c";
/// The lists of the people of an activity. They can be set, though a describe does not list them among the fields (Object
/// Reference, `Task` and `Event`).
const JUNCTION_LISTS: [&str; 2] = ["TaskWhoIds", "EventWhoIds"];

/// Returns whether records can be upserted by the field.
pub(crate) fn is_key(field: &FieldDescribe) -> bool {
    field.external_id || field.id_lookup || field.field_type == "id"
}

/// Finds a field by name, without regard to case.
pub(crate) fn find<'a>(describe: &'a ObjectDescribe, name: &str) -> Option<&'a FieldDescribe> {
    describe.fields.iter().find(|field| field.name.as_str().eq_ignore_ascii_case(name))
}

/// Finds a reference by the name of its relationship: `AccountId` by `Account`.
pub(crate) fn find_by_relationship<'a>(describe: &'a ObjectDescribe, name: &str) -> Option<&'a FieldDescribe> {
    let is_named = |field: &&FieldDescribe| {
        field.relationship_name.as_ref().is_some_and(|relationship| relationship.eq_ignore_ascii_case(name))
    };
    describe.fields.iter().find(is_named)
}

/// Returns the field that a member of a record sets and whose value is to be checked, or the member's defect, if it has one.
pub(super) fn resolve<'a>(
    described: Described<'a>,
    name: &str,
    value: &Value,
    may_write: bool,
) -> Result<&'a FieldDescribe, Option<Defect>> {
    let Described { row, describe } = described;
    let relationship = || find_by_relationship(describe, name).filter(|_| value.is_object());
    let Some(field) = relationship().or_else(|| find(describe, name)) else {
        let is_list = JUNCTION_LISTS.iter().any(|list| list.eq_ignore_ascii_case(name));
        return Err((!is_list).then(|| not_visible(name)));
    };
    if may_write && !is_identifier(described, field) && !may_set(row.action, field) {
        return Err(Some(read_only(row.action, field)));
    }
    if is_empty(value) { Err(emptied(described, field)) } else { Ok(field) }
}

/// Returns whether the field only identifies the record. That of a new record is set, too, unless it is the id.
fn is_identifier(Described { row, .. }: Described<'_>, field: &FieldDescribe) -> bool {
    let is_key = row.key.is_some_and(|key| key.as_str().eq_ignore_ascii_case(field.name.as_str()));
    is_key && (row.action != Action::Create || field.field_type == "id")
}

fn may_set(action: Action, field: &FieldDescribe) -> bool {
    match action {
        Action::Create => field.createable,
        Action::Update => field.updateable,
        Action::Upsert => field.createable || field.updateable,
    }
}

fn not_visible(name: &str) -> Defect {
    let detail = if name.eq_ignore_ascii_case(PACKAGE_FIELD) {
        "is hidden from the connection's user: an administrator of the org has to assign the permission set Ferry Integration to the user"
    } else {
        "does not exist or is hidden from the connection's user: correct the name, or have an administrator of the org grant the field in a permission set or the user's profile"
    };
    Defect::whole(detail).code(DefectCode::FieldNotVisible)
}

fn read_only(action: Action, field: &FieldDescribe) -> Defect {
    let detail = if field.calculated {
        "is computed by Salesforce and cannot be set: leave it out"
    } else if action == Action::Update && field.createable {
        "can be set only in a new record: leave it out"
    } else {
        "cannot be set by the connection's user: leave it out, or have an administrator of the org grant edit access to the field in a permission set or the user's profile"
    };
    Defect::whole(detail).code(DefectCode::FieldReadOnly)
}

/// Returns whether Salesforce takes the value for null.
pub(crate) fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(str::is_empty)
}

/// Returns whether the record sets the field to a value, by its name or by its relationship.
fn is_set(Described { row, .. }: Described<'_>, field: &FieldDescribe) -> bool {
    let names = |name: &str| {
        name.eq_ignore_ascii_case(field.name.as_str())
            || field.relationship_name.as_ref().is_some_and(|relationship| relationship.eq_ignore_ascii_case(name))
    };
    row.fields.iter().any(|(name, value)| names(name) && !is_empty(value))
}

/// Returns the defect of an empty value in a field that every record needs. That of a new record is found by [`missing`].
fn emptied(described: Described<'_>, field: &FieldDescribe) -> Option<Defect> {
    let is_new = described.row.action == Action::Create;
    (!is_new && is_required(described.describe, field) && !is_set(described, field)).then(|| {
        Defect::whole("must not be emptied: every record of the object needs a value").code(DefectCode::Required)
    })
}

/// Returns the defects of required fields that a new record does not set.
pub(super) fn missing(described: Described<'_>, picklists: &Picklists) -> Vec<Defect> {
    let Described { row, describe } = described;
    if row.action != Action::Create {
        return Vec::new();
    }
    let missing = describe.fields.iter().filter(|field| is_required(describe, field) && !is_set(described, field));
    let defect = |field: &FieldDescribe| {
        let defect =
            Defect::field(field.name.to_string(), "is missing: a new record needs a value").code(DefectCode::Required);
        match is_stage(describe, field) {
            true => defect.allowed(picklists.stages(described).map(|stage| stage.api_name.clone())),
            false => defect,
        }
    };
    missing.map(defect).collect()
}

/// Returns whether Salesforce refuses a new record without the field. Where accounts may be people, either `Name` or `LastName`
/// is needed, which the record type decides.
fn is_required(describe: &ObjectDescribe, field: &FieldDescribe) -> bool {
    let may_be_person = describe.summary.name.as_str() == "Account" && find(describe, "LastName").is_some();
    field.is_required_on_create() && !(may_be_person && ["Name", "LastName"].contains(&field.name.as_str()))
}
