//! Writes of one record take effect in the order of their requests (invariant 26).

use http::StatusCode;
use org_simulator::{Effect, Fault};
use serde_json::{Value, json};

use crate::harness::{KEY, REP, TestContext, run};

fn unavailable() -> Fault {
    let path_prefix = "/services/data/v66.0/composite".to_owned();
    Fault { path_prefix, method: None, times: 100, effect: Effect::Unavailable }
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
        context.pass(jiff::SignedDuration::from_secs(1));

        let (status, second) = context.upsert("Account", None, "k2", json!([named("A-1", "Two")])).await;
        assert_eq!(status, StatusCode::ACCEPTED);

        // The first one was killed before it was accepted, so nothing waits for it after its deadline.
        context.pass_a_minute();
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
