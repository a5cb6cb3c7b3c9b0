//! `sobjects/{object}/{id}/{relationship}`: from a record to its parent or to its children.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::api::call::{Call, Response, unknown};
use crate::api::rest::record_json::{fetch, record_json};
use crate::model::access::Permission;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::schema::Object;
use crate::model::value::Value;

/// Changes or deletes the parent that a relationship leads to (REST API guide, sObject relationships).
pub(super) fn change_parent(
    org: &mut Org,
    actor: &Actor,
    call: &Call,
    (object, id, name): (&Object, RecordId, &str),
) -> Result<Response, ApiError> {
    let row = org.visible(actor, object, id).filter(|row| !row.is_deleted()).ok_or_else(ApiError::not_found)?;
    let reference = object.relationship(name).ok_or_else(|| unknown(call))?;
    let (target, id) = parent(org, actor, row.get(reference))?;
    let target = target.name.clone();
    match call.method.as_str() {
        "DELETE" => org.delete(actor, &target, id)?,
        _ => org.update(actor, &target, id, call.object()?)?,
    }
    Ok(Response::no_content())
}

/// Returns the object and the id of the record that a reference points to, if the actor may read the object.
fn parent<'a>(org: &'a Org, actor: &Actor, reference: &Value) -> Result<(&'a Arc<Object>, RecordId), ApiError> {
    let parent = reference.as_id().ok_or_else(ApiError::not_found)?;
    let (target, _) = org.live_record(parent).ok_or_else(ApiError::not_found)?;
    org.check_permission(actor, Permission::Read, target).map_err(|_| ApiError::not_found())?;
    Ok((target, parent))
}

/// Follows a relationship by its name; a parent is returned as a record, children as a query result.
pub(super) fn follow(
    org: &Org,
    actor: &Actor,
    call: &Call,
    (object, id, name): (&Object, RecordId, &str),
) -> Result<Response, ApiError> {
    let row = org.visible(actor, object, id).filter(|row| !row.is_deleted()).ok_or_else(ApiError::not_found)?;
    if let Some(at) = object.relationship(name) {
        let (target, parent) = parent(org, actor, row.get(at))?;
        return fetch(org, actor, call, (target, parent.as_str()));
    }
    let children = org.schema.children_of(&object.name);
    let below = children.iter().find(|child| child.name.is_some_and(|known| known.eq_ignore_ascii_case(name)));
    let below = below.filter(|child| org.has_permission(actor, Permission::Read, child.object)).ok_or_else(|| {
        tracing::warn!(object = object.name, name, "the simulator does not support this field or relationship");
        ApiError::not_found()
    })?;
    let rows = org.store.table(&below.object.name).into_iter().flat_map(|table| table.rows());
    let theirs = rows.filter(|row| row.get(below.field).as_id() == Some(id) && !row.is_deleted());
    let theirs = theirs.filter(|row| org.may_see(actor, below.object, row));
    let records: Vec<Json> =
        theirs.map(|row| record_json(org, actor, call, below.object, row)).collect::<Result<_, _>>()?;
    Ok(Response::json(json!({"totalSize": records.len(), "done": true, "records": records})))
}
