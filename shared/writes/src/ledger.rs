//! A write from the request to its outcome in the ledger.

use std::time::Duration;

use aws_lambda_events::sqs::SqsEvent;
use jiff::Timestamp;
use runtime::Chain;
use runtime::sqs::{Batch, BatchReport};
use salesforce::{Classify, Retry};
use serde_json::Value;
use store::{
    BeginOutcome, IdempotencyKey, NewWrite, Org, OrgState, PlatformUser, Write, WriteFilter, WriteId, WritePage,
    WritePosition, WriteState, WriteTask,
};

use crate::attempt::attempt;
use crate::counts::Counts;
use crate::operation::ATTEMPT_TIMEOUT;
use crate::settle::Attempt;
use crate::{Deps, Error, WriteOperation, WriteRequest, operation, order};

/// The delay of a task that found another attempt in progress, or could not record its result.
const POSTPONED: Duration = Duration::from_secs(60);

/// Carries out a write request, or defers it. Returns the write as the ledger holds it.
///
/// # Errors
/// Nothing was done, or only something that the next request with the same key finds.
pub async fn accept<O: WriteOperation>(
    deps: &O::Deps,
    org: &Org,
    key: IdempotencyKey,
    request: WriteRequest<O>,
) -> Result<Write, Error> {
    begin(deps, org, key, request, None).await
}

/// Does the same as [`accept`], for a write that may make another one again.
pub(crate) async fn begin<O: WriteOperation>(
    deps: &O::Deps,
    org: &Org,
    key: IdempotencyKey,
    request: WriteRequest<O>,
    retry_of: Option<WriteId>,
) -> Result<Write, Error> {
    let ledger = deps.as_ref();
    require_active(org)?;
    request.operation.require_allowed(deps)?;
    let stored_request = serde_json::to_value(&request).map_err(Error::StoredRequest)?;
    let write = NewWrite {
        org_id: org.org_id,
        idempotency_key: key,
        kind: request.operation.kind(),
        object: request.operation.object().cloned(),
        platform_user: request.platform_user.clone(),
        request: stored_request.clone(),
        retry_of,
        now: ledger.clock.now(),
        claim_ttl: ATTEMPT_TIMEOUT,
    };
    match ledger.writes.begin(&write).await? {
        BeginOutcome::Started(write) => carry_out(deps, &write, &request, &stored_request, Ok(())).await,
        BeginOutcome::Replay(write) if is_former_tenants(org, &write) => Err(store::Error::IdempotencyKeyReused.into()),
        BeginOutcome::Replay(write) => requeue(ledger, write).await,
        BeginOutcome::InProgress(_) => Err(Error::InProgress),
    }
}

/// Carries out queued writes, one after the other. A task that could not be done is sent again with a delay, so that only a
/// task that cannot be read or sent, or whose function is killed, is delivered again and in the end becomes a dead letter.
///
/// # Errors
/// None: failures are in the report.
pub async fn handle<O: WriteOperation>(deps: &O::Deps, event: SqsEvent) -> Result<BatchReport, Error> {
    let batch = Batch::<WriteTask>::parse(event);
    let failed = batch.unreadable.into_iter().map(|message| message.id).collect();
    let mut report = BatchReport { failed, ..BatchReport::default() };
    let mut counts = Counts::default();
    for message in batch.messages {
        let task = message.body;
        // Boxed, because the futures of the AWS SDK are nested too deep for the compiler to lay out at once.
        let result = match Box::pin(resume::<O>(deps, &task)).await {
            Err(error) if is_postponed(&error) => {
                let since = task.postponed_since.map(tracing::field::display);
                tracing::warn!(org.id = %task.org_id, write.id = %task.write_id, since, error = %Chain(&error),
                    "an attempt at a queued write was postponed");
                match postpone(deps.as_ref(), &task).await {
                    Ok(since) => {
                        counts.add_postponed(since);
                        continue;
                    }
                    Err(error) => Err(error),
                }
            }
            result => result,
        };
        match result {
            Ok(write) => counts.add(write.as_ref()),
            Err(error) => {
                tracing::warn!(org.id = %task.org_id, write.id = %task.write_id, error = %Chain(&error),
                    "an attempt at a queued write failed, and its message stays in the queue");
                report.failed.push(message.id);
            }
        }
    }
    report.counts = counts.list(deps.as_ref().clock.now());
    Ok(report)
}

/// Returns whether the task of a failed attempt is sent again. A call that AWS refused says nothing about the write: a missing
/// permission or a disabled key is corrected, and as a dead letter the write would hold up the later ones of its records.
fn is_postponed(error: &Error) -> bool {
    error.retry() != Retry::Never || matches!(error, Error::Store(store::Error::Refused { .. }))
}

/// Sends a task again that could not be begun or recorded. Returns the time since which that is so.
async fn postpone(deps: &Deps, task: &WriteTask) -> Result<Timestamp, Error> {
    let since = task.postponed_since.unwrap_or_else(|| deps.clock.now());
    deps.queue.send(&WriteTask { postponed_since: Some(since), ..*task }, POSTPONED).await?;
    Ok(since)
}

/// Loads a write, for a caller that sees the writes of all users, or only those of one.
///
/// # Errors
/// [`Error::NotFound`] if it does not exist, is another user's, or was requested by a former tenant of the org.
pub async fn load(deps: &Deps, org: &Org, write: WriteId, only: Option<&PlatformUser>) -> Result<Write, Error> {
    let write = deps.writes.load(org.org_id, write).await?;
    let write = write.filter(|write| only.is_none_or(|user| write.platform_user.as_ref() == Some(user)));
    write.filter(|write| !is_former_tenants(org, write)).ok_or(Error::NotFound("write"))
}

/// Returns a page of the writes of the org that its tenant requested, the last requested first, for a caller that sees those of all
/// users, or only those of one.
///
/// # Errors
/// Only those of the table.
pub async fn list(
    deps: &Deps,
    org: &Org,
    mut filter: WriteFilter,
    only: Option<&PlatformUser>,
    (after, limit): (Option<WritePosition>, usize),
) -> Result<WritePage, Error> {
    filter.users.extend(only.cloned());
    filter.since = org.bound_at;
    Ok(deps.writes.list(org.org_id, &filter, after, limit).await?)
}

/// Returns whether the write was requested before the org passed to its tenant. Such a write is neither made nor shown.
fn is_former_tenants(org: &Org, write: &Write) -> bool {
    org.bound_at.is_some_and(|bound_at| write.created_at < bound_at)
}

/// Checks that the org is active.
///
/// # Errors
/// [`Error::OrgNotActive`].
pub fn require_active(org: &Org) -> Result<(), Error> {
    match org.state {
        OrgState::Active => Ok(()),
        state => Err(Error::OrgNotActive(state)),
    }
}

/// Makes another attempt at a queued write, and returns the write; `None` if the task is done without one. Returns an error if
/// the result could not be recorded, or another attempt is in progress.
async fn resume<O: WriteOperation>(deps: &O::Deps, task: &WriteTask) -> Result<Option<Write>, Error> {
    let ledger = deps.as_ref();
    let mut write = match ledger.writes.resume(task, ledger.clock.now(), O::QUEUED_ATTEMPT_TIMEOUT).await {
        Ok(BeginOutcome::Started(write)) => write,
        Ok(BeginOutcome::Replay(_)) => return Ok(None),
        Ok(BeginOutcome::InProgress(_)) => return Err(Error::InProgress),
        // An accepted write does not expire, so it was erased with the data of its org or of its record.
        Err(store::Error::NotFound { .. }) => {
            tracing::warn!(org.id = %task.org_id, write.id = %task.write_id, "did not make a queued write: it was erased");
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    // The number of a task that was sent before the write could be stored with it counts.
    write.deferrals.count = write.deferrals.count.max(task.deferrals);
    let stored_request = write.request.clone().unwrap_or_default();
    let request = match operation::stored::<O>(&stored_request) {
        Ok(request) => request,
        Err(error) => {
            let this = Attempt {
                write: &write,
                stored_request: &stored_request,
                records: &[],
                needs_lookup: true,
                remaining: &|_| None,
            };
            return this.settle(ledger, Err(Error::StoredRequest(error))).await.map(Some);
        }
    };
    let active = match ledger.orgs.load(write.org_id).await {
        // For the tenant that requested the write, the org does not exist any more.
        Ok(Some(org)) if is_former_tenants(&org, &write) => Err(Error::UnknownOrg),
        Ok(Some(org)) => require_active(&org),
        Ok(None) => Err(Error::UnknownOrg),
        Err(error) => Err(error.into()),
    };
    carry_out(deps, &write, &request, &stored_request, active).await.map(Some)
}

/// Makes an attempt if no earlier write of a record is unfinished and the org is active, and records its result.
async fn carry_out<O: WriteOperation>(
    deps: &O::Deps,
    write: &Write,
    request: &WriteRequest<O>,
    stored_request: &Value,
    active: Result<(), Error>,
) -> Result<Write, Error> {
    let ledger = deps.as_ref();
    let mut records = request.operation.records();
    records.sort_unstable();
    records.dedup();
    let needs_lookup = request.operation.needs_lookup(write);
    let remaining = |outcome: &Value| request.remaining(outcome);
    let this = Attempt { write, stored_request, records: &records, needs_lookup, remaining: &remaining };
    if let Err(error) = active {
        return this.settle(ledger, Err(error)).await;
    }
    let earlier = match order::join(ledger, write, &records).await {
        // An accepted write tries again later.
        Err(error @ Error::TooManyWaiting) if write.accepted_at().is_none() => {
            this.abandon(ledger).await?;
            return Err(error);
        }
        joined => joined?,
    };
    if !earlier.writes.is_empty() {
        return this.wait(ledger, earlier).await;
    }
    let result = attempt(deps, write, request).await;
    this.settle(ledger, result).await
}

/// Sends the task of a queued write once more, for the case that it is a dead letter. A duplicate does no harm.
async fn requeue(deps: &Deps, write: Write) -> Result<Write, Error> {
    if write.state == WriteState::Queued {
        order::send(deps, &write, write.deferrals.count, Duration::ZERO).await?;
    }
    Ok(write)
}
