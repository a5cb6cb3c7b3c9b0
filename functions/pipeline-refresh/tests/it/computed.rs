//! Formulas and roll-up summaries: values that change without a new version of their record reach the mirror in the next night.

use jiff::SignedDuration;
use mirroring::{ComputedFields, Excess, Extent};
use org_simulator::Effect;
use pipeline_refresh::handle;
use serde_json::json;
use store::records::rule::changed_between;
use store::{CursorName, Lane, MirrorRecord, RefreshKind, RefreshTask};

use crate::failures::fault;
use crate::harness::{ACCOUNT, TestContext, event, run};

/// The name of the parent, and the number of opportunities.
const COMPUTED: [&str; 2] = ["Group__c", "Deals__c"];

/// Returns a context with a copy of an account and its subsidiaries.
async fn copied(mut context: TestContext, subsidiaries: usize) -> (TestContext, Vec<String>) {
    context.deps.mirrored_objects = vec![ACCOUNT];
    let rollup = json!({ "object": "Opportunity", "reference": "AccountId", "function": "COUNT" });
    let fields = json!([
        { "name": COMPUTED[0], "type": "string", "formula": "Parent.Name" },
        { "name": COMPUTED[1], "type": "double", "rollup": rollup },
    ]);
    context.simulator.define_object(json!({ "name": "Account", "fields": fields })).unwrap();
    let accounts = context.accounts(subsidiaries + 1);
    for subsidiary in &accounts[1..] {
        context.update("Account", subsidiary, &json!({ "ParentId": accounts[0] }));
    }
    assert!(context.work_on(&[context.task(RefreshKind::Backfill)]).await.is_empty());
    // The scan after a backfill overlaps with it.
    context.pass(SignedDuration::from_hours(1));
    assert!(context.work_on(&[context.task(RefreshKind::Poll)]).await.is_empty());
    (context, accounts)
}

impl TestContext {
    /// Runs the next night and returns the readings of computed fields that follow it.
    async fn night_before_reading(&self) -> Vec<RefreshTask> {
        self.pass(SignedDuration::from_hours(24));
        assert!(self.work_on(&[self.task(RefreshKind::Nightly)]).await.is_empty());
        let mut tasks = self.queued().await;
        tasks.retain(|task| task.kind == RefreshKind::Computed);
        tasks
    }

    async fn row(&self, account: &str) -> MirrorRecord {
        self.deps.records.load(self.org, &ACCOUNT, account.parse().unwrap()).await.unwrap().unwrap()
    }

    /// Asserts that the mirror has the computed values of the org.
    async fn assert_computed(&self, accounts: &[String]) {
        for account in accounts {
            let expected = self.simulator.record("Account", account).expect("an account");
            let row = self.row(account).await;
            for field in COMPUTED {
                assert_eq!(row.fields[field], expected[field], "{field} of {account}");
            }
        }
    }

    /// Reads pages of three records.
    fn shorten_pages(&self) {
        let half = |extent: Extent, _| extent.narrowed(Excess::Rows, 1, None).expect("fewer rows");
        self.deps.fields.set_extent(self.org, &ACCOUNT, (0..9).fold(Extent::default(), half));
    }
}

#[test]
fn a_value_that_changes_without_a_version_is_a_change() {
    run(async {
        let (context, accounts) = copied(TestContext::connected().await, 3).await;
        let before = context.row(&accounts[1]).await;
        let unchanged = context.row(&accounts[0]).await;
        context.rename(&accounts[0], "Renamed");
        let deal = json!({ "Name": "A deal", "StageName": "Prospecting", "CloseDate": "2026-12-01", "AccountId": accounts[2] });
        context.create(&context.admin, "Opportunity", &deal);
        let tasks = context.night_before_reading().await;
        assert_eq!(context.row(&accounts[1]).await, before, "no scan sees it");
        let calls = context.simulator.api_calls();

        assert!(context.work_on(&tasks).await.is_empty());

        context.assert_computed(&accounts).await;
        let after = context.row(&accounts[1]).await;
        assert_eq!(
            (changed_between(&before, &after), after.system_modstamp),
            (vec!["Group__c".to_owned()], before.system_modstamp)
        );
        assert!(after.carried.is_empty(), "the record was read as a whole: {:?}", after.carried);
        assert_eq!(context.row(&accounts[0]).await.fields["Group__c"], unchanged.fields["Group__c"]);
        assert_eq!(context.simulator.api_calls() - calls, 2, "a call for 2,000 records, and one for those that differ");
        let budget = context.deps.budgets.load(context.org, context.deps.clock.now()).await.unwrap().unwrap();
        assert_eq!(budget.calls.get(&Lane::Audit), Some(&2));
    });
}

#[test]
fn a_reading_writes_nothing_where_no_value_differs() {
    run(async {
        let (context, accounts) = copied(TestContext::connected().await, 3).await;
        let tasks = context.night_before_reading().await;
        assert_eq!(tasks.iter().map(|task| &task.object).collect::<Vec<_>>(), [&Some(ACCOUNT)]);
        let (before, calls) = (context.row(&accounts[1]).await, context.simulator.api_calls());

        assert!(context.work_on(&tasks).await.is_empty());

        assert_eq!((context.row(&accounts[1]).await, context.simulator.api_calls() - calls), (before, 1));
        assert!(context.work_on(&tasks).await.is_empty());
        assert_eq!(context.simulator.api_calls() - calls, 1, "a task that is delivered again finds its work done");
    });
}

#[test]
fn only_configured_computed_fields_are_read_again() {
    run(async {
        let (mut context, accounts) = copied(TestContext::connected().await, 1).await;
        context.deps.computed_fields = ComputedFields::None;
        assert_eq!(context.night_before_reading().await, []);

        context.deps.computed_fields = "Account:Deals__c".parse().unwrap();
        context.rename(&accounts[0], "Renamed");
        let tasks = context.night_before_reading().await;
        assert!(context.work_on(&tasks).await.is_empty());

        assert_ne!(context.row(&accounts[1]).await.fields["Group__c"], "Renamed");
    });
}

#[test]
fn a_record_that_changes_meanwhile_keeps_its_newer_version() {
    run(async {
        let (context, accounts) = copied(TestContext::connected().await, 2).await;
        context.rename(&accounts[0], "Renamed");
        let tasks = context.night_before_reading().await;
        context.update("Account", &accounts[1], &json!({ "Phone": "555-0100" }));

        assert!(context.work_on(&tasks).await.is_empty());

        let row = context.row(&accounts[1]).await;
        assert!(row.fields["Phone"].is_null() && row.fields["Group__c"] != "Renamed", "it is left to the next scan");
        context.night_before_reading().await;
        context.assert_computed(&accounts).await;
        assert_eq!(context.row(&accounts[1]).await.fields["Phone"], "555-0100");
    });
}

#[test]
fn a_reading_killed_at_every_point_stores_every_value() {
    run(async {
        let (context, accounts) = copied(TestContext::connected_killable().await, 5).await;
        context.rename(&accounts[0], "Renamed");
        let tasks = context.night_before_reading().await;
        context.shorten_pages();

        let mut kills = 0;
        loop {
            let deadline = context.deps.clock.now() + SignedDuration::from_mins(15);
            if context.killed_at(kills, handle(&context.deps, event(&tasks), deadline)).await {
                break;
            }
            kills += 1;
        }

        assert!(kills > 8, "killed {kills} times");
        context.assert_computed(&accounts).await;
        let cursor = context.cursor(&CursorName::computed(&ACCOUNT)).await;
        assert_eq!((cursor.checkpoint, cursor.covered_until), (None, Some(tasks[0].requested_at)));
    });
}

#[test]
fn formulas_that_are_too_complicated_together_are_read_in_parts() {
    run(async {
        let (context, accounts) = copied(TestContext::connected().await, 3).await;
        context.rename(&accounts[0], "Renamed");
        let tasks = context.night_before_reading().await;
        let refusal = Effect::Error { status: 400, code: "QUERY_TOO_COMPLICATED".to_owned(), message: "no".to_owned() };
        context.simulator.fault(fault("queryAll", 1, refusal));

        assert!(context.work_on(&tasks).await.is_empty());

        context.assert_computed(&accounts).await;
        assert_eq!(context.deps.fields.extent(context.org, &ACCOUNT).parts(), 2);
    });
}

#[test]
fn a_reading_stops_at_the_share_of_the_audits() {
    run(async {
        let (context, accounts) = copied(TestContext::connected().await, 1).await;
        context.rename(&accounts[0], "Renamed");
        let tasks = context.night_before_reading().await;
        context.shorten_pages();
        let used = context.simulator.api_calls();
        context.simulator.set_daily_api_limit(used + 2);

        assert!(context.work_on(&tasks).await.is_empty());

        let cursor = context.cursor(&CursorName::computed(&ACCOUNT)).await;
        assert_eq!(cursor.failure.as_deref(), Some("over_budget"));
        assert_eq!(context.delayed().await, 1, "it goes on when the budget allows");
    });
}
