//! One night of many orgs with small changes: its calls of Salesforce, and the memory of the function that queues it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use bench::Outcome;
use futures::future::{try_join, try_join_all};
use jiff::Timestamp;
use local::Progress;
use local::stack::{self, Stack};
use org_simulator::{OrgOptions, Seed, Simulator};
use salesforce::{Clock, ObjectName, OrgId, RecordId};
use serde::Serialize;
use serde_json::json;
use store::org_settings::Author;
use store::{Allocation, Budget, Budgets, Lane, OrgSettings, OrgSettingsTable, Pipelines, Records, SettingsChange};
use tokio::time::Instant;

use crate::poller::{Poller, PollerOptions};
use crate::queue::Messages;
use crate::{Binary, Connected, connect_team, eventually, stop_poller};

/// The parameters of a measurement.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The binary of `pipeline-refresh`; the debug build when `None`.
    pub binary: Option<PathBuf>,
    /// The number of orgs.
    pub orgs: usize,
    /// The number of records that change in each org.
    pub changes: usize,
    /// The number of workers that read the queue, each one task at a time.
    pub workers: usize,
}

/// The results of a measurement.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The number of orgs whose changes are all in the mirror, and whose pipelines and objects are refreshed.
    pub orgs_done: usize,
    /// The duration from the start of the schedule until the queue was empty.
    pub seconds: f64,
    /// The calls of one org in the lane of the nightly refresh: the smallest, and the largest number.
    pub calls: (u64, u64),
    /// The smallest possible number of calls of one org: see [`minimum`].
    pub minimum: u64,
    /// The calls of one org in the lane of the audit: the smallest, and the largest number.
    pub audit_calls: (u64, u64),
    /// The number of orgs with more calls on the day than [`ALLOCATION`].
    pub over_allocation: usize,
    /// The highest resident memory of the process that queued the night, in bytes.
    pub scheduler_peak_bytes: Option<u64>,
    /// The resident memory of that process before its first invocation, in bytes.
    pub scheduler_idle_bytes: Option<u64>,
}

impl Report {
    /// Returns whether every org is done with the smallest possible number of calls, none is over its allocation, and the memory of
    /// the process that queued the night has not grown with the orgs.
    #[must_use]
    pub fn is_good(&self, plan: &Plan) -> bool {
        let growth =
            self.scheduler_peak_bytes.zip(self.scheduler_idle_bytes).map(|(peak, idle)| peak.saturating_sub(idle));
        let is_flat = growth.is_none_or(|growth| growth <= MOST_GROWTH);
        let is_least = self.calls == (self.minimum, self.minimum);
        self.orgs_done == plan.orgs && is_least && self.over_allocation == 0 && is_flat
    }
}

const ACCOUNT: ObjectName = ObjectName::from_static("Account");
/// The visibility timeout of the queue. It is longer than a task takes, so that no message is received twice.
const HIDDEN: Duration = Duration::from_secs(900);
/// The calls of a day that the settings of each org allow Ferry: of the connection, the backfill and the night.
pub const ALLOCATION: u64 = 200;
/// The bytes by which the memory of the process that queues the night may grow: for its client of AWS, and one page of orgs.
const MOST_GROWTH: u64 = 16 << 20;
const NIGHT_LIMIT: Duration = Duration::from_secs(6 * 3600);

/// The mirrored objects whose records have no `IsDeleted`, so that Salesforce has no list of their deletions.
const WITHOUT_DELETIONS: [&str; 2] = ["User", "RecordType"];
/// The time after a scan from which a night lists the deletions since it. Real nights are a day apart.
const LISTED_AFTER: Duration = Duration::from_secs(125);

/// Returns the smallest number of calls of a night: one for the org's limits; for its pipelines the describe of opportunities, the
/// record types, their business processes, the stages, and the picklists of each record type; for each object its describe and a
/// page of its changes, and the list of its deletions where it has one.
#[must_use]
pub fn minimum(record_types: usize, objects: &[String]) -> u64 {
    let listed = objects.iter().filter(|object| !WITHOUT_DELETIONS.contains(&object.as_str())).count();
    (1 + 4 + record_types + 2 * objects.len() + listed) as u64
}

/// Connects the orgs, changes records in each, and runs a night over all of them.
///
/// # Errors
/// The stack does not start, an org cannot be connected, or the night does not end.
pub async fn measure(plan: &Plan, progress: &Progress) -> Result<Report> {
    progress.stage("starting the stack");
    let connected = Connected::start(stack::Options::default()).await?;
    let stack = &connected.stack;
    // Publishing events would slow down the emulator, which is one process.
    stop_poller(stack, "record-events").await?;
    progress.stage("connecting the orgs");
    let mut orgs = Vec::new();
    for number in 1..=plan.orgs {
        let options = OrgOptions { name: format!("Org {number}"), seed: Seed::None, ..OrgOptions::default() };
        let simulator = stack.simulator().add_org(options).await?;
        connect_team(&connected.http, stack, &simulator).await.with_context(|| format!("org {number}"))?;
        let id: OrgId = simulator.org_id().parse()?;
        eventually("the backfill of an org", async || connected.is_org_copied(&id).await).await?;
        orgs.push(NightlyOrg { simulator, id, records: Vec::new(), before: None });
    }
    stop_poller(stack, "pipeline-refresh").await?;
    let state = State::of(stack)?;
    for org in &mut orgs {
        state.allocate(org.id).await?;
        org.before = state.budgets.load(org.id, Clock::system().now()).await?;
        org.change(plan.changes)?;
    }
    progress.stage("waiting until deletions are listed");
    tokio::time::sleep(LISTED_AFTER).await;
    progress.stage("the night");
    let function = Binary::of(stack, "pipeline-refresh").await?.with("REFRESH_WINDOW_MINUTES", "0");
    let function = match &plan.binary {
        Some(path) => function.built_as(path.clone()),
        None => function,
    };
    let started = Instant::now();
    let started_at = Clock::system().now();
    let (scheduler_idle_bytes, scheduler_peak_bytes) = schedule(&function).await?;
    work(&function, &state.queue, plan.workers).await?;
    let seconds = started.elapsed().as_secs_f64();
    progress.stage("comparing");
    let mut report = Report {
        orgs_done: 0,
        seconds,
        calls: (u64::MAX, 0),
        minimum: 0,
        audit_calls: (u64::MAX, 0),
        over_allocation: 0,
        scheduler_peak_bytes,
        scheduler_idle_bytes,
    };
    for org in &orgs {
        state.add(org, &mut report, stack.mirrored_objects(), started_at).await?;
    }
    Ok(report)
}

/// Invokes the function as the nightly schedule does. Returns the memory of its process before, and the highest one.
async fn schedule(function: &Binary) -> Result<(Option<u64>, Option<u64>)> {
    let scheduler = function.start()?;
    while scheduler.ready_after().is_none() {
        ensure!(scheduler.pid().is_some(), "the function has ended");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let idle = scheduler.resident_bytes();
    let event = json!({ "kind": "nightly" });
    let Outcome::Response(_) = scheduler.invoke_within(&event, HIDDEN).await?.outcome else {
        bail!("the schedule failed: {:#?}", scheduler.logs());
    };
    Ok((idle, scheduler.peak_bytes()))
}

/// Reads the queue until it is empty.
async fn work(function: &Binary, queue: &Messages, workers: usize) -> Result<()> {
    let ended = AtomicBool::new(false);
    let options = |seed| PollerOptions { batches: 1..=1, kills: 0.0, seed };
    let pollers: Vec<_> =
        (0..workers as u64).map(|seed| Poller::new(function, queue.clone(), options(seed), &ended)).collect();
    let working = async { try_join_all(pollers.iter().map(Poller::run)).await.map(drop) };
    let watching = async {
        let watched = tokio::time::timeout(NIGHT_LIMIT, async {
            while queue.all().await? > 0 {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Ok(())
        });
        let watched = watched.await.context("the night did not end").and_then(|result| result);
        ended.store(true, Ordering::Release);
        watched
    };
    try_join(working, watching).await.map(drop)
}

/// An org of the night.
struct NightlyOrg {
    simulator: Simulator,
    id: OrgId,
    records: Vec<RecordId>,
    before: Option<Budget>,
}

impl NightlyOrg {
    /// Creates accounts, which no message reports.
    fn change(&mut self, changes: usize) -> Result<()> {
        let admin = self.simulator.users().into_iter().find(|user| user.is_admin).context("the org has no admin")?;
        for number in 0..changes {
            let fields = json!({ "Name": format!("Account {number}") });
            let fields = fields.as_object().context("the fields are not an object")?;
            self.records.push(self.simulator.create_record(&admin.username, ACCOUNT.as_str(), fields)?.parse()?);
        }
        Ok(())
    }
}

/// Ferry's state, as the night leaves it.
struct State {
    budgets: Budgets,
    settings: OrgSettingsTable,
    pipelines: Pipelines,
    records: Records,
    queue: Messages,
}

impl State {
    fn of(stack: &Stack) -> Result<Self> {
        let dynamodb = || aws_sdk_dynamodb::Client::new(stack.sdk_config());
        let sqs = aws_sdk_sqs::Client::new(stack.sdk_config());
        Ok(Self {
            budgets: Budgets::new(dynamodb(), stack.output("BudgetsTable")?),
            settings: OrgSettingsTable::new(dynamodb(), stack.output("OrgSettingsTable")?),
            pipelines: Pipelines::new(dynamodb(), stack.output("PipelinesTable")?),
            records: Records::new(dynamodb(), stack.output("RecordsTable")?),
            queue: Messages::of(sqs, stack.output("PipelineRefreshQueueUrl")?, HIDDEN),
        })
    }

    /// Gives the org its allocation of calls.
    async fn allocate(&self, org: OrgId) -> Result<()> {
        let settings = OrgSettings { api_allocation: Some(Allocation::Calls(ALLOCATION)), ..OrgSettings::default() };
        let change = SettingsChange { seen: 0, settings, author: Author::Operator };
        self.settings.store(org, change, Clock::system().now()).await?;
        Ok(())
    }

    /// Adds an org to the report.
    async fn add(
        &self,
        org: &NightlyOrg,
        report: &mut Report,
        objects: &[String],
        started_at: Timestamp,
    ) -> Result<()> {
        let budget = self.budgets.load(org.id, started_at).await?.context("the org has no budget")?;
        let calls = |lane: Lane| {
            let of = |budget: &Budget| budget.calls.get(&lane).copied().unwrap_or_default();
            of(&budget) - org.before.as_ref().map(of).unwrap_or_default()
        };
        let extend = |(least, most): (u64, u64), calls: u64| (least.min(calls), most.max(calls));
        report.calls = extend(report.calls, calls(Lane::Incremental));
        report.audit_calls = extend(report.audit_calls, calls(Lane::Audit));
        report.over_allocation += usize::from(budget.own_calls() > ALLOCATION);
        let pipelines = self.pipelines.list(org.id).await?;
        report.minimum = report.minimum.max(minimum(pipelines.len(), objects));
        let mut is_done = !pipelines.is_empty();
        for record in &org.records {
            is_done &= self.records.load(org.id, &ACCOUNT, *record).await?.is_some();
        }
        report.orgs_done += usize::from(is_done);
        Ok(())
    }
}
