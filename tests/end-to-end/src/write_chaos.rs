//! Write chaos: reps write records and notes while functions are killed, grants end, records are locked, and Salesforce responds
//! with outages, odd pages, lost and late answers. In the end every accepted write has made exactly one record or note, or has
//! ended in a failure that was told, and the writes of each record took effect in the order of acceptance.

mod fronts;
mod plan;
mod platform;
mod salesforce;
mod trouble;
mod verdict;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::future::{join_all, try_join, try_join_all};
use local::stack::{self, Stack};
use local::{Progress, Subscription};
use serde::Serialize;
use serde_json::json;
use tokio::time::Instant;

use crate::poller::{Poller, PollerOptions};
use crate::queue::Messages;
use crate::{Binary, Connected, delays, stop_poller};
use fronts::Fronts;
use plan::{Request, Script};
use platform::Sent;
use salesforce::Org;

pub use plan::Plan;

/// The counts of a run, and the differences at its end.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Writes of records that were requested, each counted once.
    pub writes: usize,
    /// Notes that were requested, each counted once.
    pub notes: usize,
    /// Requests that were answered with 202: their writes waited in a queue.
    pub queued: usize,
    /// Requests that were sent again, because their function was killed or answered that it can be sent again.
    pub repeated: usize,
    /// Invocations during which the function was killed.
    pub killed: usize,
    /// Messages that the workers received from the queues.
    pub received: usize,
    /// Requests to Salesforce that a fault rule affected.
    pub faults: u64,
    /// Reps whose grants ended and who connected again.
    pub reconnected: usize,
    /// Events about ended writes.
    pub events: usize,
    /// The time from the first request until every accepted write had ended, in seconds.
    pub seconds: u64,
    /// The differences, one line each. The list must be empty.
    pub wrong: Vec<String>,
}

/// The visibility timeout of the queues. It is short, so that messages return soon after a kill.
const HIDDEN: Duration = Duration::from_secs(15);
/// The number of workers of each queue.
const WORKERS: u64 = 2;
/// The share of invocations during which a function is killed, if it still runs then.
const KILLS: f64 = 0.2;
/// The share of the requests after which nothing is killed any more, and troubles end: the rest shows that all ends well.
const TROUBLED_SHARE: f64 = 0.8;
/// The functions that write, each with the output of the template that has the URL of its queue.
const FUNCTIONS: [(&str, &str); 2] = [("record-write", "RecordWriteQueueUrl"), ("note-write", "NoteWriteQueueUrl")];
/// The pause between two looks at the queued writes.
const SETTLE_STEP: Duration = Duration::from_millis(500);

/// Runs the test.
///
/// # Errors
/// The stack does not start, or a step of the rig fails.
pub async fn run(plan: Plan, progress: &Progress) -> Result<Report> {
    progress.stage("starting the stack");
    let connected = Connected::start(stack::Options::default()).await?;
    let delays = delays::shorten(connected.stack.emulator().endpoint()).await?;
    let tables = delays::settle_early(connected.stack.emulator().endpoint()).await?;
    let mut binaries = Vec::new();
    for (function, _) in FUNCTIONS {
        stop_poller(&connected.stack, function).await?;
        let binary = Binary::of(&connected.stack, function).await?;
        let binary = binary.with(delays::ENDPOINT, delays.url());
        binaries.push(if plan.is_short { binary.with(delays::TABLES_ENDPOINT, tables.url()) } else { binary });
    }
    let ended = json!({ "type": ["write.succeeded", "write.failed"] });
    let subscription = Subscription::to(&connected.stack, "write-chaos", &ended).await?;
    progress.stage("connecting the reps");
    let org = Org::prepare(&connected, plan.reps).await?;
    let script = Script::write(plan, &org.note_targets);
    let calm = AtomicBool::new(false);
    let stopped = AtomicBool::new(false);
    let fronts = Fronts::start(&connected, &binaries, plan, &calm)?;
    let (pollers, dead_letters) = pollers(&connected.stack, &binaries, plan, (&stopped, &calm))?;

    let started = Instant::now();
    let working = async { try_join_all(pollers.iter().map(Poller::run)).await.map(drop) };
    let playing = async {
        let played =
            play(plan, &script, &Rig { connected: &connected, org: &org, fronts: &fronts, calm: &calm }, progress)
                .await;
        stopped.store(true, Ordering::Release);
        played
    };
    let ((), (sent, mut report)) = try_join(working, playing).await?;

    report.seconds = started.elapsed().as_secs();
    report.killed = fronts.killed() + pollers.iter().map(|poller| poller.tally().killed).sum::<usize>();
    report.received = pollers.iter().map(|poller| poller.tally().received).sum();
    progress.stage("comparing");
    let events = crate::chaos::drain(&subscription).await?;
    report.events = events.len();
    report.wrong.extend(verdict::check(&org, &fronts, &sent, &events).await?);
    for ((name, _), queue) in FUNCTIONS.into_iter().zip(dead_letters) {
        let dead = queue.all().await?;
        report.wrong.extend((dead > 0).then(|| format!("lost: {dead} messages of {name} are dead letters")));
    }
    Ok(report)
}

/// The state that the acts of a run share.
struct Rig<'a> {
    connected: &'a Connected,
    org: &'a Org,
    fronts: &'a Fronts<'a>,
    calm: &'a AtomicBool,
}

/// Sends all requests, makes the trouble meanwhile, and waits until every accepted write has ended.
async fn play(plan: Plan, script: &Script, rig: &Rig<'_>, progress: &Progress) -> Result<(Vec<Sent>, Report)> {
    let done = AtomicUsize::new(0);
    let total = script.requests().count();
    let troubled = (total as f64 * TROUBLED_SHARE) as usize;
    let ordered = platform::Order::new(plan.records);
    let sending = async {
        let by_rep = script.by_rep.iter().enumerate().map(async |(rep, requests): (usize, &Vec<Request>)| {
            let mut sent = Vec::new();
            for request in requests {
                sent.push(platform::send(rig.fronts, &ordered, rep, request).await?);
                let count = done.fetch_add(1, Ordering::AcqRel) + 1;
                progress.show(&format!("{count} of {total} requests"));
                if count == troubled {
                    rig.calm.store(true, Ordering::Release);
                }
            }
            anyhow::Ok(sent)
        });
        let sent = join_all(by_rep).await.into_iter().collect::<Result<Vec<_>>>()?;
        anyhow::Ok(sent.into_iter().flatten().collect::<Vec<_>>())
    };
    let (sent, trouble) = try_join(sending, trouble::make(plan, rig)).await?;
    progress.stage("waiting for the queued writes");
    settle(rig.fronts, &sent, plan.patience, progress).await?;
    let kind = |is_note: bool| sent.iter().filter(|sent| sent.request.is_note() == is_note).count();
    let report = Report {
        writes: kind(false),
        notes: kind(true),
        queued: sent.iter().filter(|sent| sent.was_queued).count(),
        repeated: sent.iter().map(|sent| sent.repeated).sum(),
        faults: trouble.faults,
        reconnected: trouble.reconnected,
        wrong: trouble.overtaken,
        ..Report::default()
    };
    Ok((sent, report))
}

/// Waits until no accepted write is queued or in progress, at most for `patience`. The verdict reports the others.
async fn settle(fronts: &Fronts<'_>, sent: &[Sent], patience: Duration, progress: &Progress) -> Result<()> {
    let deadline = Instant::now() + patience;
    let mut open: Vec<&Sent> = sent.iter().filter(|sent| sent.was_queued).collect();
    while !open.is_empty() && Instant::now() < deadline {
        let mut still = Vec::new();
        for sent in open {
            let view = fronts.view(sent).await?;
            if !verdict::is_final(&view) {
                still.push(sent);
            }
        }
        open = still;
        progress.show(&format!("{} queued writes", open.len()));
        tokio::time::sleep(SETTLE_STEP).await;
    }
    Ok(())
}

/// Returns the readers of both queues, and the dead-letter queues in the order of [`FUNCTIONS`].
fn pollers<'a>(
    stack: &Stack,
    binaries: &'a [Binary],
    plan: Plan,
    (stopped, calm): (&'a AtomicBool, &'a AtomicBool),
) -> Result<(Vec<Poller<'a>>, Vec<Messages>)> {
    let sqs = aws_sdk_sqs::Client::new(stack.sdk_config());
    let (mut pollers, mut dead) = (Vec::new(), Vec::new());
    for (at, ((function, output), binary)) in FUNCTIONS.into_iter().zip(binaries).enumerate() {
        let url = stack.output(output)?;
        let kills = if function == "note-write" && plan.is_short { 0.0 } else { KILLS };
        for number in 0..WORKERS {
            let seed = plan.seed * 100 + at as u64 * 10 + number;
            let options = PollerOptions { batches: 1..=10, kills, seed };
            let queue = Messages::of(sqs.clone(), url, HIDDEN);
            pollers.push(Poller::new(binary, queue, options, stopped).without_kills_once(calm));
        }
        let (base, name) = url.rsplit_once('/').context("the URL of a queue has no name")?;
        dead.push(Messages::of(sqs.clone(), &format!("{base}/{name}-dead-letters"), HIDDEN));
    }
    Ok((pollers, dead))
}
