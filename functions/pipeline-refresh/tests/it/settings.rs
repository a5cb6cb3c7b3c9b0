//! Orgs with settings of their own.

use jiff::SignedDuration;
use serde_json::{Value, json};
use store::{CursorName, DeletionReason, Lane, Observation, RefreshKind};

use crate::harness::{ACCOUNT, TestContext, run};

impl TestContext {
    /// Stores settings, and forgets those that were read before.
    pub(crate) async fn set_now(&mut self, settings: Value) {
        self.set(settings).await;
        self.deps.settings = self.settings();
    }

    /// Refreshes the org a minute later.
    pub(crate) async fn refresh(&self, kind: RefreshKind) {
        self.pass(SignedDuration::from_mins(1));
        assert!(self.work_on(&[self.task(kind)]).await.is_empty());
    }

    /// Returns the live rows of Accounts, by name.
    pub(crate) async fn names(&self) -> Vec<String> {
        let page = self.deps.records.list(self.org, &ACCOUNT, None, 100).await.unwrap();
        let live = page.records.iter().filter(|row| !row.deleted);
        let mut names: Vec<String> = live.map(|row| row.fields["Name"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }
}

#[test]
fn an_org_mirrors_the_objects_and_fields_of_its_settings() {
    run(async {
        let mut context = TestContext::connected().await;
        context.create(&context.admin, "Account", &json!({ "Name": "Acme", "Industry": "Energy", "Phone": "1" }));
        context.set_now(json!({ "objects": ["Account", "User"], "fields": { "Account": ["Name", "Industry"] } })).await;

        context.refresh(RefreshKind::Backfill).await;

        let page = context.deps.records.list(context.org, &ACCOUNT, None, 100).await.unwrap();
        let acme = page.records.iter().find(|row| row.fields["Name"] == "Acme").unwrap();
        assert_eq!((acme.fields.get("Industry"), acme.fields.get("Phone")), (Some(&json!("Energy")), None));
        assert!(context.count(&"User".parse().unwrap()).await.live > 0);
        let contacts = CursorName::backfill(&"Contact".parse().unwrap());
        assert!(context.deps.cursors.load(context.org, &contacts).await.unwrap().is_none());

        context.set_now(json!({ "fields": { "Account": ["Name"] } })).await;
        context.refresh(RefreshKind::Backfill).await;
        let page = context.deps.records.list(context.org, &ACCOUNT, None, 100).await.unwrap();
        let acme = page.records.iter().find(|row| row.fields["Name"] == "Acme").unwrap();
        assert!(!acme.fields.contains_key("Industry") && acme.carried.fields.is_empty(), "{acme:?}");
    });
}

#[test]
fn a_record_that_stops_meeting_the_filter_is_a_tombstone() {
    run(async {
        let mut context = TestContext::connected().await;
        let account = |name: &str, industry: &str| {
            context.create(&context.admin, "Account", &json!({ "Name": name, "Industry": industry }))
        };
        let (leaves, _) = (account("Leaves", "Energy"), account("Stays", "Energy"));
        let comes = account("Comes", "Retail");
        context.set_now(json!({ "objects": ["Account"], "filters": { "Account": "Industry = 'Energy'" } })).await;
        context.refresh(RefreshKind::Backfill).await;
        assert_eq!(context.names().await, ["Leaves", "Stays"]);
        assert_eq!(context.count(&ACCOUNT).await.deleted, 0, "what was never in the mirror has no tombstone");

        context.update("Account", &leaves, &json!({ "Industry": "Retail" }));
        context.update("Account", &comes, &json!({ "Industry": "Energy" }));
        context.refresh(RefreshKind::Nightly).await;
        assert_eq!(context.names().await, ["Comes", "Stays"]);
        assert_eq!(context.count(&ACCOUNT).await.deleted, 1);
        let left = context.deps.records.load(context.org, &ACCOUNT, leaves.parse().unwrap()).await.unwrap().unwrap();
        assert_eq!(left.deletion_reason, Some(DeletionReason::Excluded));

        // Another filter decides about records that have not changed.
        context.set_now(json!({ "objects": ["Account"], "filters": { "Account": "Industry = 'Retail'" } })).await;
        context.refresh(RefreshKind::Backfill).await;
        assert_eq!(context.names().await, ["Leaves"]);
    });
}

#[test]
fn an_audit_removes_what_the_filter_excludes() {
    run(async {
        let mut context = TestContext::connected().await;
        let account = |name: &str| context.create(&context.admin, "Account", &json!({ "Name": name }));
        let (_, _) = (account("Acme"), account("Bolt"));
        context.refresh(RefreshKind::Backfill).await;
        context.pass(SignedDuration::from_mins(30));
        // As if no backfill had followed the change of the filter.
        context.set_now(json!({ "objects": ["Account"], "filters": { "Account": "Name LIKE 'A%'" } })).await;

        let excluded = context.names().await.len() as u64 - 1;
        context.refresh(RefreshKind::Audit).await;
        assert_eq!(context.names().await, ["Acme"]);
        let latest = context.deps.audits.last(context.org).await.unwrap().remove(0);
        assert_eq!((latest.counts.missing, latest.counts.surplus, latest.counts.repaired), (0, excluded, excluded));

        context.pass(SignedDuration::from_mins(30));
        context.refresh(RefreshKind::Audit).await;
        let latest = context.deps.audits.last(context.org).await.unwrap().remove(0);
        assert_eq!((latest.counts.missing, latest.counts.surplus), (0, 0), "what is excluded is not missing");
    });
}

#[test]
fn an_allocation_that_is_used_up_costs_no_call() {
    run(async {
        let mut context = TestContext::connected().await;
        context.accounts(1);
        context.set_now(json!({ "objects": ["Account"], "api_allocation": { "calls": 100 } })).await;
        let usage = Observation { used: 300, max: 15_000, lane: Lane::Interactive, calls: 80 };
        context.deps.budgets.observe(context.org, usage, context.deps.clock.now()).await.unwrap();
        let before = context.simulator.api_calls();

        for kind in [RefreshKind::Nightly, RefreshKind::Backfill] {
            context.refresh(kind).await;
        }
        context.refresh(RefreshKind::Poll).await;
        let rest = context.task(RefreshKind::Nightly).for_object(ACCOUNT);
        assert!(context.work_on(&[rest]).await.is_empty());

        assert_eq!(context.simulator.api_calls(), before);
        assert_eq!(context.delayed().await, 3, "a poll is left to the next one, the others wait");
        let failure = context.cursor(&CursorName::backfill(&ACCOUNT)).await.failure;
        assert_eq!(failure.as_deref(), Some("over_budget"));

        context.set_now(json!({ "objects": ["Account"], "api_allocation": { "calls": 200 } })).await;
        context.refresh(RefreshKind::Nightly).await;
        assert!(context.simulator.api_calls() > before, "a greater allocation lets it begin");
    });
}

#[test]
fn a_run_stops_within_the_allocation() {
    run(async {
        let mut context = TestContext::connected().await;
        context.accounts(2);
        context.set_now(json!({ "api_allocation": { "calls": 100 } })).await;
        let usage = Observation { used: 300, max: 15_000, lane: Lane::Interactive, calls: 55 };
        context.deps.budgets.observe(context.org, usage, context.deps.clock.now()).await.unwrap();

        context.refresh(RefreshKind::Backfill).await;

        let budget = context.deps.budgets.load(context.org, context.deps.clock.now()).await.unwrap().unwrap();
        let outlook = budget.outlook(Some(store::Allocation::Calls(100)), context.deps.clock.now());
        assert!(outlook.waits_until.contains_key(&Lane::Backfill), "{outlook:?}");
        // The describe and the query of an object follow each other without a look at the allocation.
        assert!(budget.own_calls() <= 70, "{budget:?}");
        assert!(context.delayed().await > 0);
    });
}

#[test]
fn a_poll_comes_no_more_often_than_the_settings_say() {
    run(async {
        let mut context = TestContext::connected().await;
        context.set_now(json!({ "objects": ["Account"], "poll_minutes": 60 })).await;
        context.refresh(RefreshKind::Backfill).await;
        context.pass(SignedDuration::from_mins(15));
        context.refresh(RefreshKind::Poll).await;
        let calls = context.simulator.api_calls();

        context.pass(SignedDuration::from_mins(29));
        context.refresh(RefreshKind::Poll).await;
        assert_eq!(context.simulator.api_calls(), calls);
        context.pass(SignedDuration::from_mins(29));
        context.refresh(RefreshKind::Poll).await;
        assert!(context.simulator.api_calls() > calls);
    });
}

#[test]
fn a_night_waits_for_the_window_of_the_org() {
    run(async {
        let mut context = TestContext::connected().await;
        let later = context.deps.clock.now().to_zoned(jiff::tz::TimeZone::UTC).time() + SignedDuration::from_hours(3);
        let start = format!("{:02}:{:02}", later.hour(), later.minute());
        context.set_now(json!({ "objects": ["Account"], "nightly_window": { "start": start, "minutes": 30 } })).await;
        let calls = context.simulator.api_calls();

        let night = context.task(RefreshKind::Nightly);
        assert!(context.work_on(std::slice::from_ref(&night)).await.is_empty());
        assert_eq!((context.simulator.api_calls(), context.delayed().await), (calls, 1));

        context.pass(SignedDuration::from_mins(3 * 60 + 30));
        assert!(context.work_on(&[night]).await.is_empty());
        assert!(context.simulator.api_calls() > calls);
    });
}
