//! The pages of the org's records that an audit compares: by REST first, and by a query job of Bulk API 2.0 where many follow.
//!
//! A page by REST has 2,000 records. A job costs a call to create it, about five to poll it, and one for each page of
//! 50,000; small objects never need one. It reads in the order of the ids, as REST does, for which Salesforce does
//! not split the query: one that takes too long fails, and the audit begins again by REST.

use std::time::Duration;

use salesforce::bulk::JobState;
use salesforce::{FieldName, ObjectName, RecordId, Soql, soql};
use store::Position;
use store::deferral::MAX_DELAY;
use tracing::warn;

use super::progress::{IdJob, Progress, Reading};
use crate::error::Error;
use crate::query_jobs::{PATIENCE, QueryJobs, poll_delay};
use crate::scan::{PageFault, PageShape};
use crate::selection::positions;

/// The records of a page by REST.
const PAGE_RECORDS: u32 = 2_000;

/// Size of a page of an audit's job, in pages of a backfill: it has two fields, and its rows are not stored.
const BACKFILL_PAGES: u32 = 5;

/// A page of the org's records.
pub(crate) struct OrgPage {
    /// The records.
    pub(crate) records: Vec<Position>,
    /// The object as Salesforce spells it; `None` of an empty page.
    pub(crate) stored_as: Option<ObjectName>,
    /// The greatest id of the mirror's rows that belong to the bucket; `None` if no page follows.
    pub(crate) end: Option<RecordId>,
}

/// The next page.
pub(crate) enum Next {
    /// A page that was read.
    Page(OrgPage),
    /// The query job is not complete; poll it after this time.
    Wait(Duration),
    /// The query job is lost, and the audit begins again.
    Lost,
}

/// The pages of one object.
pub(crate) struct Pages<'a> {
    pub(crate) jobs: QueryJobs<'a>,
    /// `true` if deleted records are to be left out.
    pub(crate) has_deletions: bool,
}

impl Pages<'_> {
    /// Reads the next page, and notes in `progress` what leads to the one after it.
    pub(crate) async fn next(&self, progress: &mut Progress) -> Result<Next, Error> {
        if progress.reading == Reading::Rest && progress.counts.checked >= self.jobs.run.deps.bulk.rows() {
            progress.reading = self.begin_job(progress).await?;
            if let Reading::Job(job) = &progress.reading {
                // The checkpoint is stored first: a failure of the first poll would create the job again.
                return Ok(Next::Wait(poll_delay(job.created_at, job.created_at)));
            }
        }
        match &progress.reading {
            Reading::Rest | Reading::RestOnly => self.read_by_rest(progress).await.map(Next::Page),
            Reading::Job(job) if job.is_complete => self.read_by_job(job.clone(), progress).await,
            Reading::Job(job) => self.poll(job.clone(), progress).await,
        }
    }

    fn query(&self) -> Soql {
        let object = self.jobs.object;
        let mut query = Soql::select(&[FieldName::ID, FieldName::SYSTEM_MODSTAMP]).from(object);
        if self.has_deletions {
            query = query.where_(soql::eq(&FieldName::from_static("IsDeleted"), false));
        }
        if let Some(filter) = self.jobs.run.settings.filter(object) {
            query = query.where_(filter.condition());
        }
        query
    }

    async fn read_by_rest(&self, progress: &Progress) -> Result<OrgPage, Error> {
        // With queryAll, because only it returns archived activities.
        let query = progress.next_records(self.query(), Some(PAGE_RECORDS));
        let page = self.jobs.run.client.query_all(&query).await.map_err(|error| self.jobs.error(error))?;
        let records = positions(&page.records).map_err(|source| self.fault(source))?;
        let (total_size, done) = (page.total_size, page.done);
        let shape = PageShape { rows: &records, total_size, done, limit: PAGE_RECORDS, until: None };
        let end = progress.bucket_end(&shape).map_err(|source| self.fault(source))?;
        let stored_as = page.records.first().map(|record| record.object.clone());
        Ok(OrgPage { records, stored_as, end })
    }

    /// Creates a job for the records that follow.
    async fn begin_job(&self, progress: &Progress) -> Result<Reading, Error> {
        let created_at = self.jobs.run.deps.clock.now();
        let job = self.jobs.create(&progress.next_records(self.query(), None)).await?;
        let job = job.map(|id| IdJob { id, created_at, is_complete: false, poll_at: None, locator: None });
        Ok(job.map_or(Reading::RestOnly, Reading::Job))
    }

    async fn poll(&self, job: IdJob, progress: &mut Progress) -> Result<Next, Error> {
        let now = self.jobs.run.deps.clock.now();
        let Some(polled) = self.jobs.find(job.id).await? else { return Ok(self.lost(None)) };
        match polled.state {
            JobState::JobComplete => {
                progress.reading = Reading::Job(IdJob { is_complete: true, ..job.clone() });
                self.read_by_job(job, progress).await
            }
            JobState::Failed | JobState::Aborted => Ok(self.lost(polled.failure_code())),
            JobState::Open | JobState::UploadComplete | JobState::InProgress => {
                if now.duration_since(job.created_at) >= PATIENCE {
                    self.jobs.stop(job.id).await;
                    return Ok(self.lost(None));
                }
                Ok(Next::Wait(poll_delay(job.created_at, now).min(MAX_DELAY)))
            }
        }
    }

    async fn read_by_job(&self, job: IdJob, progress: &mut Progress) -> Result<Next, Error> {
        let run = self.jobs.run;
        let Some(columns) = run.deps.bulk.columns(run, self.jobs.object, job.created_at).await? else {
            return Ok(self.lost(Some("object_not_visible")));
        };
        let rows = Some(run.deps.bulk.page_rows().saturating_mul(BACKFILL_PAGES));
        let opened = run.client.open_query_page(&job.id, job.locator.as_ref(), rows, &columns).await;
        let mut page = match opened {
            Ok(page) => page,
            // Salesforce keeps results for seven days.
            Err(error) if error.is_not_found() || error.has_code("INVALID_QUERY_LOCATOR") => {
                return Ok(self.lost(Some("results_expired")));
            }
            Err(error) => return Err(self.jobs.error(error)),
        };
        let (mut records, mut stored_as) = (Vec::new(), None);
        while let Some(record) = page.next_record().await.map_err(|error| self.jobs.error(error))? {
            let record = record.map_err(|error| self.jobs.error(error.into()))?;
            records.extend(positions(std::slice::from_ref(&record)).map_err(|source| self.fault(source))?);
            stored_as.get_or_insert(record.object);
        }
        let next = page.next_page().cloned();
        let end = progress.job_bucket_end(&records, next.as_ref()).map_err(|source| self.fault(source))?;
        progress.reading = Reading::Job(IdJob { is_complete: true, locator: next, ..job });
        Ok(Next::Page(OrgPage { records, stored_as, end }))
    }

    fn lost(&self, code: Option<&str>) -> Next {
        let (org, object) = (self.jobs.run.org(), self.jobs.object);
        warn!(org.id = %org, sf.object = %object, code, "the query job of an audit is lost");
        Next::Lost
    }

    fn fault(&self, source: PageFault) -> Error {
        Error::Page { org: self.jobs.run.org(), object: self.jobs.object.clone(), source }
    }
}
