//! Refused requests, and their problems.

use axum::body::Body;
use http::{Request, StatusCode};
use org_simulator::{Effect, Fault, ObjectPermissions};
use serde_json::{Value, json};
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
        let refusal = Effect::Error { status: 400, code: "JSON_PARSER_ERROR".to_owned(), message: "no".to_owned() };
        let path_prefix = "/services/data/v66.0/composite".to_owned();
        context.simulator.fault(Fault { path_prefix, method: None, times: 1, effect: refusal });
        let records = json!([{ KEY: "A-1", "Name": "Acme" }]);

        let first = context.upsert("Account", None, "k", records.clone()).await;
        let calls = context.simulator.api_calls();
        let second = context.upsert("Account", None, "k", records).await;

        assert!(first.0.is_client_error(), "{first:?}");
        assert_eq!(first.1["salesforce"]["codes"], json!(["JSON_PARSER_ERROR"]), "{first:?}");
        assert_eq!(first, second);
        assert_eq!(context.simulator.api_calls(), calls);
    });
}

#[test]
fn an_unknown_object_key_or_field_is_named() {
    run(async {
        let context = TestContext::new().await;
        let post = async |object: &str, rep: &str, key: &str, body: Value| {
            let path = format!("/v1/orgs/{}/records/{object}{rep}", context.org);
            let (status, problem) = context.post(&path, Some(key), body).await;
            let code = problem["type"].as_str().unwrap_or_default().replace("urn:ferry:problem:", "");
            (status.as_u16(), code, problem["detail"].clone(), problem["next"].clone())
        };
        let with = |key: &str, record: Value| json!({ "external_id_field": key, "records": [record] });

        for (rep, suffix) in [("", "team"), ("?as=rep-1", "rep")] {
            let key = format!("k1-{suffix}");
            let (status, code, detail, _) = post("Invoice__c", rep, &key, with(KEY, json!({ KEY: "I-1" }))).await;
            assert_eq!((status, code.as_str()), (404, "object_not_visible"));
            assert!(detail.as_str().unwrap().contains("the object Invoice__c"), "{detail}");

            let key = format!("k2-{suffix}");
            let body = with("Nowhere__c", json!({ "Nowhere__c": "1", "Name": "Acme" }));
            let (status, code, detail, next) = post("Account", rep, &key, body).await;
            assert_eq!((status, code.as_str()), (422, "field_not_visible"));
            assert!(detail.as_str().unwrap().contains("the external-id field Nowhere__c of Account"), "{detail}");
            assert!(next.as_str().unwrap().contains("permission set Ferry Integration"), "{next}");

            let key = format!("k3-{suffix}");
            let body = with("Industry", json!({ "Industry": "Energy", "Name": "Acme" }));
            let (status, code, detail, _) = post("Account", rep, &key, body).await;
            assert_eq!((status, code.as_str()), (400, "invalid_request"));
            assert!(detail.as_str().unwrap().contains("Industry of Account is not an external id"), "{detail}");
        }
    });
}

/// The same key is used again once the admin has granted the field.
#[test]
fn a_hidden_key_is_refused_until_it_is_granted() {
    run(async {
        let context = TestContext::new().await;
        let hidden = ObjectPermissions { hidden_fields: vec![KEY.to_owned()], ..ObjectPermissions::default() };
        context.simulator.limit_profile("System Administrator", "Account", &hidden).unwrap();
        let records = json!([{ KEY: "A-1", "Name": "Acme" }]);

        let (status, problem) = context.upsert("Account", None, "k", records.clone()).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        assert_eq!(problem["type"], "urn:ferry:problem:field_not_visible");

        let granted = ObjectPermissions::default();
        context.simulator.limit_profile("System Administrator", "Account", &granted).unwrap();
        assert_eq!(context.upsert("Account", None, "k", records).await.0, StatusCode::OK);
    });
}

#[test]
fn an_object_that_is_not_open_for_writes_is_refused() {
    run(async {
        let context = TestContext::new().await;
        for object in ["Case", "User", "PermissionSetAssignment", "accountshare"] {
            let (status, problem) = context.upsert(object, None, "k", json!([{ KEY: "1" }])).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{object}");
            assert_eq!(problem["type"], "urn:ferry:problem:object_not_writable");
            let names_the_parameter = problem["next"].as_str().unwrap().contains("WritableObjects");
            assert_eq!(names_the_parameter, object == "Case", "{problem}");
        }
        assert_eq!(context.simulator.api_calls(), 0);
        let (status, _) = context.upsert("account", None, "k", json!([{ KEY: "A-1", "Name": "Acme" }])).await;
        assert_eq!(status, StatusCode::OK, "names ignore case, and the refused requests left no write of the key");
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
            (OrgState::Quarantined, "make the team connection"),
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
fn another_method_is_not_found() {
    run(async {
        let context = TestContext::new().await;
        let path = format!("/v1/orgs/{}/records/Account", context.org);
        let (status, _) = context.send(Request::get(path).body(Body::empty()).unwrap()).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
    });
}

/// Only Salesforce's own and confirmed word refuses a write for its key.
#[test]
fn a_passing_answer_does_not_refuse_a_write() {
    run(async {
        let context = TestContext::new().await;
        let page = |status| Effect::Answer { status, content_type: "text/html".to_owned(), body: "<html>".to_owned() };
        let error = |status, code: &str| Effect::Error { status, code: code.to_owned(), message: "no".to_owned() };
        let answers = [page(403), page(404), page(420), page(500), error(404, "NOT_FOUND"), error(400, "INVALID_TYPE")];
        for (n, effect) in answers.into_iter().chain([error(500, "SOMETHING_NEW")]).enumerate() {
            let path_prefix = "/services/data/v66.0/composite".to_owned();
            context.simulator.fault(Fault { path_prefix, method: None, times: 20, effect: effect.clone() });
            let records = json!([{ KEY: format!("A-{n}"), "Name": "Acme" }]);

            let (status, queued) = context.upsert("Account", None, &format!("k{n}"), records).await;
            assert_eq!(status, StatusCode::ACCEPTED, "{effect:?}: {queued}");
            context.simulator.clear_faults();
            assert!(context.resume(&queued["write_id"]).await);

            assert_eq!(context.state(&queued["write_id"]).await, "finished", "{effect:?}");
        }
    });
}
