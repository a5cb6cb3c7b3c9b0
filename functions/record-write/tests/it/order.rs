//! Writes of one record take effect in the order of their requests (invariant 26).

use aws_sdk_dynamodb::types::AttributeValue;
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use org_simulator::{Effect, Fault};
use serde_json::{Value, json};

use crate::harness::{KEY, REP, TestContext, run};

fn fault(times: u32, effect: Effect) -> Fault {
    Fault { path_prefix: "/services/data/v66.0/composite".to_owned(), method: None, times, effect }
}

/// Salesforce says itself that it did not take the request up.
fn unavailable() -> Fault {
    let effect = Effect::Error { status: 503, code: "SERVER_UNAVAILABLE".to_owned(), message: "down".to_owned() };
    fault(100, effect)
}

fn named(key: &str, name: &str) -> Value {
    json!({ KEY: key, "Name": name })
}

/// Returns the name of the account with this id.
fn name(context: &TestContext, outcome: &Value) -> Value {
    context.in_org("Account", &outcome["records"][0]["id"])["Name"].clone()
}

#[test]
fn a_later_write_of_a_record_waits_for_the_queued_one() {
    run(async {
        let context = TestContext::new().await;
        context.simulator.fault(unavailable());
        let (_, first) = context.upsert("Account", None, "k1", json!([named("A-1", "One")])).await;
        context.simulator.clear_faults();
        context.pass_a_minute();

        // The key differs in case only, and the rep's connection makes the write.
        let (status, second) = context.upsert("Account", Some(REP), "k2", json!([named("a-1", "Two")])).await;

        assert_eq!((status, &second["state"]), (StatusCode::ACCEPTED, &json!("queued")));
        let (_, waiting) = context.ledger(&second["write_id"]).await;
        assert_eq!(waiting["waiting_for"], "earlier_write");
        assert_eq!(waiting["waits_for"], json!([first["write_id"]]));
        assert!(context.resume(&second["write_id"]).await);
        assert_eq!(context.state(&second["write_id"]).await, "queued", "the first one is not made yet");

        let tasks = context.queued().await;
        assert!(context.resume(&first["write_id"]).await);
        assert_eq!(context.queued().await, tasks + 1, "the second one's task was sent at once");
        assert!(context.resume(&second["write_id"]).await);

        let (_, made) = context.ledger(&second["write_id"]).await;
        assert_eq!((&made["state"], &made["waits_for"]), (&json!("finished"), &Value::Null));
        assert_eq!(name(&context, &made), "Two");
    });
}

#[test]
fn writes_of_other_records_do_not_wait() {
    run(async {
        let context = TestContext::new().await;
        context.simulator.fault(unavailable());
        context.upsert("Account", None, "k1", json!([named("A-1", "One")])).await;
        context.simulator.clear_faults();

        assert_eq!(context.upsert("Account", None, "k2", json!([named("A-2", "Two")])).await.0, StatusCode::OK);
        assert_eq!(
            context.upsert("Lead", None, "k3", json!([{ KEY: "A-1", "LastName": "L", "Company": "C" }])).await.0,
            StatusCode::OK
        );
    });
}

#[test]
fn a_write_waits_for_each_of_its_records() {
    run(async {
        let context = TestContext::new().await;
        context.simulator.fault(unavailable());
        let (_, first) = context.upsert("Account", None, "k1", json!([named("A-1", "One")])).await;
        context.pass_a_minute();
        let (_, second) = context.upsert("Account", None, "k2", json!([named("A-2", "Two")])).await;
        context.pass_a_minute();
        context.simulator.clear_faults();
        let both = json!([named("A-2", "Both"), named("A-1", "Both")]);
        let (_, third) = context.upsert("Account", None, "k3", both).await;

        assert!(context.resume(&first["write_id"]).await);
        assert!(context.resume(&third["write_id"]).await);
        let (_, waiting) = context.ledger(&third["write_id"]).await;
        assert_eq!(waiting["waits_for"], json!([second["write_id"]]), "{waiting}");
        assert!(context.resume(&second["write_id"]).await);
        assert!(context.resume(&third["write_id"]).await);

        let (_, made) = context.ledger(&third["write_id"]).await;
        assert_eq!((name(&context, &made), made["records"].as_array().unwrap().len()), (json!("Both"), 2));
    });
}

#[test]
fn a_write_behind_one_in_progress_is_queued() {
    run(async {
        let context = TestContext::killable().await;
        // The first requests load the org, store the write and take its place.
        assert!(!context.killed_at(3, context.upsert("Account", None, "k1", json!([named("A-1", "One")]))).await);
        context.pass(SignedDuration::from_secs(1));

        let (status, second) = context.upsert("Account", None, "k2", json!([named("A-1", "Two")])).await;
        assert_eq!(status, StatusCode::ACCEPTED);

        // The first one was killed before it was accepted, so nothing waits for it once its request can take no effect.
        context.pass_a_minute();
        assert!(context.resume(&second["write_id"]).await);
        assert_eq!(context.state(&second["write_id"]).await, "queued");
        context.pass(SignedDuration::from_mins(11));
        assert!(context.resume(&second["write_id"]).await);
        assert_eq!(context.state(&second["write_id"]).await, "finished");
        // Requested again, it is the later one.
        let (status, first) = context.upsert("Account", None, "k1", json!([named("A-1", "One")])).await;
        assert_eq!((status, name(&context, &first)), (StatusCode::OK, json!("One")));
    });
}

#[test]
fn a_refused_or_erased_write_holds_nobody_up() {
    run(async {
        let context = TestContext::new().await;
        let refused = json!([{ KEY: "A-1", "NoSuchField__c": "x" }]);
        assert_ne!(context.upsert("Account", None, "k1", refused).await.0, StatusCode::ACCEPTED);
        context.simulator.fault(unavailable());
        context.upsert("Account", None, "k2", json!([named("A-1", "One")])).await;
        context.simulator.clear_faults();
        context.pass_a_minute();
        let data = store::OrgData::new(&context.dynamodb(), |table| context.table(table.name()));
        data.delete_page(context.org, store::OrgTable::Writes, None).await.unwrap();

        assert_eq!(context.upsert("Account", None, "k3", json!([named("A-1", "Two")])).await.0, StatusCode::OK);
    });
}

/// Delivers the task of a write that waits for ended ones when it is due, and not before. Returns the write.
async fn resume_when_settled(context: &TestContext, write_id: &Value) -> Value {
    let (_, waiting) = context.ledger(write_id).await;
    assert_eq!((&waiting["state"], &waiting["waiting_for"]), (&json!("queued"), &json!("earlier_write")), "{waiting}");
    let due: Timestamp = waiting["next_attempt_at"].as_str().unwrap().parse().unwrap();
    context.pass(due.duration_since(context.clock.now()) - SignedDuration::from_secs(2));
    assert!(context.resume(write_id).await);
    assert_eq!(context.state(write_id).await, "queued", "a request may still take effect");
    context.pass(SignedDuration::from_secs(2));
    assert!(context.resume(write_id).await);
    context.ledger(write_id).await.1
}

/// Salesforce carries a call out for up to 10 minutes.
#[test]
fn a_late_request_does_not_undo_a_later_write() {
    run(async {
        let context = TestContext::new().await;
        context.simulator.fault(fault(1, Effect::CommitLate { delay_s: 570 }));
        let both = json!([named("A-0", "One"), named("A-1", "One")]);
        let requested_at = context.clock.now();
        let (status, first) = context.upsert("Account", None, "k1", both).await;
        assert_eq!(status, StatusCode::OK, "it was sent again: {first}");
        context.pass(SignedDuration::from_secs(1));

        let (status, second) = context.upsert("Account", None, "k2", json!([named("A-1", "Two")])).await;

        assert_eq!(status, StatusCode::ACCEPTED);
        let (_, waiting) = context.ledger(&second["write_id"]).await;
        assert_eq!(waiting["waits_for"], json!([first["write_id"]]));
        let made = resume_when_settled(&context, &second["write_id"]).await;
        let waited = context.clock.now().duration_since(requested_at).as_mins();
        assert_eq!((&made["state"], waited), (&json!("finished"), 12));
        assert_eq!(name(&context, &made), "Two");
        // A later write finds nothing to wait for.
        assert_eq!(context.upsert("Account", None, "k3", json!([named("A-1", "Three")])).await.0, StatusCode::OK);
    });
}

/// The first write ends while the second one waits for it.
#[test]
fn the_next_write_is_woken_once_a_lost_request_is_settled() {
    run(async {
        let context = TestContext::new().await;
        context.simulator.fault(fault(100, Effect::Unavailable));
        let (_, first) = context.upsert("Account", None, "k1", json!([named("A-1", "One")])).await;
        context.simulator.clear_faults();
        context.pass_a_minute();
        let (_, second) = context.upsert("Account", None, "k2", json!([named("A-1", "Two")])).await;
        let (ready, delayed) = context.tasks().await;

        assert!(context.resume(&first["write_id"]).await);

        assert_eq!(context.state(&first["write_id"]).await, "finished", "its own end is not delayed");
        assert_eq!(context.tasks().await, (ready, delayed + 1), "the task of the second one is delayed");
        assert!(context.resume(&second["write_id"]).await);
        let made = resume_when_settled(&context, &second["write_id"]).await;
        assert_eq!((&made["state"], name(&context, &made)), (&json!("finished"), json!("Two")));
    });
}

#[test]
fn a_write_whose_requests_were_answered_delays_no_other() {
    run(async {
        let context = TestContext::new().await;
        context.simulator.fault(Fault { times: 1, ..unavailable() });
        let (_, queued) = context.upsert("Account", None, "k1", json!([named("A-1", "One")])).await;
        assert!(context.resume(&queued["write_id"]).await);
        assert_eq!(context.state(&queued["write_id"]).await, "finished");
        context.pass(SignedDuration::from_secs(1));

        assert_eq!(context.upsert("Account", None, "k2", json!([named("A-1", "Two")])).await.0, StatusCode::OK);
    });
}

#[test]
fn a_killed_attempt_counts_as_a_lost_request() {
    run(async {
        let context = TestContext::killable().await;
        context.simulator.fault(unavailable());
        let (_, first) = context.upsert("Account", None, "k1", json!([named("A-1", "One")])).await;
        context.simulator.clear_faults();
        context.simulator.fault(fault(1, Effect::CommitLate { delay_s: 570 }));
        // Killed after it has sent the records.
        let sent = || context.simulator.request_log().iter().filter(|line| line.contains("/composite")).count();
        let (before, mut passes) = (sent(), 2);
        while sent() == before {
            assert!(!context.killed_at(passes, context.resume(&first["write_id"])).await);
            context.pass_a_minute();
            passes += 1;
        }
        let (_, second) = context.upsert("Account", None, "k2", json!([named("A-1", "Two")])).await;
        assert!(context.resume(&first["write_id"]).await);
        assert_eq!(context.state(&first["write_id"]).await, "finished");

        assert!(context.resume(&second["write_id"]).await);
        let made = resume_when_settled(&context, &second["write_id"]).await;

        assert_eq!((&made["state"], name(&context, &made)), (&json!("finished"), json!("Two")));
    });
}

#[test]
fn a_record_has_at_most_1000_unfinished_writes() {
    run(async {
        let context = TestContext::new().await;
        context.simulator.fault(unavailable());
        let (_, first) = context.upsert("Account", None, "k1", json!([named("A-1", "One")])).await;
        let table = context.table("write_order");
        let rows = context.dynamodb().scan().table_name(&table).send().await.unwrap().items.unwrap();
        let [row] = rows.as_slice() else { panic!("{rows:?}") };
        let mut full = row.clone();
        let mut places = row["waiting"].as_ss().unwrap().clone();
        places.extend((1..1_000).map(|n| format!("2999-01-01T00:00:00.000Z#00000000-0000-5000-8000-{n:012}")));
        full.insert("waiting".to_owned(), AttributeValue::Ss(places));
        context.dynamodb().put_item().table_name(&table).set_item(Some(full)).send().await.unwrap();

        let both = json!([named("A-0", "Two"), named("A-1", "Two")]);
        let (status, problem) = context.upsert("Account", None, "k2", both.clone()).await;

        assert_eq!(
            (status, &problem["type"]),
            (StatusCode::CONFLICT, &json!("urn:ferry:problem:write_in_progress")),
            "{problem}"
        );
        assert_eq!(problem["detail"], "1000 earlier writes of a record are not finished");
        // A write that has its place keeps it.
        assert!(context.resume(&first["write_id"]).await);
        assert_eq!(context.ledger(&first["write_id"]).await.1["reason"], "salesforce_unavailable");
        context.simulator.clear_faults();
        assert_eq!(context.upsert("Account", None, "k3", json!([named("A-0", "Three")])).await.0, StatusCode::OK);
        context.dynamodb().put_item().table_name(&table).set_item(Some(row.clone())).send().await.unwrap();
        assert!(context.resume(&first["write_id"]).await);
        assert_eq!(context.state(&first["write_id"]).await, "finished");
        assert_eq!(context.upsert("Account", None, "k2", both).await.0, StatusCode::OK, "with the same key");
    });
}
