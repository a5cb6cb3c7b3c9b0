//! The stage of an opportunity within its pipeline.

use salesforce::{JsonObject, MASTER_RECORD_TYPE, RecordId};
use serde_json::{Value, json};
use store::{Pipeline, Stage};

/// Returns the stage with its pipeline, its position in it, and the stages that follow. Null if the user may not see the stage.
///
/// The pipeline is null if Ferry has not read the pipeline of the record type. The position is null in a stage that cannot be
/// chosen any more, or that the pipeline does not have.
pub(super) fn stage(opportunity: &JsonObject, pipelines: &[Pipeline]) -> Value {
    let Some(name) = opportunity.get("StageName").and_then(Value::as_str) else { return Value::Null };
    let record_type = opportunity.get("RecordTypeId").and_then(Value::as_str).and_then(|id| id.parse().ok());
    let record_type: RecordId = record_type.unwrap_or(MASTER_RECORD_TYPE);
    let pipeline = pipelines.iter().find(|pipeline| pipeline.record_type_id == record_type);
    let stage = pipeline.and_then(|pipeline| pipeline.stages.iter().find(|stage| stage.api_name == name));
    let active: Vec<&Stage> = pipeline.iter().flat_map(|found| &found.stages).filter(|stage| stage.is_active).collect();
    let position = active.iter().position(|stage| stage.api_name == name);
    let next: Vec<Value> = match (stage, position) {
        (Some(stage), Some(position)) if !stage.is_closed => active.iter().skip(position + 1).map(shown).collect(),
        _ => Vec::new(),
    };
    json!({
        "api_name": name,
        "label": stage.map(|stage| &stage.label),
        "probability": opportunity.get("Probability").cloned().or_else(|| stage.map(|stage| stage.probability.into())),
        "is_closed": stage.map(|stage| stage.is_closed),
        "is_won": stage.map(|stage| stage.is_won),
        "forecast_category": stage.map(|stage| &stage.forecast_category),
        "position": position.map(|position| position + 1),
        "stages": active.len(),
        "next": next,
        "pipeline": pipeline.map(|pipeline| json!({
            "record_type_id": pipeline.record_type_id,
            "developer_name": pipeline.developer_name,
            "name": pipeline.name,
        })),
    })
}

fn shown(stage: &&Stage) -> Value {
    json!({
        "api_name": stage.api_name,
        "label": stage.label,
        "probability": stage.probability,
        "is_closed": stage.is_closed,
        "is_won": stage.is_won,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipelines() -> Vec<Pipeline> {
        let stage = |name: &str, order: u32, closed: bool, active: bool| {
            json!({"api_name": name, "label": format!("{name}!"), "sort_order": order, "probability": f64::from(order) * 10.0,
                "is_closed": closed, "is_won": name == "Won", "forecast_category": "Pipeline", "is_active": active})
        };
        let stages = json!([
            stage("Old", 1, false, false),
            stage("New", 2, false, true),
            stage("Offer", 3, false, true),
            stage("Won", 4, true, true),
            stage("Lost", 5, true, true),
        ]);
        let pipeline = json!({"record_type_id": MASTER_RECORD_TYPE, "developer_name": "Master", "name": "Master",
            "is_active": true, "is_default": true, "stages": stages});
        vec![serde_json::from_value(pipeline).unwrap()]
    }

    fn of(fields: Value) -> Value {
        stage(fields.as_object().unwrap(), &pipelines())
    }

    fn next(stage: &Value) -> Vec<&str> {
        stage["next"].as_array().unwrap().iter().map(|next| next["api_name"].as_str().unwrap()).collect()
    }

    #[test]
    fn a_stage_has_its_position_and_the_stages_that_follow() {
        let stage = of(json!({"StageName": "New", "Probability": 25.0}));
        assert_eq!((&stage["position"], &stage["stages"]), (&json!(1), &json!(4)));
        assert_eq!((&stage["label"], &stage["probability"]), (&json!("New!"), &json!(25.0)));
        assert_eq!(next(&stage), ["Offer", "Won", "Lost"]);
        assert_eq!(of(json!({"StageName": "Offer"}))["probability"], 30.0);
    }

    #[test]
    fn nothing_follows_a_closed_stage() {
        let stage = of(json!({"StageName": "Won"}));
        assert_eq!((&stage["position"], &stage["is_won"], next(&stage).len()), (&json!(3), &json!(true), 0));
    }

    #[test]
    fn a_stage_outside_the_pipeline_has_no_position() {
        for name in ["Old", "Elsewhere"] {
            assert_eq!(of(json!({"StageName": name}))["position"], Value::Null, "{name}");
        }
        let unknown = of(json!({"StageName": "New", "RecordTypeId": "012D00000000001"}));
        assert_eq!((&unknown["api_name"], &unknown["pipeline"]), (&json!("New"), &Value::Null));
    }

    #[test]
    fn a_hidden_stage_is_null() {
        assert_eq!(of(json!({})), Value::Null);
    }
}
