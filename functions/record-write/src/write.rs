//! A write from the request to its place in the ledger.

use std::time::Duration;

use jiff::SignedDuration;
use runtime::{Chain, Problem};
use salesforce::OrgId;
use serde::Deserialize as _;
use serde_json::Value;
use store::{Begin, IdempotencyKey, NewWrite, Write, WriteId, WriteKind, WriteState, WriteTask};

use crate::attempt::{Asked, Done, attempt, require_active};
use crate::error::Fate;
use crate::{Deps, Error, answer};

/// For how long one attempt may be at a write; longer than the function may run.
const PATIENCE: SignedDuration = SignedDuration::from_secs(60);
/// The longest delay that SQS takes.
const MAX_DELAY: Duration = Duration::from_secs(15 * 60);

/// Takes a request: the ledger first, then Salesforce. The answer is the write as the ledger holds it.
pub(crate) async fn accept(deps: &Deps, org: OrgId, key: IdempotencyKey, asked: Asked) -> Result<Write, Error> {
    require_active(deps, org).await?;
    let request = serde_json::to_value(&asked).map_err(Error::Unreadable)?;
    let write = NewWrite {
        org_id: org,
        idempotency_key: key,
        kind: WriteKind::Records,
        object: Some(asked.object.clone()),
        platform_user: asked.platform_user.clone(),
        request: request.clone(),
        now: deps.clock.now(),
        patience: PATIENCE,
    };
    match deps.writes.begin(&write).await? {
        Begin::New(write) => carry_out(deps, &write, &asked, &request).await,
        Begin::Replay(write) => remind(deps, write).await,
        Begin::InProgress(_) => Err(Error::InProgress),
    }
}

/// Takes a write up that waited in the queue.
///
/// # Errors
/// It has to wait longer.
pub(crate) async fn resume(deps: &Deps, task: &WriteTask) -> Result<(), Error> {
    let begin = deps.writes.resume(task.org_id, task.write_id, deps.clock.now(), PATIENCE).await?;
    let write = match begin {
        Begin::New(write) => write,
        Begin::Replay(_) => return Ok(()),
        Begin::InProgress(_) => return Err(Error::InProgress),
    };
    let request = write.request.clone().unwrap_or_default();
    let asked = Asked::deserialize(&request).map_err(Error::Unreadable)?;
    let outcome = match require_active(deps, write.org_id).await {
        Ok(()) => attempt(deps, write.org_id, &asked).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(done) => finish(deps, &write, done).await.map(drop),
        Err(error) if error.fate() == Fate::Keep => refuse(deps, &write, &error).await.map(drop),
        Err(error) => {
            // What was accepted is never dropped: it waits for Salesforce, or for the person who has to act.
            deps.writes.queue(&write, &request, deps.clock.now()).await?;
            Err(error)
        }
    }
}

/// The write with this id.
pub(crate) async fn load(deps: &Deps, org: OrgId, write: WriteId) -> Result<Write, Error> {
    deps.writes.load(org, write).await?.ok_or(Error::UnknownWrite)
}

async fn carry_out(deps: &Deps, write: &Write, asked: &Asked, request: &Value) -> Result<Write, Error> {
    let error = match attempt(deps, write.org_id, asked).await {
        Ok(done) => return finish(deps, write, done).await,
        Err(error) => error,
    };
    match error.fate() {
        Fate::Wait(pause) => wait(deps, write, request, (pause, error)).await,
        Fate::Keep => refuse(deps, write, &error).await,
        Fate::Forget => {
            deps.writes.abandon(write).await?;
            Err(error)
        }
        Fate::Leave => Err(error),
    }
}

async fn finish(deps: &Deps, write: &Write, done: Done) -> Result<Write, Error> {
    let failed = done.outcomes.iter().filter(|outcome| !outcome.success).count();
    tracing::info!(
        org.id = %write.org_id,
        connection = %done.way.connection_id,
        records = done.outcomes.len(),
        failed,
        "wrote {} records", done.outcomes.len()
    );
    let outcome = answer::of_records(done.outcomes);
    Ok(deps.writes.finish(write, Some(&done.way), &outcome, deps.clock.now()).await?)
}

async fn refuse(deps: &Deps, write: &Write, error: &Error) -> Result<Write, Error> {
    tracing::warn!(org.id = %write.org_id, error = %Chain(error), "a write was refused");
    let outcome = answer::of_problem(&Problem::from(error));
    Ok(deps.writes.finish(write, None, &outcome, deps.clock.now()).await?)
}

/// Puts the write into the queue. One that is too large to wait is the platform's again.
async fn wait(deps: &Deps, write: &Write, request: &Value, why: (Duration, Error)) -> Result<Write, Error> {
    let (pause, error) = why;
    tracing::warn!(org.id = %write.org_id, error = %Chain(&error), "a write has to wait");
    match deps.writes.queue(write, request, deps.clock.now()).await {
        Ok(write) => send(deps, write, pause).await,
        Err(store::Error::TooLarge { .. }) => {
            deps.writes.abandon(write).await?;
            Err(error)
        }
        Err(error) => Err(error.into()),
    }
}

/// A replay is answered from the ledger. One that waits is put into the queue once more: whoever noted it there may have
/// been killed before it sent the task, and a task too many does no harm.
async fn remind(deps: &Deps, write: Write) -> Result<Write, Error> {
    match write.state {
        WriteState::Queued => send(deps, write, Duration::ZERO).await,
        WriteState::Finished | WriteState::InProgress => Ok(write),
    }
}

async fn send(deps: &Deps, write: Write, pause: Duration) -> Result<Write, Error> {
    let task = WriteTask { org_id: write.org_id, write_id: write.write_id };
    deps.queue.send(&task, pause.min(MAX_DELAY)).await?;
    Ok(write)
}
