//! The audit: compares every row of an object in the mirror with the org, repairs what differs, and reports it (invariant 15 of
//! `ARCHITECTURE.md`).
//!
//! The org's (`Id`, `SystemModstamp`) are read page by page (`pages.rs`), and each page is a [`Bucket`]. After each bucket a
//! checkpoint and the report are stored, so that an interrupted audit goes on at the next one, in bounded memory. A worker stores
//! them only if no other one was ahead (`checkpoint.rs`). Its calls count in the lane `audit`.

pub mod bucket;
mod checkpoint;
mod pages;
pub mod progress;
pub(crate) mod repair;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use mirroring::ObjectFields;
use runtime::Chain;
use salesforce::{ObjectName, RecordId};
use store::cursors::ScanState;
use store::{Audit, AuditState, CursorName, Lane, RefreshKind, RowState};
use tracing::warn;

use crate::deletions;
use crate::error::Error;
use crate::object::{self, ObjectReport, Outcome};
use crate::query_jobs::QueryJobs;
use crate::run::{Run, Stop};
use crate::selection::{Selection, Skip};
use bucket::Bucket;
use checkpoint::Checkpoint;
use pages::{Next, OrgPage, Pages};
use progress::{MAX_VANISHED, Progress, Reading, is_plausible};
use repair::Repairs;

/// The rows of the mirror that are read at once.
const PAGE_ROWS: u16 = 1_000;
/// The unseen rows that are looked up at once.
const MAX_UNSEEN: usize = 2_000;

/// The reason of an audit in which more records have vanished at once than it deletes without confirmation: an administrator of
/// the org has to look at the connection's access, or to confirm that the records are gone.
pub const RECORDS_VANISHED: &str = "records_vanished";

/// Audits the object, as far as time and budget allow. The report says what was done before a failure too.
pub(crate) async fn audit_object(run: &Run<'_>, object: &ObjectName) -> (ObjectReport, Option<Error>) {
    let mut report = ObjectReport::new(object);
    report.audit = Some(store::AuditCounts::default());
    let failure = match audit(run, object, &mut report).await {
        Ok(outcome) => {
            report.outcome = outcome;
            None
        }
        Err(error) => Some(error),
    };
    run.record_calls(Lane::Audit).await;
    (report, failure)
}

/// Stores that the object is not audited for a reason that stops the org's other objects as well.
pub(crate) async fn record_failure(run: &Run<'_>, object: &ObjectName, reason: &str) {
    let stored = match run.deps.cursors.load(run.org(), &CursorName::audit(object)).await {
        Ok(cursor) => {
            let progress = progress_of(run, cursor.as_ref());
            let mut checkpoint = Checkpoint::new(run, object, cursor.as_ref());
            let end = (AuditState::Unfinished, Some(reason));
            store_end(run, object, (progress, &mut checkpoint), end).await.map(drop)
        }
        Err(error) => Err(error.into()),
    };
    if let Err(error) = stored {
        warn!(org.id = %run.org(), sf.object = %object, "{}", Chain(&error));
    }
}

/// Audits until an audit that began after the task was requested is complete.
async fn audit(run: &Run<'_>, object: &ObjectName, report: &mut ObjectReport) -> Result<Outcome, Error> {
    let name = CursorName::audit(object);
    loop {
        let cursor = run.deps.cursors.load(run.org(), &name).await?;
        if cursor.as_ref().and_then(|cursor| cursor.covered_until) >= Some(run.task.requested_at) {
            return Ok(if report.pages > 0 { Outcome::Complete } else { Outcome::AlreadyDone });
        }
        let given_up = cursor.as_ref().and_then(|cursor| cursor.checkpoint.as_deref()).and_then(Progress::given_up_at);
        if run.task.kind != RefreshKind::ConfirmedAudit && given_up >= Some(run.task.requested_at) {
            return Ok(Outcome::AlreadyDone);
        }
        let mut progress = progress_of(run, cursor.as_ref());
        let mut checkpoint = Checkpoint::new(run, object, cursor.as_ref());
        let mut calls = Calls { before: run.client.api_calls() };
        let ended = compare_and_repair(run, object, (&mut progress, &mut checkpoint), report, &mut calls).await;
        calls.count(run, &mut progress);
        report.audit = Some(progress.counts);
        let (state, reason) = match &ended {
            Ok(Outcome::Complete) => (AuditState::Finished, None),
            // What the worker has done is stored, or was done by another one.
            Ok(Outcome::Busy) => return Ok(Outcome::Busy),
            Ok(Outcome::Stopped(Stop::OutOfTime)) => (AuditState::Running, None),
            Ok(Outcome::Stopped(Stop::OverBudget)) => (AuditState::Unfinished, Some("over_budget".to_owned())),
            Ok(Outcome::Skipped(skip)) => (AuditState::Unfinished, Some(skip.reason().to_owned())),
            Ok(Outcome::RecordsVanished) => (AuditState::Unfinished, Some(RECORDS_VANISHED.to_owned())),
            Ok(_) => (AuditState::Unfinished, None),
            Err(error) => (AuditState::Unfinished, Some(error.reason())),
        };
        if state == AuditState::Finished {
            deletions::close(run, object, progress.cutoff()).await?;
        }
        let end = (state, reason.as_deref());
        let is_stored = store_end(run, object, (progress.clone(), &mut checkpoint), end).await?;
        match ended {
            Ok(_) if !is_stored => return checkpoint.give_way().await,
            Ok(Outcome::Complete) if progress.started_at < run.task.requested_at => {}
            ended => return ended,
        }
    }
}

/// Returns the progress of the interrupted audit, or of a new one.
fn progress_of(run: &Run<'_>, cursor: Option<&store::Cursor>) -> Progress {
    // The requester's clock may be ahead; an audit that seemed older than its task would be made twice.
    let now = run.deps.clock.now().max(run.task.requested_at);
    let checkpoint = cursor.and_then(|cursor| cursor.checkpoint.as_deref());
    checkpoint.and_then(|checkpoint| Progress::resume(checkpoint, now)).unwrap_or_else(|| Progress::fresh(now))
}

/// Stores the report of an audit that has ended or stopped, and then the cursor. Returns `false` if another worker was ahead.
async fn store_end(
    run: &Run<'_>,
    object: &ObjectName,
    (mut progress, checkpoint): (Progress, &mut Checkpoint<'_>),
    (state, reason): (AuditState, Option<&str>),
) -> Result<bool, Error> {
    if !checkpoint.is_current().await? {
        return Ok(false);
    }
    let obstacle = reason.map(str::to_owned).or(progress.obstacle).filter(|_| state != AuditState::Finished);
    progress.obstacle = obstacle;
    store_report(run, object, &progress, state).await?;
    let scan = match state {
        AuditState::Finished => ScanState::Complete(progress.started_at),
        AuditState::Running | AuditState::Unfinished => ScanState::Running(progress.checkpoint()),
    };
    let is_stored = checkpoint.store(scan).await?;
    if let Some(reason) = reason.filter(|_| is_stored) {
        run.record_failure(&CursorName::audit(object), reason).await;
    }
    Ok(is_stored)
}

async fn store_report(run: &Run<'_>, object: &ObjectName, progress: &Progress, state: AuditState) -> Result<(), Error> {
    // An audit that met an obstacle is reported once as `unfinished`, and then as `finished`.
    let is_hindered = state == AuditState::Running && progress.obstacle.is_some();
    let state = if is_hindered { AuditState::Unfinished } else { state };
    let audit = Audit {
        org_id: run.org(),
        object: object.clone(),
        started_at: progress.started_at,
        state,
        reason: progress.obstacle.clone(),
        counts: progress.counts,
        org_hash: progress.org_hash,
        mirror_hash: progress.mirror_hash,
        updated_at: run.deps.clock.now(),
    };
    Ok(run.deps.audits.store(&audit).await?)
}

/// Compares bucket by bucket from the progress on, and ends with the vanished rows.
async fn compare_and_repair(
    run: &Run<'_>,
    object: &ObjectName,
    (progress, checkpoint): (&mut Progress, &mut Checkpoint<'_>),
    report: &mut ObjectReport,
    calls: &mut Calls,
) -> Result<Outcome, Error> {
    if let Some(delay) = progress.poll_in(run.deps.clock.now()) {
        return checkpoint.wait_for_poll(progress, delay).await;
    }
    if let Some(stop) = run.stop(Lane::Audit) {
        return Ok(Outcome::Stopped(stop));
    }
    let fields = match auditable_fields(run, object).await? {
        Ok(fields) => fields,
        Err(skip) => return Ok(Outcome::Skipped(skip)),
    };
    let repairs = Repairs { run, object, stored_as: object.clone(), fields: &fields };
    let mut auditing = Auditing { repairs };
    let jobs = QueryJobs { run, object };
    let pages = Pages { jobs, has_deletions: !fields.deletion_fields.is_empty() };
    while !progress.is_compared {
        // A bucket that fails is compared again, so its counts are kept only with the whole bucket.
        let mut next = progress.clone();
        let page = match pages.next(&mut next).await? {
            Next::Page(page) => page,
            Next::Wait(delay) => {
                let is_begun = progress.reading == Reading::Rest;
                *progress = next;
                calls.count(run, progress);
                return wait(run, object, (progress, checkpoint), (delay, is_begun)).await;
            }
            Next::Lost => {
                // Another worker may have read the whole job and deleted it.
                if !checkpoint.is_current().await? {
                    return checkpoint.give_way().await;
                }
                *progress = progress.clone().without_job();
                continue;
            }
        };
        let is_plausible_number = auditing.bucket(page, &mut next).await?;
        *progress = next;
        report.pages += 1;
        calls.count(run, progress);
        if !is_plausible_number {
            return Ok(give_up(progress));
        }
        store_report(run, object, progress, AuditState::Running).await?;
        if !checkpoint.store(ScanState::Running(progress.checkpoint())).await? {
            return checkpoint.give_way().await;
        }
        if let Some(stop) = run.stop(Lane::Audit) {
            return Ok(Outcome::Stopped(stop));
        }
    }
    if let Reading::Job(job) = &progress.reading {
        jobs.delete(job.id).await;
        progress.reading = Reading::RestOnly;
    }
    let is_plausible_number = auditing.end(progress).await?;
    Ok(if is_plausible_number { Outcome::Complete } else { give_up(progress) })
}

/// Queues the audit again for the time at which its query job is asked next. A job that was begun beside another worker is stopped.
async fn wait(
    run: &Run<'_>,
    object: &ObjectName,
    (progress, checkpoint): (&mut Progress, &mut Checkpoint<'_>),
    (delay, is_begun): (Duration, bool),
) -> Result<Outcome, Error> {
    progress.poll_after(delay, run.deps.clock.now());
    store_report(run, object, progress, AuditState::Running).await?;
    // A message without a checkpoint would create another job.
    if checkpoint.store(ScanState::Running(progress.checkpoint())).await? {
        return checkpoint.send(delay).await;
    }
    if let Reading::Job(job) = &progress.reading
        && is_begun
    {
        QueryJobs { run, object }.stop(job.id).await;
    }
    checkpoint.give_way().await
}

fn give_up(progress: &mut Progress) -> Outcome {
    progress.counts.surplus += progress.vanished.len() as u64;
    progress.vanished.clear();
    progress.is_given_up = true;
    Outcome::RecordsVanished
}

/// Returns the fields of an object that can be audited.
async fn auditable_fields(run: &Run<'_>, object: &ObjectName) -> Result<Result<Arc<ObjectFields>, Skip>, Error> {
    if !object::load_cursors(run, object).await?.is_copied() {
        return Ok(Err(Skip::NotCopied));
    }
    let Some(fields) = object::describe(run, object).await? else { return Ok(Err(Skip::Invisible)) };
    Ok(Selection::of(&fields).map(|_| fields))
}

/// The calls of the run's client that are counted already, or are of other objects.
struct Calls {
    before: u64,
}

impl Calls {
    fn count(&mut self, run: &Run<'_>, progress: &mut Progress) {
        let calls = run.client.api_calls();
        progress.counts.calls += calls.saturating_sub(self.before);
        self.before = calls;
    }
}

/// A running audit of one object.
struct Auditing<'a> {
    repairs: Repairs<'a>,
}

impl Auditing<'_> {
    /// Returns whether vanished rows become tombstones however many they are.
    fn is_confirmed(&self) -> bool {
        self.repairs.run.task.kind == RefreshKind::ConfirmedAudit
    }

    /// Compares the bucket of a page and repairs what differs. Returns whether the number of vanished rows is plausible.
    async fn bucket(&mut self, page: OrgPage, progress: &mut Progress) -> Result<bool, Error> {
        let run = self.repairs.run;
        let OrgPage { records, stored_as, end } = page;
        if let Some(stored_as) = stored_as {
            self.repairs.stored_as = stored_as;
        }
        let (cutoff, mut after) = (progress.cutoff(), progress.mirrored_to);
        let mut bucket = Bucket::new(&records, cutoff);
        loop {
            let rows = run.deps.records.list_versions(run.org(), &self.repairs.stored_as, after, PAGE_ROWS).await?;
            let inside = rows.rows.partition_point(|row| end.is_none_or(|end| row.record_id <= end));
            let (inside, beyond) = rows.rows.split_at(inside);
            let is_live = |row: &&store::RowVersion| matches!(row.state, RowState::Live(_));
            progress.counts.mirrored += inside.iter().filter(is_live).count() as u64;
            bucket.compare(inside);
            if bucket.unseen() >= MAX_UNSEEN && !self.look_up(&mut bucket, progress, cutoff).await? {
                return Ok(false);
            }
            match rows.next {
                Some(next) if beyond.is_empty() => after = Some(next),
                _ => break,
            }
        }
        let found = run.deps.records.load_versions(run.org(), &self.repairs.stored_as, &bucket.unmatched()).await?;
        bucket.compare(&found);
        let is_plausible_number = self.look_up(&mut bucket, progress, cutoff).await?;
        let compared = bucket.end();
        self.repairs.repair(&compared.differences, &mut progress.counts).await?;
        progress.advance(&records, end, &compared);
        Ok(is_plausible_number)
    }

    /// Looks up unseen rows. Returns `false` once more rows have vanished than the audit keeps in mind.
    async fn look_up(&self, bucket: &mut Bucket, progress: &mut Progress, cutoff: Timestamp) -> Result<bool, Error> {
        let Progress { vanished, counts, .. } = progress;
        self.repairs.look_up(bucket, vanished, counts, cutoff).await?;
        if vanished.len() <= MAX_VANISHED {
            return Ok(true);
        }
        if self.is_confirmed() {
            let deleted = self.repairs.known_as_deleted(&progress.vanished).await;
            self.retire(progress, &deleted).await?;
            return Ok(true);
        }
        Ok(false)
    }

    /// Ends the audit with the vanished rows. Returns whether their number is plausible.
    async fn end(&self, progress: &mut Progress) -> Result<bool, Error> {
        let deleted = self.repairs.known_as_deleted(&progress.vanished).await;
        let unexplained = progress.vanished.len().saturating_sub(deleted.len()) as u64;
        if !self.is_confirmed() && !is_plausible(unexplained, progress.counts.mirrored) {
            return Ok(false);
        }
        self.retire(progress, &deleted).await?;
        Ok(true)
    }

    async fn retire(&self, progress: &mut Progress, deleted: &HashSet<RecordId>) -> Result<(), Error> {
        let (gone, retired) = self.repairs.retire(&progress.vanished, deleted, progress.cutoff()).await?;
        progress.counts.surplus += gone;
        progress.counts.repaired += retired;
        progress.vanished.clear();
        Ok(())
    }
}
