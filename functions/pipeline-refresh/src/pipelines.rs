//! Pipelines: an Opportunity record type with its stages in order.
//!
//! No single API returns them: `RecordType` has the record types, the UI API has the values of `StageName` that each of
//! them allows, and `OpportunityStage` has a stage's order, probability, and whether it closes an opportunity.
//! `BusinessProcess` has the names of the sales processes, which decide the stages that a record type allows.
//! A stage is identified by its API name, the value of `Opportunity.StageName`; labels may be renamed or translated.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};
use salesforce::{MASTER_RECORD_TYPE, Picklist, PicklistValue, Record, RecordId};
use serde_json::Value;
use store::{BusinessProcess, Pipeline, Stage};

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
        if let Some(read) = pipelines.iter_mut().find(|pipeline| pipeline.record_type_id == id) {
            keep_unread_parts(read, known);
            continue;
        }
        let named = if exists.contains(&id) { HIDDEN } else { MISSING };
        let reason = unread.get(&id).map_or(named, String::as_str);
        let is_same = known.stale_reason.as_deref() == Some(reason);
        let since = known.stale_since.filter(|_| is_same).unwrap_or(now);
        if reason != MISSING || now.duration_since(since) < CONFIRMED_AFTER {
            let is_available = known.is_available && reason != HIDDEN;
            let stale_reason = Some(reason.to_owned());
            pipelines.push(Pipeline { stale_reason, stale_since: Some(since), is_available, ..known });
        }
    }
    pipelines
}

/// Keeps what is known of a pipeline that was read in parts only: the name of its business process, and which stages are used.
fn keep_unread_parts(read: &mut Pipeline, known: Pipeline) {
    if let (Some(process), Some(before)) = (&mut read.business_process, known.business_process)
        && process.id == before.id
        && process.name.is_none()
    {
        process.name = before.name;
    }
    for stage in read.stages.iter_mut().filter(|stage| !stage.is_active && stage.in_use.is_none()) {
        let before = known.stages.iter().find(|before| before.api_name == stage.api_name && !before.is_active);
        stage.in_use = before.and_then(|before| before.in_use);
    }
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
    /// The business process.
    pub business_process: Option<BusinessProcess>,
}

impl RecordType {
    /// Parses a row of `RecordType`.
    #[must_use]
    pub fn from_row(row: &Record) -> Self {
        let text = |field| row.text(field).unwrap_or_default().to_owned();
        let process = row.text("BusinessProcessId").and_then(|id| id.parse().ok());
        Self {
            id: row.id,
            developer_name: text("DeveloperName"),
            name: text("Name"),
            is_active: flag(row, "IsActive"),
            business_process: process.map(|id| BusinessProcess { id, name: None }),
        }
    }

    /// Parses rows of `RecordType`, and adds the master record type, which opportunities without another one have.
    #[must_use]
    pub fn from_rows(rows: &[Record]) -> Vec<Self> {
        let (developer_name, name) = ("Master".to_owned(), "Master".to_owned());
        let master = Self { id: MASTER_RECORD_TYPE, developer_name, name, is_active: true, business_process: None };
        rows.iter().map(Self::from_row).chain([master]).collect()
    }
}

/// The stages of an org.
#[derive(Debug)]
pub struct OrgStages<'a> {
    /// The rows of `OpportunityStage`.
    pub rows: &'a [Record],
    /// The opportunities' inactive stages; `None` if they are not known.
    pub uses: Option<StageUse>,
}

/// The record types of the opportunities that have a stage, by stage.
pub type StageUse = BTreeMap<String, BTreeSet<RecordId>>;

/// Returns the API names of the stages that cannot be chosen.
pub fn inactive_stages(rows: &[Record]) -> impl Iterator<Item = &str> {
    rows.iter().filter(|row| !flag(row, "IsActive")).filter_map(|row| row.text("ApiName"))
}

/// Builds the pipeline of `record_type` from its `allowed` stages and the org's rows of `OpportunityStage`; `None` if the
/// connection may not see them. Inactive stages of the org follow their order too: opportunities may still have them, and
/// Salesforce does not say which record types they belonged to.
#[must_use]
pub fn pipeline(
    record_type: RecordType,
    is_default: bool,
    allowed: &Picklist,
    stages: &OrgStages<'_>,
) -> Option<Pipeline> {
    let (default, allowed) = (allowed.default_value.as_ref(), &allowed.values);
    if allowed.is_empty() || stages.rows.is_empty() {
        return None;
    }
    let rows: HashMap<&str, &Record> = stages.rows.iter().filter_map(|row| Some((row.text("ApiName")?, row))).collect();
    let next_order = rows.values().map(|row| sort_order(row) + 1).max().unwrap_or_default();
    let describe = |(place, value): (u32, &PicklistValue)| {
        let stage = match rows.get(value.value.as_str()) {
            Some(row) => listed(value, row),
            None => unlisted(value, next_order + place),
        };
        Stage { is_default: default.is_some_and(|default| default.value == value.value), ..stage }
    };
    let is_allowed = |name: &str| allowed.iter().any(|value| value.value == name);
    let inactive = inactive_stages(stages.rows).filter(|name| !is_allowed(name)).filter_map(|name| {
        let is_used = |uses: &StageUse| uses.get(name).is_some_and(|types| types.contains(&record_type.id));
        Some(Stage { in_use: stages.uses.as_ref().map(is_used), ..inactive(rows.get(name)?) })
    });
    let mut stages: Vec<Stage> = (0..).zip(allowed).map(describe).chain(inactive).collect();
    stages.sort_by_key(|stage| stage.sort_order);
    Some(Pipeline {
        record_type_id: record_type.id,
        developer_name: record_type.developer_name,
        name: record_type.name,
        is_active: record_type.is_active,
        is_default,
        is_available: true,
        business_process: record_type.business_process,
        stages,
        fingerprint: None,
        valid_from: None,
        valid_until: None,
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
        is_default: false,
        in_use: None,
        sort_order: sort_order(row),
        probability: row.fields.get("DefaultProbability").and_then(Value::as_f64).unwrap_or_default(),
        is_closed: flag(row, "IsClosed"),
        is_won: flag(row, "IsWon"),
        forecast_category: text("ForecastCategoryName"),
        description: row.text("Description").map(str::to_owned),
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
        is_default: false,
        in_use: None,
        description: None,
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
    use proptest::prelude::*;
    use salesforce::ObjectName;
    use serde_json::json;
    use store::pipelines::PipelineContent;

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

    fn picklist(values: &[(&str, &str)], default: Option<&str>) -> Picklist {
        let values: Vec<_> = values.iter().map(|(api_name, label)| value(api_name, label)).collect();
        let default_value = values.iter().find(|value| Some(value.value.as_str()) == default).cloned();
        Picklist { values, controller_values: BTreeMap::new(), default_value }
    }

    /// Builds the pipeline of [`record_type`] in an org in which nobody uses an inactive stage.
    fn built(is_default: bool, values: &[(&str, &str)], rows: &[Record]) -> Option<Pipeline> {
        let stages = OrgStages { rows, uses: Some(StageUse::new()) };
        pipeline(record_type(), is_default, &picklist(values, None), &stages)
    }

    fn record_type() -> RecordType {
        RecordType::from_row(&row(
            "RecordType",
            "0125e000000AbCd",
            json!({"DeveloperName": "New_Business", "Name": "New Business", "IsActive": true,
                "BusinessProcessId": "0195e000000AbCd"}),
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
        let used = StageUse::from([("Demo".to_owned(), BTreeSet::from([record_type().id]))]);
        let other = StageUse::from([("Demo".to_owned(), BTreeSet::from([MASTER_RECORD_TYPE]))]);
        for (uses, in_use) in [(Some(used), Some(true)), (Some(other), Some(false)), (None, None)] {
            let (stages, allowed) =
                (OrgStages { rows: &rows, uses }, picklist(&[("Won", "Won"), ("Meet", "Meet")], None));
            let pipeline = pipeline(record_type(), true, &allowed, &stages).unwrap();

            let stages: Vec<_> =
                pipeline.stages.iter().map(|stage| (stage.api_name.as_str(), stage.is_active, stage.in_use)).collect();
            assert_eq!(stages, [("Meet", true, None), ("Demo", false, in_use), ("Won", true, None)]);
        }
    }

    #[test]
    fn hidden_stages_make_no_empty_pipeline() {
        let rows = [stage_row("Meet", 1, 10.0, false, false)];
        assert_eq!(built(true, &[], &rows), None);
        assert_eq!(built(true, &[("Meet", "Meet")], &[]), None);
    }

    fn known(id: &str) -> Pipeline {
        let rows = [stage_row("Meet", 1, 10.0, false, false)];
        let pipeline = built(true, &[("Meet", "Meet")], &rows).unwrap();
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

    proptest! {
        #[test]
        fn the_order_of_the_answer_changes_nothing(order in Just(vec![1, 2, 3, 4]).prop_shuffle(), reversed: bool) {
            let name = |n: &u32| format!("Stage {n}");
            let answer = |order: &[u32], reversed: bool| {
                let mut rows: Vec<Record> =
                    order.iter().map(|n| stage_row(&name(n), *n, f64::from(*n) * 12.5, *n > 2, *n == 4)).collect();
                for row in rows.iter_mut().filter(|_| reversed) {
                    row.fields = std::mem::take(&mut row.fields).into_iter().rev().collect();
                }
                let names: Vec<String> = order.iter().map(name).collect();
                let values: Vec<_> = names.iter().map(|name| (name.as_str(), name.as_str())).collect();
                built(true, &values, &rows).unwrap()
            };
            let (one, other) = (answer(&[1, 2, 3, 4], false), answer(&order, reversed));
            prop_assert_eq!(PipelineContent::of(&one).fingerprint(), PipelineContent::of(&other).fingerprint());
            let stored = Pipeline { fingerprint: Some(PipelineContent::of(&one).fingerprint()), ..one };
            prop_assert_eq!(Pipeline::changes(Some(&stored), &other), []);
        }
    }

    #[test]
    fn the_default_stage_is_that_of_the_record_type() {
        let rows = [stage_row("Meet", 1, 10.0, false, false), stage_row("Won", 2, 100.0, true, true)];
        for default in [None, Some("Meet"), Some("Won")] {
            let allowed = picklist(&[("Won", "Won"), ("Meet", "Meet")], default);
            let stages = OrgStages { rows: &rows, uses: None };
            let pipeline = pipeline(record_type(), true, &allowed, &stages).unwrap();
            let found: Vec<_> = pipeline.stages.iter().filter(|stage| stage.is_default).collect();
            assert_eq!(found.first().map(|stage| stage.api_name.as_str()), default);
            assert!(found.len() <= 1);
        }
    }

    #[test]
    fn what_one_refresh_could_not_read_is_kept() {
        let mut gone = stage_row("Demo", 2, 30.0, false, false);
        gone.fields.insert("IsActive".to_owned(), json!(false));
        let rows = [stage_row("Meet", 1, 10.0, false, false), gone];
        let with = |uses, name: Option<&str>| {
            let stages = OrgStages { rows: &rows, uses };
            let mut built = pipeline(record_type(), true, &picklist(&[("Meet", "Meet")], None), &stages).unwrap();
            built.business_process.as_mut().unwrap().name = name.map(str::to_owned);
            built
        };
        let complete = with(Some(StageUse::new()), Some("Sales"));
        let reading = Reading { read: vec![with(None, None)], ..Reading::default() };
        assert_eq!(reconcile(vec![complete.clone()], reading, Timestamp::UNIX_EPOCH), [complete]);
    }

    #[test]
    fn a_hidden_record_type_is_not_available() {
        let known = known("0125e000000AbCd");
        for (reason, is_available) in [(HIDDEN, false), (STAGES_HIDDEN, true)] {
            let unread = BTreeMap::from([(known.record_type_id, reason.to_owned())]);
            let reading = Reading { unread, ..Reading::default() };
            let kept = reconcile(vec![known.clone()], reading, Timestamp::UNIX_EPOCH);
            assert_eq!(kept[0].is_available, is_available);
        }
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
        let pipeline = built(true, &[("Won", "Gewonnen"), ("Meet", "Treffen")], &rows).unwrap();

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
        let pipeline = built(false, &[("Forgotten", "Forgotten"), ("Meet", "Meet")], &rows).unwrap();

        let last = pipeline.stages.last().unwrap();
        assert_eq!((last.api_name.as_str(), last.probability, last.is_closed), ("Forgotten", 7.5, true));
    }
}
