//! The record type of a record.

use salesforce::{FieldDescribe, RecordId, RecordTypeInfo};
use serde_json::Value;
use writes::{Defect, DefectCode};

use super::{Action, Described};
use crate::batch::find_field;

const RECORD_TYPE_ID: &str = "RecordTypeId";
/// The relationship that names a record type by another field than its id.
const RECORD_TYPE: &str = "RecordType";

/// Returns the record type that the record has after the write; `None` if it is not known. An existing record may have any.
pub(super) fn of(Described { row, describe }: Described<'_>) -> Option<RecordId> {
    match find_field(row.fields, RECORD_TYPE_ID) {
        Some(Value::String(id)) if !id.is_empty() => return id.trim().parse().ok(),
        Some(_) => return None,
        None if find_field(row.fields, RECORD_TYPE).is_some() || row.action != Action::Create => return None,
        None => {}
    }
    let infos = &describe.record_type_infos;
    let default = infos.iter().find(|info| info.default_record_type_mapping && (info.master || info.available));
    default.or_else(|| infos.iter().find(|info| info.master)).map(|info| info.record_type_id)
}

/// Returns whether the object has other record types than the master record type.
pub(super) fn has_several(Described { describe, .. }: Described<'_>) -> bool {
    describe.record_type_infos.iter().any(|info| !info.master)
}

/// Returns the defect of a record type that does not exist, or that the user may not give a new record. An existing record may
/// keep one that is not available to the user.
pub(super) fn check(described: Described<'_>, field: &FieldDescribe, value: &Value) -> Option<Defect> {
    let infos = &described.describe.record_type_infos;
    if field.name.as_str() != RECORD_TYPE_ID || infos.is_empty() {
        return None;
    }
    let id: RecordId = value.as_str()?.trim().parse().ok()?;
    let is_usable = |info: &RecordTypeInfo| {
        info.record_type_id == id && (info.master || info.available || described.row.action != Action::Create)
    };
    if infos.iter().any(is_usable) {
        return None;
    }
    let offered =
        infos.iter().filter(|info| info.available && !info.master).map(|info| info.record_type_id.to_string());
    let detail = "is no record type of the object that the connection's user may use: set one of the allowed ids, or have an administrator of the org assign the record type to the user's profile";
    Some(Defect::whole(detail).code(DefectCode::RecordTypeNotAvailable).allowed(offered))
}
