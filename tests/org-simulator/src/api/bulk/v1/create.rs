//! Creates jobs and reads their properties from XML or JSON.

use serde_json::{Map, Value as Json};

use super::super::create;
use super::response::{self, BodyFormat};
use crate::api::bulk::v1::call::Call;
use crate::api::bulk::v1::error::AsyncError;
use crate::api::soap::xml::Element;
use crate::model::bulk::v1::{AsyncJob, JobState};
use crate::model::org::Org;

/// The properties of a new job.
const KEYS: [&str; 6] =
    ["operation", "object", "externalIdFieldName", "assignmentRuleId", "concurrencyMode", "contentType"];

/// Creates an open job, by the rules of ingest jobs.
pub(super) fn job(org: &mut Org, call: &Call<'_>) -> Result<AsyncJob, AsyncError> {
    let mut requested = properties(call)?;
    if let Some(key) = requested.keys().find(|key| !KEYS.contains(&key.as_str())) {
        tracing::warn!(property = key, "the simulator does not support this property of a job of Bulk API 1.0");
        return Err(AsyncError::new("InvalidJob", format!("Unrecognized field \"{key}\"")));
    }
    let text = |key: &str| requested.get(key).and_then(Json::as_str);
    if let Some(operation @ ("query" | "queryAll")) = text("operation") {
        return Err(unsupported("operation", operation));
    }
    if let Some(mode) = text("concurrencyMode").filter(|mode| *mode != "Parallel") {
        return Err(unsupported("concurrencyMode", mode));
    }
    // Without a content type, a job is one of XML (Bulk API guide, JobInfo).
    let content_type = text("contentType").unwrap_or("XML");
    if content_type != "CSV" {
        return Err(unsupported("contentType", content_type));
    }
    let chunking = call.headers.get("sforce-enable-pkchunking").and_then(|value| value.to_str().ok());
    if let Some(value) = chunking.filter(|value| !value.eq_ignore_ascii_case("false")) {
        return Err(unsupported("Sforce-Enable-PKChunking", value));
    }
    requested.retain(|_, value| !value.is_null());
    let template = create::ingest(org, call.actor, call.version, &requested)?;
    Ok(AsyncJob { template, state: JobState::Open, batches: Vec::new() })
}

/// Returns the state that the client requests for a job.
pub(super) fn requested_state(call: &Call<'_>) -> Result<JobState, AsyncError> {
    let requested = properties(call)?;
    if let Some(key) = requested.keys().find(|key| !["id", "state"].contains(&key.as_str())) {
        tracing::warn!(property = key, "the simulator supports only changes of a job's state");
        return Err(AsyncError::new("InvalidJob", format!("Field \"{key}\" cannot be changed")));
    }
    match requested.get("state").and_then(Json::as_str).unwrap_or_default() {
        "Closed" => Ok(JobState::Closed),
        "Aborted" => Ok(JobState::Aborted),
        other => Err(AsyncError::new("InvalidJobState", format!("Invalid job state: {other}"))),
    }
}

/// Returns the properties of a `jobInfo`.
fn properties(call: &Call<'_>) -> Result<Map<String, Json>, AsyncError> {
    if BodyFormat::of_content(call.headers) == BodyFormat::Json {
        return match serde_json::from_slice(call.body) {
            Ok(Json::Object(requested)) => Ok(requested),
            _ => Err(AsyncError::new("ClientInputError", "The request is not a JSON object")),
        };
    }
    let content_type = response::content_type(call.headers);
    let root = std::str::from_utf8(call.body).ok().and_then(Element::parse);
    let root = root.filter(|root| root.name == "jobInfo").ok_or_else(|| {
        AsyncError::new("InvalidXML", format!("The request of type {content_type} is not an XML jobInfo"))
    })?;
    let property = |child: &Element| (child.name.clone(), Json::from(child.text.trim()));
    Ok(root.children.iter().map(property).collect())
}

/// Returns the error for a feature that Salesforce supports and the simulator does not.
fn unsupported(what: &'static str, value: &str) -> AsyncError {
    tracing::warn!(what, value, "the simulator does not support this in Bulk API 1.0");
    AsyncError::new("FeatureNotEnabled", format!("{what} {value} is not served by this org"))
}
