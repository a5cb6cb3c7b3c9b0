//! `record-defaults/create/{object}`: the default values of a new record and its layout (UI API guide, "Get Default
//! Values to Create a Record").
//!
//! The layout is the same on every form factor. The objects that are described in addition to the record's own, and the
//! error for an unknown form factor, are unverified.

use serde_json::{Map, Value as Json, json};

use super::info::object_info;
use super::layout::{Layout, Mode};
use super::picklists::available_record_type;
use super::records;
use crate::api::call::Call;
use crate::api::ui_api::objects::{known, unsupported};
use crate::model::access::Permission;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::org::Org;
use crate::model::record_types::MASTER_RECORD_TYPE;
use crate::model::value::Value;

/// Relationships that every record includes; they are empty in a new one.
const AUTHORS: [&str; 2] = ["CreatedBy.Name", "LastModifiedBy.Name"];

/// Returns the layout, the default values of the record, and the objects of both.
pub(super) fn create(org: &Org, actor: &Actor, call: &Call, name: &str) -> Result<Json, ApiError> {
    let object = known(org, actor, name)?;
    if let Some(other) = call.parameter("formFactor").filter(|f| !["Large", "Medium", "Small"].contains(f)) {
        let message = format!("The value {other} of formFactor is none of Large, Medium, Small");
        return Err(ApiError::new("INVALID_QUERY_PARAMETER", message));
    }
    if !object.access.creates() {
        return Err(unsupported(name));
    }
    org.check_permission(actor, Permission::Create, &object)?;
    let mut row = org.new_row(actor, &object);
    if let Some(text) = call.parameter("recordTypeId") {
        let id = available_record_type(org, actor, &object, text)?;
        if let Some(at) = object.position("RecordTypeId") {
            row.set(at, if id.as_str() == MASTER_RECORD_TYPE { Value::Null } else { Value::Id(id) });
        }
    }
    let layout = Layout::of(org, actor, &object, Mode::Create);
    let mut paths: Vec<String> = AUTHORS.map(str::to_owned).to_vec();
    let mut infos = vec![object.clone()];
    infos.extend(org.schema.object("User").cloned());
    for field in layout.fields() {
        paths.push(field.name.clone());
        paths.extend(field.relationship.as_ref().map(|relationship| format!("{relationship}.Name")));
        if let [target] = field.reference_to.as_slice() {
            infos.extend(
                org.schema.object(target).filter(|target| org.has_permission(actor, Permission::Read, target)).cloned(),
            );
        }
    }
    let optional = call.parameter("optionalFields").unwrap_or_default().split(',').map(str::trim);
    paths.extend(optional.filter(|path| !path.is_empty()).map(str::to_owned));
    let infos: Map<String, Json> =
        infos.iter().map(|object| (object.name.clone(), object_info(org, actor, object))).collect();
    let record = records::of_row((org, actor), call, (&object, &row), &paths);
    Ok(json!({"layout": layout.json(), "objectInfos": infos, "record": record}))
}
