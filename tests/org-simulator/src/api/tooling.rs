//! The part of the Tooling API that a connector needs: outbound message definitions, channels of change events, installed
//! packages and requests to install them.
//!
//! `WorkflowOutboundMessage` supports GET, POST, PATCH and DELETE, `PlatformEventChannel` and `PlatformEventChannelMember`
//! GET, POST and DELETE, `PackageInstallRequest` GET and POST (Tooling API reference). Other Tooling objects are not
//! supported.

mod channels;
mod install_requests;
mod outbound_messages;
mod tables;

use serde_json::{Map, Value as Json, json};

use crate::api::call::{Body, Call, Response, unknown};
use crate::api::{describe, query};
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::org::{Org, OrgSeed};

/// Serves everything below `tooling`, for users with the permission "Customize Application": here the admins.
pub(crate) fn serve(org: &mut Org, actor: &Actor, call: &Call, rest: &[&str]) -> Result<Response, ApiError> {
    if !actor.is_admin {
        return Err(ApiError::new("INSUFFICIENT_ACCESS", "insufficient access rights on Tooling API").status(403));
    }
    match (call.method.as_str(), rest) {
        ("GET", ["query"]) => run_query(org, actor, call),
        ("GET", ["sobjects"]) => {
            let mut body = describe::describe_global(&tables_of(org), actor, &call.version);
            set_tooling_urls(&mut body);
            Ok(Response::json(body))
        }
        (_, ["sobjects", object, rest @ ..]) if object.eq_ignore_ascii_case(tables::MESSAGES) => {
            outbound_messages::serve(org, call, rest)
        }
        (_, ["sobjects", object, rest @ ..]) if object.eq_ignore_ascii_case(tables::INSTALL_REQUESTS) => {
            install_requests::serve(org, actor, call, rest)
        }
        (_, ["sobjects", object, rest @ ..]) if object.eq_ignore_ascii_case(tables::CHANNELS) => {
            channels::serve_channels(org, call, rest)
        }
        (_, ["sobjects", object, rest @ ..]) if object.eq_ignore_ascii_case(tables::MEMBERS) => {
            channels::serve_members(org, call, rest)
        }
        _ => Err(unknown(call)),
    }
}

/// Returns the required `Metadata` of a body.
fn metadata(call: &Call) -> Result<&Map<String, Json>, ApiError> {
    let missing =
        || ApiError::new("REQUIRED_FIELD_MISSING", "Required fields are missing: [Metadata]").fields(["Metadata"]);
    call.object()?.get("Metadata").and_then(Json::as_object).ok_or_else(missing)
}

/// Runs a query on a temporary org that holds only Tooling objects.
fn run_query(org: &Org, actor: &Actor, call: &Call) -> Result<Response, ApiError> {
    let mut response = query::first_page(&mut tables_of(org), actor, call, false)?;
    if let Body::Json(body) = &mut response.body {
        set_tooling_urls(body);
        let name = body.pointer("/records/0/attributes/type").cloned().unwrap_or(Json::Null);
        if let (Some(size), Some(map)) = (body["records"].as_array().map(Vec::len), body.as_object_mut()) {
            map.insert("size".to_owned(), json!(size));
            map.insert("queryLocator".to_owned(), Json::Null);
            map.insert("entityTypeName".to_owned(), name);
        }
    }
    Ok(response)
}

/// Returns an org that holds only the Tooling objects of this one.
fn tables_of(org: &Org) -> Org {
    let seed = OrgSeed { base_url: org.base_url.clone(), clock: org.clock.clone(), ..OrgSeed::default() };
    let mut scratch = Org::new(seed);
    tables::fill_tables(&mut scratch, org);
    scratch
}

/// Changes the URLs of every record and object to those of the Tooling API.
fn set_tooling_urls(json: &mut Json) {
    match json {
        Json::Object(map) => {
            if let Some(url) = map.get_mut("attributes").and_then(|attributes| attributes.get_mut("url")) {
                set_tooling_url(url);
            }
            if let Some(Json::Object(of_object)) = map.get_mut("urls") {
                of_object.values_mut().for_each(set_tooling_url);
            }
            map.values_mut().for_each(set_tooling_urls);
        }
        Json::Array(list) => list.iter_mut().for_each(set_tooling_urls),
        _ => {}
    }
}

fn set_tooling_url(url: &mut Json) {
    if let Json::String(url) = url {
        *url = url.replace("/sobjects/", "/tooling/sobjects/");
    }
}
