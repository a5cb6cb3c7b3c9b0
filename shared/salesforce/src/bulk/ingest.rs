//! Ingest jobs: the same write for each row of a CSV upload.

use http::Method;
use serde::{Deserialize, Serialize};

use super::job_error::{JobError, code_of};
use super::{IngestFile, JobId, JobState, Kind};
use crate::transport::{Body, Request};
use crate::{Client, Error, FieldName, ObjectName};

/// The write that an ingest job makes of each row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IngestOperation {
    /// Creates a record.
    Insert,
    /// Updates the record of the column `Id`.
    Update,
    /// Updates the record that has the value of this column, or creates one. A row without a value fails.
    Upsert(FieldName),
    /// Moves the record of the column `Id`, the only one, to the recycle bin.
    Delete,
    /// Deletes the record of the column `Id`, the only one, for good. Needs the permission "Bulk API Hard Delete".
    HardDelete,
}

impl IngestOperation {
    fn name(&self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Upsert(_) => "upsert",
            Self::Delete => "delete",
            Self::HardDelete => "hardDelete",
        }
    }
}

/// An ingest job.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IngestJob {
    /// Its id.
    pub id: JobId,
    /// The object of the records.
    pub object: ObjectName,
    /// Its state. A complete job has tried every row, and may have written none.
    pub state: JobState,
    /// The number of rows that were tried so far.
    #[serde(default, rename = "numberRecordsProcessed")]
    pub rows: u64,
    /// The number of rows that Salesforce has refused so far.
    #[serde(default, rename = "numberRecordsFailed")]
    pub failed_rows: u64,
    #[serde(default)]
    error_message: Option<String>,
}

impl IngestJob {
    /// Returns the code of the failure, such as `InvalidBatch`. `None` if the job has not failed or Salesforce named no code.
    #[must_use]
    pub fn failure_code(&self) -> Option<&str> {
        code_of(self.failure_message()?)
    }

    /// Returns Salesforce's message about the failure. It may have record data: never log it.
    #[must_use]
    pub fn failure_message(&self) -> Option<&str> {
        self.error_message.as_deref().filter(|_| self.state == JobState::Failed)
    }

    /// Returns whether every row was tried, so that the results can be read; `false` while Salesforce works on the job.
    ///
    /// # Errors
    ///
    /// [`JobError::Failed`] or [`JobError::Aborted`] if the job ended before. Rows may have been written by then, which the
    /// results of the job say as well.
    pub fn is_complete(&self) -> Result<bool, JobError> {
        JobError::check(self.state, self.failure_code())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewIngestJob<'a> {
    object: &'a ObjectName,
    operation: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id_field_name: Option<&'a FieldName>,
    content_type: &'static str,
    column_delimiter: &'static str,
    line_ending: &'static str,
}

impl Client {
    /// Creates an ingest job. It writes nothing until it is closed; one whose creation got no response is never closed, and
    /// Salesforce deletes it.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`]; [`JobError`] tells the reasons apart.
    pub async fn create_ingest_job(
        &self,
        object: &ObjectName,
        operation: &IngestOperation,
    ) -> Result<IngestJob, Error> {
        let key = match operation {
            IngestOperation::Upsert(key) => Some(key),
            _ => None,
        };
        let job = NewIngestJob {
            object,
            operation: operation.name(),
            external_id_field_name: key,
            content_type: "CSV",
            column_delimiter: "COMMA",
            line_ending: "LF",
        };
        let request = Request::send("create the ingest job", Method::POST, self.jobs_path(Kind::Ingest, None), &job)?;
        self.send(&request.once()).await?.json()
    }

    /// Uploads the rows of an open job, once.
    ///
    /// # Errors
    ///
    /// [`Error::NoResponse`] if the rows may have arrived. Salesforce refuses a second upload, so stop the job and create another
    /// one: a job that is not closed writes nothing.
    pub async fn upload_ingest_file(&self, id: &JobId, file: &IngestFile) -> Result<(), Error> {
        let path = format!("{}/batches", self.jobs_path(Kind::Ingest, Some(id)));
        let request = Request {
            method: Method::PUT,
            body: Body::Csv(file.clone()),
            ..Request::get("upload the rows of the ingest job", path)
        };
        self.send(&request.unless_applied()).await.map(drop)
    }

    /// Closes an open job: Salesforce begins to write. A job that is closed stays as it is.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] if the job was stopped or does not exist.
    pub async fn close_ingest_job(&self, id: &JobId) -> Result<IngestJob, Error> {
        let is_closed = |job: &IngestJob| !matches!(job.state, JobState::Open | JobState::Aborted);
        let path = self.jobs_path(Kind::Ingest, Some(id));
        self.move_job(("close the ingest job", JobState::UploadComplete), path, is_closed).await
    }

    /// Fetches the state of an ingest job.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with `NOT_FOUND` for a job that was deleted or has expired.
    pub async fn fetch_ingest_job(&self, id: &JobId) -> Result<IngestJob, Error> {
        self.send(&Request::get("read the ingest job", self.jobs_path(Kind::Ingest, Some(id)))).await?.json()
    }

    /// Stops an ingest job. What it has written stays written, and a job that has ended stays as it is: see its state.
    ///
    /// # Errors
    ///
    /// Those of [`Client::fetch_ingest_job`].
    pub async fn abort_ingest_job(&self, id: &JobId) -> Result<IngestJob, Error> {
        let path = self.jobs_path(Kind::Ingest, Some(id));
        self.move_job(("stop the ingest job", JobState::Aborted), path, |job: &IngestJob| job.state.is_final()).await
    }

    /// Deletes an ingest job that has ended, and its results. The records that it has written stay.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] if the job has not ended.
    pub async fn delete_ingest_job(&self, id: &JobId) -> Result<(), Error> {
        self.delete_job("delete the ingest job", self.jobs_path(Kind::Ingest, Some(id))).await
    }
}
