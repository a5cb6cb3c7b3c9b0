//! The description of a change event (Object Reference, StandardObjectNameChangeEvent). The type of the header is
//! unverified.

use serde_json::{Value as Json, json};

use super::describe_object;
use crate::model::actor::Actor;
use crate::model::change_events::HEADER;
use crate::model::change_events::names::{event_name, shown};
use crate::model::org::Org;
use crate::model::schema::{Access, Field, FieldKind, Object};

/// Returns the description of an object's change event, with the fields that the actor may read.
pub(crate) fn describe_change_event(org: &Org, actor: &Actor, object: &Object, version: &str) -> Json {
    let mut event = Object::new(&event_name(&object.name).unwrap_or_default(), "", false);
    (event.access, event.fields) = (Access::ReadOnly, Vec::new());
    event.positions.clear();
    let own = ["ReplayId", HEADER].map(|name| Field::new(name, FieldKind::String));
    let of_object = shown(object).into_iter().filter(|field| org.may_read_field(actor, object, field));
    for field in own.into_iter().chain(of_object) {
        event.add(Field { createable: false, updateable: false, name_field: false, ..field });
    }
    let mut body = describe_object(org, actor, &event, version);
    let fields = body["fields"].as_array_mut().into_iter().flatten();
    for field in fields.filter(|field| field["name"] == HEADER) {
        field["type"] = json!("complexvalue");
    }
    for no in ["queryable", "replicateable", "retrieveable"] {
        body[no] = json!(false);
    }
    body
}
