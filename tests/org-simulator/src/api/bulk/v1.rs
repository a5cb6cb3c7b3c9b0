//! Bulk API 1.0 below `/services/async/{version}/job`: jobs whose rows come as batches of CSV.
//!
//! A batch is processed like an ingest job of Bulk API 2.0, by the same clock and with the same writes. Query jobs,
//! serial jobs, PK chunking and content other than CSV are rejected. Codes are from the Bulk API guide; where neither
//! it nor a recording has the message of an error, the message is unverified.

pub(crate) mod call;
mod create;
pub(crate) mod error;
pub(crate) mod job;
mod response;

use std::net::IpAddr;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use axum::routing::any;
use http::{HeaderMap, Method};

use crate::api::bulk::list::may_see;
use crate::api::bulk::v1::call::Call;
use crate::api::bulk::v1::error::AsyncError;
use crate::api::bulk::v1::response::BodyFormat;
use crate::identity::realm::Shared;
use crate::model::actor::Actor;
use crate::model::bulk::csv::{LineEnding, Table, is_csv};
use crate::model::bulk::job::Work;
use crate::model::bulk::v1::AsyncJob;
use crate::model::errors::retired_message;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::versions::{is_retired, is_version};
use crate::wire::{self, ClientAddress};

/// The largest batch, in bytes and records (limits guide, Bulk API).
const MAX_BATCH: usize = 10_000_000;
const MAX_RECORDS: usize = crate::api::bulk::advance::BATCH_ROWS;

/// Returns the routes of Bulk API 1.0.
pub(crate) fn routes() -> Router<Shared> {
    Router::new().route("/services/async/{version}/{*path}", any(serve))
}

async fn serve(
    State(shared): State<Shared>,
    Path((version, path)): Path<(String, String)>,
    (method, RawQuery(query), ClientAddress(from)): (Method, RawQuery, ClientAddress),
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let form = BodyFormat::of(&headers);
    if let Some(query) = query.filter(|query| !query.is_empty()) {
        tracing::warn!(query, "the simulator does not support parameters of Bulk API 1.0");
        return AsyncError::new("InvalidUrl", "The resources of Bulk API 1.0 have no parameters").response(form);
    }
    let Ok(body) = body else { return too_large().response(form) };
    let mut org = shared.org();
    crate::api::bulk::work::process_due_jobs(&mut org);
    let response = authenticated(&mut org, &headers, from).and_then(|actor| {
        let path: Vec<&str> = path.trim_end_matches('/').split('/').collect();
        let call = Call { actor: &actor, version: &version, form, headers: &headers, body: &body };
        call.dispatch(&mut org, &method, &path)
    });
    crate::api::bulk::work::process_due_jobs(&mut org);
    response.unwrap_or_else(|error| error.response(form))
}

/// Authenticates the user of `X-SFDC-Session`, the header of Bulk API 1.0, or of `Authorization`.
fn authenticated(org: &mut Org, headers: &HeaderMap, from: Option<IpAddr>) -> Result<Actor, AsyncError> {
    let session = headers.get("x-sfdc-session").and_then(|value| value.to_str().ok());
    let invalid = || AsyncError::new("InvalidSessionId", "Invalid session id");
    let session = session.or_else(|| wire::bearer(headers)).ok_or_else(invalid)?;
    let actor = org.api_actor(session, from).map_err(|error| {
        if error.status == 401 { invalid() } else { AsyncError::new("FeatureNotEnabled", error.message) }
    })?;
    let now = org.clock.now();
    if org.limits.take(now, 1) {
        Ok(actor)
    } else {
        Err(AsyncError::new("ExceededQuota", "TotalRequests Limit exceeded."))
    }
}

fn too_large() -> AsyncError {
    AsyncError::new("ClientInputError", format!("Failed to read request. Exceeded max size limit of {MAX_BATCH}"))
}

fn no_job(id: &str) -> AsyncError {
    AsyncError::new("InvalidJob", format!("Unable to find job: {id}"))
}

impl Call<'_> {
    pub(crate) fn dispatch(&self, org: &mut Org, method: &Method, path: &[&str]) -> Result<Response, AsyncError> {
        if is_retired(self.version) {
            return Err(AsyncError::new("InvalidVersion", retired_message(self.version)));
        }
        if !is_version(self.version) {
            tracing::warn!(version = self.version, "the simulator does not support this version of Bulk API 1.0");
            return Err(AsyncError::new("InvalidUrl", format!("unknown version: {}", self.version)));
        }
        match (method.as_str(), path) {
            ("POST", ["job"]) => {
                let job = create::job(org, self)?;
                let described = self.form.job(&job);
                org.bulk.v1.insert(job.template.head.id, job);
                Ok(response::described(201, self.form, "jobInfo", described))
            }
            ("GET", ["job", id]) => {
                let described = self.form.job(self.job(org, id)?);
                Ok(response::described(200, self.form, "jobInfo", described))
            }
            ("POST", ["job", id]) => self.change(org, id),
            ("POST", ["job", id, "batch"]) => self.add(org, id),
            ("GET", ["job", id, "batch"]) => Ok(response::batches(self.form, self.job(org, id)?)),
            ("GET", ["job", id, "batch", batch]) => {
                let job = self.job(org, id)?;
                let described = self.form.batch(job, job.batch(batch)?);
                Ok(response::described(200, self.form, "batchInfo", described))
            }
            ("GET", ["job", id, "batch", batch, "request"]) => {
                Ok(response::csv(job::request(self.job(org, id)?.batch(batch)?)))
            }
            ("GET", ["job", id, "batch", batch, "result"]) => {
                job::results(self.job(org, id)?.batch(batch)?).map(response::csv)
            }
            _ => {
                tracing::warn!(%method, path = path.join("/"), "the simulator does not support this resource of Bulk API 1.0");
                Err(AsyncError::new("InvalidUrl", "The URL is not one of Bulk API 1.0"))
            }
        }
    }

    /// Returns the id of a job that the user may see.
    fn id(&self, org: &Org, id: &str) -> Result<RecordId, AsyncError> {
        self.job(org, id).map(|job| job.template.head.id)
    }

    fn job<'o>(&self, org: &'o Org, id: &str) -> Result<&'o AsyncJob, AsyncError> {
        let job = RecordId::parse(id).and_then(|id| org.bulk.v1.get(&id));
        job.filter(|job| may_see(self.actor, &job.template)).ok_or_else(|| no_job(id))
    }

    /// Closes or aborts a job.
    fn change(&self, org: &mut Org, id: &str) -> Result<Response, AsyncError> {
        let id = self.id(org, id)?;
        let requested = create::requested_state(self)?;
        let now = org.stamp();
        let job = org.bulk.v1.get_mut(&id).ok_or_else(|| no_job(id.as_str()))?;
        job.enter(requested, now)?;
        let described = self.form.job(job);
        Ok(response::described(200, self.form, "jobInfo", described))
    }

    fn add(&self, org: &mut Org, id: &str) -> Result<Response, AsyncError> {
        let id = self.id(org, id)?;
        let content_type = response::content_type(self.headers);
        if !is_csv(content_type) {
            tracing::warn!(content_type, "the simulator supports only CSV batches");
            return Err(AsyncError::new("InvalidBatch", format!("Content-Type of a CSV batch is not {content_type}")));
        }
        if self.body.len() > MAX_BATCH {
            return Err(too_large());
        }
        let text = String::from_utf8(self.body.to_vec())
            .map_err(|_| AsyncError::new("ClientInputError", "The data is not UTF-8"))?;
        let (now, stamp, batch_id) = (org.clock.now(), org.stamp(), org.ids.next("751"));
        let job = org.bulk.v1.get_mut(&id).ok_or_else(|| no_job(id.as_str()))?;
        job.takes_batches()?;
        let mut batch = job.template.clone();
        let head = &mut batch.head;
        (head.id, head.created, head.changed, head.queued) = (batch_id, stamp, stamp, now);
        head.state = crate::model::bulk::job::State::UploadComplete;
        // Jobs do not name a line ending, so it is detected from the batch.
        if text.split_once('\n').is_some_and(|(first, _)| first.ends_with('\r')) {
            head.format.line_ending = LineEnding::Crlf;
        }
        if Table::new(text.clone(), head.format).is_ok_and(|table| table.len() > MAX_RECORDS) {
            head.fail(format!("InvalidBatch : Exceeded max number of records {MAX_RECORDS}"), now);
        }
        if let Work::Ingest(ingest) = &mut batch.work {
            (ingest.upload, ingest.has_data) = (Some(text), true);
        }
        let described = self.form.batch(job, &batch);
        job.batches.push(batch);
        Ok(response::described(201, self.form, "batchInfo", described))
    }
}
