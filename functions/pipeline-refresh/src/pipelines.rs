//! Pipelines: an Opportunity record type with its stages in order.
//!
//! No single API returns them: `RecordType` has the record types, the UI API has the values of `StageName` that each of
//! them allows, and `OpportunityStage` has a stage's order, probability, and whether it closes an opportunity.
//! A stage is identified by its API name, the value of `Opportunity.StageName`; labels may be renamed or translated.

use std::collections::HashMap;

use salesforce::{MASTER_RECORD_TYPE, PicklistValue, Record, RecordId};
use serde_json::Value;
use store::{Pipeline, Stage};

/// An Opportunity record type.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordType {
    /// The id; the master record type's where an org has no record types.
    pub id: RecordId,
    /// The API name.
    pub developer_name: String,
    /// The label.
    pub name: String,
    /// `true` where it can be chosen for new opportunities.
    pub is_active: bool,
}

impl RecordType {
    /// Parses a row of `RecordType`.
    #[must_use]
    pub fn from_row(row: &Record) -> Self {
        let text = |field| row.text(field).unwrap_or_default().to_owned();
        Self { id: row.id, developer_name: text("DeveloperName"), name: text("Name"), is_active: flag(row, "IsActive") }
    }

    /// Parses rows of `RecordType`. Returns the master record type for an org without record types.
    #[must_use]
    pub fn from_rows(rows: &[Record]) -> Vec<Self> {
        if rows.is_empty() {
            let (developer_name, name) = ("Master".to_owned(), "Master".to_owned());
            return vec![Self { id: MASTER_RECORD_TYPE, developer_name, name, is_active: true }];
        }
        rows.iter().map(Self::from_row).collect()
    }
}

/// Builds the pipeline of `record_type` from its `allowed` stages and the org's rows of `OpportunityStage`.
#[must_use]
pub fn pipeline(record_type: RecordType, is_default: bool, allowed: &[PicklistValue], rows: &[Record]) -> Pipeline {
    let rows: HashMap<&str, &Record> = rows.iter().filter_map(|row| Some((row.text("ApiName")?, row))).collect();
    let next_order = rows.values().map(|row| sort_order(row) + 1).max().unwrap_or_default();
    let describe = |(place, value): (u32, &PicklistValue)| match rows.get(value.value.as_str()) {
        Some(row) => listed(value, row),
        None => unlisted(value, next_order + place),
    };
    let mut stages: Vec<Stage> = (0..).zip(allowed).map(describe).collect();
    stages.sort_by_key(|stage| stage.sort_order);
    Pipeline {
        record_type_id: record_type.id,
        developer_name: record_type.developer_name,
        name: record_type.name,
        is_active: record_type.is_active,
        is_default,
        stages,
    }
}

fn listed(value: &PicklistValue, row: &Record) -> Stage {
    Stage {
        api_name: value.value.clone(),
        label: value.label.clone(),
        sort_order: sort_order(row),
        probability: row.fields.get("DefaultProbability").and_then(Value::as_f64).unwrap_or_default(),
        is_closed: flag(row, "IsClosed"),
        is_won: flag(row, "IsWon"),
        forecast_category: row.text("ForecastCategoryName").unwrap_or_default().to_owned(),
    }
}

/// A stage without a row in `OpportunityStage`: it comes after all others, as the UI API describes it.
fn unlisted(value: &PicklistValue, sort_order: u32) -> Stage {
    let stage = value.stage();
    Stage {
        api_name: value.value.clone(),
        label: value.label.clone(),
        sort_order,
        probability: stage.as_ref().and_then(|stage| stage.default_probability).unwrap_or_default(),
        is_closed: stage.as_ref().is_some_and(|stage| stage.closed),
        is_won: stage.as_ref().is_some_and(|stage| stage.won),
        forecast_category: stage.and_then(|stage| stage.forecast_category_name).unwrap_or_default(),
    }
}

fn sort_order(row: &Record) -> u32 {
    row.fields.get("SortOrder").and_then(Value::as_u64).and_then(|order| order.try_into().ok()).unwrap_or_default()
}

fn flag(row: &Record, field: &str) -> bool {
    row.fields.get(field).and_then(Value::as_bool).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use salesforce::ObjectName;
    use serde_json::json;

    use super::*;

    fn row(object: &'static str, id: &str, fields: Value) -> Record {
        let Value::Object(fields) = fields else { panic!("not a JSON object") };
        Record { object: ObjectName::from_static(object), id: id.parse().unwrap(), fields }
    }

    fn stage_row(api_name: &str, order: u32, probability: f64, closed: bool, won: bool) -> Record {
        let fields = json!({
            "ApiName": api_name, "MasterLabel": api_name, "SortOrder": order, "DefaultProbability": probability,
            "IsActive": true, "IsClosed": closed, "IsWon": won, "ForecastCategoryName": "Pipeline",
        });
        row("OpportunityStage", "01J5e000001AbCd", fields)
    }

    fn value(api_name: &str, label: &str) -> PicklistValue {
        serde_json::from_value(json!({
            "value": api_name, "label": label, "validFor": [],
            "attributes": {
                "closed": true, "won": false, "defaultProbability": 7.5, "forecastCategoryName": "Omitted",
                "picklistAtrributesValueType": "OpportunityStage",
            },
        }))
        .unwrap()
    }

    fn record_type() -> RecordType {
        RecordType::from_row(&row(
            "RecordType",
            "0125e000000AbCd",
            json!({"DeveloperName": "New_Business", "Name": "New Business", "IsActive": true}),
        ))
    }

    #[test]
    fn an_org_without_record_types_has_the_master_pipeline() {
        let all = RecordType::from_rows(&[]);
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].id, MASTER_RECORD_TYPE);
    }

    #[test]
    fn a_pipeline_has_the_allowed_stages_in_the_order_of_the_org() {
        let rows = [
            stage_row("Qualify", 2, 20.0, false, false),
            stage_row("Won", 3, 100.0, true, true),
            stage_row("Meet", 1, 10.0, false, false),
        ];
        let pipeline = pipeline(record_type(), true, &[value("Won", "Gewonnen"), value("Meet", "Treffen")], &rows);

        let stages: Vec<_> =
            pipeline.stages.iter().map(|stage| (stage.api_name.as_str(), stage.label.as_str())).collect();
        assert_eq!(stages, [("Meet", "Treffen"), ("Won", "Gewonnen")]);
        assert!(pipeline.stages[1].is_closed && pipeline.stages[1].is_won);
        assert_eq!(pipeline.stages[0].probability, 10.0);
        assert_eq!((pipeline.developer_name.as_str(), pipeline.is_default), ("New_Business", true));
    }

    #[test]
    fn an_unlisted_stage_comes_last_as_the_picklist_describes_it() {
        let rows = [stage_row("Meet", 9, 10.0, false, false)];
        let pipeline = pipeline(record_type(), false, &[value("Forgotten", "Forgotten"), value("Meet", "Meet")], &rows);

        let last = pipeline.stages.last().unwrap();
        assert_eq!((last.api_name.as_str(), last.probability, last.is_closed), ("Forgotten", 7.5, true));
    }
}
