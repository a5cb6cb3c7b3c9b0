//! The JSON of a Bulk API 2.0 job, and the errors about its state.

use serde_json::{Map, Value as Json, json};

use crate::model::bulk::job::{Head, Job, State, Work};
use crate::model::datetime::{self, whole_seconds};
use crate::model::errors::ApiError;

/// Returns the error for a request that the job's state does not allow.
pub(crate) fn wrong_state(message: impl Into<String>) -> ApiError {
    ApiError::new("INVALIDJOBSTATE", message)
}

/// Returns the error for an invalid job; Bulk API 2.0 repeats the code in the message.
pub(crate) fn invalid_job(message: impl std::fmt::Display) -> ApiError {
    ApiError::new("INVALIDJOB", format!("InvalidJob : {message}"))
}

impl Job {
    /// Returns the properties with which every job description begins; the response to a change of state has only
    /// these.
    pub(crate) fn summary(&self) -> Map<String, Json> {
        let mut info = Map::new();
        let mut set = |key: &str, value: Json| info.insert(key.to_owned(), value);
        set("id", json!(self.head.id.as_str()));
        let operation = match &self.work {
            Work::Ingest(ingest) => ingest.operation.name(),
            Work::Query(query) => query.operation(),
        };
        set("operation", json!(operation));
        set("object", json!(self.head.object));
        set("createdById", json!(self.head.actor.user.as_str()));
        set("createdDate", json!(datetime::rest(whole_seconds(self.head.created))));
        set("systemModstamp", json!(datetime::rest(whole_seconds(self.head.changed))));
        set("state", json!(self.head.state.name()));
        if let Work::Ingest(ingest) = &self.work {
            if let Some(key) = &ingest.external_id {
                set("externalIdFieldName", json!(key));
            }
            if let Some(rule) = &ingest.assignment_rule {
                set("assignmentRuleId", json!(rule.as_str()));
            }
        }
        set("concurrencyMode", json!("Parallel"));
        set("contentType", json!("CSV"));
        set("apiVersion", self.head.version.parse::<f64>().map_or(Json::Null, Json::from));
        info
    }

    /// Returns the response to the creation of a job.
    pub(crate) fn created(&self) -> Map<String, Json> {
        let mut info = self.summary();
        if self.head.state == State::Open {
            info.insert("contentUrl".to_owned(), json!(self.head.content_url()));
        }
        self.add_format(&mut info);
        info
    }

    /// Returns the entry in a list of jobs.
    pub(crate) fn entry(&self) -> Map<String, Json> {
        let mut info = self.summary();
        info.insert("jobType".to_owned(), json!(self.kind().job_type()));
        if self.head.state == State::Open {
            info.insert("contentUrl".to_owned(), json!(self.head.content_url()));
        }
        self.add_format(&mut info);
        info
    }

    /// Returns all properties of a job.
    pub(crate) fn info(&self) -> Map<String, Json> {
        let mut info = self.entry();
        let mut set = |key: &str, value: Json| info.insert(key.to_owned(), value);
        let (processed, failed) = match &self.work {
            Work::Ingest(ingest) => (ingest.outcomes.len(), Some(ingest.failed())),
            Work::Query(query) => (query.rows(), None),
        };
        set("numberRecordsProcessed", json!(processed));
        if let Some(failed) = failed {
            set("numberRecordsFailed", json!(failed));
        }
        set("retries", json!(0));
        set("totalProcessingTime", json!(self.head.took_ms));
        if let Work::Query(query) = &self.work {
            set("isPkChunkingSupported", json!(query.chunkable));
        } else {
            set("apiActiveProcessingTime", json!(self.head.took_ms));
            set("apexProcessingTime", json!(0));
        }
        if let Some(error) = &self.head.error {
            set("errorMessage", json!(error));
        }
        info
    }

    fn add_format(&self, info: &mut Map<String, Json>) {
        info.insert("lineEnding".to_owned(), json!(self.head.format.line_ending.name()));
        info.insert("columnDelimiter".to_owned(), json!(self.head.format.delimiter_name()));
    }
}

impl Head {
    /// Relative to the host, without a leading slash (as recorded).
    fn content_url(&self) -> String {
        format!("services/data/v{}/jobs/ingest/{}/batches", self.version, self.id)
    }
}
