//! `quickActions/{action}/defaultValues`: the default values of a global action's new record (REST API guide, "Quick
//! Actions").
//!
//! Only the global action for tasks is supported, and its layout cannot be changed.

use serde_json::{Map, Value as Json, json};

use crate::api::call::{Call, Response, unknown};
use crate::model::access::Permission;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::org::Org;

/// The global actions of every org, with the object and the layout fields of each.
const ACTIONS: [(&str, &str, &[&str]); 1] =
    [("NewTask", "Task", &["Subject", "ActivityDate", "WhoId", "WhatId", "OwnerId", "Status"])];

/// Serves everything below `quickActions`.
pub(super) fn serve(org: &Org, actor: &Actor, call: &Call, rest: &[&str]) -> Result<Response, ApiError> {
    let ("GET", [action, "defaultValues"]) = (call.method.as_str(), rest) else { return Err(unknown(call)) };
    let (_, name, fields) = ACTIONS.iter().find(|(known, ..)| known == action).ok_or_else(|| unknown(call))?;
    let object = org.object(name)?;
    org.permit(actor, Permission::Create, &object).map_err(|_| ApiError::not_found())?;
    let mut values = Map::new();
    values.insert("attributes".to_owned(), json!({"type": object.name}));
    for field in fields.iter().filter_map(|name| object.field(name)) {
        if !org.may_read_field(actor, &object, field) {
            continue;
        }
        let usual = field.picklist.iter().find(|value| value.is_default).map(|value| Json::from(value.value.as_str()));
        let value = if field.name == "OwnerId" { Some(json!(actor.user.as_str())) } else { usual };
        values.insert(field.name.clone(), value.unwrap_or(Json::Null));
    }
    Ok(Response::json(Json::Object(values)))
}
