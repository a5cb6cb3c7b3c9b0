//! The calls of a write in the org's budget.

use org_simulator::{Effect, Fault};
use serde_json::json;
use store::Lane;
use store::owner_policy::OwnerPolicy;

use crate::harness::{KEY, REP, TestContext, run};

impl TestContext {
    /// Returns the calls in the budget of the org's day.
    async fn counted(&self) -> u64 {
        let budget = self.deps.ledger.budgets.load(self.org, self.clock.now()).await.unwrap();
        budget.map_or(0, |budget| budget.calls.get(&Lane::Interactive).copied().unwrap_or_default())
    }
}

#[test]
fn every_call_of_a_write_is_in_the_budget() {
    run(async {
        let context = TestContext::with(OwnerPolicy::TeamOnly).await;
        let records = json!([{ KEY: "a-1", "Name": "Acme" }, { KEY: "A-2", "Name": "Bolt" }]);

        // The look-up of the rep's user, the describe, the query of the existing records, and the upsert.
        context.upsert("Account", Some(REP), "k1", records.clone()).await;
        let calls = context.simulator.api_calls();
        assert!(calls >= 3, "{calls}");
        assert_eq!(context.counted().await, calls);

        // A response that is lost, the same request again, and the query of what it created.
        let path_prefix = "/services/data/v66.0/composite".to_owned();
        context.simulator.fault(Fault { path_prefix, method: None, times: 1, effect: Effect::ResetAfter });
        context.upsert("Account", None, "k2", records.clone()).await;
        assert!(context.simulator.api_calls() >= calls + 3);
        assert_eq!(context.counted().await, context.simulator.api_calls());
    });
}

#[test]
fn the_calls_of_an_attempt_without_any_response_are_in_the_budget() {
    run(async {
        let context = TestContext::new().await;
        context.upsert("Account", None, "k1", json!([{ KEY: "A-1", "Name": "Acme" }])).await;
        let before = context.counted().await;
        let path_prefix = "/services/data/v66.0/composite".to_owned();
        context.simulator.fault(Fault { path_prefix, method: None, times: 100, effect: Effect::ResetAfter });

        let (_, queued) = context.upsert("Account", None, "k2", json!([{ KEY: "A-2", "Name": "Bolt" }])).await;

        assert_eq!(queued["state"], "queued");
        assert!(context.counted().await > before + 1);
        assert_eq!(context.counted().await, context.simulator.api_calls());
    });
}
