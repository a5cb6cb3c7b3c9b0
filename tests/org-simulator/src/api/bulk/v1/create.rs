//! Creates jobs and reads their properties from XML or JSON.

use serde_json::{Map, Value as Json};

use super::super::create;
use super::answer::{self, Form};
use crate::api::bulk::v1::call::Call;
use crate::api::bulk::v1::refusal::Refusal;
use crate::api::soap::xml::Element;
use crate::model::bulk::v1::{AsyncJob, JobState};
use crate::model::org::Org;

/// The properties of a new job.
const KEYS: [&str; 6] =
    ["operation", "object", "externalIdFieldName", "assignmentRuleId", "concurrencyMode", "contentType"];

/// Creates an open job, by the rules of ingest jobs.
pub(super) fn job(org: &mut Org, call: &Call<'_>) -> Result<AsyncJob, Refusal> {
    let mut asked = properties(call)?;
    if let Some(key) = asked.keys().find(|key| !KEYS.contains(&key.as_str())) {
        tracing::warn!(property = key, "the simulator does not know this property of a job of Bulk API 1.0");
        return Err(Refusal::new("InvalidJob", format!("Unrecognized field \"{key}\"")));
    }
    let text = |key: &str| asked.get(key).and_then(Json::as_str);
    if let Some(operation @ ("query" | "queryAll")) = text("operation") {
        return Err(unserved("operation", operation));
    }
    if let Some(mode) = text("concurrencyMode").filter(|mode| *mode != "Parallel") {
        return Err(unserved("concurrencyMode", mode));
    }
    // Without a content type, a job is one of XML (Bulk API guide, JobInfo).
    let content_type = text("contentType").unwrap_or("XML");
    if content_type != "CSV" {
        return Err(unserved("contentType", content_type));
    }
    let chunking = call.headers.get("sforce-enable-pkchunking").and_then(|value| value.to_str().ok());
    if let Some(value) = chunking.filter(|value| !value.eq_ignore_ascii_case("false")) {
        return Err(unserved("Sforce-Enable-PKChunking", value));
    }
    asked.retain(|_, value| !value.is_null());
    let template = create::ingest(org, call.actor, call.version, &asked)?;
    Ok(AsyncJob { template, state: JobState::Open, batches: Vec::new() })
}

/// Returns the state that the client requests for a job.
pub(super) fn wanted_state(call: &Call<'_>) -> Result<JobState, Refusal> {
    let asked = properties(call)?;
    if let Some(key) = asked.keys().find(|key| !["id", "state"].contains(&key.as_str())) {
        tracing::warn!(property = key, "the simulator changes nothing but the state of a job");
        return Err(Refusal::new("InvalidJob", format!("Field \"{key}\" cannot be changed")));
    }
    match asked.get("state").and_then(Json::as_str).unwrap_or_default() {
        "Closed" => Ok(JobState::Closed),
        "Aborted" => Ok(JobState::Aborted),
        other => Err(Refusal::new("InvalidJobState", format!("Invalid job state: {other}"))),
    }
}

/// Returns the properties of a `jobInfo`.
fn properties(call: &Call<'_>) -> Result<Map<String, Json>, Refusal> {
    if Form::of_content(call.headers) == Form::Json {
        return match serde_json::from_slice(call.body) {
            Ok(Json::Object(asked)) => Ok(asked),
            _ => Err(Refusal::new("ClientInputError", "The request is not a JSON object")),
        };
    }
    let content_type = answer::content_type(call.headers);
    let root = std::str::from_utf8(call.body).ok().and_then(Element::parse);
    let root = root.filter(|root| root.name == "jobInfo").ok_or_else(|| {
        Refusal::new("InvalidXML", format!("The request of type {content_type} is not an XML jobInfo"))
    })?;
    let property = |child: &Element| (child.name.clone(), Json::from(child.text.trim()));
    Ok(root.children.iter().map(property).collect())
}

/// Returns the error for a feature that Salesforce supports and the simulator does not.
fn unserved(what: &'static str, value: &str) -> Refusal {
    tracing::warn!(what, value, "the simulator does not serve this in Bulk API 1.0");
    Refusal::new("FeatureNotEnabled", format!("{what} {value} is not served by this org"))
}
