//! Query jobs of Bulk API 2.0 that a backfill or an audit reads: their creation, their polls, and their end.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use salesforce::bulk::{JobError, JobId, QueryJob, QueryScope};
use salesforce::{ObjectName, Soql};
use tracing::warn;

use crate::error::Error;
use crate::run::Run;

/// The time for which a job may run. Salesforce's queue of a busy org takes hours.
pub(crate) const PATIENCE: SignedDuration = SignedDuration::from_hours(6);

/// The delays between two polls of a job: a quarter of its age, between these.
const POLLS: [SignedDuration; 2] = [SignedDuration::from_secs(10), SignedDuration::from_mins(5)];

/// The codes with which Salesforce refuses the Bulk API to an org, or to a user. REST may still read the object.
const NOT_BY_BULK: [&str; 3] = ["API_DISABLED_FOR_ORG", "FEATURENOTENABLED", "FUNCTIONALITY_NOT_ENABLED"];

/// Returns the delay of the next poll of a job.
pub(crate) fn poll_delay(created_at: Timestamp, now: Timestamp) -> Duration {
    let [shortest, longest] = POLLS;
    let delay = (now.duration_since(created_at) / 4).clamp(shortest, longest);
    Duration::try_from(delay).unwrap_or_default()
}

/// The query jobs of one object.
#[derive(Clone, Copy)]
pub(crate) struct QueryJobs<'a> {
    pub(crate) run: &'a Run<'a>,
    pub(crate) object: &'a ObjectName,
}

impl QueryJobs<'_> {
    /// Creates a job that reads deleted and archived rows too. `None` if the object cannot be read by Bulk.
    pub(crate) async fn create(&self, query: &Soql) -> Result<Option<JobId>, Error> {
        match self.run.client.create_query_job(query, QueryScope::All).await.map_err(JobError::from) {
            Ok(job) => Ok(Some(job.id)),
            Err(JobError::Call(error)) if !NOT_BY_BULK.iter().any(|code| error.has_code(code)) => {
                self.run.deps.fields.invalidate(self.run.org(), self.object);
                Err(self.error(error))
            }
            Err(_) => Ok(None),
        }
    }

    /// Fetches the job. `None` if it does not exist any more, which a second answer confirms.
    pub(crate) async fn find(&self, job: JobId) -> Result<Option<QueryJob>, Error> {
        for is_last in [false, true] {
            match self.run.client.fetch_query_job(&job).await {
                Ok(job) => return Ok(Some(job)),
                Err(error) if error.is_not_found() && !is_last => {}
                Err(error) if error.is_not_found() => break,
                Err(error) => return Err(self.error(error)),
            }
        }
        Ok(None)
    }

    /// Stops a job whose rows nobody reads. Salesforce deletes it after seven days, whether it could be stopped or not.
    pub(crate) async fn stop(&self, job: JobId) {
        if let Err(error) = self.run.client.abort_query_job(&job).await {
            warn!(org.id = %self.run.org(), sf.object = %self.object, "could not stop a query job: {}", runtime::Chain(&error));
        }
    }

    /// Deletes a job whose rows are read. Salesforce deletes it after seven days otherwise.
    pub(crate) async fn delete(&self, job: JobId) {
        if let Err(error) = self.run.client.delete_query_job(&job).await {
            warn!(org.id = %self.run.org(), sf.object = %self.object, "could not delete a query job: {}", runtime::Chain(&error));
        }
    }

    pub(crate) fn error(&self, source: salesforce::Error) -> Error {
        Error::Rows { org: self.run.org(), object: self.object.clone(), source }
    }
}
