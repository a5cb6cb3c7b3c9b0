//! A write from the request to its place in the ledger.

use std::time::Duration;

use aws_lambda_events::sqs::SqsEvent;
use jiff::SignedDuration;
use runtime::sqs::{Answer, Batch};
use runtime::{Chain, Problem};
use salesforce::{Client, ObjectName, OrgId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::owner_policy::{Route, choose};
use store::queues::MAX_DELAY;
use store::writes::WriteRoute;
use store::{
    Begin, IdempotencyKey, NewWrite, OrgState, PlatformUser, Write, WriteId, WriteKind, WriteState, WriteTask,
};

use crate::answer::of_problem;
use crate::error::Fate;
use crate::{Deps, Error};

/// For how long one attempt may be at a write; longer than the function may run.
const PATIENCE: SignedDuration = SignedDuration::from_secs(60);

/// What a function writes.
pub trait Work: Serialize + DeserializeOwned + Send + Sync {
    /// The dependencies of the function.
    type Deps: AsRef<Deps> + Sync;

    /// What kind of write it is.
    fn kind(&self) -> WriteKind;

    /// The object, where all records are of one.
    fn object(&self) -> Option<&ObjectName>;

    /// Does it through this connection, once, and says what the platform is to hear.
    fn carry_out(
        &self,
        deps: &Self::Deps,
        client: &Client,
        route: &Route,
        write: &Write,
    ) -> impl Future<Output = Result<Value, Error>> + Send;

    /// Whether an attempt before this one may have left something that the next has to look for. Not where the work may be
    /// repeated as it is.
    fn leaves_traces(&self, write: &Write) -> bool;
}

/// Everything that was asked for, as the ledger and the queue keep it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked<W> {
    /// On whose behalf.
    pub platform_user: Option<PlatformUser>,
    /// What.
    #[serde(flatten)]
    pub work: W,
}

/// Takes a request: the ledger first, then Salesforce. The answer is the write as the ledger holds it.
///
/// # Errors
/// Nothing was done, or nothing that a request with the same key would not find.
pub async fn accept<W: Work>(deps: &W::Deps, org: OrgId, key: IdempotencyKey, asked: Asked<W>) -> Result<Write, Error> {
    let ledger = deps.as_ref();
    require_active(ledger, org).await?;
    let request = serde_json::to_value(&asked).map_err(Error::Unreadable)?;
    let write = NewWrite {
        org_id: org,
        idempotency_key: key,
        kind: asked.work.kind(),
        object: asked.work.object().cloned(),
        platform_user: asked.platform_user.clone(),
        request: request.clone(),
        now: ledger.clock.now(),
        patience: PATIENCE,
    };
    match ledger.writes.begin(&write).await? {
        Begin::New(write) => begin(deps, &write, &asked, &request).await,
        Begin::Replay(write) => remind(ledger, write).await,
        Begin::InProgress(_) => Err(Error::InProgress),
    }
}

/// Carries out queued writes, one after the other. Those that have to wait longer are reported as failed, so that SQS
/// hands them out again and at last moves them to the dead letters.
///
/// # Errors
/// None: what fails is in the answer.
pub async fn handle<W: Work>(deps: &W::Deps, event: SqsEvent) -> Result<Answer, Error> {
    let batch = Batch::<WriteTask>::parse(event);
    let failed = batch.unreadable.into_iter().map(|message| message.id).collect();
    let mut answer = Answer { failed, counts: Vec::new() };
    let mut done = 0;
    for message in batch.messages {
        // Boxed, for the futures of the AWS SDK below it are nested too deep for the compiler to lay out at once.
        match Box::pin(resume::<W>(deps, &message.body)).await {
            Ok(()) => done += 1,
            Err(error) => {
                tracing::warn!(org.id = %message.body.org_id, error = %Chain(&error), "a queued write failed");
                answer.failed.push(message.id);
            }
        }
    }
    answer.counts.push(("writes.done", done));
    Ok(answer)
}

/// The write with this id.
///
/// # Errors
/// There is none.
pub async fn load(deps: &Deps, org: OrgId, write: WriteId) -> Result<Write, Error> {
    deps.writes.load(org, write).await?.ok_or(Error::Unknown("write"))
}

/// Refuses orgs that are unknown or not active.
///
/// # Errors
/// [`Error::UnknownOrg`], [`Error::OrgNotActive`].
pub async fn require_active(deps: &Deps, org: OrgId) -> Result<(), Error> {
    match deps.orgs.load(org).await?.map(|org| org.state) {
        Some(OrgState::Active) => Ok(()),
        Some(state) => Err(Error::OrgNotActive(state)),
        None => Err(Error::UnknownOrg),
    }
}

/// Takes a write up that waited in the queue. An error says that it has to wait longer.
async fn resume<W: Work>(deps: &W::Deps, task: &WriteTask) -> Result<(), Error> {
    let ledger = deps.as_ref();
    let begin = ledger.writes.resume(task.org_id, task.write_id, ledger.clock.now(), PATIENCE).await?;
    let write = match begin {
        Begin::New(write) => write,
        Begin::Replay(_) => return Ok(()),
        Begin::InProgress(_) => return Err(Error::InProgress),
    };
    let request = write.request.clone().unwrap_or_default();
    let asked = Asked::<W>::deserialize(&request).map_err(Error::Unreadable)?;
    let outcome = match require_active(ledger, write.org_id).await {
        Ok(()) => attempt(deps, &write, &asked).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(done) => finish(ledger, &write, done).await.map(drop),
        Err(error) if error.fate(true) == Fate::Keep => refuse(ledger, &write, &error).await.map(drop),
        Err(error) => {
            // What was accepted is never dropped: it waits for Salesforce, or for the person who has to act.
            ledger.writes.queue(&write, &request, ledger.clock.now()).await?;
            Err(error)
        }
    }
}

async fn begin<W: Work>(deps: &W::Deps, write: &Write, asked: &Asked<W>, request: &Value) -> Result<Write, Error> {
    let ledger = deps.as_ref();
    let error = match attempt(deps, write, asked).await {
        Ok(done) => return finish(ledger, write, done).await,
        Err(error) => error,
    };
    match error.fate(asked.work.leaves_traces(write)) {
        Fate::Wait(pause) => wait(ledger, write, request, (pause, error)).await,
        Fate::Keep => refuse(ledger, write, &error).await,
        Fate::Forget => {
            ledger.writes.abandon(write).await?;
            Err(error)
        }
        Fate::Leave => Err(error),
    }
}

/// What became of the work, and through which connection.
struct Done {
    way: WriteRoute,
    outcome: Value,
}

/// Carries the write out, once. When the session turns out to be dead, the owner policy is asked again: the token broker has
/// marked the connection by then.
async fn attempt<W: Work>(deps: &W::Deps, write: &Write, asked: &Asked<W>) -> Result<Done, Error> {
    let first = find_route(deps.as_ref(), write.org_id, asked).await?;
    match write_through(deps, &first, write, asked).await {
        Err(error) if error.blames_the_connection() => {
            let second = find_route(deps.as_ref(), write.org_id, asked).await?;
            if second == first { Err(error) } else { write_through(deps, &second, write, asked).await }
        }
        outcome => outcome,
    }
}

async fn find_route<W>(deps: &Deps, org: OrgId, asked: &Asked<W>) -> Result<Route, Error> {
    let user = asked.platform_user.as_ref();
    choose(deps.owner_policy, &deps.connections, org, user).await?.map_err(Error::NoRoute)
}

async fn write_through<W: Work>(deps: &W::Deps, route: &Route, write: &Write, asked: &Asked<W>) -> Result<Done, Error> {
    let ledger = deps.as_ref();
    let client = ledger.salesforce.client(write.org_id, &route.way.connection_id);
    let outcome = asked.work.carry_out(deps, &client, route, write).await;
    ledger.count_calls(write.org_id, &client).await;
    Ok(Done { way: route.way.clone(), outcome: outcome? })
}

async fn finish(deps: &Deps, write: &Write, done: Done) -> Result<Write, Error> {
    let (org, connection) = (write.org_id, &done.way.connection_id);
    tracing::info!(org.id = %org, %connection, kind = ?write.kind, write.id = %write.write_id, "a write was carried out");
    Ok(deps.writes.finish(write, Some(&done.way), &done.outcome, deps.clock.now()).await?)
}

async fn refuse(deps: &Deps, write: &Write, error: &Error) -> Result<Write, Error> {
    tracing::warn!(org.id = %write.org_id, kind = ?write.kind, error = %Chain(error), "a write was refused");
    let outcome = of_problem(&Problem::from(error));
    Ok(deps.writes.finish(write, None, &outcome, deps.clock.now()).await?)
}

/// Puts the write into the queue. One that is too large to wait is the platform's again, if it surely left nothing behind.
async fn wait(deps: &Deps, write: &Write, request: &Value, why: (Duration, Error)) -> Result<Write, Error> {
    let (pause, error) = why;
    tracing::warn!(org.id = %write.org_id, kind = ?write.kind, error = %Chain(&error), "a write has to wait");
    match deps.writes.queue(write, request, deps.clock.now()).await {
        Ok(write) => send(deps, write, pause).await,
        Err(store::Error::TooLarge { .. }) if !matches!(error, Error::Unfinished(_)) => {
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
