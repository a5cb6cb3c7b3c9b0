//! The JSON of a single record.

use serde_json::{Map, Value as Json};

use crate::api::call::{Call, Response};
use crate::api::rest::conditional::State;
use crate::data::soql::attributes;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::schema::{self, Object};
use crate::model::store::Row;

pub(super) fn fetch(
    org: &Org,
    actor: &Actor,
    call: &Call,
    (object, id): (&Object, &str),
) -> Result<Response, ApiError> {
    let row = org.visible(actor, object, known_id(id)?).ok_or_else(ApiError::not_found)?;
    if row.is_deleted() {
        return Err(ApiError::deleted());
    }
    let state = state(org, object, row);
    state.check_conditions(call)?;
    let response = record_json(org, actor, call, object, row).map(Response::json)?;
    Ok(state.respond(call, response))
}

pub(super) fn state(org: &Org, object: &Object, row: &Row) -> State {
    let changed = row.get(schema::MODSTAMP).as_instant().unwrap_or_default();
    if object.name != "Account" {
        return State::untagged(changed);
    }
    State::of(&Json::Object(org.render_all(object, row, "66.0")), changed)
}

/// Returns a record with the fields of `?fields=`, or all fields.
pub(super) fn record_json(org: &Org, actor: &Actor, call: &Call, object: &Object, row: &Row) -> Result<Json, ApiError> {
    let id = row.id().unwrap_or(org.id);
    let mut record = Map::new();
    record.insert("attributes".to_owned(), attributes(object, id, &call.version));
    match call.parameter("fields") {
        None => record.extend(org.render_for(actor, object, row, &call.version)),
        Some(names) => record.extend(named_fields((org, actor), object, row, names.split(','), &call.version)?),
    }
    Ok(Json::Object(record))
}

/// Returns the named fields of a row; `Id` is always included.
pub(super) fn named_fields<'a>(
    (org, actor): (&Org, &Actor),
    object: &Object,
    row: &Row,
    names: impl Iterator<Item = &'a str>,
    version: &str,
) -> Result<Map<String, Json>, ApiError> {
    let mut fields = Map::new();
    for name in names.map(str::trim).chain(["Id"]) {
        let seen = |at: &usize| org.may_read_field(actor, object, &object.fields[*at]);
        let at = object.position(name).filter(seen).ok_or_else(|| ApiError::no_column(name, &object.name))?;
        fields.insert(object.fields[at].name.clone(), org.render_field(object, row, at, version));
    }
    Ok(fields)
}

/// Parses an id; other text is reported as an unknown key field, as Salesforce does.
pub(super) fn known_id(text: &str) -> Result<RecordId, ApiError> {
    RecordId::parse(text).ok_or_else(|| ApiError::no_external_id_field(text))
}
