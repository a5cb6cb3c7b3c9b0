//! UI API: object info, picklist values by record type, records, default values of a new record, layouts, and list views.
//!
//! GraphQL is in [`crate::api::graphql`].

mod defaults;
pub(crate) mod etag;
mod info;
pub(crate) mod layout;
mod layouts;
mod lists;
pub(crate) mod objects;
mod picklists;
mod records;

use crate::api::call::{Call, Response, unknown};
use crate::api::ui_api::objects::known;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::org::Org;

use info::object_info;
use picklists::Picklists;

pub(crate) use records::with_fields as record;

/// Serves everything below `ui-api`.
pub(crate) fn serve(org: &mut Org, actor: &Actor, call: &Call, rest: &[&str]) -> Result<Response, ApiError> {
    let parameters: &[&str] = match rest {
        ["record-defaults", ..] => &["recordTypeId", "formFactor", "optionalFields"],
        ["layout", ..] => &["recordTypeId", "formFactor", "layoutType", "mode"],
        _ => &["fields", "optionalFields", "pageSize", "pageToken"],
    };
    for (name, _) in call.query.iter().filter(|(name, _)| !parameters.contains(&name.as_str())) {
        tracing::warn!(name, "the simulator does not support this parameter of the UI API");
    }
    match (call.method.as_str(), rest) {
        (_, ["records", rest @ ..]) => records::serve(org, actor, call, rest),
        ("GET", ["record-defaults", "create", object]) => {
            defaults::create(org, actor, call, object).map(Response::json)
        }
        ("GET", ["layout", object]) => layouts::layout(org, actor, call, object).map(Response::json),
        ("GET", ["list-ui", path @ ..]) => lists::list_ui(org, actor, call, path).map(Response::json),
        ("GET", ["list-records", path @ ..]) => lists::list_records(org, actor, call, path).map(Response::json),
        ("GET", ["object-info", object]) => {
            let object = known(org, actor, object)?;
            Ok(Response::json(object_info(org, actor, &object)))
        }
        ("GET", ["object-info", object, "picklist-values", record_type]) => {
            let object = known(org, actor, object)?;
            Ok(Response::json(Picklists::of((org, actor), call, &object, record_type)?.all()))
        }
        ("GET", ["object-info", object, "picklist-values", record_type, field]) => {
            let object = known(org, actor, object)?;
            let picklists = Picklists::of((org, actor), call, &object, record_type)?;
            let field = picklists.field(field).ok_or_else(ApiError::not_found)?;
            Ok(Response::json(picklists.one(field)))
        }
        _ => Err(unknown(call)),
    }
}
