//! Pipelines: an Opportunity record type with its stages in order.
//!
//! No single API returns them: `RecordType` has the record types, the UI API has the values of `StageName` that each of
//! them allows, and `OpportunityStage` has a stage's order, probability, and whether it closes an opportunity.
//! A stage is identified by its API name, the value of `Opportunity.StageName`; labels may be renamed or translated.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};
use salesforce::{MASTER_RECORD_TYPE, PicklistValue, Record, RecordId};
use serde_json::Value;
use store::{Pipeline, Stage};

/// The profile of the team's connection does not have the record type.
pub const HIDDEN: &str = "record_type_hidden";
/// Field-level security hides `StageName`, or the stages are not visible.
pub const STAGES_HIDDEN: &str = "stages_hidden";
/// Salesforce names no such record type any more.
pub const MISSING: &str = "record_type_missing";

/// The time after which a record type that is still missing is believed to be deleted: two nights, not two reads of one.
const CONFIRMED_AFTER: SignedDuration = SignedDuration::from_hours(12);

/// The record types of an org, as a refresh read them.
#[derive(Debug, Default)]
pub struct Reading {
    /// The pipelines.
    pub read: Vec<Pipeline>,
    /// The record types whose pipeline could not be read, with the reason.
    pub unread: BTreeMap<RecordId, String>,
    /// The record types that Salesforce names, whether the connection may use them or not.
    pub exists: BTreeSet<RecordId>,
    /// A failure that allows another attempt.
    pub failure: Option<salesforce::Error>,
}

/// Returns the pipelines to store: those that were read, and the `known` ones that were not, with the reason. A pipeline is
/// left out only when Salesforce's own list has not named its record type for `CONFIRMED_AFTER`.
#[must_use]
pub fn reconcile(known: Vec<Pipeline>, reading: Reading, now: Timestamp) -> Vec<Pipeline> {
    let Reading { read: mut pipelines, unread, exists, .. } = reading;
    for known in known {
        let id = known.record_type_id;
        if pipelines.iter().any(|pipeline| pipeline.record_type_id == id) {
            continue;
        }
        let named = if exists.contains(&id) { HIDDEN } else { MISSING };
        let reason = unread.get(&id).map_or(named, String::as_str);
        let is_same = known.stale_reason.as_deref() == Some(reason);
        let since = known.stale_since.filter(|_| is_same).unwrap_or(now);
        if reason != MISSING || now.duration_since(since) < CONFIRMED_AFTER {
            pipelines.push(Pipeline { stale_reason: Some(reason.to_owned()), stale_since: Some(since), ..known });
        }
    }
    pipelines
}

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

    /// Parses rows of `RecordType`, and adds the master record type, which opportunities without another one have.
    #[must_use]
    pub fn from_rows(rows: &[Record]) -> Vec<Self> {
        let (developer_name, name) = ("Master".to_owned(), "Master".to_owned());
        let master = Self { id: MASTER_RECORD_TYPE, developer_name, name, is_active: true };
        rows.iter().map(Self::from_row).chain([master]).collect()
    }
}

/// Builds the pipeline of `record_type` from its `allowed` stages and the org's rows of `OpportunityStage`; `None` if the
/// connection may not see them. Inactive stages of the org follow their order too: opportunities may still have them, and
/// Salesforce does not say which record types they belonged to.
#[must_use]
pub fn pipeline(
    record_type: RecordType,
    is_default: bool,
    allowed: &[PicklistValue],
    rows: &[Record],
) -> Option<Pipeline> {
    if allowed.is_empty() || rows.is_empty() {
        return None;
    }
    let is_inactive = |row: &&Record| {
        let name = row.text("ApiName");
        !flag(row, "IsActive") && name.is_some() && !allowed.iter().any(|value| Some(value.value.as_str()) == name)
    };
    let inactive = rows.iter().filter(is_inactive).map(inactive);
    let rows: HashMap<&str, &Record> = rows.iter().filter_map(|row| Some((row.text("ApiName")?, row))).collect();
    let next_order = rows.values().map(|row| sort_order(row) + 1).max().unwrap_or_default();
    let describe = |(place, value): (u32, &PicklistValue)| match rows.get(value.value.as_str()) {
        Some(row) => listed(value, row),
        None => unlisted(value, next_order + place),
    };
    let mut stages: Vec<Stage> = (0..).zip(allowed).map(describe).chain(inactive).collect();
    stages.sort_by_key(|stage| stage.sort_order);
    Some(Pipeline {
        record_type_id: record_type.id,
        developer_name: record_type.developer_name,
        name: record_type.name,
        is_active: record_type.is_active,
        is_default,
        stages,
        stale_reason: None,
        stale_since: None,
    })
}

fn listed(value: &PicklistValue, row: &Record) -> Stage {
    Stage { api_name: value.value.clone(), label: value.label.clone(), is_active: true, ..inactive(row) }
}

/// A stage that no record type allows any more.
fn inactive(row: &Record) -> Stage {
    let text = |field| row.text(field).unwrap_or_default().to_owned();
    Stage {
        api_name: text("ApiName"),
        label: text("MasterLabel"),
        is_active: false,
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
        is_active: true,
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
    fn every_org_has_the_master_pipeline() {
        let row =
            row("RecordType", "0125e000000AbCd", json!({"DeveloperName": "New", "Name": "New", "IsActive": true}));
        for rows in [vec![], vec![row]] {
            let all = RecordType::from_rows(&rows);
            assert_eq!((all.len(), all.last().unwrap().id), (rows.len() + 1, MASTER_RECORD_TYPE));
        }
    }

    #[test]
    fn an_inactive_stage_is_kept_and_marked() {
        let mut gone = stage_row("Demo", 2, 30.0, false, false);
        gone.fields.insert("IsActive".to_owned(), json!(false));
        let rows = [stage_row("Meet", 1, 10.0, false, false), gone, stage_row("Won", 3, 100.0, true, true)];
        let pipeline = pipeline(record_type(), true, &[value("Won", "Won"), value("Meet", "Meet")], &rows).unwrap();

        let stages: Vec<_> = pipeline.stages.iter().map(|stage| (stage.api_name.as_str(), stage.is_active)).collect();
        assert_eq!(stages, [("Meet", true), ("Demo", false), ("Won", true)]);
    }

    #[test]
    fn hidden_stages_make_no_empty_pipeline() {
        let rows = [stage_row("Meet", 1, 10.0, false, false)];
        assert_eq!(pipeline(record_type(), true, &[], &rows), None);
        assert_eq!(pipeline(record_type(), true, &[value("Meet", "Meet")], &[]), None);
    }

    fn known(id: &str) -> Pipeline {
        let rows = [stage_row("Meet", 1, 10.0, false, false)];
        let pipeline = pipeline(record_type(), true, &[value("Meet", "Meet")], &rows).unwrap();
        Pipeline { record_type_id: id.parse().unwrap(), ..pipeline }
    }

    #[test]
    fn only_a_record_type_that_stays_missing_removes_its_pipeline() {
        let now: Timestamp = "2026-11-22T02:15:00Z".parse().unwrap();
        let stored = known("0125e000000AbCd");
        let first = reconcile(vec![stored.clone()], Reading::default(), now);
        assert_eq!(first[0].stale_reason.as_deref(), Some(MISSING));
        assert_eq!(first[0].stages, stored.stages);
        let soon = reconcile(first.clone(), Reading::default(), now + SignedDuration::from_mins(5));
        assert_eq!(soon, first, "a second attempt of the same night confirms nothing");
        let hidden = Reading { exists: BTreeSet::from([stored.record_type_id]), ..Reading::default() };
        let tomorrow = now + SignedDuration::from_hours(24);
        assert_eq!(reconcile(first.clone(), hidden, tomorrow)[0].stale_reason.as_deref(), Some(HIDDEN));
        assert_eq!(reconcile(first, Reading::default(), tomorrow), []);
    }

    #[test]
    fn a_pipeline_that_is_read_again_is_fresh() {
        let now: Timestamp = "2026-11-22T02:15:00Z".parse().unwrap();
        let fresh = known("0125e000000AbCd");
        let stale = Pipeline { stale_reason: Some(HIDDEN.to_owned()), stale_since: Some(now), ..fresh.clone() };
        let reading = Reading { read: vec![fresh.clone()], ..Reading::default() };
        assert_eq!(reconcile(vec![stale], reading, now), [fresh]);
    }

    #[test]
    fn a_pipeline_has_the_allowed_stages_in_the_order_of_the_org() {
        let rows = [
            stage_row("Qualify", 2, 20.0, false, false),
            stage_row("Won", 3, 100.0, true, true),
            stage_row("Meet", 1, 10.0, false, false),
        ];
        let pipeline = pipeline(record_type(), true, &[value("Won", "Gewonnen"), value("Meet", "Treffen")], &rows);
        let pipeline = pipeline.unwrap();

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
        let pipeline = pipeline.unwrap();

        let last = pipeline.stages.last().unwrap();
        assert_eq!((last.api_name.as_str(), last.probability, last.is_closed), ("Forgotten", 7.5, true));
    }
}
