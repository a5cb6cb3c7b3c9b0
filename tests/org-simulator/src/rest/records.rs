//! `sobjects/{object}/...`: describe, and one record at a time.

use serde_json::{Map, Value as Json, json};

use super::{Answer, Body, Call, replicate, unknown};
use crate::api_error::ApiError;
use crate::ids::RecordId;
use crate::org::{Actor, Org};
use crate::schema::{self, Object};
use crate::soql::attributes;
use crate::store::Row;
use crate::value::{Place, Value};
use crate::write::Upserted;

/// Serves everything below `sobjects/{object}`.
pub(super) fn serve(
    org: &mut Org,
    actor: &Actor,
    call: &Call,
    (object, rest): (&str, &[&str]),
) -> Result<Answer, ApiError> {
    let object = org.schema.object(object).cloned().ok_or_else(ApiError::not_found)?;
    match (call.method.as_str(), rest) {
        ("GET", []) => Ok(Answer::json(
            json!({"objectDescribe": schema::object_summary(&object, &call.version), "recentItems": []}),
        )),
        ("GET", ["describe"]) => {
            let types = org.record_types(&object);
            Ok(Answer::json(schema::describe_object(&org.schema, &object, &types, &call.version)))
        }
        ("GET", ["updated"]) => replicate::updated(org, actor, call, &object),
        ("GET", ["deleted"]) => replicate::deleted(org, actor, call, &object),
        ("POST", [] | ["Id"]) => create(org, actor, call, &object),
        ("GET", [id]) => fetch(org, actor, call, (&object, id)),
        ("PATCH", [id]) => {
            org.update(actor, &object.name, known_id(id)?, call.object()?)?;
            Ok(Answer::no_content())
        }
        ("DELETE", [id]) => {
            org.delete(actor, &object.name, known_id(id)?)?;
            Ok(Answer::no_content())
        }
        ("GET", [id, blob]) if RecordId::parse(id).is_some() => content(org, actor, &object, (id, blob)),
        ("GET", [key, value]) => fetch_by_key(org, actor, call, (&object, key, value)),
        ("PATCH" | "POST", [key, value]) => upsert(org, actor, call, (&object, key, value)),
        ("DELETE", [key, value]) => {
            let id = only_match(org, actor, (&object, key, value))?;
            org.delete(actor, &object.name, id)?;
            Ok(Answer::no_content())
        }
        _ => Err(unknown(call)),
    }
}

/// What stands where an id is expected; other text is taken for the name of a key field, as Salesforce does.
fn known_id(text: &str) -> Result<RecordId, ApiError> {
    RecordId::parse(text).ok_or_else(|| ApiError::no_external_id_field(text))
}

fn create(org: &mut Org, actor: &Actor, call: &Call, object: &Object) -> Result<Answer, ApiError> {
    let id = org.create(actor, &object.name, call.object()?)?;
    Ok(Answer::json(json!({"id": id.as_str(), "success": true, "errors": []})).status(201).at(call, &object.name, id))
}

fn fetch(org: &Org, actor: &Actor, call: &Call, (object, id): (&Object, &str)) -> Result<Answer, ApiError> {
    let row = org.visible(actor, object, known_id(id)?).ok_or_else(ApiError::not_found)?;
    if row.is_deleted() {
        return Err(ApiError::deleted());
    }
    shown(org, call, object, row).map(Answer::json)
}

/// A record with the fields that `?fields=` names, or all.
fn shown(org: &Org, call: &Call, object: &Object, row: &Row) -> Result<Json, ApiError> {
    let id = row.id().unwrap_or(org.id);
    let mut record = Map::new();
    record.insert("attributes".to_owned(), attributes(object, id, &call.version));
    match call.parameter("fields") {
        None => record.extend(org.render_all(object, row, &call.version)),
        Some(names) => record.extend(named_fields(object, row, names.split(','), &call.version)?),
    }
    Ok(Json::Object(record))
}

/// The named fields of a row, with `Id` always among them.
pub(super) fn named_fields<'a>(
    object: &Object,
    row: &Row,
    names: impl Iterator<Item = &'a str>,
    version: &str,
) -> Result<Map<String, Json>, ApiError> {
    let mut shown = Map::new();
    for name in names.map(str::trim).chain(["Id"]) {
        let at = object.position(name).ok_or_else(|| ApiError::no_column(name, &object.name))?;
        let field = &object.fields[at].name;
        let Some(id) = row.id() else { continue };
        shown.insert(field.clone(), row.get(at).json(Place { version, object: &object.name, field, id }));
    }
    Ok(shown)
}

/// The bytes of a blob field.
fn content(org: &Org, actor: &Actor, object: &Object, (id, blob): (&str, &str)) -> Result<Answer, ApiError> {
    let row =
        org.visible(actor, object, known_id(id)?).filter(|row| !row.is_deleted()).ok_or_else(ApiError::not_found)?;
    let at = object.position(blob).ok_or_else(ApiError::not_found)?;
    match row.get(at) {
        Value::Blob(bytes) => Ok(Answer { status: 200, body: Body::Bytes(bytes.to_vec()), location: None }),
        _ => Err(ApiError::not_found()),
    }
}

type Key<'a> = (&'a Object, &'a str, &'a str);

fn matches(org: &Org, actor: &Actor, (object, key, value): Key<'_>) -> Result<Vec<RecordId>, ApiError> {
    let at = object.position(key).filter(|at| object.fields[*at].id_lookup || object.fields[*at].external_id);
    let at = at.ok_or_else(|| ApiError::no_external_id_field(key))?;
    let value = Value::read(&object.fields[at], &Json::from(value))?;
    Ok(org.matches(actor, object, at, &value))
}

fn only_match(org: &Org, actor: &Actor, key: Key<'_>) -> Result<RecordId, ApiError> {
    match matches(org, actor, key)?.as_slice() {
        [id] => Ok(*id),
        _ => Err(ApiError::not_found()),
    }
}

fn fetch_by_key(org: &Org, actor: &Actor, call: &Call, key: Key<'_>) -> Result<Answer, ApiError> {
    match matches(org, actor, key)?.as_slice() {
        [] => Err(ApiError::not_found()),
        [id] => fetch(org, actor, call, (key.0, id.as_str())),
        several => Ok(choices(call, key.0, several)),
    }
}

/// 300 with the addresses of all that match.
fn choices(call: &Call, object: &Object, ids: &[RecordId]) -> Answer {
    let urls: Vec<String> =
        ids.iter().map(|id| format!("/services/data/v{}/sobjects/{}/{id}", call.version, object.name)).collect();
    Answer::json(json!(urls)).status(300)
}

fn upsert(org: &mut Org, actor: &Actor, call: &Call, key: Key<'_>) -> Result<Answer, ApiError> {
    let (object, name, value) = key;
    let body = call.object()?;
    if let Some(given) = body.keys().find(|given| given.eq_ignore_ascii_case(name)) {
        return Err(ApiError::new(
            "INVALID_FIELD",
            format!("The {given} field should not be specified in the sobject data."),
        ));
    }
    let update_only = call.parameter("updateOnly") == Some("true");
    if update_only && matches(org, actor, key)?.is_empty() {
        return Err(ApiError::not_found());
    }
    match org.upsert(actor, &object.name, (name, &Json::from(value)), body)? {
        Upserted::Created(id) => Ok(saved(id, true).status(201).at(call, &object.name, id)),
        Upserted::Updated(id) => Ok(saved(id, false).at(call, &object.name, id)),
        Upserted::Ambiguous(ids) => Ok(choices(call, object, &ids)),
    }
}

fn saved(id: RecordId, created: bool) -> Answer {
    Answer::json(json!({"id": id.as_str(), "success": true, "errors": [], "created": created}))
}
