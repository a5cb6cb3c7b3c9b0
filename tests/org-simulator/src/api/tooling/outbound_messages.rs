//! `tooling/sobjects/WorkflowOutboundMessage`: definitions of outbound messages as records with `Metadata`.

use serde_json::{Map, Value as Json, json};

use super::metadata;
use super::tables::{MESSAGES, full_name};
use crate::Error;
use crate::api::call::{Call, Response, unknown};
use crate::messages::definitions;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::outbox::Definition;
use crate::model::outbox::delivery::OutboundMessage;
use crate::model::outbox::settings::OutboundSettings;

pub(super) fn serve(org: &mut Org, call: &Call, rest: &[&str]) -> Result<Response, ApiError> {
    match (call.method.as_str(), rest) {
        ("POST", []) => create(org, call),
        ("GET", [id]) => Ok(Response::json(definition_json(known(org, id)?, call))),
        ("PATCH", [id]) => change(org, call, id),
        ("DELETE", [id]) => {
            let action_id = known(org, id)?.action_id;
            org.outbox.remove_definition(action_id);
            Ok(Response::no_content())
        }
        _ => Err(unknown(call)),
    }
}

fn known<'a>(org: &'a Org, id: &str) -> Result<&'a Definition, ApiError> {
    let id = RecordId::parse(id).ok_or_else(ApiError::not_found)?;
    org.outbox.definitions().iter().find(|definition| definition.action_id == id).ok_or_else(ApiError::not_found)
}

fn definition_json(definition: &Definition, call: &Call) -> Json {
    let (message, settings) = (&definition.message, &definition.settings);
    let id = definition.action_id;
    let full_name = full_name(definition);
    let name = full_name.split_once('.').map_or("", |(_, name)| name);
    let version: f64 = settings.api_version.parse().unwrap_or_default();
    json!({
        "attributes": {"type": MESSAGES, "url": format!("/services/data/v{}/tooling/sobjects/{MESSAGES}/{id}", call.version)},
        "Id": id.as_str(), "Name": name, "FullName": full_name, "ApiVersion": version,
        "EndpointUrl": message.endpoint_url, "EntityDefinitionId": message.object, "IncludeSessionId": settings.include_session_id,
        "ManageableState": "unmanaged", "NamespacePrefix": null,
        "Metadata": {
            "apiVersion": version, "description": null, "endpointUrl": message.endpoint_url, "fields": message.fields,
            "includeSessionId": settings.include_session_id, "integrationUser": settings.integration_user,
            "name": message.name, "protected": false, "urls": null, "useDeadLetterQueue": false,
        },
    })
}

fn create(org: &mut Org, call: &Call) -> Result<Response, ApiError> {
    let missing =
        || ApiError::new("REQUIRED_FIELD_MISSING", "Required fields are missing: [FullName]").fields(["FullName"]);
    let full_name = call.object()?.get("FullName").and_then(Json::as_str).ok_or_else(missing)?;
    let (object, name) = full_name.split_once('.').ok_or_else(missing)?;
    if org.outbox.definitions().iter().any(|known| self::full_name(known) == full_name || known.message.name == name) {
        let message = format!("The name {name} is already in use.");
        return Err(ApiError::new("DUPLICATE_DEVELOPER_NAME", message).no_fields());
    }
    let empty = OutboundMessage {
        name: name.to_owned(),
        object: object.to_owned(),
        fields: Vec::new(),
        endpoint_url: String::new(),
    };
    let id = define(org, metadata(call)?, empty, OutboundSettings::default())?;
    Ok(Response::json(json!({"id": id, "success": true, "errors": [], "warnings": [], "infos": []})).status(201))
}

fn change(org: &mut Org, call: &Call, id: &str) -> Result<Response, ApiError> {
    let Definition { message, settings, .. } = known(org, id)?.clone();
    define(org, metadata(call)?, message, settings)?;
    Ok(Response::no_content())
}

/// Applies metadata to a definition; absent properties are not changed.
fn define(
    org: &mut Org,
    metadata: &Map<String, Json>,
    mut message: OutboundMessage,
    mut settings: OutboundSettings,
) -> Result<String, ApiError> {
    for (key, value) in metadata {
        match (key.as_str(), value) {
            ("endpointUrl", Json::String(url)) => message.endpoint_url.clone_from(url),
            ("fields", Json::Array(names)) => {
                message.fields = names.iter().filter_map(Json::as_str).map(str::to_owned).collect();
            }
            ("apiVersion", Json::Number(version)) => {
                settings.api_version = format!("{:.1}", version.as_f64().unwrap_or_default());
            }
            ("includeSessionId", Json::Bool(_)) => {
                // Ignored and treated as false since February 2026.
            }
            ("integrationUser", Json::String(user)) => settings.integration_user = Some(user.clone()),
            ("name" | "description" | "protected" | "useDeadLetterQueue" | "urls" | "integrationUser", _) => {}
            (key, _) => {
                tracing::warn!(key, "the simulator does not support this metadata of an outbound message");
                let text = format!("Cannot deserialize instance of complexvalue from the value of {key}");
                return Err(ApiError::bad_json(text));
            }
        }
    }
    let name = message.name.clone();
    let id = definitions::define_outbound_message(org, &message).map_err(refused)?;
    definitions::configure_outbound_message(org, &name, settings).map_err(refused)?;
    Ok(id)
}

/// Returns an error of the simulator in the form of a metadata error.
fn refused(error: Error) -> ApiError {
    ApiError::new("FIELD_INTEGRITY_EXCEPTION", error.to_string()).no_fields()
}
