//! Bulk API 2.0: query jobs, whose results are pages of CSV, and ingest jobs, which write the rows of a CSV file.
//!
//! # Reading
//!
//! A query job is created, polled until it has ended, and read page by page. Salesforce keeps the results for seven days, and a
//! page can be read again by its locator, so that a reader that was killed goes on at the page after the last one that it stored.
//! A job costs one API call for its creation, and one for each poll, each list of pages and each page.
//!
//! [`Client::open_query_page`] parses a page as its bytes arrive: memory holds one piece of the response and one row, however
//! large the page is. Pages are read one after the other by [`PageStream::next_page`], or several at once by the locators of
//! [`Client::query_page_locators`]; not both, because Salesforce chooses the size of the pages that it lists.
//!
//! ```no_run
//! # use futures::TryStreamExt as _;
//! # use salesforce::bulk::{Columns, JobError, QueryScope};
//! # use salesforce::{Client, FieldName, ObjectName, Soql};
//! # async fn contacts(client: &Client) -> Result<(), JobError> {
//! const CONTACT: ObjectName = ObjectName::from_static("Contact");
//! let soql = Soql::select(&[FieldName::ID, FieldName::from_static("LastName")]).from(&CONTACT);
//! let columns = Columns::of(&client.describe(&CONTACT).await?);
//! let job = client.create_query_job(&soql, QueryScope::Existing).await?;
//! // A function stores the id of the job here, and polls in a later invocation.
//! if client.fetch_query_job(&job.id).await?.is_complete()? {
//!     let read = async |locator| {
//!         let mut page = client.open_query_page(&job.id, Some(&locator), None, &columns).await?;
//!         while let Some(row) = page.next_record().await? {
//!             match row {
//!                 Ok(record) => println!("{}", record.id),
//!                 Err(unreadable) => println!("{unreadable}"),
//!             }
//!         }
//!         Ok(())
//!     };
//!     client.query_page_locators(job.id).try_for_each_concurrent(4, read).await?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Writing
//!
//! An ingest job is created, gets its rows in one upload, is closed and polled; then the results of its rows are read. A job that
//! is complete may have refused every row: [`IngestJob::failed_rows`] counts them, and [`Client::open_ingest_results`] names each.
//! Below some 2,000 records, [`Client::upsert`] says at once what became of each.
//!
//! ```no_run
//! # use salesforce::bulk::{Compression, IngestOperation, IngestRows, JobError, ResultKind};
//! # use salesforce::{Client, FieldName, JsonObject, ObjectName};
//! # async fn upsert(client: &Client, contacts: &[JsonObject]) -> Result<(), JobError> {
//! const CONTACT: ObjectName = ObjectName::from_static("Contact");
//! const KEY: FieldName = FieldName::from_static("Key__c");
//! let columns = [KEY, FieldName::from_static("LastName"), FieldName::from_static("Account.Key__c")];
//! let mut rows = IngestRows::new(&columns, Compression::Gzip)?;
//! for contact in contacts {
//!     if !rows.push(contact)? {
//!         break; // The file is full: the rest goes into another job.
//!     }
//! }
//! let job = client.create_ingest_job(&CONTACT, &IngestOperation::Upsert(KEY)).await?;
//! client.upload_ingest_file(&job.id, &rows.finish()?).await?;
//! client.close_ingest_job(&job.id).await?;
//! // A function polls in a later invocation.
//! if client.fetch_ingest_job(&job.id).await?.is_complete()? {
//!     let mut refused = client.open_ingest_results(&job.id, ResultKind::Failed, None).await?;
//!     while let Some(row) = refused.next_row().await? {
//!         println!("{:?}", row.outcome.errors);
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Salesforce writes the rows of a job in batches of up to 10,000 at the same time, and a row locks its parents. Sort the rows by
//! the parent that most of them share (contacts by `AccountId`), so that the rows of a parent are in one batch; otherwise batches
//! wait for each other, and rows fail with `UNABLE_TO_LOCK_ROW`.
//!
//! # Errors
//!
//! The calls return [`Error`], as all of the client do. [`JobError`] tells apart what matters to a job, and is made from it.
//! A page that did not arrive as a whole is always an error, never a short page.

mod ingest;
mod job_error;
mod pages;
mod query;
mod results;
mod rows;
mod splitter;
mod upload;

use http::Method;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::transport::Request;
use crate::{Client, Error, RecordId};

pub use ingest::{IngestJob, IngestOperation};
pub use job_error::JobError;
pub use pages::PageStream;
pub use query::{Locator, PageList, QueryJob, QueryScope};
pub use results::{IngestResults, IngestRow, ResultKind};
pub use rows::{Columns, RowError};
pub use upload::{Compression, IngestFile, IngestRows};

/// The id of a job, with the prefix `750`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RecordId", into = "RecordId")]
pub struct JobId(RecordId);

impl TryFrom<RecordId> for JobId {
    type Error = Error;

    fn try_from(id: RecordId) -> Result<Self, Error> {
        match id.key_prefix() {
            "750" => Ok(Self(id)),
            _ => Err(Error::Invalid { what: "job id", reason: "does not begin with 750" }),
        }
    }
}

impl From<JobId> for RecordId {
    fn from(job: JobId) -> Self {
        job.0
    }
}

/// The state of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobState {
    /// An ingest job that waits for its rows.
    Open,
    /// Queued at Salesforce.
    UploadComplete,
    /// In progress at Salesforce.
    InProgress,
    /// Complete; its results can be read.
    JobComplete,
    /// Failed.
    Failed,
    /// Stopped by a client or an administrator.
    Aborted,
}

impl JobState {
    /// Returns whether the job has ended.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::JobComplete | Self::Failed | Self::Aborted)
    }
}

/// The two kinds of jobs, which are different resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Query,
    Ingest,
}

impl Client {
    /// Returns the path of the jobs of a kind, or of one of them.
    fn jobs_path(&self, kind: Kind, job: Option<&JobId>) -> String {
        let kind = match kind {
            Kind::Query => "query",
            Kind::Ingest => "ingest",
        };
        self.path(&job.map_or_else(|| format!("jobs/{kind}"), |id| format!("jobs/{kind}/{}", id.0)))
    }

    /// Moves a job to a state. A refusal is a success if `is_done` says so of the job as it is.
    async fn move_job<J: DeserializeOwned>(
        &self,
        (operation, state): (&'static str, JobState),
        path: String,
        is_done: impl Fn(&J) -> bool,
    ) -> Result<J, Error> {
        let body = serde_json::json!({"state": state});
        let request = Request::send(operation, Method::PATCH, path.clone(), &body)?;
        let error = match self.send(&request).await {
            Ok(response) => return response.json(),
            Err(error) => error,
        };
        // Of an earlier attempt that got no response, only the job itself tells.
        match self.send(&Request::get(operation, path)).await.and_then(|response| response.json()) {
            Ok(job) if is_done(&job) => Ok(job),
            _ => Err(error),
        }
    }

    /// Deletes a job. One that does not exist is deleted.
    async fn delete_job(&self, operation: &'static str, path: String) -> Result<(), Error> {
        match self.send(&Request::delete(operation, path)).await {
            Err(error) if error.is_not_found() => Ok(()),
            deleted => deleted.map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_id_has_the_prefix_of_jobs() {
        let id = |text: &str| JobId::try_from(text.parse::<RecordId>().unwrap());
        assert!(id("7505e0000000001AAA").is_ok());
        assert!(id("0015e0000000001AAA").is_err());
    }
}
