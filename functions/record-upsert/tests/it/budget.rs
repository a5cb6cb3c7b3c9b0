//! The org's API budget: a lane over its share waits, and one call probes the usage once it is old.

use jiff::SignedDuration;
use serde_json::json;
use store::{ChangeHint, DeliveryOutcome, Lane, Observation};

use crate::harness::{TestContext, run};

fn over_budget() -> Option<DeliveryOutcome> {
    Some(DeliveryOutcome::Deferred { reason: "over_budget".to_owned() })
}

async fn observe(context: &TestContext, used: u64) {
    let observation = Observation { used, max: 1_000, lane: Lane::Incremental, calls: 1 };
    context.deps.budgets.observe(context.org, observation, context.clock.now()).await.unwrap();
}

/// Returns a hint of an Account and one of a Contact. The Account is read first.
fn two_hints(context: &TestContext) -> [ChangeHint; 2] {
    let account = context.hint(context.account("Acme"));
    let contact = context.create(&context.admin, "Contact", &json!({ "LastName": "Ames" }));
    let mut contact = context.hint(contact.parse().unwrap());
    contact.record.as_mut().unwrap().object = "Contact".parse().unwrap();
    [account, contact]
}

#[test]
fn an_org_over_budget_is_not_called_until_the_usage_is_old() {
    run(async {
        let context = TestContext::new().await;
        let hints = two_hints(&context);
        observe(&context, 900).await;

        assert!(context.receive(&hints).await.is_empty());
        assert_eq!(context.simulator.request_log(), [""; 0]);
        for hint in &hints {
            assert_eq!(context.outcome(hint).await, over_budget());
        }
        assert_eq!(context.queued().await, (0, 2));

        context.pass(SignedDuration::from_mins(15));
        assert!(context.receive(&hints).await.is_empty());
        for hint in &hints {
            assert_eq!(context.outcome(hint).await, Some(DeliveryOutcome::Applied));
        }
    });
}

#[test]
fn an_org_over_budget_is_probed_once_in_a_quarter_of_an_hour() {
    run(async {
        let context = TestContext::new().await;
        let hints = two_hints(&context);
        observe(&context, 900).await;
        // Calls of other clients count too: they bring the org to 90 %.
        context.simulator.set_daily_api_limit(10);
        for _ in 0..9 {
            context
                .deps
                .salesforce
                .client(context.org, &store::ConnectionId::team())
                .describe(&"Lead".parse().unwrap())
                .await
                .unwrap();
        }
        let before = context.simulator.request_log().len();
        context.pass(SignedDuration::from_mins(15));

        for _ in 0..3 {
            assert!(context.receive(&hints).await.is_empty());
        }

        assert_eq!(context.simulator.request_log().len() - before, 1);
        for hint in &hints {
            assert_eq!(context.outcome(hint).await, over_budget());
        }
        let budget = context.deps.budgets.load(context.org, context.clock.now()).await.unwrap().unwrap();
        assert_eq!((budget.used, budget.max, budget.calls.get(&Lane::Webhook)), (10, 10, Some(&1)));
    });
}

#[test]
fn an_org_below_its_share_is_called() {
    run(async {
        let context = TestContext::new().await;
        let hints = two_hints(&context);
        observe(&context, 899).await;

        assert!(context.receive(&hints).await.is_empty());

        for hint in &hints {
            assert_eq!(context.outcome(hint).await, Some(DeliveryOutcome::Applied));
        }
    });
}
