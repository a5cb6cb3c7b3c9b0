//! Fairness: the delay that an org with a hundred times the traffic of the others causes for the others.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::TryStreamExt as _;
use futures::future::{try_join, try_join_all};
use jiff::{SignedDuration, Timestamp};
use local::Progress;
use local::stack::{self, Stack};
use org_simulator::{Effect, FaultRule, OrgOptions, Seed, Simulator};
use salesforce::{Clock, ObjectName, OrgId, RecordId};
use serde::Serialize;
use serde_json::json;
use store::{ChangeHint, Deliveries, Queue, RecordRef, Source};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::poller::{Poller, PollerOptions};
use crate::queue::Messages;
use crate::{Binary, Connected, connect_team, stop_poller};

/// The parameters of a measurement.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The worker's binary; the debug build when `None`.
    pub binary: Option<PathBuf>,
    /// Orgs with one change each in every `quiet_seconds`.
    pub quiet: usize,
    /// The time between two changes of a quiet org.
    pub quiet_seconds: u32,
    /// The number of changes of the noisy org for each change of a quiet one.
    pub factor: u32,
    /// The duration of each measurement, with and without the noisy org.
    pub seconds: u32,
    /// The time between two bursts of the noisy org.
    pub burst_seconds: u32,
    /// The number of workers that read the queue, each one batch at a time.
    pub workers: usize,
    /// The largest number of messages in a batch.
    pub batch: usize,
    /// The time that Salesforce takes for a response.
    pub latency: Duration,
}

/// The times of changes from their arrival until they were in the mirror.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Times {
    /// The number of changes.
    pub changes: usize,
    /// The median, in milliseconds.
    pub p50_ms: i128,
    /// The 99th percentile, in milliseconds.
    pub p99_ms: i128,
    /// The maximum, in milliseconds.
    pub max_ms: i128,
}

/// The results of a measurement.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Report {
    /// The quiet orgs, by themselves.
    pub quiet_alone: Times,
    /// The quiet orgs, beside the noisy one.
    pub quiet_beside: Times,
    /// The noisy org.
    pub noisy: Times,
    /// The 99th percentile of the quiet orgs beside the noisy one, divided by that alone.
    pub p99_ratio: f64,
}

const ACCOUNT: ObjectName = ObjectName::from_static("Account");
/// The visibility timeout of the queue. It is longer than a batch takes, so that no message is received twice.
const HIDDEN: Duration = Duration::from_secs(300);

/// Measures the quiet orgs alone, then beside the noisy one.
///
/// # Errors
/// The stack does not start, or a change is lost.
pub async fn measure(plan: &Plan, progress: &Progress) -> Result<Report> {
    progress.stage("starting the stack and connecting the orgs");
    let connected = Connected::start(stack::Options::default()).await?;
    let setup = Setup::prepare(&connected, plan).await?;
    let ended = AtomicBool::new(false);
    let options = |number| PollerOptions { batches: plan.batch..=plan.batch, kills: 0.0, seed: number };
    let pollers = (0..plan.workers as u64)
        .map(|number| Poller::new(&setup.function, setup.queue.clone(), options(number), &ended));
    let pollers: Vec<Poller<'_>> = pollers.collect();
    let working = async { try_join_all(pollers.iter().map(Poller::run)).await.map(drop) };
    let measuring = async {
        let measured = setup.compare(plan, progress).await;
        ended.store(true, Ordering::Release);
        measured
    };
    let ((), report) = try_join(working, measuring).await?;
    Ok(report)
}

/// The orgs, and the queue between them and the workers.
struct Setup<'a> {
    stack: &'a Stack,
    noisy: Changing,
    quiet: Vec<Changing>,
    hints: Queue<ChangeHint>,
    queue: Messages,
    function: Binary,
}

impl<'a> Setup<'a> {
    async fn prepare(connected: &'a Connected, plan: &Plan) -> Result<Self> {
        let stack = &connected.stack;
        stop_poller(stack, "record-upsert").await?;
        // The emulator is one process: publishing events would slow the mirror down, which it does not in AWS.
        stop_poller(stack, "record-events").await?;
        let noisy = Changing::new(stack.simulator().orgs().into_iter().next().context("the stack has no org")?, 500)?;
        let mut quiet = Vec::new();
        for number in 1..=plan.quiet {
            let options = OrgOptions { name: format!("Quiet {number}"), seed: Seed::None, ..OrgOptions::default() };
            let org = stack.simulator().add_org(options).await?;
            connect_team(&connected.http, stack, &org).await.with_context(|| format!("quiet org {number}"))?;
            quiet.push(Changing::new(org, 20)?);
        }
        for org in quiet.iter().chain([&noisy]) {
            let delay_ms = u64::try_from(plan.latency.as_millis()).unwrap_or_default();
            let path_prefix = "/services/data/".to_owned();
            org.simulator.fault(FaultRule { path_prefix, ..FaultRule::new(Effect::DelayBefore { delay_ms }) });
        }
        let sqs = aws_sdk_sqs::Client::new(stack.sdk_config());
        let url = stack.output("RecordUpsertQueueUrl")?;
        let hints = Queue::new(sqs.clone(), url, Clock::system());
        let queue = Messages::of(sqs, url, HIDDEN);
        let function = Binary::of(stack, "record-upsert").await?;
        let function = match &plan.binary {
            Some(path) => function.built_as(path.clone()),
            None => function,
        };
        Ok(Self { stack, noisy, quiet, hints, queue, function })
    }

    async fn compare(&self, plan: &Plan, progress: &Progress) -> Result<Report> {
        progress.stage("warming up");
        self.phase(Plan { seconds: 10, ..plan.clone() }, false).await?;
        progress.stage("the quiet orgs alone");
        let started = self.phase(plan.clone(), false).await?;
        let quiet_alone = self.times(&self.quiet, started).await?;
        progress.stage("the quiet orgs beside the noisy one");
        let started = self.phase(plan.clone(), true).await?;
        let quiet_beside = self.times(&self.quiet, started).await?;
        let noisy = self.times(std::slice::from_ref(&self.noisy), started).await?;
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of minutes")]
        let p99_ratio = quiet_beside.p99_ms as f64 / quiet_alone.p99_ms as f64;
        Ok(Report { quiet_alone, quiet_beside, noisy, p99_ratio })
    }

    /// Changes records for a while, and waits until every change is in the mirror. Returns the start time.
    async fn phase(&self, plan: Plan, noise: bool) -> Result<Timestamp> {
        let started = Clock::system().now();
        let quiet = self.quiet.iter().enumerate().map(|(number, org)| {
            // Spreads the orgs over the interval.
            let every = Duration::from_secs(plan.quiet_seconds.into());
            self.traffic(org, (1, every), every * u32::try_from(number).unwrap_or_default() / self.orgs(), plan.seconds)
        });
        let noisy = async {
            if !noise {
                return Ok(());
            }
            let every = Duration::from_secs(plan.burst_seconds.into());
            let burst = plan.factor * plan.burst_seconds / plan.quiet_seconds;
            self.traffic(&self.noisy, (burst, every), Duration::ZERO, plan.seconds).await
        };
        try_join(try_join_all(quiet), noisy).await?;
        while self.queue.all().await? > 0 {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(started)
    }

    fn orgs(&self) -> u32 {
        u32::try_from(self.quiet.len()).unwrap_or(u32::MAX)
    }

    async fn traffic(
        &self,
        org: &Changing,
        (changes, every): (u32, Duration),
        offset: Duration,
        seconds: u32,
    ) -> Result<()> {
        let mut ticks = interval_at(Instant::now() + offset, every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        for _ in 0..seconds / u32::try_from(every.as_secs())?.max(1) {
            ticks.tick().await;
            let now = Clock::system().now();
            let hints = (0..changes).map(|number| org.change(number, now)).collect::<Result<Vec<_>>>()?;
            self.hints.send_all(&hints, now + SignedDuration::from_secs(60)).await?;
        }
        Ok(())
    }

    async fn times(&self, orgs: &[Changing], started: Timestamp) -> Result<Times> {
        let dynamodb = aws_sdk_dynamodb::Client::new(self.stack.sdk_config());
        let ledger = Deliveries::new(dynamodb, self.stack.output("DeliveriesTable")?);
        let mut times = Vec::new();
        for org in orgs {
            let deliveries: Vec<_> = ledger.stream_since(org.id, started).try_collect().await?;
            times.extend(deliveries.iter().map(|one| one.settled_at.duration_since(one.received_at).as_millis()));
        }
        times.sort_unstable();
        let at = |share: usize| times.get((times.len() * share / 100).min(times.len().saturating_sub(1))).copied();
        let [p50_ms, p99_ms, max_ms] = [50, 99, 100].map(|share| at(share).unwrap_or_default());
        Ok(Times { changes: times.len(), p50_ms, p99_ms, max_ms })
    }
}

/// An org whose records change.
struct Changing {
    simulator: Simulator,
    id: OrgId,
    username: String,
    records: Vec<RecordId>,
}

impl Changing {
    fn new(simulator: Simulator, records: usize) -> Result<Self> {
        let username =
            simulator.users().into_iter().find(|user| user.is_admin).context("the org has no admin")?.username;
        let create = |number| {
            let fields = json!({ "Name": format!("Account {number}") });
            let id = simulator.create_record(
                &username,
                "Account",
                fields.as_object().context("the fields are not an object")?,
            )?;
            Ok(id.parse()?)
        };
        let records = (0..records).map(create).collect::<Result<_>>()?;
        let id = simulator.org_id().parse()?;
        Ok(Self { simulator, id, username, records })
    }

    /// Changes one of the records, and returns the hint that a notification would make.
    fn change(&self, number: u32, now: Timestamp) -> Result<ChangeHint> {
        let at = (now.as_millisecond().unsigned_abs() as usize / 1000 + number as usize) % self.records.len();
        let record_id = self.records[at];
        let phone = format!("{} {number}", now.as_millisecond());
        let fields = json!({ "Phone": phone });
        let fields = fields.as_object().context("the fields are not an object")?;
        self.simulator.update_record(&self.username, "Account", record_id.as_str(), fields)?;
        Ok(ChangeHint {
            org_id: self.id,
            delivery_id: format!("{}-{number}", now.as_nanosecond()).parse()?,
            source: Source::OutboundMessage,
            record: Some(RecordRef { object: ACCOUNT, record_id }),
            received_at: now,
            deferrals: store::Deferrals::default(),
        })
    }
}
