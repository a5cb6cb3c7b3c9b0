//! `layout/{object}`: the layout of an object's records (UI API guide, "Get Record Layout Metadata"). It is the same for every
//! form factor and record type.

use serde_json::Value as Json;

use super::layout::{Layout, Mode};
use super::picklists::available_record_type;
use crate::api::call::Call;
use crate::api::ui_api::objects::known;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::org::Org;
use crate::model::record_types::MASTER_RECORD_TYPE;

/// Returns the full or the compact layout in the requested mode. The error for another type or mode is unverified.
pub(super) fn layout(org: &Org, actor: &Actor, call: &Call, name: &str) -> Result<Json, ApiError> {
    let object = known(org, actor, name)?;
    let wrong = |name: &str, value: &str| {
        ApiError::new("INVALID_QUERY_PARAMETER", format!("The value {value} of {name} is not supported"))
    };
    let mode = call.parameter("mode").unwrap_or("View");
    let mode = Mode::named(mode).ok_or_else(|| wrong("mode", mode))?;
    let record_type = match call.parameter("recordTypeId") {
        Some(text) => available_record_type(org, actor, &object, text)?.to_string(),
        None => MASTER_RECORD_TYPE.to_owned(),
    };
    match call.parameter("layoutType").unwrap_or("Full") {
        "Full" => Ok(Layout::of(org, actor, &object, mode).resource("Full", &record_type)),
        "Compact" => Ok(Layout::compact(org, actor, &object).resource("Compact", &record_type)),
        other => Err(wrong("layoutType", other)),
    }
}
