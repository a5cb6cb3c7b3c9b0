//! A write from the request to its outcome in the ledger.

use std::time::Duration;

use aws_lambda_events::sqs::SqsEvent;
use jiff::SignedDuration;
use runtime::sqs::{Batch, BatchReport};
use runtime::{Chain, Problem};
use salesforce::{Client, ObjectName, OrgId, Retry};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::owner_policy::{Connected, FoundUser, OwnerPolicy, Route, UserKey, WriteRoute};
use store::queues::MAX_DELAY;
use store::{
    BeginOutcome, ConnectionId, IdempotencyKey, NewWrite, Org, OrgState, PlatformUser, Write, WriteId, WriteKind,
    WriteState, WriteTask,
};

use crate::error::FailureEffect;
use crate::response::refused;
use crate::{Deps, Error};

/// The time that one attempt may take, longer than the function may run. Afterwards another attempt may begin.
const ATTEMPT_TIMEOUT: SignedDuration = SignedDuration::from_secs(60);

/// The maximum number of tries of one attempt. The session of a connection can be refused twice although its grant is
/// alive or has ended: this process and the token broker may both hold a session that Salesforce has ended. The third try
/// finds a new session, or a connection whose state says that its grant has ended.
const MAX_TRIES: usize = 3;

/// An operation that writes to Salesforce.
pub trait WriteOperation: Serialize + DeserializeOwned + Send + Sync {
    /// The dependencies of the function.
    type Deps: AsRef<Deps> + Sync;

    /// Returns the kind of write.
    fn kind(&self) -> WriteKind;

    /// Returns the object, if all records are of one object.
    fn object(&self) -> Option<&ObjectName>;

    /// Checks whether this installation carries out such operations.
    ///
    /// # Errors
    /// The installation does not. Nothing was stored.
    fn require_allowed(&self, _: &Self::Deps) -> Result<(), Error> {
        Ok(())
    }

    /// Returns whether what the operation creates can name an owner.
    fn names_owner(&self) -> bool {
        true
    }

    /// Makes one attempt through this connection. Returns the outcome for the ledger, whose members the response contains.
    fn execute(
        &self,
        deps: &Self::Deps,
        client: &Client,
        route: &Route,
        write: &Write,
    ) -> impl Future<Output = Result<Attempted, Error>> + Send;

    /// Returns whether an earlier attempt may have created something that the next attempt has to look for. `false` for an
    /// operation that is safe to repeat.
    fn needs_lookup(&self, write: &Write) -> bool;
}

/// What an attempt of a write did.
#[derive(Clone, Debug, PartialEq)]
pub enum Attempted {
    /// Everything is decided. The outcome for the ledger.
    Completed(Value),
    /// Some records are to be tried again.
    Partial {
        /// The outcome, as it stands if no later attempt decides those records.
        outcome: Value,
        /// The retry that they allow.
        retry: salesforce::Retry,
    },
}

/// A write request, as the ledger and the queue store it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WriteRequest<O> {
    /// The acting user.
    pub platform_user: Option<PlatformUser>,
    /// The acting user's own token requested the write, so only that user's connection may make it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only_as_user: bool,
    /// The operation.
    #[serde(flatten)]
    pub operation: O,
}

/// A deferral: the pause, and the failure that caused it.
struct Deferral {
    pause: Duration,
    cause: Error,
}

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
        now: ledger.clock.now(),
        claim_ttl: ATTEMPT_TIMEOUT,
    };
    match ledger.writes.begin(&write).await? {
        BeginOutcome::Started(write) => begin(deps, &write, &request, &stored_request).await,
        BeginOutcome::Replay(write) if is_former_tenants(org, &write) => Err(store::Error::IdempotencyKeyReused.into()),
        BeginOutcome::Replay(write) => requeue(ledger, write).await,
        BeginOutcome::InProgress(_) => Err(Error::InProgress),
    }
}

/// Carries out queued writes, one after the other. Reports those that have to wait longer as failed, so that SQS delivers
/// them again and in the end moves them to the dead-letter queue.
///
/// # Errors
/// None: failures are in the report.
pub async fn handle<O: WriteOperation>(deps: &O::Deps, event: SqsEvent) -> Result<BatchReport, Error> {
    let batch = Batch::<WriteTask>::parse(event);
    let failed = batch.unreadable.into_iter().map(|message| message.id).collect();
    let mut report = BatchReport { failed, counts: Vec::new() };
    let mut done = 0;
    for message in batch.messages {
        // Boxed, because the futures of the AWS SDK are nested too deep for the compiler to lay out at once.
        match Box::pin(resume::<O>(deps, &message.body)).await {
            Ok(()) => done += 1,
            Err(error) => {
                tracing::warn!(org.id = %message.body.org_id, error = %Chain(&error), "a queued write failed");
                report.failed.push(message.id);
            }
        }
    }
    report.counts.push(("writes.done", done));
    Ok(report)
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

/// Makes another attempt at a queued write. Returns an error if the write has to wait longer.
async fn resume<O: WriteOperation>(deps: &O::Deps, task: &WriteTask) -> Result<(), Error> {
    let ledger = deps.as_ref();
    let write = match ledger.writes.resume(task.org_id, task.write_id, ledger.clock.now(), ATTEMPT_TIMEOUT).await {
        Ok(BeginOutcome::Started(write)) => write,
        Ok(BeginOutcome::Replay(_)) => return Ok(()),
        Ok(BeginOutcome::InProgress(_)) => return Err(Error::InProgress),
        // A queued write does not expire, so it was erased with the data of its org or of its record.
        Err(store::Error::NotFound { .. }) => {
            tracing::warn!(org.id = %task.org_id, write.id = %task.write_id, "did not make a queued write: it was erased");
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let stored_request = write.request.clone().unwrap_or_default();
    let request = WriteRequest::<O>::deserialize(&stored_request).map_err(Error::StoredRequest)?;
    let active = match ledger.orgs.load(write.org_id).await {
        // For the tenant that requested the write, the org does not exist any more.
        Ok(Some(org)) if is_former_tenants(&org, &write) => Err(Error::UnknownOrg),
        Ok(Some(org)) => require_active(&org),
        Ok(None) => Err(Error::UnknownOrg),
        Err(error) => Err(error.into()),
    };
    let outcome = match active {
        Ok(()) => attempt(deps, &write, &request).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(Made { attempted: Attempted::Partial { outcome, .. }, .. }) => {
            let write = ledger.writes.save_outcome(&write, &outcome, ledger.clock.now()).await?;
            ledger.writes.queue(&write, &stored_request, ledger.clock.now()).await?;
            Err(Error::InProgress)
        }
        Ok(Made { attempted: Attempted::Completed(outcome), write_route }) => {
            finish(ledger, &write, Completed { write_route, outcome }).await.map(drop)
        }
        Err(error) if error.effect(true) == FailureEffect::Refuse => refuse(ledger, &write, &error).await.map(drop),
        Err(error) => {
            // An accepted write is never dropped: it waits for Salesforce, or for the person who has to act.
            ledger.writes.queue(&write, &stored_request, ledger.clock.now()).await?;
            Err(error)
        }
    }
}

async fn begin<O: WriteOperation>(
    deps: &O::Deps,
    write: &Write,
    request: &WriteRequest<O>,
    stored_request: &Value,
) -> Result<Write, Error> {
    let ledger = deps.as_ref();
    let error = match attempt(deps, write, request).await {
        Ok(Made { attempted: Attempted::Completed(outcome), write_route }) => {
            return finish(ledger, write, Completed { write_route, outcome }).await;
        }
        Ok(Made { attempted: Attempted::Partial { outcome, retry }, .. }) => {
            let write = ledger.writes.save_outcome(write, &outcome, ledger.clock.now()).await?;
            let pause = match retry {
                Retry::After(pause) | Retry::Unknown(pause) => pause,
                Retry::Never | Retry::NeedsHuman => Duration::ZERO,
            };
            let deferral = Deferral { pause, cause: Error::InProgress };
            return defer(ledger, &write, stored_request, deferral).await;
        }
        Err(error) => error,
    };
    match error.effect(request.operation.needs_lookup(write)) {
        FailureEffect::Defer(pause) => defer(ledger, write, stored_request, Deferral { pause, cause: error }).await,
        FailureEffect::Refuse => refuse(ledger, write, &error).await,
        FailureEffect::Abandon => {
            ledger.writes.abandon(write).await?;
            Err(error)
        }
        FailureEffect::Leave => Err(error),
    }
}

/// What an attempt did, and the connection that it used.
struct Made {
    write_route: WriteRoute,
    attempted: Attempted,
}

/// The outcome of a write, and the connection that it was made through.
struct Completed {
    write_route: WriteRoute,
    outcome: Value,
}

/// Makes one attempt. If a session turns out to be dead, nothing was written: the owner policy is applied again, because the
/// token broker may have marked the connection by then.
async fn attempt<O: WriteOperation>(
    deps: &O::Deps,
    write: &Write,
    request: &WriteRequest<O>,
) -> Result<Made, Error> {
    let mut tries = 1;
    loop {
        match try_once(deps, write, request).await {
            Err(error) if error.is_dead_session() && tries < MAX_TRIES => tries += 1,
            outcome => return outcome,
        }
    }
}

async fn try_once<O: WriteOperation>(
    deps: &O::Deps,
    write: &Write,
    request: &WriteRequest<O>,
) -> Result<Made, Error> {
    let route = find_route(deps.as_ref(), write.org_id, request).await?;
    let route = if request.operation.names_owner() { route } else { route.without_owner() };
    write_through(deps, &route, write, request).await
}

/// Applies the owner policy. The team's connection looks up the rep's Salesforce user where the policy needs it.
async fn find_route<O>(deps: &Deps, org: OrgId, request: &WriteRequest<O>) -> Result<Route, Error> {
    let policy = if request.only_as_user { OwnerPolicy::RepOnly } else { deps.owner_policy };
    let connected = Connected::load(&deps.connections, org, request.platform_user.as_ref()).await?;
    let found = match connected.needed_look_up(policy) {
        Some(key) => Some(look_up(deps, org, key).await?),
        None => None,
    };
    connected.route(policy, found).map_err(Error::NoRoute)
}

async fn look_up(deps: &Deps, org: OrgId, key: UserKey) -> Result<FoundUser, Error> {
    if let Some(known) = deps.users.known(org, &key) {
        return Ok(known);
    }
    let client = deps.salesforce.client(org, &ConnectionId::team());
    let found = deps.users.find(&client, org, key).await;
    deps.count_calls(org, &client).await;
    Ok(found?)
}

async fn write_through<O: WriteOperation>(
    deps: &O::Deps,
    route: &Route,
    write: &Write,
    request: &WriteRequest<O>,
) -> Result<Made, Error> {
    let ledger = deps.as_ref();
    let client = ledger.salesforce.client(write.org_id, &route.write_route.connection_id);
    let outcome = request.operation.execute(deps, &client, route, write).await;
    ledger.count_calls(write.org_id, &client).await;
    Ok(Made { write_route: route.write_route.clone(), attempted: outcome? })
}

async fn finish(deps: &Deps, write: &Write, completed: Completed) -> Result<Write, Error> {
    let (org, connection) = (write.org_id, &completed.write_route.connection_id);
    tracing::info!(org.id = %org, %connection, kind = ?write.kind, write.id = %write.write_id, "a write was carried out");
    Ok(deps.writes.finish(write, Some(&completed.write_route), &completed.outcome, deps.clock.now()).await?)
}

async fn refuse(deps: &Deps, write: &Write, error: &Error) -> Result<Write, Error> {
    tracing::warn!(org.id = %write.org_id, kind = ?write.kind, error = %Chain(error), "a write was refused");
    let outcome = refused(&Problem::from(error));
    Ok(deps.writes.finish(write, None, &outcome, deps.clock.now()).await?)
}

/// Queues the write. A write that is too large for the queue is returned as failed, unless its outcome is unknown.
async fn defer(deps: &Deps, write: &Write, stored_request: &Value, deferral: Deferral) -> Result<Write, Error> {
    let Deferral { pause, cause } = deferral;
    tracing::warn!(org.id = %write.org_id, kind = ?write.kind, error = %Chain(&cause), "a write was deferred");
    match deps.writes.queue(write, stored_request, deps.clock.now()).await {
        Ok(write) => send(deps, write, pause).await,
        Err(store::Error::TooLarge { .. })
            if !matches!(cause, Error::OutcomeUnknown(_) | Error::MayTakeEffect { .. }) =>
        {
            deps.writes.abandon(write).await?;
            Err(cause)
        }
        Err(error) => Err(error.into()),
    }
}

/// Sends the task of a queued write once more, because the first attempt may have been killed before it sent the task. A
/// duplicate does no harm.
async fn requeue(deps: &Deps, write: Write) -> Result<Write, Error> {
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
