//! The responses of Bulk API 1.0: descriptions in XML or JSON, results in CSV, and errors.

use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderName, StatusCode, header};
use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use super::job::records;
use crate::api::bulk::v1::refusal::Refusal;
use crate::api::soap::xml::tag;
use crate::model::bulk::job::{Job, State, Work};
use crate::model::bulk::v1::AsyncJob;
use crate::model::datetime;

const NAMESPACE: &str = "http://www.force.com/2009/06/asyncapi/dataload";

/// The format of descriptions and errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Xml,
    Json,
}

impl Form {
    /// Returns the format of the response: JSON when the client sends or accepts JSON (that `Accept` counts is
    /// unverified).
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let accepts = text(headers, &header::ACCEPT).starts_with("application/json");
        if accepts { Self::Json } else { Self::of_content(headers) }
    }

    /// Returns the format of the request.
    pub(super) fn of_content(headers: &HeaderMap) -> Self {
        if content_type(headers).starts_with("application/json") { Self::Json } else { Self::Xml }
    }

    /// Formats a date; it ends in `Z` in XML and in `+0000` in JSON (recorded, and the guide).
    fn date(self, at: Timestamp) -> Json {
        Json::from(match self {
            Self::Xml => datetime::soap(at),
            Self::Json => datetime::rest(at),
        })
    }

    /// Returns a `jobInfo`, in the recorded order.
    pub(super) fn job(self, job: &AsyncJob) -> Map<String, Json> {
        let (head, mut info) = (&job.template.head, Map::new());
        let mut set = |key: &str, value: Json| info.insert(key.to_owned(), value);
        set("id", json!(head.id.as_str()));
        let Work::Ingest(ingest) = &job.template.work else { return info };
        set("operation", json!(ingest.operation.name()));
        set("object", json!(head.object));
        set("createdById", json!(head.actor.user.as_str()));
        set("createdDate", self.date(head.created));
        set("systemModstamp", self.date(head.changed));
        set("state", json!(job.state.name()));
        if let Some(key) = &ingest.external_id {
            set("externalIdFieldName", json!(key));
        }
        if let Some(rule) = &ingest.assignment_rule {
            set("assignmentRuleId", json!(rule.as_str()));
        }
        set("concurrencyMode", json!("Parallel"));
        set("contentType", json!("CSV"));
        set("numberBatchesQueued", json!(job.count(State::UploadComplete)));
        set("numberBatchesInProgress", json!(job.count(State::InProgress)));
        set("numberBatchesCompleted", json!(job.count(State::JobComplete)));
        set("numberBatchesFailed", json!(job.count(State::Failed)));
        set("numberBatchesTotal", json!(job.batches.len()));
        let counts = job.batches.iter().map(records);
        let (processed, failed) = counts.fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
        set("numberRecordsProcessed", json!(processed));
        set("numberRetries", json!(0));
        set("apiVersion", head.version.parse::<f64>().map_or(Json::Null, Json::from));
        set("numberRecordsFailed", json!(failed));
        times(&mut info, job.batches.iter().map(|batch| batch.head.took_ms).sum());
        info
    }

    /// Returns a `batchInfo`.
    pub(super) fn batch(self, job: &AsyncJob, batch: &Job) -> Map<String, Json> {
        let (head, mut info) = (&batch.head, Map::new());
        let mut set = |key: &str, value: Json| info.insert(key.to_owned(), value);
        set("id", json!(head.id.as_str()));
        set("jobId", json!(job.template.head.id.as_str()));
        set("state", json!(state(head.state)));
        if let Some(error) = &head.error {
            set("stateMessage", json!(error));
        }
        set("createdDate", self.date(head.created));
        set("systemModstamp", self.date(head.changed));
        let (processed, failed) = records(batch);
        set("numberRecordsProcessed", json!(processed));
        set("numberRecordsFailed", json!(failed));
        times(&mut info, head.took_ms);
        info
    }

    pub(crate) fn response(self, status: StatusCode, element: &str, info: &Map<String, Json>) -> Response {
        match self {
            Self::Json => crate::wire::json_response(status.as_u16(), &Json::Object(info.clone())),
            Self::Xml => xml(status, element, &elements(info)),
        }
    }
}

/// Adds the times in milliseconds; Apex never runs.
fn times(info: &mut Map<String, Json>, took_ms: i64) {
    for (key, value) in
        [("totalProcessingTime", took_ms), ("apiActiveProcessingTime", took_ms), ("apexProcessingTime", 0)]
    {
        info.insert(key.to_owned(), json!(value));
    }
}

/// Returns the state of a batch from the state of its ingest job.
fn state(state: State) -> &'static str {
    match state {
        State::Open | State::UploadComplete => "Queued",
        State::InProgress => "InProgress",
        State::JobComplete => "Completed",
        State::Failed => "Failed",
        State::Aborted => "NotProcessed",
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

pub(super) fn content_type(headers: &HeaderMap) -> &str {
    text(headers, &header::CONTENT_TYPE)
}

fn elements(info: &Map<String, Json>) -> String {
    let text = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    info.iter().map(|(name, value)| format!("\n {}", tag(name, &text(value)))).collect()
}

fn xml(status: StatusCode, root: &str, content: &str) -> Response {
    let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
    let body = format!("{head}<{root}\n   xmlns=\"{NAMESPACE}\">{content}\n</{root}>");
    (status, [(header::CONTENT_TYPE, "application/xml")], body).into_response()
}

/// Returns the description of a job or a batch.
pub(super) fn described(status: u16, form: Form, element: &str, info: Map<String, Json>) -> Response {
    form.response(StatusCode::from_u16(status).unwrap_or(StatusCode::OK), element, &info)
}

/// Returns the description of all batches of a job.
pub(super) fn batches(form: Form, job: &AsyncJob) -> Response {
    let all = job.batches.iter().map(|batch| form.batch(job, batch));
    match form {
        Form::Json => {
            let all: Vec<Json> = all.map(Json::Object).collect();
            crate::wire::json_response(200, &json!({"batchInfo": all}))
        }
        Form::Xml => {
            let all: String = all.map(|info| format!("\n <batchInfo>{}\n </batchInfo>", elements(&info))).collect();
            xml(StatusCode::OK, "batchInfoList", &all)
        }
    }
}

pub(super) fn csv(text: String) -> Response {
    ([(header::CONTENT_TYPE, "text/csv")], text).into_response()
}

impl Refusal {
    pub(super) fn response(self, form: Form) -> Response {
        let mut info = Map::new();
        info.insert("exceptionCode".to_owned(), json!(self.code));
        info.insert("exceptionMessage".to_owned(), json!(self.message));
        form.response(StatusCode::BAD_REQUEST, "error", &info)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::errors::ApiError;

    #[test]
    fn a_code_before_the_message_becomes_the_code() {
        let of = |code, message: &str| Refusal::from(ApiError::new(code, message));
        let job = of("INVALIDJOB", "InvalidJob : Unable to find object: X");
        assert_eq!((job.code.as_str(), job.message.as_str()), ("InvalidJob", "Unable to find object: X"));
        let entity = of("INVALIDENTITY", "Entity 'X' is not supported by the Bulk API.");
        assert_eq!(entity.code, "InvalidEntity");
    }
}
