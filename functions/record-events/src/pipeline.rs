//! The event of a changed pipeline.

use jiff::Timestamp;
use salesforce::{OrgId, RecordId};
use serde::Serialize;
use store::{BusEvent, EventKind, Pipeline, PipelineChange, Tenant};

/// A pipeline whose content has changed.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangedPipeline {
    /// The org.
    pub org_id: OrgId,
    /// The time of the refresh that read the change.
    pub at: Timestamp,
    /// The pipeline now.
    pub pipeline: Pipeline,
    /// The changes, at least one.
    pub changes: Vec<PipelineChange>,
    /// The id of the change of the row.
    pub change_id: String,
}

impl ChangedPipeline {
    /// Compares two states of a pipeline of the org; `None` if the content is the same.
    #[must_use]
    pub fn between(org_id: OrgId, old: Option<&Pipeline>, pipeline: Pipeline, change_id: String) -> Option<Self> {
        let changes = Pipeline::changes(old, &pipeline);
        let at = pipeline.valid_until.or(pipeline.valid_from)?;
        (!changes.is_empty()).then_some(Self { org_id, at, pipeline, changes, change_id })
    }
}

/// The `data` of an event.
#[derive(Debug, Serialize)]
struct Data<'a> {
    org_id: &'a str,
    tenant: &'a str,
    record_type_id: RecordId,
    developer_name: &'a str,
    name: &'a str,
    fingerprint: Option<&'a str>,
    changes: &'a [PipelineChange],
    #[serde(skip_serializing_if = "Option::is_none")]
    changes_omitted: Option<&'static str>,
}

/// Builds the event of a changed pipeline. Changes that do not fit on the bus are left out.
#[must_use]
pub fn event(changed: &ChangedPipeline, tenant: &Tenant) -> BusEvent {
    let pipeline = &changed.pipeline;
    let mut data = Data {
        org_id: changed.org_id.as_str(),
        tenant: tenant.as_str(),
        record_type_id: pipeline.record_type_id,
        developer_name: &pipeline.developer_name,
        name: &pipeline.name,
        fingerprint: pipeline.fingerprint.as_deref().filter(|_| pipeline.valid_until.is_none()),
        changes: &changed.changes,
        changes_omitted: None,
    };
    let subject = format!("pipelines/{}", pipeline.record_type_id);
    let mut event = BusEvent::new(changed.org_id, EventKind::PipelineChanged, subject, &changed.change_id);
    event.time = changed.at;
    event.sequence = Some(store::time::format(changed.at));
    event.data = serde_json::to_value(&data).unwrap_or_default();
    if !event.fits() {
        (data.changes, data.changes_omitted) = (&[], Some("too_large"));
        event.data = serde_json::to_value(&data).unwrap_or_default();
    }
    event
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const ORG: &str = "00D5e000000KQ2eEAG";
    const RECORD_TYPE: &str = "0125e000000AbCdAAK";

    /// Returns a pipeline with these members.
    fn pipeline(members: &Value) -> Pipeline {
        let mut row = json!({
            "record_type_id": RECORD_TYPE, "developer_name": "Sales", "name": "Sales", "is_active": true,
            "is_default": true, "fingerprint": "f", "valid_from": "2026-11-22T02:00:00.000Z",
            "stages": [{
                "api_name": "Won", "label": "Won", "sort_order": 1, "probability": 100.0, "is_closed": true, "is_won": true,
                "forecast_category": "Closed",
            }],
        });
        row.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        serde_json::from_value(row).unwrap()
    }

    fn between(old: Option<&Value>, new: &Value) -> Option<ChangedPipeline> {
        let old = old.map(pipeline);
        ChangedPipeline::between(ORG.parse().unwrap(), old.as_ref(), pipeline(new), "change".to_owned())
    }

    #[test]
    fn only_a_change_of_the_content_is_an_event() {
        let (same, renamed) = (json!({}), json!({ "name": "Deals", "fingerprint": "g" }));
        assert!(between(Some(&same), &renamed).is_some());
        let earlier_release = json!({ "fingerprint": null });
        for (old, new) in [
            (&same, json!({})),
            (&same, json!({ "is_default": false, "is_available": false, "stale_reason": "stages_hidden" })),
            (&earlier_release, json!({ "name": "Deals" })),
        ] {
            assert_eq!(between(Some(old), &new), None, "{new}");
        }
    }

    #[test]
    fn an_added_or_removed_pipeline_is_an_event() {
        let removed = json!({ "valid_until": "2026-11-24T02:00:00.000Z" });
        for (old, new, expected, time) in [
            (None, json!({}), "pipeline_added", "2026-11-22T02:00:00Z"),
            (Some(json!({})), removed.clone(), "pipeline_removed", "2026-11-24T02:00:00Z"),
            (
                Some(removed),
                json!({ "valid_from": "2026-11-25T02:00:00.000Z" }),
                "pipeline_added",
                "2026-11-25T02:00:00Z",
            ),
        ] {
            let event = event(&between(old.as_ref(), &new).unwrap(), &"acme".parse().unwrap());
            assert_eq!(event.data["changes"][0]["change"], expected);
            assert_eq!(event.time, time.parse::<Timestamp>().unwrap());
            assert_eq!(event.data["fingerprint"].is_null(), expected == "pipeline_removed");
        }
    }

    #[test]
    fn changes_that_do_not_fit_are_left_out() {
        let new = json!({ "name": "x".repeat(300_000) });
        let mut changed = between(Some(&json!({})), &new).unwrap();
        changed.pipeline.name = "Deals".to_owned();
        let event = event(&changed, &"acme".parse().unwrap());
        assert!(event.fits());
        assert_eq!((&event.data["changes"], &event.data["changes_omitted"]), (&json!([]), &json!("too_large")));
    }
}
