//! `sobjects/{object}/...`: describe, and one record at a time.

use serde_json::{Map, Value as Json, json};

use super::conditional::State;
use super::{Answer, Body, Call, conditional, recent, relationships, replicate, unknown, upsert};
use crate::api::list_views;
use crate::data::soql::attributes;
use crate::model::access::Deed;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::schema::{self, Object};
use crate::model::store::Row;
use crate::model::value::Value;

/// Serves everything below `sobjects/{object}`.
pub(super) fn serve(
    org: &mut Org,
    actor: &Actor,
    call: &Call,
    (object, rest): (&str, &[&str]),
) -> Result<Answer, ApiError> {
    let object = org.schema.object(object).filter(|o| org.may(actor, Deed::Read, o)).cloned();
    let object = object.ok_or_else(ApiError::not_found)?;
    match (call.method.as_str(), rest) {
        ("GET", []) => {
            let summary = schema::object_summary(org, actor, &object, &call.version);
            Ok(Answer::json(
                json!({"objectDescribe": summary, "recentItems": recent::of(org, actor, &object, &call.version)}),
            ))
        }
        ("GET", ["describe"]) => {
            let changed = conditional::schema_changed(org);
            let body = schema::describe_object(org, actor, &object, &call.version);
            Ok(conditional::since(call, changed, Answer::json(body)))
        }
        ("GET", ["updated"]) => replicate::updated(org, actor, call, &object),
        ("GET", ["deleted"]) => replicate::deleted(org, actor, call, &object),
        (_, ["listviews", rest @ ..]) => list_views::serve(org, actor, call, (&object, rest)),
        ("POST", [] | ["Id"]) => create(org, actor, call, &object),
        ("GET", [id]) => {
            let answer = fetch(org, actor, call, (&object, id))?;
            recent::seen(org, actor, call, known_id(id)?);
            Ok(answer)
        }
        ("PATCH", [id]) => {
            let (id, body) = (known_id(id)?, call.object()?);
            if let Some(given) = body.keys().find(|name| name.eq_ignore_ascii_case("Id")) {
                let message = format!("The {given} field should not be specified in the sobject data.");
                return Err(ApiError::new("INVALID_FIELD", message));
            }
            expected(org, call, &object, id)?;
            org.update(actor, &object.name, id, body)?;
            recent::seen(org, actor, call, id);
            Ok(Answer::no_content())
        }
        ("DELETE", [id]) => {
            let id = known_id(id)?;
            expected(org, call, &object, id)?;
            org.delete(actor, &object.name, id)?;
            Ok(Answer::no_content())
        }
        ("GET", [id, below]) if is_record(&object, id) => content(org, actor, call, (&object, id, below)),
        (_, [key, value]) => upsert::serve(org, actor, call, (&object, key, value)),
        _ => Err(unknown(call)),
    }
}

/// What stands where an id is expected; other text is taken for the name of a key field, as Salesforce does.
pub(super) fn known_id(text: &str) -> Result<RecordId, ApiError> {
    RecordId::parse(text).ok_or_else(|| ApiError::no_external_id_field(text))
}

fn create(org: &mut Org, actor: &Actor, call: &Call, object: &Object) -> Result<Answer, ApiError> {
    let id = org.create(actor, &object.name, call.object()?)?;
    recent::seen(org, actor, call, id);
    Ok(Answer::json(json!({"id": id.as_str(), "success": true, "errors": []})).status(201).at(call, &object.name, id))
}

pub(super) fn fetch(org: &Org, actor: &Actor, call: &Call, (object, id): (&Object, &str)) -> Result<Answer, ApiError> {
    let row = org.visible(actor, object, known_id(id)?).ok_or_else(ApiError::not_found)?;
    if row.is_deleted() {
        return Err(ApiError::deleted());
    }
    let state = state(org, object, row);
    state.holds(call)?;
    let answer = shown(org, actor, call, object, row).map(Answer::json)?;
    Ok(state.shown(call, answer))
}

fn state(org: &Org, object: &Object, row: &Row) -> State {
    let changed = row.get(schema::MODSTAMP).as_instant().unwrap_or_default();
    State::of(&Json::Object(org.render_all(object, row, "66.0")), changed)
}

/// Refuses a write to a record that is not in the state the client names.
fn expected(org: &Org, call: &Call, object: &Object, id: RecordId) -> Result<(), ApiError> {
    match org.store.get(&object.name, id) {
        Some(row) if conditional::is_set(call) => state(org, object, row).holds(call),
        _ => Ok(()),
    }
}

/// A record with the fields that `?fields=` names, or all.
pub(super) fn shown(org: &Org, actor: &Actor, call: &Call, object: &Object, row: &Row) -> Result<Json, ApiError> {
    let id = row.id().unwrap_or(org.id);
    let mut record = Map::new();
    record.insert("attributes".to_owned(), attributes(object, id, &call.version));
    match call.parameter("fields") {
        None => record.extend(org.render_for(actor, object, row, &call.version)),
        Some(names) => record.extend(named_fields((org, actor), object, row, names.split(','), &call.version)?),
    }
    Ok(Json::Object(record))
}

/// The named fields of a row, with `Id` always among them.
pub(super) fn named_fields<'a>(
    (org, actor): (&Org, &Actor),
    object: &Object,
    row: &Row,
    names: impl Iterator<Item = &'a str>,
    version: &str,
) -> Result<Map<String, Json>, ApiError> {
    let mut shown = Map::new();
    for name in names.map(str::trim).chain(["Id"]) {
        let seen = |at: &usize| org.may_read_field(actor, object, &object.fields[*at]);
        let at = object.position(name).filter(seen).ok_or_else(|| ApiError::no_column(name, &object.name))?;
        shown.insert(object.fields[at].name.clone(), object.shown(row, at, version));
    }
    Ok(shown)
}

/// Whether a segment of a path is the id of such a record, rather than the name of a key field.
fn is_record(object: &Object, segment: &str) -> bool {
    RecordId::parse(segment).is_some() && object.position(segment).is_none()
}

/// What stands below a record: the bytes of a blob field, or a relationship.
fn content(
    org: &Org,
    actor: &Actor,
    call: &Call,
    (object, id, name): (&Object, &str, &str),
) -> Result<Answer, ApiError> {
    let id = known_id(id)?;
    let seen = |at: &usize| org.may_read_field(actor, object, &object.fields[*at]);
    let Some(at) = object.position(name).filter(seen) else {
        return relationships::follow(org, actor, call, (object, id, name));
    };
    let row = org.visible(actor, object, id).filter(|row| !row.is_deleted()).ok_or_else(ApiError::not_found)?;
    match row.get(at) {
        Value::Blob(bytes) => Ok(Answer::new(200, Body::Bytes(bytes.to_vec()))),
        _ => Err(ApiError::not_found()),
    }
}
