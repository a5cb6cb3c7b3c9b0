//! UI API: object-info, picklist values by record type, single records, what a new one starts with, and list views.
//!
//! GraphQL is in [`crate::api::graphql`].

mod defaults;
mod info;
mod layout;
mod lists;
mod picklists;
mod records;

use std::sync::Arc;

use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use crate::api::rest::{Answer, Call, unknown};
use crate::model::access::Deed;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::org::Org;
use crate::model::schema::Object;
use info::object_info;
use picklists::Picklists;
pub(crate) use records::with_fields as record;

/// Serves everything below `ui-api`.
pub(crate) fn serve(org: &mut Org, actor: &Actor, call: &Call, rest: &[&str]) -> Result<Answer, ApiError> {
    let parameters: &[&str] = match rest {
        ["record-defaults", ..] => &["recordTypeId", "formFactor", "optionalFields"],
        _ => &["fields", "optionalFields", "pageSize", "pageToken"],
    };
    for (name, _) in call.query.iter().filter(|(name, _)| !parameters.contains(&name.as_str())) {
        tracing::warn!(name, "the simulator does not know this parameter of the UI API");
    }
    match (call.method.as_str(), rest) {
        (_, ["records", rest @ ..]) => records::serve(org, actor, call, rest),
        ("GET", ["record-defaults", "create", object]) => defaults::create(org, actor, call, object).map(Answer::json),
        ("GET", ["list-ui", path @ ..]) => lists::list_ui(org, actor, call, path).map(Answer::json),
        ("GET", ["list-records", path @ ..]) => lists::list_records(org, actor, call, path).map(Answer::json),
        ("GET", ["object-info", object]) => {
            let object = known(org, actor, object)?;
            Ok(Answer::json(object_info(org, actor, &object)))
        }
        ("GET", ["object-info", object, "picklist-values", record_type]) => {
            let object = known(org, actor, object)?;
            Ok(Answer::json(Picklists::of((org, actor), call, &object, record_type)?.all()))
        }
        ("GET", ["object-info", object, "picklist-values", record_type, field]) => {
            let object = known(org, actor, object)?;
            let picklists = Picklists::of((org, actor), call, &object, record_type)?;
            let field = picklists.field(field).ok_or_else(ApiError::not_found)?;
            Ok(Answer::json(picklists.one(field)))
        }
        _ => Err(unknown(call)),
    }
}

fn known(org: &Org, actor: &Actor, name: &str) -> Result<Arc<Object>, ApiError> {
    let object = org.schema.object(name).filter(|object| org.may(actor, Deed::Read, object));
    object.cloned().ok_or_else(|| unsupported(name))
}

fn unsupported(name: &str) -> ApiError {
    ApiError::new("INVALID_TYPE", format!("Object {name} is not supported in UI API"))
}

/// A stable fingerprint of some JSON, 32 hex digits.
fn etag(json: &Json) -> String {
    let digest = Sha256::digest(json.to_string().as_bytes());
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn with_etag(mut json: Json) -> Json {
    let tag = etag(&json);
    if let Some(map) = json.as_object_mut() {
        map.insert("eTag".to_owned(), Json::from(tag));
    }
    json
}
