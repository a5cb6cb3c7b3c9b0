//! Bulk API 1.0 below `/services/async/{version}/job`: jobs whose rows come as batches of CSV.
//!
//! A batch is processed like an ingest job of Bulk API 2.0, by the same clock and with the same writes. Query jobs,
//! serial jobs, PK chunking and content other than CSV are rejected. Codes are from the Bulk API guide; where neither
//! it nor a recording has the message of an error, the message is unverified.

mod answer;
pub(crate) mod call;
mod create;
pub(crate) mod job;
pub(crate) mod refusal;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use axum::routing::any;
use http::{HeaderMap, Method};

use crate::api::bulk::http::is_csv;
use crate::api::bulk::list::may_see;
use crate::api::bulk::v1::answer::Form;
use crate::api::bulk::v1::call::Call;
use crate::api::bulk::v1::refusal::Refusal;
use crate::identity::realm::Shared;
use crate::model::actor::Actor;
use crate::model::bulk::csv::{LineEnding, Table};
use crate::model::bulk::job::Work;
use crate::model::bulk::v1::AsyncJob;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::versions::is_version;
use crate::wire;

pub(super) use job::settle;

/// The largest batch, in bytes and records (limits guide, Bulk API).
const MAX_BATCH: usize = 10_000_000;
const MAX_RECORDS: usize = crate::api::bulk::advance::BATCH;

/// Returns the routes of Bulk API 1.0.
pub(crate) fn routes() -> Router<Shared> {
    Router::new().route("/services/async/{version}/{*path}", any(serve))
}

async fn serve(
    State(shared): State<Shared>,
    Path((version, path)): Path<(String, String)>,
    (method, RawQuery(query)): (Method, RawQuery),
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let form = Form::of(&headers);
    if let Some(query) = query.filter(|query| !query.is_empty()) {
        tracing::warn!(query, "the simulator knows no parameters of Bulk API 1.0");
        return Refusal::new("InvalidUrl", "The resources of Bulk API 1.0 have no parameters").response(form);
    }
    let Ok(body) = body else { return too_large().response(form) };
    let mut org = shared.org();
    crate::api::bulk::work::settle(&mut org);
    let answer = authenticated(&mut org, &headers).and_then(|actor| {
        let path: Vec<&str> = path.trim_end_matches('/').split('/').collect();
        let call = Call { actor: &actor, version: &version, form, headers: &headers, body: &body };
        call.dispatch(&mut org, &method, &path)
    });
    crate::api::bulk::work::settle(&mut org);
    answer.unwrap_or_else(|refusal| refusal.response(form))
}

/// Authenticates the user of `X-SFDC-Session`, the header of Bulk API 1.0, or of `Authorization`.
fn authenticated(org: &mut Org, headers: &HeaderMap) -> Result<Actor, Refusal> {
    let session = headers.get("x-sfdc-session").and_then(|value| value.to_str().ok());
    let invalid = || Refusal::new("InvalidSessionId", "Invalid session id");
    let actor = org.api_actor(session.or_else(|| wire::bearer(headers)).ok_or_else(invalid)?).map_err(|error| {
        if error.status == 401 { invalid() } else { Refusal::new("FeatureNotEnabled", error.message) }
    })?;
    let now = org.clock.now();
    if org.limits.take(now) { Ok(actor) } else { Err(Refusal::new("ExceededQuota", "TotalRequests Limit exceeded.")) }
}

fn too_large() -> Refusal {
    Refusal::new("ClientInputError", format!("Failed to read request. Exceeded max size limit of {MAX_BATCH}"))
}

fn no_job(id: &str) -> Refusal {
    Refusal::new("InvalidJob", format!("Unable to find job: {id}"))
}

impl Call<'_> {
    pub(crate) fn dispatch(&self, org: &mut Org, method: &Method, path: &[&str]) -> Result<Response, Refusal> {
        if !is_version(self.version) {
            tracing::warn!(version = self.version, "the simulator does not know this version of Bulk API 1.0");
            return Err(Refusal::new("InvalidUrl", format!("unknown version: {}", self.version)));
        }
        match (method.as_str(), path) {
            ("POST", ["job"]) => {
                let job = create::job(org, self)?;
                let described = self.form.job(&job);
                org.bulk.v1.insert(job.template.head.id, job);
                Ok(answer::described(201, self.form, "jobInfo", described))
            }
            ("GET", ["job", id]) => {
                let described = self.form.job(self.job(org, id)?);
                Ok(answer::described(200, self.form, "jobInfo", described))
            }
            ("POST", ["job", id]) => self.change(org, id),
            ("POST", ["job", id, "batch"]) => self.add(org, id),
            ("GET", ["job", id, "batch"]) => Ok(answer::batches(self.form, self.job(org, id)?)),
            ("GET", ["job", id, "batch", batch]) => {
                let job = self.job(org, id)?;
                let described = self.form.batch(job, job.batch(batch)?);
                Ok(answer::described(200, self.form, "batchInfo", described))
            }
            ("GET", ["job", id, "batch", batch, "request"]) => {
                Ok(answer::csv(job::request(self.job(org, id)?.batch(batch)?)))
            }
            ("GET", ["job", id, "batch", batch, "result"]) => {
                job::results(self.job(org, id)?.batch(batch)?).map(answer::csv)
            }
            _ => {
                tracing::warn!(%method, path = path.join("/"), "the simulator does not know this resource of Bulk API 1.0");
                Err(Refusal::new("InvalidUrl", "The URL is not one of Bulk API 1.0"))
            }
        }
    }

    /// Returns the id of a job that the user may see.
    fn id(&self, org: &Org, id: &str) -> Result<RecordId, Refusal> {
        self.job(org, id).map(|job| job.template.head.id)
    }

    fn job<'o>(&self, org: &'o Org, id: &str) -> Result<&'o AsyncJob, Refusal> {
        let job = RecordId::parse(id).and_then(|id| org.bulk.v1.get(&id));
        job.filter(|job| may_see(self.actor, &job.template)).ok_or_else(|| no_job(id))
    }

    /// Closes or aborts a job.
    fn change(&self, org: &mut Org, id: &str) -> Result<Response, Refusal> {
        let id = self.id(org, id)?;
        let wanted = create::wanted_state(self)?;
        let now = org.stamp();
        let job = org.bulk.v1.get_mut(&id).ok_or_else(|| no_job(id.as_str()))?;
        job.enter(wanted, now)?;
        let described = self.form.job(job);
        Ok(answer::described(200, self.form, "jobInfo", described))
    }

    fn add(&self, org: &mut Org, id: &str) -> Result<Response, Refusal> {
        let id = self.id(org, id)?;
        let content_type = answer::content_type(self.headers);
        if !is_csv(content_type) {
            tracing::warn!(content_type, "the simulator serves batches of CSV only");
            return Err(Refusal::new("InvalidBatch", format!("Content-Type of a CSV batch is not {content_type}")));
        }
        if self.body.len() > MAX_BATCH {
            return Err(too_large());
        }
        let text = String::from_utf8(self.body.to_vec())
            .map_err(|_| Refusal::new("ClientInputError", "The data is not UTF-8"))?;
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
        Ok(answer::described(201, self.form, "batchInfo", described))
    }
}
