//! Orgs with settings of their own.

use jiff::SignedDuration;
use serde_json::json;
use store::{DeliveryOutcome, Lane, Observation};

use crate::harness::{TestContext, run};

#[test]
fn a_record_that_the_filter_excludes_leaves_the_mirror() {
    run(async {
        let context = TestContext::new().await;
        context.set(json!({ "filters": { "Account": "Name LIKE 'A%'" } })).await;
        let (acme, bolt) = (context.account("Acme"), context.account("Bolt"));
        let [of_acme, of_bolt] = [acme, bolt].map(|id| context.hint(id));
        assert!(context.receive(&[of_acme.clone(), of_bolt.clone()]).await.is_empty());
        assert_eq!(context.mirrored_name(acme).await.as_deref(), Some("Acme"));
        assert_eq!(context.outcome(&of_acme).await, Some(DeliveryOutcome::Applied));
        assert!(context.mirrored(bolt).await.is_none(), "it stays out, without a tombstone");
        assert_eq!(context.outcome(&of_bolt).await, Some(DeliveryOutcome::NotVisible));

        context.pass(SignedDuration::from_secs(1));
        context.rename(acme, "Zenith");
        context.rename(bolt, "Atlas");
        let [of_acme, of_bolt] = [acme, bolt].map(|id| context.hint(id));
        assert!(context.receive(&[of_acme.clone(), of_bolt]).await.is_empty());
        assert!(context.mirrored(acme).await.is_some_and(|row| row.deleted));
        assert_eq!(context.outcome(&of_acme).await, Some(DeliveryOutcome::Deleted));
        assert_eq!(context.mirrored_name(bolt).await.as_deref(), Some("Atlas"));
    });
}

#[test]
fn a_hint_waits_while_the_allocation_is_used_up() {
    run(async {
        let context = TestContext::new().await;
        context.set(json!({ "api_allocation": { "percent": 10 } })).await;
        let usage = Observation { used: 100, max: 1_000, lane: Lane::Interactive, calls: 90 };
        context.deps.budgets.observe(context.org, usage, context.clock.now()).await.unwrap();
        let hint = context.hint(context.account("Acme"));
        // The report is too old to decide about the org's limit, but Ferry's own calls are known.
        context.pass(SignedDuration::from_mins(20));

        assert!(context.receive(std::slice::from_ref(&hint)).await.is_empty());

        assert_eq!(context.simulator.request_log(), [""; 0]);
        let over_budget = DeliveryOutcome::Deferred { reason: "over_budget".to_owned() };
        assert_eq!(context.outcome(&hint).await, Some(over_budget));
    });
}

#[test]
fn a_record_of_an_object_that_is_left_out_is_not_read() {
    run(async {
        let context = TestContext::new().await;
        context.set(json!({ "objects": ["Contact"] })).await;
        let hint = context.hint(context.account("Acme"));
        let calls = context.simulator.api_calls();
        assert!(context.receive(std::slice::from_ref(&hint)).await.is_empty());
        assert_eq!(context.simulator.api_calls(), calls);
        assert_eq!(context.outcome(&hint).await, Some(DeliveryOutcome::NotVisible));
        assert!(context.mirrored(hint.record.unwrap().record_id).await.is_none());
    });
}
