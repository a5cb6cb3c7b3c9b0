//! `sobjects/{object}/...`: describe, and single records.

use serde_json::json;

use super::{conditional, layouts, recent, relationships, replicate, upsert};
use crate::api::call::{Body, Call, Response, unknown};
use crate::api::rest::record_json::{fetch, known_id, state};
use crate::api::{describe, list_views};
use crate::model::access::Permission;
use crate::model::actor::Actor;
use crate::model::change_events::names::object_of_event;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::schema::Object;
use crate::model::value::Value;

/// Serves everything below `sobjects/{object}`.
pub(super) fn serve(
    org: &mut Org,
    actor: &Actor,
    call: &Call,
    (object, rest): (&str, &[&str]),
) -> Result<Response, ApiError> {
    if let Some(of) = object_of_event(org, object).filter(|of| org.has_permission(actor, Permission::Read, of)) {
        return match (call.method.as_str(), rest) {
            ("GET", ["describe"]) => Ok(Response::json(describe::describe_change_event(org, actor, of, &call.version))),
            _ => Err(unknown(call)),
        };
    }
    let object = org.schema.object(object).filter(|o| org.has_permission(actor, Permission::Read, o)).cloned();
    let object = object.ok_or_else(ApiError::not_found)?;
    match (call.method.as_str(), rest) {
        ("GET", []) => {
            let summary = describe::object_summary(org, actor, &object, &call.version);
            Ok(Response::json(
                json!({"objectDescribe": summary, "recentItems": recent::of(org, actor, &object, &call.version)}),
            ))
        }
        ("GET", ["describe"]) => {
            let changed = org.schema_changed();
            let body = describe::describe_object(org, actor, &object, &call.version);
            Ok(conditional::not_modified_since(call, changed, Response::json(body)))
        }
        ("GET", ["describe", rest @ ..]) => layouts::serve(org, actor, call, (&object, rest)),
        ("GET", ["updated"]) => replicate::updated(org, actor, call, &object),
        ("GET", ["deleted"]) => replicate::deleted(org, actor, call, &object),
        (_, ["listviews", rest @ ..]) => list_views::serve(org, actor, call, (&object, rest)),
        ("POST", [] | ["Id"]) => create(org, actor, call, &object),
        ("GET", [id]) => {
            let response = fetch(org, actor, call, (&object, id))?;
            recent::add_recent(org, actor, call, known_id(id)?);
            Ok(response)
        }
        ("PATCH", [id]) => {
            let (id, body) = (known_id(id)?, call.object()?);
            if let Some(given) = body.keys().find(|name| name.eq_ignore_ascii_case("Id")) {
                let message = format!("The {given} field should not be specified in the sobject data.");
                return Err(ApiError::new("INVALID_FIELD", message));
            }
            check_conditions(org, call, &object, id)?;
            org.update(actor, &object.name, id, body)?;
            recent::add_recent(org, actor, call, id);
            Ok(Response::no_content())
        }
        ("DELETE", [id]) => {
            let id = known_id(id)?;
            org.delete(actor, &object.name, id)?;
            Ok(Response::no_content())
        }
        ("GET", [id, below]) if is_record(&object, id) => content(org, actor, call, (&object, id, below)),
        ("PATCH" | "DELETE", [id, below]) if is_record(&object, id) => {
            relationships::change_parent(org, actor, call, (&object, known_id(id)?, below))
        }
        (_, [key, value]) => upsert::serve(org, actor, call, (&object, key, value)),
        _ => Err(unknown(call)),
    }
}

fn create(org: &mut Org, actor: &Actor, call: &Call, object: &Object) -> Result<Response, ApiError> {
    let id = org.create(actor, &object.name, call.object()?)?;
    recent::add_recent(org, actor, call, id);
    Ok(Response::json(json!({"id": id.as_str(), "success": true, "errors": []})).status(201).at(call, &object.name, id))
}

/// Returns an error when the record does not meet the conditions of a change.
pub(super) fn check_conditions(org: &Org, call: &Call, object: &Object, id: RecordId) -> Result<(), ApiError> {
    conditional::check_headers(call)?;
    match org.store.get(&object.name, id) {
        Some(row) if conditional::has_condition(call) => state(org, object, row).check_conditions(call),
        _ => Ok(()),
    }
}

/// Returns whether a path segment is the id of a record of the object, rather than the name of a key field.
fn is_record(object: &Object, segment: &str) -> bool {
    RecordId::parse(segment).is_some() && object.position(segment).is_none()
}

/// Serves a resource below a record: the bytes of a blob field, or a relationship.
fn content(
    org: &Org,
    actor: &Actor,
    call: &Call,
    (object, id, name): (&Object, &str, &str),
) -> Result<Response, ApiError> {
    let id = known_id(id)?;
    let seen = |at: &usize| org.may_read_field(actor, object, &object.fields[*at]);
    let Some(at) = object.position(name).filter(seen) else {
        return relationships::follow(org, actor, call, (object, id, name));
    };
    let row = org.visible(actor, object, id).filter(|row| !row.is_deleted()).ok_or_else(ApiError::not_found)?;
    match row.get(at) {
        Value::Blob(bytes) => Ok(Response::new(200, Body::Bytes(bytes.to_vec()))),
        _ => Err(ApiError::not_found()),
    }
}
