//! The job of a backfill: its creation, its polls, and its end.

use salesforce::bulk::{JobId, JobState};
use salesforce::{FieldName, Soql};
use store::deferral::MAX_DELAY;
use store::{BackfillProgress, RefreshKind};
use tracing::warn;

use super::Backfill;
use super::machine::{BulkScan, Lost};
use crate::error::Error;
use crate::object::Outcome;

impl Backfill<'_> {
    /// Creates a job for the rows. `None` if the object cannot be read by Bulk.
    pub(super) async fn create_job(
        &self,
        fields: &[FieldName],
        (from, filtered): (Option<jiff::Timestamp>, bool),
    ) -> Result<Option<JobId>, Error> {
        let filter = self.filter().filter(|_| filtered);
        let query = BulkScan::rows(Soql::select(fields).from(self.object), from, filter);
        self.jobs().create(&query).await
    }

    /// Asks how far the job is: begins to read its pages, or asks again later.
    pub(super) async fn poll(&self, bulk: &BulkScan) -> Result<Outcome, Error> {
        if bulk.failed_at.is_some() {
            return Err(self.exhausted(None));
        }
        let now = self.run.deps.clock.now();
        let Some(job) = self.jobs().find(bulk.job).await? else { return self.lose(bulk.job, None).await };
        match job.state {
            JobState::JobComplete => {
                let begin = |bulk: &mut BulkScan, progress: &mut BackfillProgress| {
                    bulk.begin_reading(job.id);
                    progress.reading_since = progress.reading_since.or(Some(now));
                };
                self.change(begin).await?;
            }
            JobState::Failed | JobState::Aborted => {
                return self.lose(job.id, job.failure_code().map(str::to_owned)).await;
            }
            JobState::Open | JobState::UploadComplete | JobState::InProgress if bulk.is_overdue(now) => {
                self.jobs().stop(job.id).await;
                return self.lose(job.id, None).await;
            }
            JobState::Open | JobState::UploadComplete | JobState::InProgress => {
                let task = self.run.task;
                let is_message = task.kind == RefreshKind::Backfill
                    && task.requested_at.as_millisecond() == bulk.started_at.as_millisecond();
                let polls = self.change(|bulk, _| bulk.job == job.id && bulk.polls_again(is_message, now)).await?;
                if polls.is_some_and(|(polls, _)| polls) {
                    self.send(bulk.started_at, None, bulk.poll_delay(now).min(MAX_DELAY)).await?;
                }
            }
        }
        Ok(Outcome::Busy)
    }

    /// Begins a lost job again, unless too many were lost.
    pub(super) async fn lose(&self, lost: JobId, code: Option<String>) -> Result<Outcome, Error> {
        let now = self.run.deps.clock.now();
        let decided = self.change(|bulk, _| (bulk.job == lost).then(|| (bulk.lose(now), bulk.clone()))).await?;
        let Some((Some((decided, bulk)), _)) = decided else {
            // Another worker has replaced it, and polls the new one.
            return Ok(Outcome::Busy);
        };
        warn!(org.id = %self.run.org(), sf.object = %self.object, jobs = bulk.jobs, code, "a query job of a backfill is lost");
        if decided == Lost::Exhausted {
            return Err(self.exhausted(code));
        }
        // A field that has gone fails the job: the fields are described again.
        self.run.deps.fields.invalidate(self.run.org(), self.object);
        let Some(selection) = self.selection().await? else { return Err(self.exhausted(code)) };
        let created = self.create_job(selection.fields(), (bulk.from, bulk.filtered)).await?;
        let Some(job) = created else { return Err(self.exhausted(code)) };
        let replace = |bulk: &mut BulkScan, progress: &mut BackfillProgress| {
            let is_first = bulk.replace_job(lost, job, now);
            if is_first {
                *progress = progress.clone().begun_again();
            }
            is_first
        };
        let replaced = self.change(replace).await?;
        if replaced.is_some_and(|(is_first, _)| is_first) {
            self.send(bulk.started_at, None, bulk.poll_delay(bulk.read_at)).await?;
        } else {
            self.jobs().stop(job).await;
        }
        Ok(Outcome::Busy)
    }

    fn exhausted(&self, code: Option<String>) -> Error {
        Error::Jobs { org: self.run.org(), object: self.object.clone(), code }
    }
}
