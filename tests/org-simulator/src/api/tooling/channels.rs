//! `tooling/sobjects/PlatformEventChannel` and `PlatformEventChannelMember`: channels of change events and the objects that
//! are selected for them (Tooling API reference). The codes of refused definitions are unverified.

use serde_json::{Map, Value as Json, json};

use super::metadata;
use super::tables::{CHANNELS, MEMBERS};
use crate::Error;
use crate::api::call::{Call, Response, unknown};
use crate::messages::event_relay;
use crate::model::change_events::names::event_name;
use crate::model::change_events::{Channel, Member};
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;

pub(super) fn serve_channels(org: &mut Org, call: &Call, rest: &[&str]) -> Result<Response, ApiError> {
    match (call.method.as_str(), rest) {
        ("POST", []) => {
            let metadata = metadata(call)?;
            check(metadata, &["channelType", "label", "eventType"])?;
            if metadata.get("channelType") != Some(&json!("data")) {
                let text = "the simulator has channels of the type data only";
                return Err(ApiError::new("FIELD_INTEGRITY_EXCEPTION", text).no_fields());
            }
            let label = required(metadata, "label")?;
            let id = event_relay::add_channel(org, required(call.object()?, "FullName")?, label).map_err(refused)?;
            Ok(created(id))
        }
        ("GET", [id]) => Ok(Response::json(channel_json(channel(org, id)?, call))),
        ("DELETE", [id]) => {
            let id = channel(org, id)?.id;
            org.change_events.remove_channel(id);
            Ok(Response::no_content())
        }
        _ => Err(unknown(call)),
    }
}

pub(super) fn serve_members(org: &mut Org, call: &Call, rest: &[&str]) -> Result<Response, ApiError> {
    match (call.method.as_str(), rest) {
        ("POST", []) => {
            let metadata = metadata(call)?;
            check(metadata, &["eventChannel", "selectedEntity"])?;
            let selected = (required(metadata, "eventChannel")?, required(metadata, "selectedEntity")?);
            let name = required(call.object()?, "FullName")?;
            Ok(created(event_relay::select(org, selected, Some(name)).map_err(refused)?))
        }
        ("GET", [id]) => Ok(Response::json(member_json(member(org, id)?, call))),
        ("DELETE", [id]) => {
            let id = member(org, id)?.id;
            org.change_events.remove_member(id);
            Ok(Response::no_content())
        }
        _ => Err(unknown(call)),
    }
}

fn created(id: RecordId) -> Response {
    Response::json(json!({"id": id, "success": true, "errors": [], "warnings": [], "infos": []})).status(201)
}

fn channel<'a>(org: &'a Org, id: &str) -> Result<&'a Channel, ApiError> {
    let id = RecordId::parse(id).ok_or_else(ApiError::not_found)?;
    org.change_events.channels().iter().find(|channel| channel.id == id).ok_or_else(ApiError::not_found)
}

fn member<'a>(org: &'a Org, id: &str) -> Result<&'a Member, ApiError> {
    let id = RecordId::parse(id).ok_or_else(ApiError::not_found)?;
    org.change_events.members().iter().find(|member| member.id == id).ok_or_else(ApiError::not_found)
}

/// Returns a required text.
fn required<'a>(map: &'a Map<String, Json>, name: &str) -> Result<&'a str, ApiError> {
    map.get(name).and_then(Json::as_str).filter(|text| !text.is_empty()).ok_or_else(|| {
        ApiError::new("REQUIRED_FIELD_MISSING", format!("Required fields are missing: [{name}]")).fields([name])
    })
}

/// Refuses metadata that has no effect here, such as filters and enriched fields.
fn check(metadata: &Map<String, Json>, known: &[&str]) -> Result<(), ApiError> {
    match metadata.iter().find(|(key, value)| !known.contains(&key.as_str()) && !value.is_null()) {
        Some((key, _)) => {
            tracing::warn!(key, "the simulator does not support this metadata of a channel");
            Err(ApiError::bad_json(format!("Cannot deserialize instance of complexvalue from the value of {key}")))
        }
        None => Ok(()),
    }
}

fn refused(error: Error) -> ApiError {
    ApiError::new("FIELD_INTEGRITY_EXCEPTION", error.to_string()).no_fields()
}

fn channel_json(channel: &Channel, call: &Call) -> Json {
    let Channel { id, name, label } = channel;
    json!({
        "attributes": attributes(CHANNELS, *id, call), "Id": id, "DeveloperName": developer_name(name), "FullName": name,
        "ChannelType": "data", "MasterLabel": label, "ManageableState": "unmanaged", "NamespacePrefix": null,
        "Metadata": {"channelType": "data", "label": label, "urls": null},
    })
}

fn member_json(member: &Member, call: &Call) -> Json {
    let Member { id, name, channel, object } = member;
    let event = event_name(object);
    json!({
        "attributes": attributes(MEMBERS, *id, call), "Id": id, "DeveloperName": name, "FullName": name,
        "EventChannel": channel, "SelectedEntity": event, "ManageableState": "unmanaged", "NamespacePrefix": null,
        "Metadata": {"eventChannel": channel, "selectedEntity": event, "filterExpression": null, "enrichedFields": null, "urls": null},
    })
}

fn attributes(object: &str, id: RecordId, call: &Call) -> Json {
    json!({"type": object, "url": format!("/services/data/v{}/tooling/sobjects/{object}/{id}", call.version)})
}

/// Returns the developer name of a channel: its full name without the suffix.
pub(super) fn developer_name(channel: &str) -> &str {
    channel.strip_suffix("__chn").unwrap_or(channel)
}
