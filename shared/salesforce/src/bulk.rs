//! Bulk API 2.0: query jobs, whose results are pages of CSV.
//!
//! A job is created, polled until it has ended, and read page by page; a page is bounded by the number of its rows. Salesforce
//! keeps the results for seven days, and a page can be read again by its locator, so that a reader that was killed goes on at
//! the page after the last one that it stored. A job costs one API call for its creation, and one for each poll and each page.
//!
//! ```no_run
//! # use salesforce::bulk::{Columns, JobState, QueryScope};
//! # use salesforce::{Client, Error, FieldName, ObjectName, Soql};
//! # async fn contacts(client: &Client) -> Result<(), Error> {
//! const CONTACT: ObjectName = ObjectName::from_static("Contact");
//! let soql = Soql::select(&[FieldName::ID, FieldName::from_static("LastName")]).from(&CONTACT);
//! let columns = Columns::of(&client.describe(&CONTACT).await?);
//! let job = client.create_query_job(&soql, QueryScope::Existing).await?;
//! // A function stores the id of the job here, and polls in a later invocation.
//! if client.fetch_query_job(&job.id).await?.state == JobState::JobComplete {
//!     let mut locator = None;
//!     loop {
//!         let page = client.fetch_query_page(&job.id, locator.as_ref(), 10_000).await?;
//!         for record in page.records(&columns) {
//!             println!("{}", record?.id);
//!         }
//!         locator = page.next;
//!         if locator.is_none() {
//!             break;
//!         }
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod rows;

use http::Method;
use serde::{Deserialize, Serialize};

use crate::transport::Request;
use crate::{Client, Error, ObjectName, RecordId, Soql};

pub use rows::{Columns, Records};

/// The longest locator. Those of Salesforce have fewer than 100 characters.
const MAX_LOCATOR_CHARS: usize = 1_000;

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

/// The rows that a query job reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryScope {
    /// Those that exist.
    Existing,
    /// Deleted and archived ones too.
    All,
}

/// The state of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobState {
    /// An ingest job that waits for its rows.
    Open,
    /// It waits for its turn.
    UploadComplete,
    /// Salesforce works on it.
    InProgress,
    /// It has ended, and its results can be read.
    JobComplete,
    /// It has failed.
    Failed,
    /// It was stopped.
    Aborted,
}

impl JobState {
    /// Returns whether the job has ended.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::JobComplete | Self::Failed | Self::Aborted)
    }
}

/// A query job.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueryJob {
    /// Its id.
    pub id: JobId,
    /// The object of the query.
    pub object: ObjectName,
    /// Its state.
    pub state: JobState,
    /// The number of rows that were found so far.
    #[serde(default, rename = "numberRecordsProcessed")]
    pub rows: u64,
    #[serde(default)]
    error_message: Option<String>,
}

impl QueryJob {
    /// Returns the code of the failure, such as `INVALID_FIELD`; the message behind it may have record data. `None` if the job
    /// has not failed or Salesforce named no code.
    #[must_use]
    pub fn failure_code(&self) -> Option<&str> {
        let message = self.error_message.as_deref().filter(|_| self.state == JobState::Failed)?;
        let code = message.trim_start().split(|char: char| !(char.is_ascii_uppercase() || char == '_')).next()?;
        (code.len() > 3).then_some(code)
    }
}

/// The place of a page in the results of a job. Opaque.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Locator(String);

impl TryFrom<String> for Locator {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        if !text.is_empty() && text.len() <= MAX_LOCATOR_CHARS && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text))
        } else {
            Err(Error::Invalid { what: "locator", reason: "is not 1 to 1,000 visible ASCII characters" })
        }
    }
}

impl From<Locator> for String {
    fn from(locator: Locator) -> Self {
        locator.0
    }
}

/// A page of results.
#[derive(Clone, Debug)]
pub struct CsvPage {
    csv: Vec<u8>,
    /// The next page; `None` after the last one.
    pub next: Option<Locator>,
}

impl CsvPage {
    /// Returns the rows as records, each with its own error.
    #[must_use]
    pub fn records<'a>(&'a self, columns: &'a Columns) -> Records<'a> {
        Records::new(&self.csv, columns)
    }

    /// Returns the size of the CSV in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.csv.len()
    }
}

/// The pages of a job that can be read at the same time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageList {
    /// Their locators.
    pub pages: Vec<Locator>,
    /// The locator with which the list goes on; `None` at its end.
    pub next: Option<Locator>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResultPages {
    #[serde(default)]
    result_pages: Vec<ResultPage>,
    // The guide calls it by both names.
    #[serde(default, alias = "nextRecordUrl")]
    next_records_url: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResultPage {
    result_url: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewQueryJob {
    operation: &'static str,
    query: String,
    content_type: &'static str,
    column_delimiter: &'static str,
    line_ending: &'static str,
}

impl Client {
    /// Creates a query job. A job whose creation got no response may exist: it runs, ends and is deleted after seven days.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with `INVALIDENTITY` if Bulk cannot query the object, `EXCEEDED_MAX_...` if the org has used its jobs
    /// of the day.
    pub async fn create_query_job(&self, soql: &Soql, scope: QueryScope) -> Result<QueryJob, Error> {
        let operation = match scope {
            QueryScope::Existing => "query",
            QueryScope::All => "queryAll",
        };
        let job = NewQueryJob {
            operation,
            query: soql.to_string(),
            content_type: "CSV",
            column_delimiter: "COMMA",
            line_ending: "LF",
        };
        let request = Request::send("create the query job", Method::POST, self.path("jobs/query"), &job)?;
        self.send(&request).await?.json()
    }

    /// Fetches the state of a query job.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with `NOT_FOUND` for a job that was deleted or has expired.
    pub async fn fetch_query_job(&self, id: &JobId) -> Result<QueryJob, Error> {
        self.send(&Request::get("read the query job", self.job_path(id))).await?.json()
    }

    /// Stops a query job. One that has ended stays as it is.
    ///
    /// # Errors
    ///
    /// Those of [`Client::fetch_query_job`].
    pub async fn abort_query_job(&self, id: &JobId) -> Result<QueryJob, Error> {
        let body = serde_json::json!({"state": JobState::Aborted});
        let request = Request::send("stop the query job", Method::PATCH, self.job_path(id), &body)?;
        match self.send(&request).await {
            Ok(response) => response.json(),
            Err(error) => match self.fetch_query_job(id).await {
                Ok(job) if job.state.is_final() => Ok(job),
                _ => Err(error),
            },
        }
    }

    /// Deletes a query job that has ended, and its results.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] if the job has not ended.
    pub async fn delete_query_job(&self, id: &JobId) -> Result<(), Error> {
        let request = Request::delete("delete the query job", self.job_path(id));
        match self.send(&request).await {
            Err(error) if error.is_not_found() => Ok(()),
            deleted => deleted.map(drop),
        }
    }

    /// Fetches a page of at most `max_rows` rows; without a locator, the first one.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] if the page has more than 16 MiB: ask for fewer rows. [`Error::Rejected`] with `INVALIDJOBSTATE` if the
    /// job is not complete, with the status 409 if another API version has created it.
    pub async fn fetch_query_page(
        &self,
        id: &JobId,
        locator: Option<&Locator>,
        max_rows: u32,
    ) -> Result<CsvPage, Error> {
        let path = format!("{}/results", self.job_path(id));
        let request = Request::get("read the results of the query job", path).with_header("accept", "text/csv");
        let request = request.with_query("maxRecords", max_rows.to_string());
        let request = match locator {
            Some(locator) => request.with_query("locator", locator.0.clone()),
            None => request,
        };
        let response = self.send(&request).await?;
        let is_csv = response.content_type().is_some_and(|kind| kind.starts_with("text/csv"));
        if !is_csv {
            return Err(response.invalid("not CSV"));
        }
        let next = response.headers.get("sforce-locator").and_then(|value| value.to_str().ok());
        // The last page has the text "null".
        let next = next.filter(|text| !text.is_empty() && *text != "null").map(str::to_owned);
        let next = next.map(Locator::try_from).transpose().map_err(|_| response.invalid("not a locator"))?;
        Ok(CsvPage { csv: response.body, next })
    }

    /// Lists pages that can be read at the same time, at most five in a call. Salesforce chooses their size.
    ///
    /// # Errors
    ///
    /// Those of [`Client::fetch_query_page`].
    pub async fn list_query_pages(&self, id: &JobId, after: Option<&Locator>) -> Result<PageList, Error> {
        let request = Request::get("list the results of the query job", format!("{}/resultPages", self.job_path(id)));
        let request = match after {
            Some(locator) => request.with_query("locator", locator.0.clone()),
            None => request,
        };
        let response = self.send(&request).await?;
        let list: ResultPages = response.json()?;
        let locator = |url: &str| locator_of(url).ok_or_else(|| response.invalid("not the address of a page"));
        Ok(PageList {
            pages: list.result_pages.iter().map(|page| locator(&page.result_url)).collect::<Result<_, _>>()?,
            next: list.next_records_url.as_deref().filter(|url| !url.is_empty()).map(locator).transpose()?,
        })
    }

    fn job_path(&self, id: &JobId) -> String {
        self.path(&format!("jobs/query/{}", id.0))
    }
}

/// Returns the locator in the address of a page.
fn locator_of(url: &str) -> Option<Locator> {
    let (_, query) = url.split_once('?')?;
    let (_, locator) = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "locator")?;
    locator.into_owned().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(state: &str, error: Option<&str>) -> QueryJob {
        serde_json::from_value(serde_json::json!({
            "id": "7505e0000000001AAA", "object": "Contact", "state": state, "errorMessage": error,
        }))
        .unwrap()
    }

    #[test]
    fn a_failed_job_names_only_the_code() {
        let message = "INVALID_FIELD: \nSELECT Id, Nam FROM Contact WHERE Name = 'Ada'";
        assert_eq!(job("Failed", Some(message)).failure_code(), Some("INVALID_FIELD"));
        assert_eq!(job("Failed", Some("No such column")).failure_code(), None);
        assert_eq!(job("Failed", None).failure_code(), None);
        assert_eq!(job("JobComplete", Some(message)).failure_code(), None);
    }

    #[test]
    fn a_job_id_has_the_prefix_of_jobs() {
        let id = |text: &str| JobId::try_from(text.parse::<RecordId>().unwrap());
        assert!(id("7505e0000000001AAA").is_ok());
        assert!(id("0015e0000000001AAA").is_err());
    }

    #[test]
    fn a_locator_is_read_from_an_address() {
        let url = "/services/data/v66.0/jobs/query/7505e0000000001AAA/results?locator=MTAw%2BMA&maxRecords=5";
        assert_eq!(String::from(locator_of(url).unwrap()), "MTAw+MA");
        assert!(locator_of("/services/data/v66.0/jobs/query/7505e0000000001AAA/results").is_none());
        assert!(Locator::try_from("a b".to_owned()).is_err());
    }
}
