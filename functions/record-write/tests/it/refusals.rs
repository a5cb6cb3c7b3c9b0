//! Refused requests, and their problems.

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::json;
use store::OrgState;

use crate::harness::{KEY, TestContext, run};

#[test]
fn each_record_has_its_outcome_with_code_and_fields() {
    run(async {
        let context = TestContext::new().await;

        let records = json!([{ KEY: "C-1", "LastName": "Doe" }, { KEY: "C-2", "FirstName": "Jo" }]);
        let (status, response) = context.upsert("Contact", None, "k", records).await;

        assert_eq!(status, StatusCode::OK);
        assert_eq!(response["records"][0]["success"], true);
        let refused = &response["records"][1];
        assert_eq!((&refused["success"], &refused["id"]), (&json!(false), &json!(null)));
        assert_eq!(refused["errors"][0]["code"], "REQUIRED_FIELD_MISSING");
        assert_eq!(refused["errors"][0]["fields"], json!(["LastName"]));
        assert!(refused["errors"][0]["message"].is_string());
    });
}

#[test]
fn all_or_none_rolls_the_valid_records_back() {
    run(async {
        let context = TestContext::new().await;
        let before = context.count_in_org("Contact");
        let path = format!("/v1/orgs/{}/records/Contact", context.org);
        let records = json!([{ KEY: "C-1", "LastName": "Doe" }, { KEY: "C-2", "FirstName": "Jo" }]);

        let body = json!({ "external_id_field": KEY, "all_or_none": true, "records": records });
        let (_, response) = context.post(&path, Some("k"), body).await;

        assert_eq!(response["records"][0]["success"], false);
        assert_eq!(context.count_in_org("Contact"), before);
    });
}

#[test]
fn a_request_refused_as_a_whole_keeps_its_problem() {
    run(async {
        let context = TestContext::new().await;
        let path = format!("/v1/orgs/{}/records/Account", context.org);
        let body = json!({ "external_id_field": "Nowhere__c", "records": [{ "Nowhere__c": "1", "Name": "Acme" }] });

        let first = context.post(&path, Some("k"), body.clone()).await;
        let calls = context.simulator.api_calls();
        let second = context.post(&path, Some("k"), body).await;

        assert!(first.0.is_client_error(), "{first:?}");
        assert!(first.1["salesforce"]["codes"].is_array(), "{first:?}");
        assert_eq!(first, second);
        assert_eq!(context.simulator.api_calls(), calls);
    });
}

#[test]
fn a_malformed_record_is_named_and_nothing_is_sent() {
    run(async {
        let context = TestContext::new().await;

        let records = json!([{ KEY: "1", "Name": "a" }, { KEY: "1", "Name": "b" }, { "Name": "c" }]);
        let (status, problem) = context.upsert("Account", None, "k", records).await;

        assert_eq!((status, &problem["type"]), (StatusCode::BAD_REQUEST, &json!("urn:ferry:problem:invalid_request")));
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("records[1].Ferry_External_Id__c: another record"), "{detail}");
        assert!(detail.contains("records[2].Ferry_External_Id__c: the external id is missing"), "{detail}");
        assert_eq!(context.simulator.api_calls(), 0);
    });
}

#[test]
fn a_write_without_a_key_is_refused() {
    run(async {
        let context = TestContext::new().await;
        let path = format!("/v1/orgs/{}/records/Account", context.org);

        let (status, _) = context.post(&path, None, json!({})).await;

        assert_eq!(status, StatusCode::BAD_REQUEST);
    });
}

#[test]
fn an_invalid_object_name_is_refused() {
    run(async {
        let context = TestContext::new().await;
        let (status, problem) = context.upsert("My-Object", None, "k", json!([{ KEY: "1" }])).await;
        assert_eq!((status, &problem["type"]), (StatusCode::BAD_REQUEST, &json!("urn:ferry:problem:invalid_request")));
    });
}

#[test]
fn an_unknown_org_is_not_found() {
    run(async {
        let context = TestContext::new().await;
        let body = json!({ "external_id_field": KEY, "records": [{ KEY: "1" }] });

        let (status, _) = context.post("/v1/orgs/00D000000000001/records/Account", Some("k"), body).await;

        assert_eq!(status, StatusCode::NOT_FOUND);
    });
}

#[test]
fn a_write_to_an_inactive_org_is_refused_with_a_remedy() {
    run(async {
        let context = TestContext::new().await;
        for (state, remedy) in [
            (OrgState::Uninstalled, "install the package again"),
            (OrgState::Disconnected, "make the team connection"),
            (OrgState::Quarantined, "operator"),
        ] {
            context.orgs.set_state(context.org, state, context.clock.now()).await.unwrap();

            let (status, problem) = context.upsert("Account", None, "k", json!([{ KEY: "1", "Name": "a" }])).await;

            assert_eq!((status, &problem["type"]), (StatusCode::CONFLICT, &json!("urn:ferry:problem:org_not_active")));
            assert!(problem["next"].as_str().unwrap().contains(remedy), "{problem}");
        }
        assert_eq!(context.simulator.api_calls(), 0);
    });
}

#[test]
fn an_unknown_write_is_not_found() {
    run(async {
        let context = TestContext::new().await;
        let (status, _) = context.ledger(&json!("9c1d6a52-7b0e-5d5f-8f3a-61e204c7b9d3")).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
    });
}

#[test]
fn another_method_is_refused_by_the_router() {
    run(async {
        let context = TestContext::new().await;
        let path = format!("/v1/orgs/{}/records/Account", context.org);
        let (status, _) = context.send(Request::get(path).body(Body::empty()).unwrap()).await;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    });
}
