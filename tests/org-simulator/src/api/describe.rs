//! Describe: the schema in the data API's JSON, with the keys of recorded responses.

mod change_event;

use serde_json::{Map, Value as Json, json};

use crate::data::write;
use crate::model::access::Permission;
use crate::model::activity_views::is_activity_view;
use crate::model::actor::Actor;
use crate::model::computed::Computed;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::record_types::RecordTypeInfo;
use crate::model::schema::{Access, Dependency, Field, FieldKind, Object};
use crate::model::value::Value;

pub(crate) use change_event::describe_change_event;

/// Returns the body of `GET /sobjects`, with the objects that the actor's profile permits.
pub(crate) fn describe_global(org: &Org, actor: &Actor, version: &str) -> Json {
    let seen = org.schema.objects().filter(|object| org.has_permission(actor, Permission::Read, object));
    let objects: Vec<Json> = seen.map(|object| object_summary(org, actor, object, version)).collect();
    json!({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": objects})
}

/// Returns one entry of describe global.
pub(crate) fn object_summary(org: &Org, actor: &Actor, object: &Object, version: &str) -> Json {
    let writeable = object.access == Access::Full;
    let may = |permission| org.has_permission(actor, permission, object);
    let base = format!("/services/data/v{version}/sobjects/{}", object.name);
    json!({
        "activateable": false, "associateEntityType": null, "associateParentEntity": null, "createable": may(Permission::Create),
        "custom": object.custom(), "customSetting": false, "deepCloneable": false, "deletable": may(Permission::Delete),
        "deprecatedAndHidden": false, "feedEnabled": false, "hasSubtypes": false, "isInterface": false, "isSubtype": false,
        "keyPrefix": object.described_prefix(), "label": object.label, "labelPlural": object.label_plural, "layoutable": writeable,
        "mergeable": matches!(object.name.as_str(), "Account" | "Contact" | "Lead" | "Case"), "mruEnabled": writeable,
        "name": object.name, "queryable": !is_activity_view(&object.name), "replicateable": !object.is_virtual, "retrieveable": !object.is_virtual,
        "searchable": object.has_owner, "triggerable": writeable, "undeletable": may(Permission::Delete) && object.has_owner, "updateable": may(Permission::Edit),
        "urls": {"rowTemplate": format!("{base}/{{ID}}"), "describe": format!("{base}/describe"), "sobject": base},
    })
}

/// Returns the body of `GET /sobjects/{object}/describe`.
pub(crate) fn describe_object(org: &Org, actor: &Actor, object: &Object, version: &str) -> Json {
    let mut body = object_summary(org, actor, object, version);
    let seen = object.fields.iter().filter(|field| org.may_read_field(actor, object, field));
    let fields: Vec<Json> = seen.map(|field| field_details(org, actor, object, field)).collect();
    let children = org.schema.children_of(&object.name);
    let children: Vec<Json> = children
        .iter()
        .filter(|child| org.has_permission(actor, Permission::Read, child.object))
        .map(|c| child(&object.name, c))
        .collect();
    let available =
        |info: &RecordTypeInfo| RecordId::parse(&info.id).is_none_or(|id| org.may_use_record_type(actor, object, id));
    let types = org.record_types(object);
    let types: Vec<Json> = types.iter().map(|info| record_type(info, available(info), object, version)).collect();
    let more = json!({
        "actionOverrides": [], "childRelationships": children, "compactLayoutable": true, "defaultImplementation": null,
        "extendedBy": null, "extendsInterfaces": null, "fields": fields, "implementedBy": null, "implementsInterfaces": null,
        "listviewable": null, "lookupLayoutable": null, "namedLayoutInfos": [], "networkScopeFieldName": null,
        "recordTypeInfos": types, "searchLayoutable": true, "sobjectDescribeOption": "FULL",
        "supportedScopes": [{"label": format!("All {}", object.label_plural.to_lowercase()), "name": "everything"}],
    });
    if let (Some(body), Json::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    body
}

fn child(parent: &str, child: &crate::model::schema::ChildRelationship<'_>) -> Json {
    let reference = child.object.fields.get(child.field);
    let field = reference.map_or("", |field| &field.name);
    let is_detail = reference.is_some_and(|field| field.master_detail);
    json!({
        "cascadeDelete": is_detail || write::is_deleted_with(parent, &child.object.name, field), "childSObject": child.object.name, "deprecatedAndHidden": false,
        "field": field, "junctionIdListNames": [], "junctionReferenceTo": [],
        "relationshipName": child.name, "restrictedDelete": write::restricts_delete(parent, &child.object.name, field),
    })
}

fn record_type(info: &RecordTypeInfo, available: bool, object: &Object, version: &str) -> Json {
    json!({
        "active": info.active, "available": available, "defaultRecordTypeMapping": info.is_default && available,
        "developerName": info.developer_name, "master": info.is_master, "name": info.name, "recordTypeId": info.id,
        "urls": {"layout": format!("/services/data/v{version}/sobjects/{}/describe/layouts/{}", object.name, info.id)},
    })
}

/// The actor's permission to set a field, of a new record and of an existing one.
struct FieldPermissions {
    create: bool,
    update: bool,
}

impl FieldPermissions {
    fn of(org: &Org, actor: &Actor, object: &Object, field: &Field) -> Self {
        let writeable = org.may_edit_field(actor, object, field);
        Self {
            create: writeable && field.createable && org.has_permission(actor, Permission::Create, object),
            update: writeable && field.updateable && org.has_permission(actor, Permission::Edit, object),
        }
    }
}

/// Returns the description of one field, as the actor may use it.
pub(crate) fn field_details(org: &Org, actor: &Actor, object: &Object, field: &Field) -> Json {
    describe_field(object, field, &FieldPermissions::of(org, actor, object, field))
}

fn describe_field(object: &Object, field: &Field, may: &FieldPermissions) -> Json {
    let mut all = identity(object, field);
    all.extend(abilities(field, may));
    all.extend(constant());
    if let Some(Computed::Formula(formula)) = field.computed.as_deref().filter(|_| field.calculated) {
        all.insert("calculatedFormula".to_owned(), json!(formula.text));
        all.insert("formulaTreatNullNumberAsZero".to_owned(), json!(formula.blanks_as_zero));
    }
    if field.master_detail {
        all.extend(into_map(json!({"cascadeDelete": true, "relationshipOrder": 0})));
    }
    let mut entries: Vec<(String, Json)> = all.into_iter().collect();
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    Json::Object(entries.into_iter().collect())
}

fn identity(object: &Object, field: &Field) -> Map<String, Json> {
    let picklist: Vec<Json> = field
        .picklist
        .iter()
        .map(|p| {
            let valid_for = field.dependency.as_ref().map(|dependency| valid_for(object, dependency, &p.value));
            json!({"active": true, "defaultValue": p.is_default, "label": p.label(), "validFor": valid_for, "value": p.value})
        })
        .collect();
    into_map(json!({
        "byteLength": field.length * if field.kind.is_text() { 3 } else { 1 },
        "caseSensitive": false,
        "compoundFieldName": object.compound_of(field),
        "controllerName": field.dependency.as_ref().map(|dependency| dependency.controller.as_str()),
        "custom": field.custom,
        "defaultValue": default_value(field),
        "dependentPicklist": field.dependency.is_some(),
        "digits": if field.kind == FieldKind::Int { 8 } else { 0 },
        "label": field.label,
        "length": field.length,
        "name": field.name,
        "picklistValues": picklist,
        "polymorphicForeignKey": field.is_polymorphic(),
        "precision": field.precision,
        "queryByDistance": field.kind.is_compound(),
        "referenceTo": field.reference_to,
        "relationshipName": field.relationship,
        "scale": field.scale,
        "soapType": soap_type(field.kind),
        "type": field.kind.name(),
    }))
}

/// Returns the values of the controlling field with which a value may be chosen, as describe has them: a bit for each, the
/// first is the highest of the first byte, in base64.
fn valid_for(object: &Object, dependency: &Dependency, value: &str) -> String {
    use base64::Engine as _;
    let chosen = dependency.valid_for.get(value).map_or(&[][..], Vec::as_slice);
    let controllers = object.controlling_values(&dependency.controller);
    let mut bits = vec![0_u8; controllers.len().div_ceil(8)];
    for (at, _) in controllers.iter().enumerate().filter(|(_, name)| chosen.iter().any(|known| known == *name)) {
        bits[at / 8] |= 0x80 >> (at % 8);
    }
    base64::engine::general_purpose::STANDARD.encode(bits)
}

/// Returns the default value of a check box or a picklist.
fn default_value(field: &Field) -> Json {
    match &field.default {
        Value::Bool(value) => json!(value),
        Value::Text(text) if field.kind == FieldKind::Picklist => json!(&**text),
        _ => Json::Null,
    }
}

fn abilities(field: &Field, may: &FieldPermissions) -> Map<String, Json> {
    let flags = field.query_flags();
    into_map(json!({
        "aggregatable": flags.aggregatable, "autoNumber": field.auto_number.is_some(), "calculated": field.calculated,
        "createable": may.create, "defaultedOnCreate": field.defaulted_on_create,
        "externalId": field.external_id, "filterable": flags.filterable, "groupable": flags.groupable,
        "idLookup": field.id_lookup, "nameField": field.name_field, "namePointing": field.is_polymorphic(),
        "nillable": field.nillable, "permissionable": field.custom || field.nillable,
        "restrictedPicklist": field.restricted, "sortable": flags.sortable, "unique": field.unique,
        "updateable": may.update,
    }))
}

fn constant() -> Map<String, Json> {
    into_map(json!({
        "aiPredictionField": false, "calculatedFormula": null, "cascadeDelete": false,
        "defaultValueFormula": null, "deprecatedAndHidden": false,
        "displayLocationInDecimal": false, "encrypted": false, "extraTypeInfo": null, "filteredLookupInfo": null,
        "formulaTreatNullNumberAsZero": false, "highScaleNumber": false, "htmlFormatted": false, "inlineHelpText": null,
        "mask": null, "maskType": null, "referenceTargetField": null, "relationshipOrder": null,
        "restrictedDelete": false, "searchPrefilterable": false, "writeRequiresMasterRead": false,
    }))
}

fn into_map(json: Json) -> Map<String, Json> {
    match json {
        Json::Object(map) => map,
        _ => Map::new(),
    }
}

/// Returns the XML type of a field's values.
pub(crate) fn soap_type(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Id | FieldKind::Reference => "tns:ID",
        FieldKind::Boolean => "xsd:boolean",
        FieldKind::Int => "xsd:int",
        FieldKind::Double | FieldKind::Currency | FieldKind::Percent => "xsd:double",
        FieldKind::Date => "xsd:date",
        FieldKind::DateTime => "xsd:dateTime",
        FieldKind::Base64 => "xsd:base64Binary",
        FieldKind::Address => "urn:address",
        FieldKind::Location => "urn:location",
        FieldKind::AnyType => "xsd:anyType",
        _ => "xsd:string",
    }
}
