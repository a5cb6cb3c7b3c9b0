//! Recently viewed items: records that a user read or changed individually (REST API guide, "Recently Viewed Items" and
//! "MRU Header").

use serde_json::{Value as Json, json};

use crate::api::call::{Call, Response};
use crate::data::soql::attributes;
use crate::model::access::Permission;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::recent::PER_USER;
use crate::model::schema::Object;

/// Adds a record to the user's recent items, unless the request has `Sforce-Mru: updateMru=false`.
pub(super) fn add_recent(org: &mut Org, actor: &Actor, call: &Call, record: RecordId) {
    let header = call.headers.get("sforce-mru").and_then(|value| value.trim().strip_prefix("updateMru="));
    if header.is_none_or(|value| !value.trim().eq_ignore_ascii_case("false")) {
        org.recent.add(actor.user, record);
    }
}

/// Serves `GET recent`: records of all objects, up to `limit`.
pub(super) fn list(org: &Org, actor: &Actor, call: &Call) -> Result<Response, ApiError> {
    let limit = match call.parameter("limit") {
        None => PER_USER,
        Some(text) => text.parse().map_err(|_| ApiError::new("MALFORMED_ID", format!("Invalid limit: {text}")))?,
    };
    let items: Vec<Json> = items(org, actor, &call.version).map(|(_, json)| json).take(limit).collect();
    Ok(Response::json(Json::Array(items)))
}

/// Returns the user's recent records of one object.
pub(crate) fn of(org: &Org, actor: &Actor, object: &Object, version: &str) -> Vec<Json> {
    items(org, actor, version).filter(|(of, _)| of.name == object.name).map(|(_, json)| json).collect()
}

/// Returns the recent items that the user may still see, with id and name. Records without a name are left out.
pub(crate) fn items<'a>(org: &'a Org, actor: &'a Actor, version: &'a str) -> impl Iterator<Item = (&'a Object, Json)> {
    org.recent.of(actor.user).filter_map(move |id| {
        let (object, row) = org.live_record(id)?;
        if !org.has_permission(actor, Permission::Read, object) || !org.may_see(actor, object, row) {
            return None;
        }
        let at = object.name_field()?;
        let name = &object.fields[at].name;
        let item = json!({
            "attributes": attributes(object, id, version), "Id": id.as_str(), name.as_str(): org.render_field(object, row, at, version),
        });
        Some((&**object, item))
    })
}
