//! Repeated requests.

use http::StatusCode;
use serde_json::{Value, json};
use store::{WriteId, WriteState};

use crate::harness::{KEY, REP, TestContext, run};

#[test]
fn the_same_key_gets_the_stored_response() {
    run(async {
        let context = TestContext::new().await;
        let records = json!([{ KEY: "A-1", "Name": "Acme" }]);
        let first = context.upsert("Account", Some(REP), "k", records.clone()).await;
        let calls = context.simulator.api_calls();

        let second = context.upsert("Account", Some(REP), "k", records).await;

        assert_eq!(first, second);
        assert_eq!(context.simulator.api_calls(), calls);
        let (_, ledger) = context.ledger(&first.1["write_id"]).await;
        assert_eq!((&ledger["state"], &ledger["platform_user"]), (&json!("finished"), &json!(REP)));
        assert_eq!(ledger["records"], first.1["records"]);
    });
}

#[test]
fn the_same_key_with_another_request_is_refused() {
    run(async {
        let context = TestContext::new().await;
        context.upsert("Account", None, "k", json!([{ KEY: "A-1", "Name": "Acme" }])).await;

        for (object, acting, records) in [
            ("Account", None, json!([{ KEY: "A-1", "Name": "Other" }])),
            ("Account", Some(REP), json!([{ KEY: "A-1", "Name": "Acme" }])),
            ("Lead", None, json!([{ KEY: "A-1", "Name": "Acme" }])),
        ] {
            let (status, problem) = context.upsert(object, acting, "k", records).await;
            assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
            assert_eq!(problem["type"], "urn:ferry:problem:idempotency_key_reused");
        }
    });
}

#[test]
fn a_second_request_during_the_first_is_a_conflict() {
    run(async {
        let context = TestContext::new().await;
        let records = json!([{ KEY: "A-1", "Name": "Acme" }]);
        let key = killed_in_progress(&context, &records).await;

        let (status, problem) = context.upsert("Account", None, &key, records).await;

        assert_eq!((status, &problem["type"]), (StatusCode::CONFLICT, &json!("urn:ferry:problem:write_in_progress")));
    });
}

/// Returns the key of a request that was killed while its write was in progress. Tries several numbers of polls, because
/// the right one varies.
async fn killed_in_progress(context: &TestContext, records: &Value) -> String {
    for polls in 0..200 {
        let key = format!("k-{polls}");
        harness::killed_after(context.upsert("Account", None, &key, records.clone()), polls).await;
        let write = WriteId::derive(context.org, &key.parse().unwrap());
        let write = context.deps.ledger.writes.load(context.org, write).await.unwrap();
        if write.is_some_and(|write| write.state == WriteState::InProgress) {
            return key;
        }
    }
    panic!("no request was killed while its write was in progress");
}

#[test]
fn a_request_killed_at_every_point_and_sent_again_writes_once() {
    run(async {
        let context = TestContext::new().await;
        let before = context.count_in_org("Account");
        let records = json!([{ KEY: "A-1", "Name": "Acme" }, { KEY: "A-2", "Name": "Bolt" }]);

        let mut kills = 0;
        while !harness::killed_after(context.upsert("Account", Some(REP), "k", records.clone()), kills).await {
            context.pass_a_minute();
            kills += 1;
        }

        assert!(kills > 3, "killed {kills} times");
        let (status, response) = context.upsert("Account", Some(REP), "k", records).await;
        assert_eq!((status, response["records"].as_array().unwrap().len()), (StatusCode::OK, 2));
        assert_eq!(context.count_in_org("Account"), before + 2);
    });
}
