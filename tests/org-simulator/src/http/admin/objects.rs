//! Custom objects and fields.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{patch, post, put};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::Body;
use crate::Error;
use crate::http::admin::response::{Outcome, done, ok};
use crate::identity::realm::Shared;
use crate::model::computed::{Computed, Formula, Rollup};
use crate::model::org::Org;
use crate::model::schema::{Dependency, Field, FieldKind, Object, PicklistValue, QueryFlags, relationship_of};
use crate::model::value::Value;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/objects", post(add_object))
        .route("/objects/{object}/fields/{field}", patch(retype).delete(remove))
        .route("/objects/{object}/history", put(track))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ObjectRequest {
    name: String,
    #[serde(default)]
    fields: Vec<FieldRequest>,
    /// Fields that queries may only select, neither filter nor sort by.
    #[serde(default)]
    only_selected: Vec<String>,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct FieldRequest {
    name: String,
    r#type: String,
    length: Option<usize>,
    required: bool,
    unique: bool,
    external_id: bool,
    reference_to: Vec<String>,
    picklist: Vec<String>,
    restricted: bool,
    /// The name of the child relationship of a reference, without `__r` (`Engagements` for `Engagements__r`).
    child_relationship: Option<String>,
    dependency: Option<Dependency>,
    /// The default value of a new record.
    default: Option<Json>,
    /// The display format of an auto-number field: `A-{0000}`.
    auto_number: Option<String>,
    /// The text of a formula.
    formula: Option<String>,
    /// The formula treats blank numbers as zero.
    blanks_as_zero: bool,
    rollup: Option<Rollup>,
    /// Makes the records details of those that the reference names.
    master_detail: bool,
}

impl Default for FieldRequest {
    fn default() -> Self {
        let (name, r#type) = (String::new(), "string".to_owned());
        let (reference_to, picklist) = (Vec::new(), Vec::new());
        Self {
            name,
            r#type,
            length: None,
            required: false,
            unique: false,
            external_id: false,
            reference_to,
            picklist,
            restricted: false,
            child_relationship: None,
            dependency: None,
            default: None,
            auto_number: None,
            formula: None,
            blanks_as_zero: false,
            rollup: None,
            master_detail: false,
        }
    }
}

impl FieldRequest {
    fn field(&self) -> Result<Field, Error> {
        let kind = FieldKind::from_name(&self.r#type)
            .ok_or_else(|| Error::Unknown { what: "field type", name: self.r#type.clone() })?;
        let mut field = Field::new(&self.name, kind);
        field.length = self.length.unwrap_or(field.length);
        field.nillable &= !self.required;
        (field.unique, field.external_id, field.id_lookup) = (self.unique, self.external_id, self.external_id);
        field.restricted = self.restricted;
        field.name_field = self.name == "Name";
        field.dependency.clone_from(&self.dependency);
        field.picklist = self.picklist.iter().map(|value| PicklistValue::new(value, false)).collect();
        if let Some(default) = &self.default {
            field.default = Value::read(&field, default)?;
            field.defaulted_on_create = true;
        }
        if let Some(form) = &self.auto_number {
            (field.createable, field.updateable, field.defaulted_on_create) = (false, false, true);
            field.auto_number = Some(form.clone());
        }
        if kind == FieldKind::Reference {
            field.relationship = Some(relationship_of(&self.name));
            field.reference_to.clone_from(&self.reference_to);
            field.child_relationship = self.child_relationship.as_ref().map(|name| format!("{name}__r"));
        }
        if self.master_detail {
            if kind != FieldKind::Reference || self.reference_to.len() != 1 {
                return Err(self.invalid("a master-detail field is a reference to one object"));
            }
            field.make_detail();
        }
        self.compute(&mut field)?;
        Ok(field)
    }
}

impl FieldRequest {
    fn invalid(&self, reason: impl Into<String>) -> Error {
        Error::Invalid { what: "field", reason: format!("{}: {}", self.name, reason.into()) }
    }

    /// Makes the field a formula or a roll-up summary, if it is one.
    fn compute(&self, field: &mut Field) -> Result<(), Error> {
        let computed = match (&self.formula, &self.rollup) {
            (None, None) => return Ok(()),
            (Some(text), None) => {
                let formula = Formula::parse(text).map_err(|reason| self.invalid(reason))?;
                Computed::Formula(formula.treating_blanks(self.blanks_as_zero))
            }
            (None, Some(rollup)) => Computed::Rollup(rollup.clone()),
            (Some(_), Some(_)) => return Err(self.invalid("a field is a formula or a roll-up summary, not both")),
        };
        let stored =
            self.required || self.unique || self.external_id || self.default.is_some() || self.auto_number.is_some();
        if stored {
            return Err(self.invalid("a computed field cannot be required, unique, an external id or have a default"));
        }
        field.compute(computed);
        field.length = self.length.unwrap_or(field.length);
        Ok(())
    }
}

/// Adds a custom object, or fields to an existing object.
async fn add_object(State(shared): State<Shared>, Body(request): Body<ObjectRequest>) -> Outcome {
    let object = define(&mut shared.org(), &request)?;
    Ok(ok(json!({"name": object.name, "key_prefix": object.key_prefix})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Retype {
    r#type: String,
    length: Option<usize>,
}

/// Changes the type of a custom field; values that the new type cannot hold are lost.
async fn retype(
    State(shared): State<Shared>,
    Path((object, field)): Path<(String, String)>,
    Body(request): Body<Retype>,
) -> Outcome {
    shared.org().retype_field(&object, &field, &request.r#type, request.length)?;
    Ok(done("retype"))
}

/// Removes a custom field with its values.
async fn remove(State(shared): State<Shared>, Path((object, field)): Path<(String, String)>) -> Outcome {
    shared.org().remove_field(&object, &field)?;
    Ok(done("remove"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tracked {
    fields: Vec<String>,
}

/// Tracks fields of an object in its history.
async fn track(State(shared): State<Shared>, Path(object): Path<String>, Body(request): Body<Tracked>) -> Outcome {
    let fields: Vec<&str> = request.fields.iter().map(String::as_str).collect();
    shared.org().track_fields(&object, &fields)?;
    Ok(done("track"))
}

/// Defines an object from the body of a request.
pub(crate) fn define_object(org: &mut Org, definition: Json) -> Result<(), Error> {
    let request: ObjectRequest = serde_json::from_value(definition)
        .map_err(|error| Error::Invalid { what: "object", reason: error.to_string() })?;
    define(org, &request).map(drop)
}

fn define(org: &mut Org, request: &ObjectRequest) -> Result<Arc<Object>, Error> {
    if request.name.ends_with("__c") {
        org.schema.add_custom_object(&request.name);
    }
    for requested in &request.fields {
        org.define_field(&request.name, requested.field()?)?;
    }
    let object = org.object(&request.name)?;
    for name in &request.only_selected {
        let field = object.field(name).cloned();
        let field = field.ok_or_else(|| Error::Unknown { what: "field", name: name.clone() })?;
        org.schema.add_field(&object.name, Field { query_flags: Some(QueryFlags::default()), ..field });
    }
    let object = org.object(&request.name)?;
    org.store.reindex(&object);
    org.list_entities();
    org.schema_changed();
    Ok(object)
}
