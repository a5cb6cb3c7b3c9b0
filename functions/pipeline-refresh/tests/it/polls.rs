//! Polls of orgs without outbound messages: an edit reaches the mirror by the poll alone, and polls do not pile up.

use jiff::SignedDuration;
use org_simulator::{Effect, Fault};
use pipeline_refresh::{Event, Reply, handle};
use serde_json::json;
use store::cursors::{Progress, ScanState};
use store::{CursorName, Edition, RefreshKind};

use crate::harness::{ACCOUNT, DISCONNECTED, TestContext, run};

impl TestContext {
    /// Makes the org an active one without outbound messages, with a complete backfill.
    async fn polled(&self) {
        self.simulator.set_edition("Professional Edition");
        self.activate(self.org).await;
        let organization_type = "Professional Edition".to_owned();
        let edition =
            Edition { organization_type, outbound_messages_unsupported: false, proven_at: self.deps.clock.now() };
        self.deps.orgs.record_edition(self.org, &edition).await.expect("the org");
        assert!(self.work_on(&[self.task(RefreshKind::Backfill)]).await.is_empty());
    }

    /// Invokes the function as the schedule does. Returns the number of queued polls.
    async fn schedule_polls(&self) -> u64 {
        let event: Event = serde_json::from_value(json!({ "kind": "poll" })).expect("an event");
        let deadline = self.deps.clock.now() + SignedDuration::from_secs(60);
        match handle(&self.deps, event, deadline).await.expect("a reply") {
            Reply::Schedule(scheduled) => scheduled.orgs,
            Reply::Tasks(_) => panic!("the reply to a queue"),
        }
    }

    /// Returns the start of the last finished poll.
    async fn last_poll(&self) -> Option<jiff::Timestamp> {
        let cursor = self.deps.cursors.load(self.org, &CursorName::poll()).await.expect("a cursor");
        cursor.and_then(|cursor| cursor.covered_until)
    }

    fn total_calls(&self) -> usize {
        self.calls().values().sum()
    }
}

#[test]
fn an_edit_reaches_the_mirror_by_the_poll_alone() {
    run(async {
        let context = TestContext::new().await;
        let other = DISCONNECTED.parse().unwrap();
        context.activate(other).await;
        context.polled().await;
        let accounts = context.accounts(3);
        context.rename(&accounts[0], "Renamed");
        context.delete("Account", &accounts[1]);
        assert!(context.simulator.outbound_messages().is_empty(), "the org sends no messages");

        assert_eq!(context.schedule_polls().await, 1, "the other org has outbound messages");
        let polls = context.queued().await;
        assert_eq!(
            polls.iter().map(|task| (task.org_id, task.kind)).collect::<Vec<_>>(),
            [(context.org, RefreshKind::Poll)]
        );
        let before = context.total_calls();
        assert!(context.work_on(&polls).await.is_empty());

        context.assert_mirrored(&accounts).await;
        assert!(context.last_poll().await.is_some_and(|at| at >= polls[0].requested_at));
        let objects = context.deps.mirrored_objects.len();
        assert!(context.total_calls() - before <= 2 * objects, "at most two calls for each object, none for pipelines");
    });
}

#[test]
fn a_late_poll_finds_its_work_done_and_makes_no_call() {
    run(async {
        let context = TestContext::new().await;
        context.polled().await;
        let (late, later) = (context.task(RefreshKind::Poll), context.task(RefreshKind::Poll));
        context.work_on(std::slice::from_ref(&late)).await;
        let before = context.total_calls();

        assert!(context.work_on(&[late]).await.is_empty());
        assert_eq!(context.total_calls(), before);
        context.work_on(&[later]).await;
        assert_eq!(context.queued().await, []);
    });
}

#[test]
fn a_poll_that_fails_is_left_to_the_next_one() {
    run(async {
        let context = TestContext::new().await;
        context.polled().await;
        let accounts = context.accounts(1);
        let path_prefix = "/services/data/v66.0/queryAll".to_owned();
        context.simulator.fault(Fault { path_prefix, method: None, times: 100, effect: Effect::Unavailable });

        assert!(context.work_on(&[context.task(RefreshKind::Poll)]).await.is_empty(), "a failed poll is not retried");
        assert_eq!((context.queued().await.len(), context.last_poll().await), (0, None));

        context.simulator.clear_faults();
        context.work_on(&[context.task(RefreshKind::Poll)]).await;
        context.assert_mirrored(&accounts).await;
        assert!(context.last_poll().await.is_some());
    });
}

#[test]
fn a_poll_over_the_api_budget_queues_nothing() {
    run(async {
        let context = TestContext::new().await;
        context.polled().await;
        context.simulator.set_daily_api_limit(context.total_calls() as u64 + 2);

        assert!(context.work_on(&[context.task(RefreshKind::Poll)]).await.is_empty());

        assert_eq!((context.queued().await.len(), context.delayed().await, context.last_poll().await), (0, 0, None));
    });
}

#[test]
fn a_poll_skips_an_object_that_is_new_or_being_scanned() {
    run(async {
        let context = TestContext::new().await;
        context.simulator.set_edition("Professional Edition");
        context.work_on(&[context.task(RefreshKind::Poll)]).await;
        assert_eq!(
            (context.count(&ACCOUNT).await.live, context.last_poll().await),
            (0, None),
            "a poll starts no backfill"
        );

        context.work_on(&[context.task(RefreshKind::Backfill)]).await;
        let (cursors, scan) = (&context.deps.cursors, CursorName::incremental(&ACCOUNT));
        let running = pipeline_refresh::scan::Scan::fresh(None, context.deps.clock.now()).checkpoint();
        let running = Progress { seen: None, last_row: None, state: ScanState::Running(running) };
        cursors.advance(context.org, &scan, &running, context.deps.clock.now()).await.unwrap();
        let accounts = context.accounts(1);
        context.work_on(&[context.task(RefreshKind::Poll)]).await;
        let row = context.deps.records.load(context.org, &ACCOUNT, accounts[0].parse().unwrap()).await.unwrap();
        assert!(row.is_none() && context.last_poll().await.is_none(), "another task is scanning the object");
    });
}
