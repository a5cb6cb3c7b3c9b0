//! Query jobs, and the lists of their pages.

use http::Method;
use serde::{Deserialize, Serialize};

use super::job_error::{JobError, code_of};
use super::{JobId, JobState, Kind};
use crate::transport::Request;
use crate::{Client, Error, ObjectName, Soql};

/// The longest locator. Those of Salesforce have fewer than 100 characters.
const MAX_LOCATOR_CHARS: usize = 1_000;

/// The rows that a query job reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryScope {
    /// Those that exist.
    Existing,
    /// Deleted and archived ones too.
    All,
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
    /// Returns the code of the failure, such as `INVALID_FIELD`. `None` if the job has not failed or Salesforce named no code.
    #[must_use]
    pub fn failure_code(&self) -> Option<&str> {
        code_of(self.failure_message()?)
    }

    /// Returns Salesforce's message about the failure. It has the query, which may have record data: never log it.
    #[must_use]
    pub fn failure_message(&self) -> Option<&str> {
        self.error_message.as_deref().filter(|_| self.state == JobState::Failed)
    }

    /// Returns whether the results can be read; `false` while Salesforce works on the job.
    ///
    /// # Errors
    ///
    /// [`JobError::Failed`] or [`JobError::Aborted`] if the job has ended without results.
    pub fn is_complete(&self) -> Result<bool, JobError> {
        JobError::check(self.state, self.failure_code())
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
        let request = Request::send("create the query job", Method::POST, self.jobs_path(Kind::Query, None), &job)?;
        self.send(&request.once()).await?.json()
    }

    /// Fetches the state of a query job.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with `NOT_FOUND` for a job that was deleted or has expired.
    pub async fn fetch_query_job(&self, id: &JobId) -> Result<QueryJob, Error> {
        self.send(&Request::get("read the query job", self.jobs_path(Kind::Query, Some(id)))).await?.json()
    }

    /// Stops a query job. One that has ended stays as it is.
    ///
    /// # Errors
    ///
    /// Those of [`Client::fetch_query_job`].
    pub async fn abort_query_job(&self, id: &JobId) -> Result<QueryJob, Error> {
        let path = self.jobs_path(Kind::Query, Some(id));
        self.move_job(("stop the query job", JobState::Aborted), path, |job: &QueryJob| job.state.is_final()).await
    }

    /// Deletes a query job that has ended, and its results.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] if the job has not ended.
    pub async fn delete_query_job(&self, id: &JobId) -> Result<(), Error> {
        self.delete_job("delete the query job", self.jobs_path(Kind::Query, Some(id))).await
    }

    /// Lists pages that can be read at the same time, at most five in a call. Salesforce chooses their size.
    ///
    /// # Errors
    ///
    /// Those of [`Client::open_query_page`].
    pub async fn list_query_pages(&self, id: &JobId, after: Option<&Locator>) -> Result<PageList, Error> {
        let path = format!("{}/resultPages", self.jobs_path(Kind::Query, Some(id)));
        let request = Request::get("list the results of the query job", path);
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
    fn a_failed_job_names_the_code() {
        let message = "INVALID_FIELD: \nSELECT Id, Nam FROM Contact WHERE Name = 'Ada'";
        assert_eq!(job("Failed", Some(message)).failure_code(), Some("INVALID_FIELD"));
        assert_eq!(job("Failed", Some(message)).failure_message(), Some(message));
        assert_eq!(job("Failed", Some("No such column")).failure_code(), None);
        assert_eq!(job("Failed", None).failure_code(), None);
        assert_eq!(job("JobComplete", Some(message)).failure_code(), None);
    }

    #[test]
    fn a_locator_is_read_from_an_address() {
        let url = "/services/data/v66.0/jobs/query/7505e0000000001AAA/results?locator=MTAw%2BMA&maxRecords=5";
        assert_eq!(String::from(locator_of(url).unwrap()), "MTAw+MA");
        assert!(locator_of("/services/data/v66.0/jobs/query/7505e0000000001AAA/results").is_none());
        assert!(Locator::try_from("a b".to_owned()).is_err());
    }
}
