//! Salesforce is unavailable, or its response is lost.

use http::StatusCode;
use jiff::SignedDuration;
use org_simulator::{Effect, Fault};
use serde_json::{Value, json};
use store::{ConnectionId, OrgData, OrgTable};

use crate::harness::{KEY, TestContext, run};

fn fault(effect: Effect) -> Fault {
    Fault { path_prefix: "/services/data/v66.0/composite".to_owned(), method: None, times: 100, effect }
}

fn records() -> Value {
    json!([{ KEY: "A-1", "Name": "Acme" }])
}

#[test]
fn a_write_during_maintenance_waits_in_the_queue() {
    run(async {
        let context = TestContext::new().await;
        let before = context.count_in_org("Account");
        context.simulator.fault(fault(Effect::Unavailable));

        let (status, queued) = context.upsert("Account", None, "k", records()).await;
        assert_eq!((status, &queued["state"]), (StatusCode::ACCEPTED, &json!("queued")));
        assert_eq!(context.queued().await, 1);
        assert!(!context.resume(&queued["write_id"]).await, "the maintenance has not ended");

        context.simulator.clear_faults();
        assert!(context.resume(&queued["write_id"]).await);
        let (_, ledger) = context.ledger(&queued["write_id"]).await;
        assert_eq!(ledger["state"], "finished");
        assert_eq!(ledger["records"][0]["success"], true);
        let (status, response) = context.upsert("Account", None, "k", records()).await;
        assert_eq!((status, &response["records"]), (StatusCode::OK, &ledger["records"]));
        assert_eq!(context.count_in_org("Account"), before + 1);
    });
}

#[test]
fn a_write_whose_response_is_lost_creates_one_record() {
    run(async {
        let context = TestContext::new().await;
        let before = context.count_in_org("Account");
        context.simulator.fault(fault(Effect::ResetAfter));

        let (status, queued) = context.upsert("Account", None, "k", records()).await;
        assert_eq!(status, StatusCode::ACCEPTED);
        assert_eq!(context.count_in_org("Account"), before + 1);

        context.simulator.clear_faults();
        assert!(context.resume(&queued["write_id"]).await);
        assert_eq!(context.count_in_org("Account"), before + 1);
        let (_, ledger) = context.ledger(&queued["write_id"]).await;
        assert_eq!(ledger["records"][0]["created"], Value::Null, "a lost response may have reported it as created");
    });
}

#[test]
fn a_task_that_is_delivered_twice_writes_once() {
    run(async {
        let context = TestContext::new().await;
        context.simulator.fault(fault(Effect::Unavailable));
        let (_, queued) = context.upsert("Account", None, "k", records()).await;
        context.simulator.clear_faults();
        assert!(context.resume(&queued["write_id"]).await);
        let calls = context.simulator.api_calls();

        assert!(context.resume(&queued["write_id"]).await);

        assert_eq!(context.simulator.api_calls(), calls);
    });
}

#[test]
fn a_repeated_request_queues_a_waiting_write_again() {
    run(async {
        let context = TestContext::new().await;
        context.simulator.fault(fault(Effect::Unavailable));
        let first = context.upsert("Account", None, "k", records()).await;

        assert_eq!(context.upsert("Account", None, "k", records()).await, first);

        assert_eq!(context.queued().await, 2);
    });
}

#[test]
fn an_accepted_write_waits_for_the_team_to_reconnect() {
    run(async {
        let context = TestContext::new().await;
        context.simulator.fault(fault(Effect::Unavailable));
        let (_, queued) = context.upsert("Account", None, "k", records()).await;
        context.simulator.clear_faults();
        context.disconnect(&ConnectionId::team()).await;

        assert!(!context.resume(&queued["write_id"]).await);
        let (_, ledger) = context.ledger(&queued["write_id"]).await;
        assert_eq!(ledger["state"], "queued");

        context.connect(store::ConnectionKind::Team).await;
        assert!(context.resume(&queued["write_id"]).await);
    });
}

#[test]
fn a_queued_write_of_a_former_tenant_is_neither_made_nor_shown() {
    run(async {
        let context = TestContext::new().await;
        let before = context.count_in_org("Account");
        context.simulator.fault(fault(Effect::Unavailable));
        let (_, queued) = context.upsert("Account", None, "k", records()).await;
        context.simulator.clear_faults();
        context.orgs.close(context.org, context.clock.now()).await.unwrap();
        for tenant in ["globex", "acme"] {
            context.pass(SignedDuration::from_mins(2));
            context.orgs.transfer(context.org, &tenant.parse().unwrap(), context.clock.now()).await.unwrap();
        }
        context.activate(context.org).await;

        assert!(context.resume(&queued["write_id"]).await, "it is refused for good");

        assert_eq!(context.count_in_org("Account"), before);
        assert_eq!(context.ledger(&queued["write_id"]).await.0, StatusCode::NOT_FOUND);
        let (status, problem) = context.upsert("Account", None, "k", records()).await;
        assert_eq!(
            (status, &problem["type"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!("urn:ferry:problem:idempotency_key_reused"))
        );
        assert_eq!(context.upsert("Account", None, "another", records()).await.0, StatusCode::OK);
    });
}

#[test]
fn a_write_over_the_api_limit_is_queued() {
    run(async {
        let context = TestContext::new().await;
        context.simulator.fault(fault(Effect::RequestLimitExceeded));

        let (status, _) = context.upsert("Account", None, "k", records()).await;

        assert_eq!(status, StatusCode::ACCEPTED);
    });
}

#[test]
fn an_erased_write_is_not_made() {
    run(async {
        let context = TestContext::new().await;
        let before = context.count_in_org("Account");
        context.simulator.fault(fault(Effect::Unavailable));
        let (_, queued) = context.upsert("Account", None, "k", records()).await;
        context.simulator.clear_faults();
        let data = OrgData::new(&context.dynamodb(), |table| context.table(table.name()));
        data.delete_page(context.org, OrgTable::Writes, None).await.unwrap();

        assert!(context.resume(&queued["write_id"]).await, "the task is done");

        assert_eq!(context.count_in_org("Account"), before);
        assert_eq!(context.ledger(&queued["write_id"]).await.0, StatusCode::NOT_FOUND);
    });
}
