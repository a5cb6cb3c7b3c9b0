//! Nights of a hostile org, whose function is killed at random requests: after one night without further changes the mirror is
//! the org.
//!
//! The messages of the function are delayed and delivered again by the test's clock, so that a night takes no real time. A failure
//! names its seed. `HOSTILE_SEED` selects another one, and `HOSTILE_ROWS` another number of records with one `SystemModstamp`, with
//! which the time grows: 10,000 took ten minutes beside other work.

mod comparison;
mod day;
mod queue;
mod worker;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use org_simulator::{BulkSettings, Effect, FaultRule};
use pipeline_refresh::NightlyAudit;
use pipeline_refresh::backfill::Bulk;
use rand::RngExt as _;
use runtime::Env;
use salesforce::ObjectName;
use store::{AuditState, RefreshKind};

use crate::harness::{ACCOUNT, TestContext, run};
use day::HostileOrg;
use worker::Worker;

const CONTACT: ObjectName = ObjectName::from_static("Contact");
const OPPORTUNITY: ObjectName = ObjectName::from_static("Opportunity");

const OBJECTS: [ObjectName; 3] = [ACCOUNT, CONTACT, OPPORTUNITY];

/// More than two pages of a scan that was narrowed.
const ROWS: usize = 1_100;

/// Returns the seed and the number of rows.
fn parameters() -> (u64, usize) {
    let env = Env::process();
    (env.parsed_or("HOSTILE_SEED", 20_261_130).unwrap(), env.parsed_or("HOSTILE_ROWS", ROWS).unwrap())
}

/// Says which seed has failed.
struct Seed(u64);

impl Drop for Seed {
    #[expect(clippy::print_stderr, reason = "the seed of a failed test")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed with HOSTILE_SEED={}", self.0);
        }
    }
}

fn error(status: u16, code: &str) -> Effect {
    Effect::Error { status, code: code.to_owned(), message: "no".to_owned() }
}

/// Returns a fault of some of the requests to this path, after some that pass.
fn fault(worker: &mut Worker, path: &str, times: u32, effect: Effect) -> FaultRule {
    let skip = worker.random.random_range(0..4);
    FaultRule { path: Some(format!("/services/data/v66.0/{path}")), skip, times: Some(times), ..FaultRule::new(effect) }
}

/// Lets Salesforce fail in each of its ways.
fn disturb(worker: &mut Worker) {
    let effects = [
        (error(400, "QUERY_TIMEOUT"), 3),
        (error(400, "QUERY_TOO_COMPLICATED"), 2),
        (error(400, "OPERATION_TOO_LARGE"), 2),
        (error(400, "INVALID_QUERY_LOCATOR"), 1),
        (Effect::Unavailable, 2),
        (Effect::ConcurrentLimitExceeded, 1),
        (Effect::ResetAfter, 1),
        (Effect::Truncate { keep_bytes: None }, 1),
    ];
    for (effect, times) in effects {
        let fault = fault(worker, "queryAll", times, effect);
        worker.context.simulator.fault(fault);
    }
}

/// Uses up the org's calls of the day after some invocations, for two hours.
struct DailyLimit {
    from: u32,
    until: Option<Timestamp>,
}

impl DailyLimit {
    fn new(worker: &mut Worker) -> Self {
        Self { from: worker.invocations + worker.random.random_range(1..4), until: None }
    }

    fn apply(&mut self, worker: &Worker) {
        let (simulator, now) = (&worker.context.simulator, worker.now());
        if self.until.is_none() && worker.invocations >= self.from {
            simulator.set_daily_api_limit(simulator.api_calls() + 1);
            self.until = Some(now + SignedDuration::from_hours(2));
        } else if self.until.is_some_and(|until| now >= until) {
            simulator.set_daily_api_limit(100_000);
        }
    }
}

impl Worker {
    /// Ends the faults, each of which has to have met a request, and the kills.
    fn calm_down(&mut self) {
        let faults = self.context.simulator.faults();
        let unused: Vec<_> = faults.iter().filter(|fault| fault.used == 0).collect();
        assert!(unused.is_empty(), "{unused:#?}");
        assert!(self.killed > 0, "no kill in {} invocations", self.invocations);
        (self.kills, self.killed) = (0, 0);
        self.context.simulator.clear_faults();
        self.context.simulator.set_daily_api_limit(100_000);
    }

    /// Returns the ids of the query jobs, in the order of their creation.
    fn jobs(&self) -> BTreeSet<String> {
        let calls = self.context.calls();
        let jobs = calls.keys().filter_map(|path| path.strip_prefix("jobs/query/")?.split('/').next());
        jobs.map(str::to_owned).collect()
    }

    /// Queues a task and works until nothing is left to do.
    async fn run_task(&mut self, kind: RefreshKind, between: impl FnMut(&mut Self)) {
        let task = self.context.task(kind);
        self.context.deps.queues.refreshes.send(&task, std::time::Duration::ZERO).await.unwrap();
        self.work(between).await;
        assert_eq!(self.sqs.dead_letters(), [""; 0]);
    }
}

#[test]
fn one_night_after_a_hostile_one_the_mirror_is_the_org() {
    run(async {
        let (seed, rows) = parameters();
        let _seed = Seed(seed);
        let mut context = TestContext::connected_killable().await;
        context.deps.mirrored_objects = OBJECTS.into();
        context.deps.bulk = Bulk::new(200, 3).with_page_rows(u32::try_from(rows / 5).unwrap());
        let mut worker = Worker::new(context, seed).await;
        let mut org = HostileOrg::fill(&worker.context, rows);

        copy_with_lost_jobs(&mut worker).await;
        worker.context.pass(SignedDuration::from_hours(2));
        org.live_through_a_day(&mut worker).await;
        // Longer than the next scan overlaps with the one before it.
        worker.context.pass(SignedDuration::from_hours(1));
        // The backfill of the fields that the team sees since then is a job, and loses its results.
        let lost = fault(&mut worker, "jobs/query/*/results", 1, error(400, "INVALID_QUERY_LOCATOR"));
        worker.context.simulator.fault(lost);
        // Without audits, which would repair what the scans have lost.
        hostile_night(&mut worker, &mut |worker| org.change_at_night(worker)).await;
        worker.run_task(RefreshKind::Nightly, |_| ()).await;
        org.assert_mirrored_but_what_no_scan_sees(&worker.context).await;

        worker.context.deps.nightly_audit = NightlyAudit::On;
        worker.context.pass(SignedDuration::from_hours(16));
        hostile_night(&mut worker, &mut |_| ()).await;
        org.assert_mirrored(&worker.context).await;
        worker.run_task(RefreshKind::Audit, |_| ()).await;
        let audits = worker.context.deps.audits.last(worker.context.org).await.unwrap();
        for object in OBJECTS {
            let audit = audits.iter().find(|audit| audit.object == object).expect("an audit");
            let state = (audit.state, audit.counts.differences(), audit.is_green());
            assert_eq!(state, (AuditState::Finished, 0, true), "{audit:#?}");
            assert_eq!(audit.org_hash, audit.mirror_hash);
        }
    });
}

/// Copies the org for the first time. One job of the accounts fails, and one expires.
async fn copy_with_lost_jobs(worker: &mut Worker) {
    let settings = BulkSettings {
        processing_ms: Some(120_000),
        fail_next: Some("InternalServerError : retry".to_owned()),
        ..BulkSettings::default()
    };
    worker.context.simulator.set_bulk(&settings).unwrap();
    worker.kills = 6;
    let mut expired = None;
    worker
        .run_task(RefreshKind::Backfill, |worker| {
            if expired.is_none() {
                expired = worker.jobs().into_iter().nth(1);
                let path = expired.iter().map(|job| format!("/services/data/v66.0/jobs/query/{job}**"));
                let gone = |path| FaultRule { path: Some(path), ..FaultRule::new(error(404, "NOT_FOUND")) };
                path.map(gone).for_each(|gone| worker.context.simulator.fault(gone));
            }
        })
        .await;
    assert!(worker.jobs().len() >= 3, "a failed job, an expired one, and another: {:?}", worker.jobs());
    worker.calm_down();
}

/// Runs a night with everything at once.
async fn hostile_night(worker: &mut Worker, between: &mut dyn FnMut(&mut Worker)) {
    disturb(worker);
    worker.kills = 8;
    let mut limit = DailyLimit::new(worker);
    let between = |worker: &mut Worker| {
        limit.apply(worker);
        between(worker);
    };
    worker.run_task(RefreshKind::Nightly, between).await;
    assert!(limit.until.is_some_and(|until| until < worker.now()), "the limit was not reached");
    worker.calm_down();
}
