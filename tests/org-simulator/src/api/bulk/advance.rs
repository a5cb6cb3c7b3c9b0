//! Advances a job to its state at the current time.

use jiff::{SignedDuration, Timestamp};

use crate::api::bulk::ingest;
use crate::model::bulk::ingest::Ingest;
use crate::model::bulk::job::{Head, Job, State, Work};
use crate::model::org::Org;

/// Rows in one of the batches that count against the org's limit.
pub(crate) const BATCH: usize = 10_000;

/// The share of the processing time, as a divisor, that a job waits before it starts.
const WAITS: i64 = 10;

/// Advances a job to its state at `now`.
pub(crate) fn advance(org: &mut Org, Job { head, work }: &mut Job, now: Timestamp) {
    let time = i64::try_from(org.bulk.processing.as_millis()).unwrap_or(i64::MAX);
    let (waits, waited) = (time / WAITS, now.as_millisecond() - head.queued.as_millisecond());
    if head.state == State::UploadComplete {
        if waited < waits {
            return;
        }
        head.enter(State::InProgress, now);
        if let Some(reason) = org.bulk.failures.pop_front() {
            return head.fail(reason, now);
        }
    }
    let is_due = waited >= time;
    let outcome = match work {
        Work::Ingest(ingest) => {
            let begun = head.queued.saturating_add(SignedDuration::from_millis(waits)).unwrap_or(head.queued);
            ingest_rows(org, head, ingest, (begun, now, time - waits))
        }
        Work::Query(query) if is_due => query.run(org, head),
        Work::Query(_) => Ok(()),
    };
    match outcome {
        Err(reason) => head.fail(reason, now),
        Ok(()) if is_due => head.enter(State::JobComplete, now),
        Ok(()) => {}
    }
}

/// Processes the rows that are due. The times are the start, the current time and the duration of the whole work in
/// milliseconds.
fn ingest_rows(
    org: &mut Org,
    job: &Head,
    ingest: &mut Ingest,
    (begun, now, time): (Timestamp, Timestamp, i64),
) -> Result<(), String> {
    let is_first = ingest.outcomes.is_empty();
    ingest.prepare(org, job)?;
    let rows = ingest.table.len();
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    if is_first && rows > 0 && !ingest.counted {
        ingest.counted = true;
        if !org.bulk.batches.take(now, count(rows.div_ceil(BATCH))) {
            return Err("ExceededQuota : ApiBatchItems Limit exceeded.".to_owned());
        }
        if !org.bulk.records.take(now, count(rows)) {
            return Err("ExceededQuota : ApiRecords Limit exceeded.".to_owned());
        }
    }
    ingest.work(org, job, ingest::share(rows, begun, now, time));
    Ok(())
}
