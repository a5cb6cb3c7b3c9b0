//! Object info: an object and its fields, as the user may see and change them.

use serde_json::{Map, Value as Json, json};

use crate::api::ui_api::etag::with_etag;
use crate::model::access::Permission;
use crate::model::actor::Actor;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::record_types::{MASTER_RECORD_TYPE, RecordTypeInfo};
use crate::model::schema::{Access, Field, FieldKind, Object};

pub(super) fn object_info(org: &Org, actor: &Actor, object: &Object) -> Json {
    let types = org.record_types(object);
    let default = types.iter().find(|info| info.is_default).map_or(MASTER_RECORD_TYPE, |info| info.id.as_str());
    let usable =
        |info: &RecordTypeInfo| RecordId::parse(&info.id).is_some_and(|id| org.may_use_record_type(actor, object, id));
    let infos: Map<String, Json> = types
        .iter()
        .map(|info| {
            let body = json!({
                "available": info.is_master || (info.active && usable(info)), "defaultRecordTypeMapping": info.is_default, "master": info.is_master, "name": info.name,
                "recordTypeId": info.id,
            });
            (info.id.clone(), body)
        })
        .collect();
    let seen = object.fields.iter().filter(|field| org.may_read_field(actor, object, field));
    let fields: Map<String, Json> =
        seen.map(|field| (field.name.clone(), field_info(org, actor, object, field))).collect();
    let children = org.schema.children_of(&object.name);
    let children: Vec<Json> = children
        .iter()
        .filter(|child| org.has_permission(actor, Permission::Read, child.object))
        .map(child_info)
        .collect();
    let writeable = object.access == Access::Full;
    let may = |permission| org.has_permission(actor, permission, object);
    with_etag(json!({
        "apiName": object.name, "childRelationships": children, "createable": may(Permission::Create), "custom": object.custom(),
        "defaultRecordTypeId": default, "deletable": may(Permission::Delete), "dependentFields": dependent_fields(object), "feedEnabled": false, "fields": fields,
        "keyPrefix": object.described_prefix(), "label": object.label, "labelPlural": object.label_plural, "layoutable": writeable,
        "mruEnabled": writeable, "nameFields": name_fields(object), "queryable": true, "recordTypeInfos": infos,
        "searchable": object.has_owner, "themeInfo": {"color": "7F8DE1", "iconUrl": ""}, "updateable": may(Permission::Edit),
    }))
}

/// Returns the dependent picklists as a tree, by controlling field.
fn dependent_fields(object: &Object) -> Json {
    let controllers = object.fields.iter().filter_map(|field| field.dependency.as_ref()).map(|d| d.controller.as_str());
    let is_dependent = |name: &str| object.field(name).is_some_and(|field| field.dependency.is_some());
    controllers
        .filter(|name| !is_dependent(name))
        .map(|name| (name.to_owned(), dependents_of(object, name, 0)))
        .collect()
}

fn dependents_of(object: &Object, controller: &str, depth: usize) -> Json {
    let hangs = |field: &&Field| field.dependency.as_ref().is_some_and(|d| d.controller == controller);
    let fields = object.fields.iter().filter(hangs);
    // Salesforce allows no cycles; the depth limit ends one that was created by mistake.
    let deeper = fields.map(|field| match depth {
        0..8 => (field.name.clone(), dependents_of(object, &field.name, depth + 1)),
        _ => (field.name.clone(), json!({})),
    });
    deeper.collect()
}

pub(super) fn name_fields(object: &Object) -> Vec<&str> {
    let person = ["FirstName", "LastName", "Name"];
    if object.field("LastName").is_some() {
        return person.into_iter().collect();
    }
    object.name_field().map(|at| vec![object.fields[at].name.as_str()]).unwrap_or_default()
}

fn child_info(child: &crate::model::schema::ChildRelationship<'_>) -> Json {
    json!({
        "childObjectApiName": child.object.name, "fieldName": child.object.fields[child.field].name, "junctionIdListNames": [],
        "junctionReferenceTo": [], "relationshipName": child.name,
    })
}

fn field_info(org: &Org, actor: &Actor, object: &Object, field: &Field) -> Json {
    let writeable = object.access != Access::ReadOnly && org.may_edit_field(actor, object, field);
    let controller = field.dependency.as_ref().map(|dependency| dependency.controller.as_str());
    let controllers: Vec<&str> = controller.into_iter().collect();
    let targets: Vec<Json> = field
        .reference_to
        .iter()
        .filter_map(|name| org.schema.object(name))
        .map(|target| json!({"apiName": target.name, "nameFields": name_fields(target)}))
        .collect();
    json!({
        "apiName": field.name, "calculated": field.calculated, "compound": false, "compoundComponentName": null, "compoundFieldName": null,
        "controllerName": controller, "controllingFields": controllers, "createable": field.createable && writeable, "custom": field.custom,
        "dataType": data_type(field.kind), "extraTypeInfo": null, "filterable": field.query_flags().filterable, "filteredLookupInfo": null,
        "highScaleNumber": false, "htmlFormatted": false, "inlineHelpText": null, "label": field.label, "length": field.length,
        "nameField": field.name_field, "polymorphicForeignKey": field.is_polymorphic(),
        "precision": field.precision, "reference": field.kind == FieldKind::Reference, "referenceTargetField": null,
        "referenceToInfos": targets, "relationshipName": field.relationship, "required": field.required(), "scale": field.scale,
        "searchPrefilterable": field.kind == FieldKind::Reference, "sortable": field.query_flags().sortable, "unique": field.unique,
        "updateable": field.updateable && writeable,
    })
}

fn data_type(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Id | FieldKind::Reference => "Reference",
        FieldKind::Boolean => "Boolean",
        FieldKind::String => "String",
        FieldKind::Int => "Int",
        FieldKind::Double => "Double",
        FieldKind::Currency => "Currency",
        FieldKind::Percent => "Percent",
        FieldKind::Date => "Date",
        FieldKind::DateTime => "DateTime",
        FieldKind::Picklist => "Picklist",
        FieldKind::MultiPicklist => "MultiPicklist",
        FieldKind::TextArea => "TextArea",
        FieldKind::Email => "Email",
        FieldKind::Phone => "Phone",
        FieldKind::Url => "Url",
        FieldKind::Base64 => "Base64",
        FieldKind::Address => "Address",
        FieldKind::Location => "Location",
        FieldKind::AnyType => "AnyType",
    }
}
