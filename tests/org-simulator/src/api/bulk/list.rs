//! The list of jobs, in pages.

use serde_json::{Value as Json, json};

use super::results::only;
use crate::api::call::Call;
use crate::model::actor::Actor;
use crate::model::bulk::Bulk;
use crate::model::bulk::job::{Job, Kind};
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;

/// Jobs in one response.
const PAGE: usize = 1_000;
const PARAMETERS: [&str; 4] = ["isPkChunkingEnabled", "jobType", "concurrencyMode", "queryLocator"];
const JOB_TYPES: [&str; 4] = ["BigObjectIngest", "Classic", "V2Ingest", "V2Query"];

/// Serves `GET jobs/ingest` and `GET jobs/query`: the jobs that the user may see, oldest first.
pub(super) fn page(bulk: &Bulk, actor: &Actor, call: &Call, kind: Kind) -> Result<Json, ApiError> {
    only(call, &PARAMETERS)?;
    let invalid =
        |name: &str, value: &str| ApiError::new("INVALID_ARGUMENT", format!("Invalid value for {name}: {value}"));
    let job_type = call.parameter("jobType");
    if let Some(name) = job_type.filter(|name| !JOB_TYPES.contains(name)) {
        return Err(invalid("jobType", name));
    }
    // A header of the older Bulk API enables PK chunking, which no job here has.
    let chunked = match call.parameter("isPkChunkingEnabled").unwrap_or("false") {
        "true" => true,
        "false" => false,
        other => return Err(invalid("isPkChunkingEnabled", other)),
    };
    let serial = match call.parameter("concurrencyMode").map(str::to_ascii_lowercase).as_deref() {
        None | Some("parallel") => false,
        Some("serial") => true,
        Some(other) => return Err(invalid("concurrencyMode", other)),
    };
    let from = call.parameter("queryLocator").map(|locator| {
        RecordId::parse(locator).ok_or_else(|| ApiError::new("INVALID_QUERY_LOCATOR", "invalid query locator"))
    });
    let from = from.transpose()?;
    let wanted = |job: &&Job| {
        job.kind() == kind
            && may_see(actor, job)
            && !chunked
            && !serial
            && job_type.is_none_or(|name| name == kind.job_type())
            && from.is_none_or(|from| job.head.id >= from)
    };
    let mut jobs: Vec<&Job> = bulk.jobs.values().filter(wanted).take(PAGE + 1).collect();
    let next = (jobs.len() > PAGE).then(|| jobs.pop()).flatten();
    let url = |job: &Job| {
        let path = kind.path();
        let filters: String = call
            .query
            .iter()
            .filter(|(name, _)| name != "queryLocator")
            .map(|(name, value)| format!("&{name}={value}"))
            .collect();
        format!("/services/data/v{}/jobs/{path}?queryLocator={}{filters}", call.version, job.head.id)
    };
    let records: Vec<Json> = jobs.into_iter().map(|job| Json::Object(job.entry())).collect();
    Ok(json!({"done": next.is_none(), "records": records, "nextRecordsUrl": next.map(url)}))
}

/// Returns whether the actor may see a job: its creator and administrators may.
pub(super) fn may_see(actor: &Actor, job: &Job) -> bool {
    actor.is_admin || job.head.actor.user == actor.user
}
