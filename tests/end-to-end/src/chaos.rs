//! Chaos: thousands of notifications, shuffled, repeated and late, for workers that are killed at random, while Salesforce responds
//! with outages, timeouts, row locks and limits. In the end no change may be lost, doubled or made up.

mod edits;
mod verdict;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use local::stack::{self, Stack};
use local::{Progress, Subscription};
use org_simulator::{DeliveryState, Effect, FaultRule, OutboundDisturbance, Simulator};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::Serialize;
use serde_json::json;

use crate::odd_answers::{odd_answers, refused_session};
use crate::poller::{Poller, PollerOptions};
use crate::queue::Messages;
use crate::{Binary, Connected, delays, stop_poller};
use edits::{Edits, OBJECTS};

/// The parameters of a run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The number of notifications that the org sends, without repetitions.
    pub messages: usize,
    /// The seed of the random numbers. The same seed makes the same edits, batches, kills and faults, at other times.
    pub seed: u64,
    /// The number of workers that read the queue.
    pub workers: usize,
    /// Lets Salesforce also refuse calls because the daily API limit is reached. The messages of such calls are deferred for a
    /// quarter of an hour, which the rig shortens.
    pub daily_limit: bool,
    /// Lets Salesforce also give answers that say nothing about the request: pages of a proxy, empty bodies, a resource that is
    /// missing once, unknown codes, refused sessions. Half-way the org moves to another instance.
    pub odd_answers: bool,
}

/// The counts of a run, and the differences at its end.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Changes of records in the org.
    pub edits: usize,
    /// Records that were created in the org.
    pub records: usize,
    /// Notifications that Ferry acknowledged.
    pub acknowledged: usize,
    /// Batches that the workers received.
    pub batches: usize,
    /// Batches during which the worker was killed.
    pub killed: usize,
    /// Messages that the workers received.
    pub received: usize,
    /// Messages that a response listed as failed.
    pub failed: usize,
    /// Messages that SQS dead-lettered because their workers were killed too often, and that were sent back.
    pub sent_back: usize,
    /// Requests to Salesforce that a fault rule affected.
    pub faults: u64,
    /// Events on the bus, each counted once.
    pub events: usize,
    /// The differences, one line each. The list must be empty.
    pub wrong: Vec<String>,
}

/// The number of edits between two deliveries.
const ROUND: usize = 200;
/// The number of waiting messages above which the edits pause, so that records change while they are read.
const BACKLOG: u64 = 400;
/// The visibility timeout of the queue. It is short, so that messages return soon after a kill; it is less than a slow batch takes,
/// so that two workers sometimes have the same messages.
const HIDDEN: Duration = Duration::from_secs(15);
/// The time after which the queue must be empty once edits and faults have ended.
const SETTLE_TIMEOUT: Duration = Duration::from_mins(40);

/// Runs the test.
///
/// # Errors
/// The stack does not start, or the queue does not become empty.
pub async fn run(plan: Plan, progress: &Progress) -> Result<Report> {
    progress.stage("starting the stack");
    let parameters = vec![("EventValues".to_owned(), "values".to_owned())];
    let org = Connected::start(stack::Options { parameters, ..stack::Options::default() }).await?;
    stop_poller(&org.stack, "record-upsert").await?;
    org.send_outbound_messages(&OBJECTS)?;
    let subjects = OBJECTS.map(|object| json!({ "prefix": format!("{object}/") }));
    let subscription = Subscription::to(&org.stack, "chaos", &json!({ "subject": subjects })).await?;
    let queue = Messages::of(
        aws_sdk_sqs::Client::new(org.stack.sdk_config()),
        org.stack.output("RecordUpsertQueueUrl")?,
        HIDDEN,
    );
    let delays = delays::shorten(org.stack.emulator().endpoint()).await?;
    let function = Binary::of(&org.stack, "record-upsert").await?.with(delays::ENDPOINT, delays.url());
    let ended = AtomicBool::new(false);
    let options = |number| PollerOptions { batches: 10..=120, kills: 0.2, seed: plan.seed + number };
    let pollers = (0..plan.workers as u64).map(|number| Poller::new(&function, queue.clone(), options(number), &ended));
    let pollers: Vec<Poller<'_>> = pollers.collect();
    let working = futures::future::try_join_all(pollers.iter().map(Poller::run));
    let playing = async {
        let report = play(plan, &org, &queue, progress).await;
        ended.store(true, Ordering::Release);
        report
    };
    let ((), mut report) = tokio::try_join!(async { working.await.map(drop) }, playing)?;
    for tally in pollers.iter().map(Poller::tally) {
        report.batches += tally.batches;
        report.killed += tally.killed;
        report.received += tally.received;
        report.failed += tally.failed;
    }
    progress.stage("reading the events");
    let events = drain(&subscription).await?;
    report.events = events.len();
    report.wrong.extend(verdict::check_events(&events));
    Ok(report)
}

/// Makes the edits under faults, waits until the queue is empty, and compares mirror and ledger with the org.
async fn play(plan: Plan, org: &Connected, queue: &Messages, progress: &Progress) -> Result<Report> {
    let simulator = org.stack.simulator();
    let mut random = StdRng::seed_from_u64(plan.seed);
    let mut edits = Edits::new(simulator, &org.admin.username, plan.seed);
    let mut acknowledged = BTreeSet::new();
    let (mut sent, mut tenths) = (0, 0);
    add_faults(simulator, plan);
    while sent < plan.messages {
        progress.show(&format!("{sent} of {} notifications", plan.messages));
        if sent * 10 / plan.messages > tenths {
            tenths = sent * 10 / plan.messages;
            if plan.odd_answers && tenths == 5 {
                simulator.move_instance().await?;
            }
            progress.stage(&format!("{sent} of {} notifications", plan.messages));
        }
        for _ in 0..ROUND {
            edits.step()?;
        }
        simulator.disturb_outbound_messages(disturbance(&mut random));
        sent += deliver(simulator, &mut acknowledged).await;
        while queue.visible().await? > BACKLOG {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    progress.stage("waiting for the queue");
    let faults = simulator.faults().iter().map(|fault| fault.used).sum();
    simulator.clear_faults();
    simulator.disturb_outbound_messages(OutboundDisturbance::default());
    deliver(simulator, &mut acknowledged).await;
    let sent_back = empty_queue(&org.stack, queue).await?;
    progress.stage("comparing");
    let mut wrong = verdict::check_ledger(&org.stack, &acknowledged).await?;
    wrong.extend(verdict::check_mirror(&org.stack, edits.alive()).await?);
    refresh(org, &edits).await?;
    wrong.extend(verdict::check_mirror(&org.stack, edits.all()).await?);
    Ok(Report {
        edits: edits.made(),
        records: edits.all().len(),
        acknowledged: acknowledged.len(),
        sent_back,
        faults,
        wrong,
        ..Report::default()
    })
}

/// Adds a fault rule for each kind of failure, which hits a share of the calls that read records.
fn add_faults(simulator: &Simulator, plan: Plan) {
    let unavailable = [Effect::Unavailable, Effect::InternalError, Effect::ResetBefore, Effect::ResetAfter];
    let refused = [Effect::UnableToLockRow, Effect::ConcurrentLimitExceeded, Effect::QueryTimeout];
    let broken = [Effect::Truncate { keep_bytes: None }, Effect::MalformedJson, Effect::Delay { delay_ms: 1500 }];
    let effects = unavailable.into_iter().chain(refused).chain(broken);
    let odd = if plan.odd_answers { odd_answers() } else { Vec::new() };
    for (number, effect) in (0..).zip(effects.chain(odd)) {
        simulator.fault(FaultRule {
            path: Some("/services/data/*/**".to_owned()),
            probability: Some(0.015),
            seed: plan.seed + number,
            ..FaultRule::new(effect)
        });
    }
    // A call that takes longer than the timeout, and the limit of the whole org, are slow: a few of them are enough.
    let hanging = Effect::Delay { delay_ms: 70_000 };
    let limit = plan.daily_limit.then_some(Effect::RequestLimitExceeded);
    let refused = plan.odd_answers.then(refused_session);
    for effect in [hanging].into_iter().chain(limit).chain(refused) {
        let (skip, times) = (15, Some(2));
        let path = Some("/services/data/*/composite/sobjects/*".to_owned());
        simulator.fault(FaultRule { path, skip, times, ..FaultRule::new(effect) });
    }
}

/// Returns settings for messages of random size, in random order, some of them repeated.
fn disturbance(random: &mut StdRng) -> OutboundDisturbance {
    OutboundDisturbance {
        duplicates: u32::from(random.random_bool(0.3)),
        shuffle: Some(random.random()),
        batch: random.random_range(5..=100),
        omit_deleted: random.random_bool(0.5),
    }
}

/// Sends the due notifications. Returns the number that were acknowledged for the first time.
async fn deliver(simulator: &Simulator, acknowledged: &mut BTreeSet<String>) -> usize {
    let attempts = simulator.deliver_outbound_messages().await;
    let delivered = attempts.into_iter().filter(|delivery| delivery.state == DeliveryState::Delivered);
    let before = acknowledged.len();
    acknowledged.extend(delivered.map(|delivery| delivery.notification_id));
    acknowledged.len() - before
}

/// Waits until the queue is empty. Sends dead letters back, as an operator would. Returns the number of messages sent back.
async fn empty_queue(stack: &Stack, queue: &Messages) -> Result<usize> {
    let sqs = aws_sdk_sqs::Client::new(stack.sdk_config());
    let dead = Messages::of(sqs.clone(), &verdict::dead_letters_url(&sqs).await?, Duration::from_secs(60));
    let mut sent_back = 0;
    let quiet = async {
        loop {
            for letter in dead.at_most(10).await? {
                let body = letter["body"].as_str().context("a dead letter has no body")?;
                let url = stack.output("RecordUpsertQueueUrl")?;
                sqs.send_message().queue_url(url).message_body(body).send().await?;
                dead.delete(&[&letter]).await?;
                sent_back += 1;
            }
            if queue.all().await? == 0 && dead.all().await? == 0 {
                return anyhow::Ok(());
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    tokio::time::timeout(SETTLE_TIMEOUT, quiet).await.context("the queue does not become empty")??;
    Ok(sent_back)
}

/// Runs the nightly refresh, which finds deletions: no notification reports them.
async fn refresh(org: &Connected, edits: &Edits<'_>) -> Result<()> {
    let lambda = aws_sdk_lambda::Client::new(org.stack.sdk_config());
    let function = org.stack.output("RefreshFunction")?;
    let payload = aws_sdk_lambda::primitives::Blob::new(br#"{"kind":"nightly"}"#.to_vec());
    lambda.invoke().function_name(function).payload(payload).send().await?;
    crate::eventually("the deletions in the mirror", async || {
        Ok(verdict::check_mirror(&org.stack, edits.all()).await?.is_empty())
    })
    .await
    .or(Ok(()))
}

/// Returns every event once, since the bus may deliver one twice. Ends when no event arrives for a while.
pub(crate) async fn drain(subscription: &Subscription) -> Result<Vec<serde_json::Value>> {
    let mut seen = BTreeSet::new();
    let mut events = Vec::new();
    let mut silent = 0;
    while silent < 5 {
        let received = subscription.receive().await?;
        silent = if received.is_empty() { silent + 1 } else { 0 };
        for event in received {
            let event = event["detail"].clone();
            if seen.insert(event["id"].to_string()) {
                events.push(event);
            }
        }
    }
    Ok(events)
}
