//! Salesforce is unavailable, or its response is lost.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use http::StatusCode;
use jiff::SignedDuration;
use org_simulator::{Effect, Fault};
use record_write::handle;
use serde_json::{Value, json};
use store::{ConnectionId, OrgData, OrgTable, WriteOrder, WriteTask};

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
        let (_, waiting) = context.ledger(&queued["write_id"]).await;
        assert_eq!((&waiting["state"], &waiting["waiting_for"]), (&json!("queued"), &json!("salesforce")), "{waiting}");
        assert_eq!(waiting["reason"], "salesforce_unavailable");
        assert!(waiting["next_attempt_at"].as_str() > waiting["queued_at"].as_str(), "{waiting}");
        assert!(context.resume(&queued["write_id"]).await);
        assert_eq!(context.state(&queued["write_id"]).await, "queued", "the maintenance has not ended");
        assert_eq!(context.queued().await, 2, "it was queued again");

        context.simulator.clear_faults();
        assert!(context.resume(&queued["write_id"]).await);
        let (_, ledger) = context.ledger(&queued["write_id"]).await;
        assert_eq!((&ledger["state"], &ledger["waiting_for"]), (&json!("finished"), &Value::Null));
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

        // Longer than any failure that passes by itself is tried again.
        for _ in 0..4 {
            context.pass(SignedDuration::from_hours(30));
            assert!(context.resume(&queued["write_id"]).await);
        }
        let (_, ledger) = context.ledger(&queued["write_id"]).await;
        assert_eq!((&ledger["state"], &ledger["waiting_for"]), (&json!("queued"), &json!("person")), "{ledger}");
        assert_eq!(ledger["reason"], "reconnect_required");
        assert!(ledger["next"].as_str().is_some_and(|next| !next.is_empty()), "{ledger}");

        context.connect(store::ConnectionKind::Team).await;
        assert!(context.resume(&queued["write_id"]).await);
        assert_eq!(context.state(&queued["write_id"]).await, "finished");
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
        // A request of the former tenant's write got a bare 503, and may take effect for so long.
        context.pass(SignedDuration::from_mins(12));
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

/// Delivers the tasks of a write, each when it is due, until the write has ended.
async fn run_until_it_ends(context: &TestContext, write_id: &Value) -> Value {
    for _ in 0..1_000 {
        let (_, write) = context.ledger(write_id).await;
        if write["state"] != "queued" {
            return write;
        }
        context.pass(SignedDuration::from_mins(15));
        assert!(context.resume(write_id).await);
    }
    panic!("the write has not ended");
}

#[test]
fn an_accepted_write_fails_after_three_days_of_outage() {
    run(async {
        let context = TestContext::new().await;
        // Salesforce's own word, after which nothing is sent again within the attempt.
        let down = Effect::Error { status: 503, code: "SERVER_UNAVAILABLE".to_owned(), message: "down".to_owned() };
        context.simulator.fault(Fault { times: u32::MAX, ..fault(down) });
        let (status, queued) = context.upsert("Account", None, "k", records()).await;
        assert_eq!(status, StatusCode::ACCEPTED);
        let accepted_at = context.clock.now();

        let failed = run_until_it_ends(&context, &queued["write_id"]).await;

        let took = context.clock.now().duration_since(accepted_at);
        assert!(took >= SignedDuration::from_hours(72) && took < SignedDuration::from_hours(74), "{took:?}");
        assert_eq!((&failed["state"], &failed["retryable"]), (&json!("failed"), &json!(true)), "{failed}");
        assert_eq!(failed["problem"]["type"], "urn:ferry:problem:salesforce_unavailable");
        context.simulator.clear_faults();
        let (status, problem) = context.upsert("Account", None, "k", records()).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(problem["next"], "Send the same records again with a new Idempotency-Key.");
    });
}

#[test]
fn an_accepted_write_for_a_disconnected_org_fails() {
    run(async {
        let context = TestContext::new().await;
        context.simulator.fault(fault(Effect::Unavailable));
        let (_, queued) = context.upsert("Account", None, "k", records()).await;
        context.simulator.clear_faults();
        context.orgs.close(context.org, context.clock.now()).await.unwrap();

        assert!(context.resume(&queued["write_id"]).await);

        let (_, failed) = context.ledger(&queued["write_id"]).await;
        assert_eq!((&failed["state"], &failed["retryable"]), (&json!("failed"), &Value::Null), "{failed}");
        assert_eq!(failed["problem"]["type"], "urn:ferry:problem:org_not_active");
    });
}

#[test]
fn a_superseded_task_makes_no_attempt() {
    run(async {
        let context = TestContext::new().await;
        context.simulator.fault(fault(Effect::Unavailable));
        let (_, queued) = context.upsert("Account", None, "k", records()).await;
        assert!(context.deliver(&queued["write_id"], 1).await);
        let (tasks, calls) = (context.queued().await, context.simulator.api_calls());

        assert!(context.deliver(&queued["write_id"], 1).await, "SQS delivered it twice");

        assert_eq!((context.queued().await, context.simulator.api_calls()), (tasks, calls));
    });
}

#[test]
fn a_redriven_dead_letter_finishes_its_write() {
    run(async {
        let context = TestContext::new().await;
        context.simulator.fault(fault(Effect::Unavailable));
        let (_, queued) = context.upsert("Account", None, "k", records()).await;
        context.simulator.clear_faults();
        // The task was a dead letter for a week, after its function was killed ten times.
        context.pass(SignedDuration::from_hours(7 * 24));

        assert!(context.deliver(&queued["write_id"], 1).await);

        assert_eq!(context.state(&queued["write_id"]).await, "finished");
    });
}

#[test]
fn a_task_during_another_attempt_is_sent_again() {
    run(async {
        let context = TestContext::killable().await;
        context.simulator.fault(fault(Effect::Unavailable));
        let (_, queued) = context.upsert("Account", None, "k", records()).await;
        context.simulator.clear_faults();
        // The first two requests load the write and take it over.
        assert!(!context.killed_at(2, context.deliver(&queued["write_id"], 1)).await);
        let tasks = context.queued().await;

        assert!(context.deliver(&queued["write_id"], 1).await, "SQS need not deliver it again");

        assert_eq!(
            (context.state(&queued["write_id"]).await, context.queued().await),
            (json!("in_progress"), tasks + 1)
        );
        context.pass_a_minute();
        assert!(context.deliver(&queued["write_id"], 1).await);
        assert_eq!(context.state(&queued["write_id"]).await, "finished");
    });
}

#[test]
fn a_queued_write_killed_at_every_point_is_made_once() {
    run(async {
        let context = TestContext::killable().await;
        let before = context.count_in_org("Account");
        context.simulator.fault(fault(Effect::Unavailable));
        let (_, queued) = context.upsert("Account", None, "k", records()).await;
        let write_id = &queued["write_id"];

        // Killed while it is deferred once more: SQS delivers the task again.
        let mut kills = 0;
        while !context.killed_at(kills, context.deliver(write_id, 1)).await {
            context.pass_a_minute();
            kills += 1;
        }
        // It loads the write, takes it over, loads the org, joins, loads the connections, counts calls, sends, and stores.
        assert!(kills >= 8, "killed {kills} times");
        let write = context.ledger(write_id).await.1;
        assert_eq!(write["state"], "queued", "{write}");
        assert!(
            context.queued().await > 1,
            "the task of the second deferral was sent before the write was stored with it"
        );

        // Killed while it is made.
        context.simulator.clear_faults();
        let mut kills = 0;
        while !context.killed_at(kills, context.resume(write_id)).await {
            context.pass_a_minute();
            kills += 1;
        }
        assert!(kills >= 8, "killed {kills} times");
        assert_eq!(context.state(write_id).await, "finished");
        assert_eq!(context.count_in_org("Account"), before + 1);
    });
}

#[test]
fn a_queued_write_whose_request_cannot_be_read_fails() {
    run(async {
        let context = TestContext::new().await;
        context.simulator.fault(fault(Effect::Unavailable));
        let (_, queued) = context.upsert("Account", None, "k", records()).await;
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let update = context.dynamodb().update_item().table_name(context.table("writes"));
        let update = update.key("org_id", text(context.org.as_str()));
        let update = update.key("write_id", text(queued["write_id"].as_str().unwrap()));
        let update =
            update.update_expression("SET #request = :request").expression_attribute_names("#request", "request");
        update.expression_attribute_values(":request", text("{}")).send().await.unwrap();

        assert!(context.resume(&queued["write_id"]).await);

        let (_, failed) = context.ledger(&queued["write_id"]).await;
        assert_eq!(failed["problem"]["type"], "urn:ferry:problem:internal_error", "{failed}");
    });
}

#[test]
fn the_closing_line_says_how_late_the_oldest_write_is() {
    run(async {
        let context = TestContext::killable().await;
        context.simulator.fault(Fault { times: u32::MAX, ..fault(Effect::Unavailable) });
        let (_, queued) = context.upsert("Account", None, "k", records()).await;
        let write_id = &queued["write_id"];
        context.pass(SignedDuration::from_hours(7));
        let task = context.write_task_event(write_id, 1);

        let counts = handle(&context.deps, task).await.unwrap().counts;

        assert!(counts.contains(&("writes.deferred", 1)), "{counts:?}");
        assert!(counts.contains(&("deferred.oldest_s", 7 * 60 * 60)), "{counts:?}");
        // An attempt whose result is not recorded; meanwhile the task is sent again and again.
        assert!(!context.killed_at(2, context.deliver(write_id, 2)).await);
        let mut event = context.write_task_event(write_id, 2);
        let mut task: WriteTask = serde_json::from_str(event.records[0].body.as_deref().unwrap()).unwrap();
        task.postponed_since = Some(context.clock.now() - SignedDuration::from_hours(2));
        event.records[0].body = serde_json::to_string(&task).ok();
        let counts = handle(&context.deps, event).await.unwrap().counts;
        assert!(counts.contains(&("writes.postponed", 1)), "{counts:?}");
        assert!(counts.contains(&("deferred.oldest_s", 2 * 60 * 60)), "{counts:?}");
    });
}

#[test]
fn a_call_that_aws_refuses_ends_no_accepted_write() {
    run(async {
        let mut context = TestContext::new().await;
        context.simulator.fault(fault(Effect::Unavailable));
        let (_, queued) = context.upsert("Account", None, "k", records()).await;
        context.simulator.clear_faults();
        let task = context.write_event(&queued["write_id"]).await;
        let misnamed = WriteOrder::new(context.dynamodb(), "no-such-table");
        let order = std::mem::replace(&mut context.deps.ledger.order, misnamed);

        let report = handle(&context.deps, task).await.unwrap();

        assert!(report.failed.is_empty(), "a dead letter in the end: {report:?}");
        assert!(report.counts.contains(&("writes.postponed", 1)), "{report:?}");
        context.deps.ledger.order = order;
        context.pass_a_minute();
        assert!(context.resume(&queued["write_id"]).await);
        assert_eq!(context.state(&queued["write_id"]).await, "finished");
    });
}

/// The report that Salesforce accepted a session runs before the outcome is stored.
#[test]
fn a_broker_that_answers_no_report_does_not_hold_up_the_outcome() {
    run(async {
        let context = TestContext::new().await;
        context.never_respond_to_reports();

        let upsert = context.upsert("Account", None, "k", records());
        let (status, write) = tokio::time::timeout(Duration::from_secs(20), upsert).await.unwrap();

        assert_eq!(status, StatusCode::OK, "{write}");
        assert_eq!(context.state(&write["write_id"]).await, "finished");
    });
}
