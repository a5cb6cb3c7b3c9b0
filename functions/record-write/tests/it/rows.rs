//! The outcome of each record: what is sent again by itself, and what the platform is told.

use http::StatusCode;
use jiff::SignedDuration;
use org_simulator::{Effect, Fault};
use serde_json::{Value, json};

use crate::harness::{KEY, TestContext, run};

const UPSERTS: &str = "PATCH /services/data/v66.0/composite/sobjects/";

fn upserts(context: &TestContext) -> usize {
    context.simulator.request_log().iter().filter(|line| line.starts_with(UPSERTS)).count()
}

/// Creates two accounts, and returns their ids.
async fn accounts(context: &TestContext) -> [String; 2] {
    let records = json!([{ KEY: "A-1", "Name": "Acme" }, { KEY: "A-2", "Name": "Bolt" }]);
    let (status, written) = context.upsert("Account", None, "accounts", records).await;
    assert_eq!(status, StatusCode::OK);
    [0, 1].map(|index: usize| written["records"][index]["id"].as_str().unwrap().to_owned())
}

fn contacts() -> Value {
    json!([
        { KEY: "C-1", "LastName": "Doe", "Account": { KEY: "A-1" } },
        { KEY: "C-2", "LastName": "Roe", "Account": { KEY: "A-2" } },
        { KEY: "C-3", "FirstName": "Jo", "Account": { KEY: "A-2" } },
    ])
}

#[test]
fn a_record_is_written_once_the_lock_of_its_parent_ends() {
    run(async {
        let context = TestContext::new().await;
        let [_, bolt] = accounts(&context).await;
        context.simulator.lock_record(&bolt).unwrap();
        let before = upserts(&context);

        let unlock = async {
            while upserts(&context) == before {
                tokio::task::yield_now().await;
            }
            context.simulator.unlock_record(&bolt).unwrap();
        };
        let ((status, response), ()) = tokio::join!(context.upsert("Contact", None, "k", contacts()), unlock);

        assert_eq!(status, StatusCode::OK, "{response}");
        let records = response["records"].as_array().unwrap();
        let success: Vec<&Value> = records.iter().map(|record| &record["success"]).collect();
        assert_eq!(success, [true, true, false], "{response}");
        assert!(records[..2].iter().all(|record| record["created"] == true), "{response}");
        assert_eq!(upserts(&context), before + 2);
        assert_eq!(records[2]["retryable"], false);
        assert!(records[2]["next"].as_str().unwrap().starts_with("Set the fields"), "{response}");
    });
}

#[test]
fn a_record_that_stays_locked_is_written_from_the_queue() {
    run(async {
        let context = TestContext::new().await;
        let [_, bolt] = accounts(&context).await;
        context.simulator.lock_record(&bolt).unwrap();

        let (status, queued) = context.upsert("Contact", None, "k", contacts()).await;
        assert_eq!((status, context.queued().await), (StatusCode::ACCEPTED, 1), "{queued}");
        let first = context.count_in_org("Contact");
        context.simulator.unlock_record(&bolt).unwrap();
        assert!(context.resume(&queued["write_id"]).await);

        let (status, response) = context.upsert("Contact", None, "k", contacts()).await;
        assert_eq!(status, StatusCode::OK);
        let created: Vec<&Value> = response["records"].as_array().unwrap().iter().map(|row| &row["created"]).collect();
        assert_eq!(created, [&json!(true), &json!(true), &json!(false)], "{response}");
        assert_eq!(context.count_in_org("Contact"), first + 1);
    });
}

#[test]
fn created_is_unknown_only_after_a_lost_response() {
    run(async {
        let context = TestContext::new().await;
        accounts(&context).await;
        context.pass(SignedDuration::from_mins(10));
        let path_prefix = "/services/data/v66.0/composite".to_owned();
        context.simulator.fault(Fault { path_prefix, method: None, times: 1, effect: Effect::ResetAfter });

        let records = json!([{ KEY: "A-1", "Name": "Renamed" }, { KEY: "A-3", "Name": "New" }]);
        let (status, response) = context.upsert("Account", None, "k", records).await;

        assert_eq!(status, StatusCode::OK, "{response}");
        assert_eq!(response["records"][0]["created"], false, "it is older than the write");
        assert_eq!(response["records"][1]["created"], Value::Null, "the lost request may have created it");
    });
}

#[test]
fn external_ids_that_differ_only_in_case_are_refused_unsent() {
    run(async {
        let context = TestContext::new().await;
        let before = upserts(&context);

        let records = json!([{ KEY: "A-1", "Name": "Acme" }, { KEY: "B" }, { KEY: "a-1", "Name": "Acme" }]);
        let (status, problem) = context.upsert("Account", None, "k", records).await;

        assert_eq!(status, StatusCode::BAD_REQUEST, "{problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("records[0]") && detail.contains("records[2]"), "{detail}");
        assert_eq!(upserts(&context), before);
    });
}

#[test]
fn the_record_with_the_same_unique_value_is_named() {
    run(async {
        let context = TestContext::new().await;
        let unique = |name: &str| json!({ "name": name, "external_id": true, "unique": true });
        let fields = [unique(KEY), unique("Code__c")];
        context.simulator.define_object(json!({ "name": "Invoice__c", "fields": fields })).unwrap();
        let (_, first) = context.upsert("Invoice__c", None, "k1", json!([{ KEY: "I-1", "Code__c": "X" }])).await;

        let (_, response) = context.upsert("Invoice__c", None, "k2", json!([{ KEY: "I-2", "Code__c": "X" }])).await;

        let record = &response["records"][0];
        assert_eq!(record["errors"][0]["code"], "DUPLICATE_VALUE");
        assert_eq!(record["errors"][0]["existing_ids"], json!([first["records"][0]["id"]]), "{response}");
        assert!(record["next"].as_str().unwrap().contains("existing_ids"), "{response}");
    });
}
