//! Repeated requests.

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::json;
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
fn a_users_token_sees_only_that_users_writes() {
    run(async {
        let context = TestContext::new().await;
        let records = json!([{ KEY: "A-1", "Name": "Acme" }]);
        let (_, reps) = context.upsert("Account", Some(REP), "k1", records.clone()).await;
        let (_, teams) = context.upsert("Account", None, "k2", records).await;
        let ledger = async |user: &str, scopes: &str, write: &serde_json::Value| {
            let path = format!("/v1/orgs/{}/writes/{}", context.org, write["write_id"].as_str().unwrap());
            let request = Request::get(path).extension(harness::token("acme", Some(user), scopes));
            context.send(request.body(Body::empty()).unwrap()).await.0
        };

        assert_eq!(ledger(REP, "ferry/read", &reps).await, StatusCode::OK);
        assert_eq!(ledger(REP, "ferry/read", &teams).await, StatusCode::NOT_FOUND);
        assert_eq!(ledger("rep-2", "ferry/read", &reps).await, StatusCode::NOT_FOUND);
        assert_eq!(ledger("rep-2", "ferry/read ferry/admin", &reps).await, StatusCode::OK);
    });
}

#[test]
fn a_users_token_writes_only_as_that_user() {
    run(async {
        let context = TestContext::new().await;
        let write = async |query: &str, key: &str| {
            let path = format!("/v1/orgs/{}/records/Account{query}", context.org);
            let body = json!({ "external_id_field": KEY, "records": [{ KEY: "A-1", "Name": "Acme" }] });
            let request = Request::post(path).extension(harness::token("acme", Some(REP), "ferry/write"));
            let request = request.header("content-type", "application/json").header("idempotency-key", key);
            context.send(request.body(Body::from(body.to_string())).unwrap()).await
        };

        let (status, written) = write("", "k1").await;
        assert_eq!((status, &written["owner_choice"]), (StatusCode::OK, &json!("rep")), "{written}");
        let (status, problem) = write("?as=rep-2", "k2").await;
        assert_eq!((status, &problem["type"]), (StatusCode::FORBIDDEN, &json!("urn:ferry:problem:other_user")));
    });
}

#[test]
fn a_users_token_never_writes_with_the_teams_rights() {
    run(async {
        let context = TestContext::new().await;
        context.revoke_reps_grant_after_a_refresh();
        let path = format!("/v1/orgs/{}/records/Account", context.org);
        let body = json!({ "external_id_field": KEY, "records": [{ KEY: "A-1", "Name": "Acme" }] });
        let request = Request::post(path).extension(harness::token("acme", Some(REP), "ferry/write"));
        let request = request.header("content-type", "application/json").header("idempotency-key", "k");

        let (status, problem) = context.send(request.body(Body::from(body.to_string())).unwrap()).await;

        assert_eq!(status, StatusCode::CONFLICT, "{problem}");
        assert_eq!(problem["type"], "urn:ferry:problem:reconnect_required");
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
        let context = TestContext::killable().await;
        let records = json!([{ KEY: "A-1", "Name": "Acme" }]);
        // The first two requests load the org and store the write as in progress.
        assert!(!context.killed_at(2, context.upsert("Account", None, "k", records.clone())).await);
        let write = WriteId::derive(context.org, &"k".parse().unwrap());
        let write = context.deps.ledger.writes.load(context.org, write).await.unwrap().unwrap();
        assert_eq!(write.state, WriteState::InProgress);

        let (status, problem) = context.upsert("Account", None, "k", records).await;

        assert_eq!((status, &problem["type"]), (StatusCode::CONFLICT, &json!("urn:ferry:problem:write_in_progress")));
    });
}

#[test]
fn a_request_killed_at_every_point_and_sent_again_writes_once() {
    run(async {
        let context = TestContext::killable().await;
        let before = context.count_in_org("Account");
        let records = json!([{ KEY: "A-1", "Name": "Acme" }, { KEY: "A-2", "Name": "Bolt" }]);

        let mut kills = 0;
        while !context.killed_at(kills, context.upsert("Account", Some(REP), "k", records.clone())).await {
            context.pass_a_minute();
            kills += 1;
        }

        assert!(kills > 3, "killed {kills} times");
        let (status, response) = context.upsert("Account", Some(REP), "k", records).await;
        assert_eq!((status, response["records"].as_array().unwrap().len()), (StatusCode::OK, 2));
        assert_eq!(context.count_in_org("Account"), before + 2);
    });
}
