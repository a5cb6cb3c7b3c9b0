//! A record that is read again.

use http::StatusCode;
use serde_json::json;

use crate::harness::{REP, TestContext, run};

#[test]
fn a_refreshed_record_is_in_the_mirror_at_once() {
    run(async {
        let context = TestContext::new().await;
        let id = context.create(&context.rep, "Account", &json!({"Name": "Acme"}));
        assert_eq!(context.get(&format!("/records/Account/{id}")).await.0, StatusCode::NOT_FOUND);

        let (status, refreshed) = context.post_empty(&format!("/records/account/{id}/refresh")).await;
        assert_eq!((status, &refreshed["fields"]["Name"]), (StatusCode::OK, &json!("Acme")), "{refreshed}");
        assert_eq!(context.get(&format!("/records/Account/{id}")).await.1, refreshed);
        assert_eq!(context.simulator.api_calls(), 2, "the object and the record");

        context.pass(jiff::SignedDuration::from_secs(1));
        context.update("Account", &id, &json!({"Name": "Acme AG"}));
        let (_, refreshed) = context.post_empty(&format!("/records/Account/{id}/refresh")).await;
        assert_eq!((&refreshed["fields"]["Name"], context.simulator.api_calls()), (&json!("Acme AG"), 3));
    });
}

#[test]
fn a_refresh_finds_a_deletion() {
    run(async {
        let context = TestContext::new().await;
        let id = context.create(&context.rep, "Account", &json!({"Name": "Acme"}));
        context.post_empty(&format!("/records/Account/{id}/refresh")).await;
        context.delete("Account", &id);

        let (status, problem) = context.post_empty(&format!("/records/Account/{id}/refresh")).await;
        assert_eq!((status, &problem["type"]), (StatusCode::GONE, &json!("urn:ferry:problem:record_deleted")));
        assert_eq!(context.get(&format!("/accounts/{id}")).await.0, StatusCode::GONE);
    });
}

#[test]
fn a_record_that_the_team_does_not_see_stays_as_it_is() {
    run(async {
        let context = TestContext::new().await;
        let fields = json!({"Name": "Acme", "SystemModstamp": "2026-11-22T09:00:00.000+0000"});
        context.mirror("Account", "001000000000009", fields).await;

        let (status, problem) = context.post_empty("/records/Account/001000000000009/refresh").await;
        assert_eq!((status, &problem["type"]), (StatusCode::NOT_FOUND, &json!("urn:ferry:problem:not_found")));
        assert_eq!(context.get("/accounts/001000000000009").await.0, StatusCode::OK);
    });
}

#[test]
fn an_object_that_is_not_mirrored_is_not_refreshed() {
    run(async {
        let context = TestContext::new().await;
        let (status, problem) = context.post_empty("/records/Task/00T000000000009/refresh").await;
        assert_eq!((status, &problem["detail"]), (StatusCode::NOT_FOUND, &json!("Task is not mirrored")));
        assert!(problem["next"].as_str().unwrap().contains("MirroredObjects"), "{problem}");
        let (status, problem) = context.post_empty(&format!("/records/Account/001000000000009/refresh?as={REP}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{problem}");
    });
}
