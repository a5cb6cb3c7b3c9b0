//! The processing of jobs as the org's clock advances.

use crate::api::bulk::advance::advance;
use crate::api::bulk::v1;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;

/// Processes all jobs up to the current time.
pub(crate) fn settle(org: &mut Org) {
    if org.bulk.jobs.is_empty() && org.bulk.v1.is_empty() {
        return;
    }
    let now = org.clock.now();
    v1::settle(org, now);
    let active: Vec<RecordId> = org.bulk.active.iter().copied().collect();
    for id in active {
        let Some(mut job) = org.bulk.jobs.remove(&id) else { continue };
        advance(org, &mut job, now);
        org.bulk.add(job);
    }
    org.bulk.expire(now);
}

/// Counts a query job; the recorded error when the org's limit is reached.
pub(crate) fn take_query_job(org: &mut Org) -> Result<(), ApiError> {
    let now = org.clock.now();
    let max = org.bulk.query_jobs.max;
    if org.bulk.query_jobs.take(now, 1) {
        return Ok(());
    }
    Err(ApiError::new("LIMIT_EXCEEDED", format!("Max bulk v2 query jobs ({max}) per 24 hrs has been reached")))
}
