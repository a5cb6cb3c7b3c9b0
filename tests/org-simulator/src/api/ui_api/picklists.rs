//! Picklist values by record type: the only resource that returns the stages of a record type.

use serde_json::{Map, Value as Json, json};

use crate::api::call::Call;
use crate::api::ui_api::etag::with_etag;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::record_types::RecordTypeInfo;
use crate::model::schema::{Field, FieldKind, Object};
use crate::model::store::Row;
use crate::model::value::Value;

/// Returns the record type with an id, if the user may assign it to records of the object.
pub(super) fn available_record_type(
    org: &Org,
    actor: &Actor,
    object: &Object,
    record_type: &str,
) -> Result<RecordId, ApiError> {
    let id = RecordId::parse(record_type)
        .ok_or_else(|| ApiError::new("MALFORMED_ID", format!("malformed id {record_type}")))?;
    let types = org.record_types(object);
    let usable = |info: &&RecordTypeInfo| info.is_master || (info.active && org.may_use_record_type(actor, object, id));
    if !types.iter().filter(|info| info.id == id.as_str()).any(|info| usable(&info)) {
        let message = format!("The requested record type {record_type} is not available for {}", object.name);
        return Err(ApiError::new("INVALID_INPUT", message));
    }
    Ok(id)
}

/// The picklists of an object for one record type.
pub(super) struct Picklists<'a> {
    org: &'a Org,
    actor: &'a Actor,
    call: &'a Call,
    object: &'a Object,
    record_type: &'a str,
    /// Stages of the record type's business process; all stages when it has none.
    stages: Option<&'a [String]>,
    /// The stage that the record type's business process gives a new opportunity.
    default_stage: Option<&'a str>,
}

impl<'a> Picklists<'a> {
    pub(super) fn of(
        (org, actor): (&'a Org, &'a Actor),
        call: &'a Call,
        object: &'a Object,
        record_type: &'a str,
    ) -> Result<Self, ApiError> {
        let id = available_record_type(org, actor, object, record_type)?;
        let row = org.store.get("RecordType", id);
        let process = row.and_then(|row| org.value("RecordType", row, "BusinessProcessId").as_id());
        let stages = process.and_then(|id| org.stages_of.get(&id)).map(Vec::as_slice);
        let default_stage = process.and_then(|id| org.default_stages.get(&id)).map(String::as_str);
        Ok(Self { org, actor, call, object, record_type, stages, default_stage })
    }

    /// Returns the field with that name, if it is a picklist that the user may see.
    pub(super) fn field(&self, name: &str) -> Option<&'a Field> {
        self.object.field(name).filter(|field| self.shows(field))
    }

    fn shows(&self, field: &Field) -> bool {
        matches!(field.kind, FieldKind::Picklist | FieldKind::MultiPicklist)
            && self.org.may_read_field(self.actor, self.object, field)
    }

    pub(super) fn all(&self) -> Json {
        let fields = self.object.fields.iter().filter(|field| self.shows(field));
        let values: Map<String, Json> = fields.map(|field| (field.name.clone(), self.one(field))).collect();
        with_etag(json!({"picklistFieldValues": values}))
    }

    pub(super) fn one(&self, field: &Field) -> Json {
        let values = match (self.object.name.as_str(), field.name.as_str()) {
            ("Opportunity", "StageName") => self.stages(),
            ("Lead", "Status") => self.lead_statuses(),
            _ => field.picklist.iter().map(|p| value(p.label(), &p.value, Json::Null)).collect(),
        };
        let controllers = self.controller_values(field);
        let values: Vec<Json> = values.into_iter().map(|value| valid_for(field, &controllers, value)).collect();
        let default = match self.default_stage.filter(|_| field.name == "StageName") {
            Some(stage) => values.iter().find(|value| value["value"] == stage).cloned(),
            None => field.picklist.iter().find(|p| p.is_default).map(|p| value(p.label(), &p.value, Json::Null)),
        };
        let path =
            format!("/services/data/v{}/ui-api/object-info/{}/picklist-values", self.call.version, self.object.name);
        with_etag(json!({
            "controllerValues": controllers, "defaultValue": default, "url": format!("{path}/{}/{}", self.record_type, field.name), "values": values,
        }))
    }

    /// Returns the values of the controlling field with their numbers; empty when the picklist is not dependent.
    fn controller_values(&self, field: &Field) -> Map<String, Json> {
        let controller = field.dependency.as_ref().map(|dependency| &dependency.controller);
        let names = controller.map(|controller| self.object.controlling_values(controller)).unwrap_or_default();
        names.into_iter().zip(0_usize..).map(|(name, at)| (name.to_owned(), Json::from(at))).collect()
    }

    /// Returns the active stages in the org's order, restricted to those of the business process.
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

/// Adds the values of the controlling field with which a value may be chosen.
fn valid_for(field: &Field, controllers: &Map<String, Json>, mut value: Json) -> Json {
    if let Some(dependency) = &field.dependency {
        let requested = value["value"].as_str().and_then(|name| dependency.valid_for.get(name));
        let numbers: Vec<&Json> = requested.into_iter().flatten().filter_map(|name| controllers.get(name)).collect();
        value["validFor"] = json!(numbers);
    }
    value
}
