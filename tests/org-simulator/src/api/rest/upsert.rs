//! `sobjects/{object}/{field}/{value}`: records by a key.

use serde_json::{Value as Json, json};

use super::recent;
use crate::api::call::{Call, Response, unknown};
use crate::api::rest::shown::fetch;
use crate::data::write::Upserted;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::schema::Object;
use crate::model::value::Value;

/// Serves `sobjects/{object}/{field}/{value}`.
pub(super) fn serve(org: &mut Org, actor: &Actor, call: &Call, key: Key<'_>) -> Result<Response, ApiError> {
    match call.method.as_str() {
        "GET" => fetch_by_key(org, actor, call, key),
        "PATCH" | "POST" => save(org, actor, call, key),
        "DELETE" => {
            let id = only_match(org, actor, key)?;
            org.delete(actor, &key.0.name, id)?;
            Ok(Response::no_content())
        }
        _ => Err(unknown(call)),
    }
}

type Key<'a> = (&'a Object, &'a str, &'a str);

fn matches(org: &Org, actor: &Actor, (object, key, value): Key<'_>) -> Result<Vec<RecordId>, ApiError> {
    let at = org.key_field(actor, object, key)?;
    let value = Value::read(&object.fields[at], &Json::from(value))?;
    Ok(org.matches(actor, object, at, &value))
}

fn only_match(org: &Org, actor: &Actor, key: Key<'_>) -> Result<RecordId, ApiError> {
    match matches(org, actor, key)?.as_slice() {
        [id] => Ok(*id),
        _ => Err(ApiError::not_found()),
    }
}

fn fetch_by_key(org: &mut Org, actor: &Actor, call: &Call, key: Key<'_>) -> Result<Response, ApiError> {
    match matches(org, actor, key)?.as_slice() {
        [] => Err(ApiError::not_found()),
        [id] => {
            let answer = fetch(org, actor, call, (key.0, id.as_str()))?;
            recent::seen(org, actor, call, *id);
            Ok(answer)
        }
        several => Ok(choices(call, key.0, several)),
    }
}

/// Returns 300 with the paths of all records that match.
fn choices(call: &Call, object: &Object, ids: &[RecordId]) -> Response {
    let urls: Vec<String> =
        ids.iter().map(|id| format!("/services/data/v{}/sobjects/{}/{id}", call.version, object.name)).collect();
    Response::json(json!(urls)).status(300)
}

fn save(org: &mut Org, actor: &Actor, call: &Call, key: Key<'_>) -> Result<Response, ApiError> {
    let (object, name, value) = key;
    let body = call.object()?;
    if let Some(given) = body.keys().find(|given| given.eq_ignore_ascii_case(name)) {
        let message = format!("The {given} field should not be specified in the sobject data.");
        return Err(ApiError::new("INVALID_FIELD", message));
    }
    let update_only = call.parameter("updateOnly") == Some("true");
    if update_only && matches(org, actor, key)?.is_empty() {
        return Err(ApiError::not_found());
    }
    let outcome = org.upsert(actor, &object.name, (name, &Json::from(value)), body)?;
    if let Upserted::Created(id) | Upserted::Updated(id) = outcome {
        recent::seen(org, actor, call, id);
    }
    match outcome {
        Upserted::Created(id) => Ok(saved(id, true).status(201).at(call, &object.name, id)),
        // Before version 46 an update had no body (REST API guide, upsert).
        Upserted::Updated(_) if call.number() < 46 => Ok(Response::no_content()),
        Upserted::Updated(id) => Ok(saved(id, false).at(call, &object.name, id)),
        Upserted::Ambiguous(ids) => Ok(choices(call, object, &ids)),
    }
}

fn saved(id: RecordId, created: bool) -> Response {
    Response::json(json!({"id": id.as_str(), "success": true, "errors": [], "created": created}))
}
