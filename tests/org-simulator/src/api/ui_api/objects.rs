//! The objects that the UI API supports.

use std::sync::Arc;

use crate::model::access::Permission;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::org::Org;
use crate::model::schema::Object;

pub(crate) fn known(org: &Org, actor: &Actor, name: &str) -> Result<Arc<Object>, ApiError> {
    let object = org.schema.object(name).filter(|object| org.may(actor, Permission::Read, object));
    object.cloned().ok_or_else(|| unsupported(name))
}

pub(crate) fn unsupported(name: &str) -> ApiError {
    ApiError::new("INVALID_TYPE", format!("Object {name} is not supported in UI API"))
}
