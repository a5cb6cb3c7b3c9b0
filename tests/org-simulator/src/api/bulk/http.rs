//! The resources `jobs/query` and `jobs/ingest`.

use http::{HeaderMap, Method, Uri, header};
use serde_json::{Map, Value as Json};

use super::job::wrong_state;
use super::results::{self, Page};
use super::{create, list, multipart};
use crate::api::call::{self, Body, Call, Response};
use crate::model::actor::Actor;
use crate::model::bulk::job::{Job, Kind, State, Work};
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::wire;

/// The largest upload in bytes (limits guide: 150 MB).
pub(crate) const MAX_UPLOAD: usize = 150_000_000;
/// The largest number of characters in the data of a multipart request (Bulk API 2.0 guide, multipart request).
const MAX_INLINE: usize = 100_000;
/// The first API version with ingest jobs and with query jobs.
const SINCE: [(Kind, u32); 2] = [(Kind::Ingest, 41), (Kind::Query, 47)];

/// Serves a request below `jobs`; `None` for other paths.
pub(crate) fn serve(
    org: &mut Org,
    actor: &Actor,
    (method, uri, headers): (&Method, &Uri, &HeaderMap),
    body: &[u8],
) -> Option<Response> {
    let url = uri.path_and_query().map_or("/", |url| url.as_str());
    let call =
        Call::new(method.as_str(), url, None).filter(|call| call.path.first().is_some_and(|name| name == "jobs"))?;
    let request = Request { actor, call: &call, headers, body };
    Some(request.dispatch(org).unwrap_or_else(Response::from))
}

fn described(info: Map<String, Json>) -> Response {
    Response::json(Json::Object(info))
}

fn csv(page: Page) -> Response {
    // On the last page, the header has the value "null" (recorded).
    let locator = page.locator.unwrap_or_else(|| "null".to_owned());
    let headers = vec![
        ("content-type", "text/csv".to_owned()),
        ("sforce-locator", locator),
        ("sforce-numberofrecords", page.records.to_string()),
    ];
    Response { body: Body::Bytes(page.csv.into_bytes()), headers, ..Response::no_content().status(200) }
}

struct Request<'a> {
    actor: &'a Actor,
    call: &'a Call,
    headers: &'a HeaderMap,
    body: &'a [u8],
}

impl Request<'_> {
    fn dispatch(&self, org: &mut Org) -> Result<Response, ApiError> {
        let path: Vec<&str> = self.call.path.iter().skip(1).map(String::as_str).collect();
        let (kind, rest) = match path.as_slice() {
            ["ingest", rest @ ..] => (Kind::Ingest, rest),
            ["query", rest @ ..] => (Kind::Query, rest),
            _ => return Err(call::unknown(self.call)),
        };
        let version = self.call.version.split('.').next().and_then(|version| version.parse::<u32>().ok());
        if SINCE.iter().any(|(known, since)| *known == kind && version.is_none_or(|version| version < *since)) {
            return Err(call::unknown(self.call));
        }
        match (self.call.method.as_str(), rest) {
            ("POST", []) => self.create(org, kind),
            ("GET", []) => list::page(&org.bulk, self.actor, self.call, kind).map(Response::json),
            ("GET", [id]) => self.job(org, kind, id).map(|job| described(job.info())),
            ("PATCH", [id]) => self.change(org, kind, id),
            ("DELETE", [id]) => self.delete(org, kind, id),
            ("PUT", [id, "batches"]) if kind == Kind::Ingest => self.upload(org, id),
            ("GET", [id, "resultPages"]) if kind == Kind::Query => {
                let pages = results::pages(self.job(org, kind, id)?, self.call, org.bulk.page)?;
                Ok(Response::json(pages))
            }
            (
                "GET",
                [
                    id,
                    name @ ("results" | "successfulResults" | "failedResults" | "unprocessedrecords"
                    | "unprocessedRecords"),
                ],
            ) => results::page(self.job(org, kind, id)?, name, self.call, org.bulk.page).map(csv),
            _ => Err(call::unknown(self.call)),
        }
    }

    /// Returns a job of that kind that the user may see.
    fn job<'o>(&self, org: &'o Org, kind: Kind, id: &str) -> Result<&'o Job, ApiError> {
        let job = RecordId::parse(id).and_then(|id| org.bulk.jobs.get(&id));
        job.filter(|job| job.kind() == kind && list::may_see(self.actor, job)).ok_or_else(ApiError::not_found)
    }

    fn content_type(&self) -> &str {
        self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    fn json(&self) -> Result<Map<String, Json>, ApiError> {
        let json = wire::json_body(self.headers, self.body)?;
        let Json::Object(body) = json else { return Err(ApiError::bad_json("A JSON object is expected")) };
        Ok(body)
    }

    fn create(&self, org: &mut Org, kind: Kind) -> Result<Response, ApiError> {
        results::only(self.call, &[])?;
        let version = &self.call.version;
        let mut job = match kind {
            Kind::Query => create::query(org, self.actor, version, &self.json()?)?,
            Kind::Ingest if self.content_type().starts_with("multipart/form-data") => self.with_data(org)?,
            Kind::Ingest => create::ingest(org, self.actor, version, &self.json()?)?,
        };
        let info = job.created();
        job.head.queued = org.clock.now();
        org.bulk.add(job);
        Ok(described(info))
    }

    /// Creates a job together with its data and closes it.
    fn with_data(&self, org: &mut Org) -> Result<Job, ApiError> {
        let parts = multipart::parts(self.content_type(), self.body).map_err(|reason| client_error(&reason))?;
        let body: Map<String, Json> =
            serde_json::from_slice(parts.job).map_err(|error| ApiError::bad_json(error.to_string()))?;
        let data = utf8(parts.content)?;
        if data.chars().count() > MAX_INLINE {
            return Err(client_error(&format!("the data of a multipart request has at most {MAX_INLINE} characters")));
        }
        let mut job = create::ingest(org, self.actor, &self.call.version, &body)?;
        if let Work::Ingest(ingest) = &mut job.work {
            (ingest.upload, ingest.has_data) = (Some(data), true);
        }
        job.head.state = State::UploadComplete;
        Ok(job)
    }

    fn upload(&self, org: &mut Org, id: &str) -> Result<Response, ApiError> {
        results::only(self.call, &[])?;
        let id = self.job(org, Kind::Ingest, id)?.head.id;
        let content_type = self.content_type();
        if !is_csv(content_type) {
            let message = format!("Content-Type header specified in HTTP request is not supported: {content_type}");
            return Err(ApiError::new("UNSUPPORTED_MEDIA_TYPE", message).status(415));
        }
        if self.body.len() > MAX_UPLOAD {
            return Err(client_error(&format!("Failed to read request. Exceeded max size limit of {MAX_UPLOAD}")));
        }
        let data = utf8(self.body)?;
        let Some(Job { head, work: Work::Ingest(ingest) }) = org.bulk.jobs.get_mut(&id) else {
            return Err(ApiError::not_found());
        };
        if head.state != State::Open {
            return Err(wrong_state(format!("Uploading data to a job in state {} not allowed", head.state.name())));
        }
        if ingest.has_data {
            return Err(client_error(&format!(
                "Found multiple contents for job: <{id}>, please 'Close' / 'Abort' / 'Delete' the current Job then create a \
                 new Job and make sure you only do 'PUT' once on a given Job."
            )));
        }
        (ingest.upload, ingest.has_data) = (Some(data), true);
        Ok(Response::no_content().status(201))
    }

    /// Closes or aborts a job.
    fn change(&self, org: &mut Org, kind: Kind, id: &str) -> Result<Response, ApiError> {
        let id = self.job(org, kind, id)?.head.id;
        let body = self.json()?;
        create::known(&body, &["state"])?;
        let wanted = body.get("state").and_then(Json::as_str).unwrap_or_default();
        let now = org.clock.now();
        let stamp = org.stamp();
        let Some(job) = org.bulk.jobs.get_mut(&id) else { return Err(ApiError::not_found()) };
        match wanted {
            "Aborted" if job.head.state.is_final() => {
                return Err(wrong_state("Aborting already Completed Job not allowed"));
            }
            "Aborted" => job.head.enter(State::Aborted, stamp),
            "UploadComplete" if kind == Kind::Query || job.head.state != State::Open => {
                return Err(wrong_state("Closing already Completed Job not allowed"));
            }
            "UploadComplete" => {
                job.head.enter(State::UploadComplete, stamp);
                job.head.queued = now;
            }
            other => return Err(wrong_state(format!("InvalidJobState : Invalid job state: {other}"))),
        }
        let (info, state) = (job.summary(), job.head.state);
        org.bulk.note(id, state);
        Ok(described(info))
    }

    /// Deletes a job that has ended, or an ingest job that has not started (Bulk API 2.0 guide).
    fn delete(&self, org: &mut Org, kind: Kind, id: &str) -> Result<Response, ApiError> {
        let head = &self.job(org, kind, id)?.head;
        let waits = kind == Kind::Ingest && head.state == State::UploadComplete;
        if !head.state.is_final() && !waits {
            return Err(wrong_state(format!("Deleting a job in state {} not allowed", head.state.name())));
        }
        let id = head.id;
        org.bulk.jobs.remove(&id);
        org.bulk.active.remove(&id);
        Ok(Response::no_content())
    }
}

/// Returns whether the content type is `text/csv`, in UTF-8 when a character set is named.
pub(super) fn is_csv(content_type: &str) -> bool {
    let (kind, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    let charset = parameters.trim().to_ascii_lowercase();
    kind.trim().eq_ignore_ascii_case("text/csv")
        && ["", "charset=utf-8", "charset=\"utf-8\""].contains(&charset.as_str())
}

fn utf8(bytes: &[u8]) -> Result<String, ApiError> {
    String::from_utf8(bytes.to_vec()).map_err(|_| client_error("the data is not UTF-8"))
}

/// Returns the error for invalid data; the code is from the guide, the message is unverified.
fn client_error(reason: &str) -> ApiError {
    ApiError::new("CLIENTINPUTERROR", format!("ClientInputError : {reason}"))
}
