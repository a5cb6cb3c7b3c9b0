//! Checks of a request body against the schema, and of a record before it is saved.

use serde_json::{Map, Value as Json};

use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::record_types::MASTER_RECORD_TYPE;
use crate::model::schema::{self, Field, FieldKind, Object};
use crate::model::store::Row;
use crate::model::value::Value;

/// The purpose of a write, which decides which fields the body may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Create,
    Update,
    /// Data of another system: ids and audit fields keep their values.
    Load,
}

impl Purpose {
    fn allows(self, at: usize, field: &Field) -> bool {
        match self {
            Self::Create => field.createable,
            Self::Update => field.updateable,
            Self::Load => field.createable || at <= schema::MODIFIED_BY && at != schema::IS_DELETED,
        }
    }
}

/// Returns the values that a body sets, in the order of the body.
pub(super) fn parse_changes(
    org: &Org,
    actor: &Actor,
    object: &Object,
    body: &Map<String, Json>,
    purpose: Purpose,
) -> Result<Vec<(usize, Value)>, ApiError> {
    let by = (purpose != Purpose::Load).then_some(actor);
    let mut changes = Vec::with_capacity(body.len());
    let mut refused = Vec::new();
    for (name, json) in body.iter().filter(|(name, _)| *name != "attributes") {
        let (at, value) = match object.position(name) {
            Some(at) => (at, None),
            None => (reference_named(object, name, json)?, Some(resolve_parent(org, by, object, (name, json))?)),
        };
        let Some(field) = object.fields.get(at) else { continue };
        if by.is_some_and(|actor| !org.may_read_field(actor, object, field)) {
            return Err(ApiError::no_column(name, &object.name));
        }
        if at == schema::ID && purpose == Purpose::Create && !json.is_null() {
            let message = "cannot specify Id in an insert call";
            return Err(ApiError::new("INVALID_FIELD_FOR_INSERT_UPDATE", message).fields(["Id"]));
        }
        if !purpose.allows(at, field) || by.is_some_and(|actor| !org.may_edit_field(actor, object, field)) {
            refused.push(field.name.clone());
            continue;
        }
        let value = value.map_or_else(|| Value::read(field, json), Ok)?;
        changes.push((at, check_reference(org, by, object, field, value)?));
    }
    if refused.is_empty() { Ok(changes) } else { Err(ApiError::not_writeable(refused)) }
}

/// Returns the reference field that a body names by its relationship, as in `"Account": {"Key__c": "A-1"}`.
fn reference_named(object: &Object, name: &str, json: &Json) -> Result<usize, ApiError> {
    json.as_object().and_then(|_| object.relationship(name)).ok_or_else(|| ApiError::no_column(name, &object.name))
}

/// Returns the id of the record with the given external id; an error unless exactly one matches.
fn resolve_parent(
    org: &Org,
    actor: Option<&Actor>,
    object: &Object,
    (name, json): (&str, &Json),
) -> Result<Value, ApiError> {
    let reference = object.relationship(name).and_then(|at| object.fields.get(at));
    let Some((reference, keys)) = reference.zip(json.as_object()) else {
        return Err(ApiError::no_column(name, &object.name));
    };
    // For a polymorphic reference, the attributes may name the object.
    let kind = keys.get("attributes").and_then(|attributes| attributes.get("type")).and_then(Json::as_str);
    let mut keys = keys.iter().filter(|(key, _)| *key != "attributes");
    let (Some((key, value)), None) = (keys.next(), keys.next()) else {
        return Err(ApiError::bad_json(format!("{name}: exactly one external id field is expected")));
    };
    let seen = |target: &Object, field| actor.is_none_or(|actor| org.may_read_field(actor, target, field));
    let meant = |target: &&std::sync::Arc<Object>| kind.is_none_or(|kind| target.name.eq_ignore_ascii_case(kind));
    for target in reference.reference_to.iter().filter_map(|to| org.schema.object(to)).filter(meant) {
        let usable = |at: &usize| target.fields[*at].is_key() && seen(target, &target.fields[*at]);
        let Some(at) = target.position(key).filter(usable) else { continue };
        let value = Value::read(&target.fields[at], value)?;
        return match org.store.table(&target.name).map_or(&[][..], |table| table.find(at, &value)) {
            [id] => Ok(Value::Id(*id)),
            [] => {
                let message = format!(
                    "Foreign key external ID: {} not found for field {key} in entity {}",
                    value_text(&value),
                    target.name
                );
                Err(ApiError::new("INVALID_FIELD", message).no_fields())
            }
            _ => Err(ApiError::new(
                "DUPLICATE_EXTERNAL_ID",
                format!("{key}: more than one record found for external id field"),
            )
            .fields([key])),
        };
    }
    Err(ApiError::new("INVALID_FIELD", format!("{key} is not an External ID or indexed field for {name}")))
}

fn value_text(value: &Value) -> String {
    value.soap().unwrap_or_default().to_lowercase()
}

/// Checks that a reference points to a live record of a permitted object that the actor, if there is one, may see.
fn check_reference(
    org: &Org,
    actor: Option<&Actor>,
    object: &Object,
    field: &Field,
    value: Value,
) -> Result<Value, ApiError> {
    let Some(id) = value.as_id().filter(|_| field.kind == FieldKind::Reference) else { return Ok(value) };
    if field.name == "RecordTypeId" {
        return record_type(org, actor, object, id);
    }
    let target = org.schema.by_prefix(id.key_prefix());
    let permitted = |name: &str| field.reference_to.is_empty() || field.reference_to.iter().any(|to| to == name);
    match target {
        Some(target) if permitted(&target.name) => {}
        _ => {
            let message = format!("{}: id value of incorrect type: {id}", field.label);
            return Err(ApiError::new("FIELD_INTEGRITY_EXCEPTION", message).fields([&field.name]));
        }
    }
    let Some((target, row)) = org.live_record(id) else { return Err(ApiError::no_reference(&field.name)) };
    let inactive = target.name == "User" && *org.value("User", row, "IsActive") != Value::Bool(true);
    if inactive && field.name == "OwnerId" {
        let message = "operation performed with inactive user";
        return Err(ApiError::new("INACTIVE_OWNER_OR_USER", message).fields(["OwnerId"]));
    }
    if actor.is_some_and(|actor| !org.may_refer(actor, (object, &field.name), (target, row))) {
        return Err(ApiError::no_access_to_reference(id));
    }
    Ok(value)
}

fn record_type(org: &Org, actor: Option<&Actor>, object: &Object, id: RecordId) -> Result<Value, ApiError> {
    if id.as_str() == MASTER_RECORD_TYPE {
        return Ok(Value::Null);
    }
    let own = |row: &Row| org.value("RecordType", row, "SobjectType").as_text() == object.name;
    match org.store.get("RecordType", id) {
        Some(row) if own(row) && actor.is_none_or(|actor| org.may_use_record_type(actor, object, id)) => {
            Ok(Value::Id(id))
        }
        _ => {
            let message = format!("Record Type ID: this ID value isn't valid for the user: {id}");
            Err(ApiError::new("INVALID_CROSS_REFERENCE_KEY", message).fields(["RecordTypeId"]))
        }
    }
}

/// Rejects a record without a required field, or one in which the caller has emptied a field that is never null; the
/// error names all missing fields.
pub(super) fn check_required(object: &Object, row: &Row, changed: &[usize]) -> Result<(), ApiError> {
    let emptied =
        |at: usize, field: &Field| !field.nillable && field.kind != FieldKind::Boolean && changed.contains(&at);
    let missing: Vec<&str> = object
        .fields
        .iter()
        .enumerate()
        .filter(|(at, f)| row.get(*at).is_null() && (f.required() || emptied(*at, f)))
        .map(|(_, f)| f.name.as_str())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(ApiError::new("REQUIRED_FIELD_MISSING", format!("Required fields are missing: [{}]", missing.join(", ")))
        .fields(missing))
}

/// Rejects a value that another live record already has in a unique field.
pub(super) fn check_unique(org: &Org, object: &Object, row: &Row, own: Option<RecordId>) -> Result<(), ApiError> {
    let Some(table) = org.store.table(&object.name) else { return Ok(()) };
    for (at, field) in object.fields.iter().enumerate().filter(|(_, f)| f.unique) {
        let value = row.get(at);
        if value.is_null() {
            continue;
        }
        if let Some(other) = table.find(at, value).iter().find(|id| Some(**id) != own) {
            let message =
                format!("duplicate value found: {} duplicates value on record with id: {}", field.name, other.short());
            return Err(ApiError::new("DUPLICATE_VALUE", message).no_fields());
        }
    }
    Ok(())
}
