//! UI API: object-info, and picklist values by record type - the only place where the stages of a record type can be read.

use serde_json::{Map, Value as Json, json};
use sha2::{Digest as _, Sha256};

use crate::api_error::ApiError;
use crate::ids::RecordId;
use crate::org::{MASTER_RECORD_TYPE, Org};
use crate::rest::{Answer, Call, unknown};
use crate::schema::{Access, Field, FieldKind, Object};
use crate::store::Row;
use crate::value::Value;

/// Serves everything below `ui-api`.
pub(crate) fn serve(org: &Org, call: &Call, rest: &[&str]) -> Result<Answer, ApiError> {
    match rest {
        ["object-info", object] => object_info(org, known(org, object)?).map(Answer::json),
        ["object-info", object, "picklist-values", record_type] => {
            let picklists = Picklists::of(org, call, known(org, object)?, record_type)?;
            Ok(Answer::json(picklists.all()))
        }
        ["object-info", object, "picklist-values", record_type, field] => {
            let picklists = Picklists::of(org, call, known(org, object)?, record_type)?;
            let field = picklists.object.field(field).filter(|f| is_picklist(f)).ok_or_else(ApiError::not_found)?;
            Ok(Answer::json(picklists.one(field)))
        }
        _ => Err(unknown(call)),
    }
}

fn known<'a>(org: &'a Org, object: &str) -> Result<&'a Object, ApiError> {
    let error = || ApiError::new("INVALID_TYPE", format!("Object {object} is not supported in UI API"));
    org.schema.object(object).map(|object| &**object).ok_or_else(error)
}

fn is_picklist(field: &Field) -> bool {
    matches!(field.kind, FieldKind::Picklist | FieldKind::MultiPicklist)
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

fn object_info(org: &Org, object: &Object) -> Result<Json, ApiError> {
    let types = org.record_types(object);
    let default = types.iter().find(|info| info.is_default).map_or(MASTER_RECORD_TYPE, |info| info.id.as_str());
    let infos: Map<String, Json> = types
        .iter()
        .map(|info| {
            let body = json!({
                "available": info.active, "defaultRecordTypeMapping": info.is_default, "master": info.is_master, "name": info.name,
                "recordTypeId": info.id,
            });
            (info.id.clone(), body)
        })
        .collect();
    let fields: Map<String, Json> =
        object.fields.iter().map(|field| (field.name.clone(), field_info(org, object, field))).collect();
    let children: Vec<Json> = org.schema.children_of(&object.name).iter().map(child_info).collect();
    let writeable = object.access == Access::Full;
    Ok(with_etag(json!({
        "apiName": object.name, "childRelationships": children, "createable": writeable, "custom": object.custom(),
        "defaultRecordTypeId": default, "deletable": writeable, "dependentFields": {}, "feedEnabled": false, "fields": fields,
        "keyPrefix": object.key_prefix, "label": object.label, "labelPlural": object.label_plural, "layoutable": writeable,
        "mruEnabled": writeable, "nameFields": name_fields(object), "queryable": true, "recordTypeInfos": infos,
        "searchable": object.has_owner, "themeInfo": {"color": "7F8DE1", "iconUrl": ""}, "updateable": writeable,
    })))
}

fn name_fields(object: &Object) -> Vec<&str> {
    let person = ["FirstName", "LastName", "Name"];
    if object.field("LastName").is_some() {
        return person.into_iter().collect();
    }
    object.name_field().map(|at| vec![object.fields[at].name.as_str()]).unwrap_or_default()
}

fn child_info(child: &crate::schema::ChildRelationship<'_>) -> Json {
    json!({
        "childObjectApiName": child.object.name, "fieldName": child.object.fields[child.field].name, "junctionIdListNames": [],
        "junctionReferenceTo": [], "relationshipName": child.name,
    })
}

fn field_info(org: &Org, object: &Object, field: &Field) -> Json {
    let writeable = object.access == Access::Full;
    let targets: Vec<Json> = field
        .reference_to
        .iter()
        .filter_map(|name| org.schema.object(name))
        .map(|target| json!({"apiName": target.name, "nameFields": name_fields(target)}))
        .collect();
    json!({
        "apiName": field.name, "calculated": field.calculated, "compound": false, "compoundComponentName": null, "compoundFieldName": null,
        "controllerName": null, "controllingFields": [], "createable": field.createable && writeable, "custom": field.custom,
        "dataType": data_type(field.kind), "extraTypeInfo": null, "filterable": field.kind != FieldKind::Base64, "filteredLookupInfo": null,
        "highScaleNumber": false, "htmlFormatted": false, "inlineHelpText": null, "label": field.label, "length": field.length,
        "nameField": field.name_field, "polymorphicForeignKey": field.kind == FieldKind::Reference && field.reference_to.len() != 1,
        "precision": field.precision, "reference": field.kind == FieldKind::Reference, "referenceTargetField": null,
        "referenceToInfos": targets, "relationshipName": field.relationship, "required": field.required(), "scale": field.scale,
        "searchPrefilterable": field.kind == FieldKind::Reference, "sortable": field.kind != FieldKind::Base64, "unique": field.unique,
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
    }
}

/// The picklists of an object as one record type sees them.
struct Picklists<'a> {
    org: &'a Org,
    call: &'a Call,
    object: &'a Object,
    record_type: &'a str,
    /// Stages of the record type's business process; all, when it has none.
    stages: Option<&'a [String]>,
}

impl<'a> Picklists<'a> {
    fn of(org: &'a Org, call: &'a Call, object: &'a Object, record_type: &'a str) -> Result<Self, ApiError> {
        let id = RecordId::parse(record_type)
            .ok_or_else(|| ApiError::new("MALFORMED_ID", format!("malformed id {record_type}")))?;
        let types = org.record_types(object);
        if !types.iter().any(|info| info.id == id.as_str()) {
            let message = format!("The requested record type {record_type} is not available for {}", object.name);
            return Err(ApiError::new("INVALID_INPUT", message));
        }
        let row = org.store.get("RecordType", id);
        let process = row.and_then(|row| org.value("RecordType", row, "BusinessProcessId").as_id());
        let stages = process.and_then(|id| org.stages_of.get(&id)).map(Vec::as_slice);
        Ok(Self { org, call, object, record_type, stages })
    }

    fn all(&self) -> Json {
        let fields = self.object.fields.iter().filter(|field| is_picklist(field));
        let values: Map<String, Json> = fields.map(|field| (field.name.clone(), self.one(field))).collect();
        with_etag(json!({"picklistFieldValues": values}))
    }

    fn one(&self, field: &Field) -> Json {
        let values = match (self.object.name.as_str(), field.name.as_str()) {
            ("Opportunity", "StageName") => self.stages(),
            ("Lead", "Status") => self.lead_statuses(),
            _ => field.picklist.iter().map(|p| value(&p.value, &p.value, Json::Null)).collect(),
        };
        let default = field.picklist.iter().find(|p| p.is_default).map(|p| value(&p.value, &p.value, Json::Null));
        let path =
            format!("/services/data/v{}/ui-api/object-info/{}/picklist-values", self.call.version, self.object.name);
        with_etag(json!({
            "controllerValues": {}, "defaultValue": default, "url": format!("{path}/{}/{}", self.record_type, field.name), "values": values,
        }))
    }

    /// Active stages in the order of the org, cut to those of the business process.
    fn stages(&self) -> Vec<Json> {
        let get = |row: &Row, field: &str| self.org.value("OpportunityStage", row, field).clone();
        let mut rows: Vec<_> =
            self.org.store.table("OpportunityStage").into_iter().flat_map(|table| table.rows()).collect();
        rows.sort_by(|a, b| {
            get(a, "SortOrder")
                .as_number()
                .partial_cmp(&get(b, "SortOrder").as_number())
                .unwrap_or(std::cmp::Ordering::Equal)
        });
        rows.into_iter()
            .filter(|row| get(row, "IsActive") == Value::Bool(true))
            .filter(|row| {
                self.stages.is_none_or(|names| names.iter().any(|name| name == get(row, "ApiName").as_text()))
            })
            .map(|row| {
                let attributes = json!({
                    "closed": get(row, "IsClosed") == Value::Bool(true),
                    "defaultProbability": get(row, "DefaultProbability").as_number(),
                    "forecastCategoryName": get(row, "ForecastCategoryName").as_text(),
                    // Salesforce's own spelling.
                    "picklistAtrributesValueType": "OpportunityStage",
                    "won": get(row, "IsWon") == Value::Bool(true),
                });
                value(get(row, "MasterLabel").as_text(), get(row, "ApiName").as_text(), attributes)
            })
            .collect()
    }

    fn lead_statuses(&self) -> Vec<Json> {
        let rows = self.org.store.table("LeadStatus").into_iter().flat_map(|table| table.rows());
        let get = |row: &Row, field: &str| self.org.value("LeadStatus", row, field).clone();
        rows.map(|row| {
            let attributes = json!({"converted": get(row, "IsConverted") == Value::Bool(true), "picklistAtrributesValueType": "LeadStatus"});
            value(get(row, "MasterLabel").as_text(), get(row, "ApiName").as_text(), attributes)
        })
        .collect()
    }
}

fn value(label: &str, value: &str, attributes: Json) -> Json {
    json!({"attributes": attributes, "label": label, "validFor": [], "value": value})
}
