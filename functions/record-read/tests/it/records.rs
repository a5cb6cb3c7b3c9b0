//! Records, from the mirror for the platform and from the org for a rep.

use http::StatusCode;
use org_simulator::{Effect, Fault};
use record_read::ServeDisconnected;
use runtime::Schemas;
use salesforce::ObjectName;
use serde_json::json;
use store::records::Tombstone;
use store::{Change, OrgState};

use crate::harness::{REP, TestContext, run};

const STAMP: &str = "2026-11-22T09:00:00.000+0000";

#[test]
fn without_a_rep_a_record_comes_from_the_mirror() {
    run(async {
        let context = TestContext::new().await;
        context.mirror("Account", "001000000000001", json!({ "Name": "Acme", "SystemModstamp": STAMP })).await;

        let (status, account) = context.get("/accounts/001000000000001?expand=none").await;
        let (_, same) = context.get("/records/Account/001000000000001AAA").await;

        assert_eq!(
            (status, &account["source"], &account["fields"]["Name"]),
            (StatusCode::OK, &json!("mirror"), &json!("Acme"))
        );
        assert_eq!(account["system_modstamp"], "2026-11-22T09:00:00.000Z");
        assert_eq!((&account["fields"], &account["url"]), (&same["fields"], &same["url"]));
        assert!(same["url"].as_str().unwrap().ends_with("/lightning/r/Account/001000000000001AAA/view"), "{same}");
        assert_eq!(context.simulator.api_calls(), 0);
    });
}

/// A double would end in 56.8.
#[test]
fn a_number_keeps_its_18_digits() {
    run(async {
        let context = TestContext::new().await;
        let fields =
            r#"{"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-12-31", "Amount": 1234567890123456.78}"#;
        let mut fields: serde_json::Value = serde_json::from_str(fields).unwrap();
        let id = context.create(&context.rep, "Opportunity", &fields);
        fields["SystemModstamp"] = json!(STAMP);
        context.mirror("Opportunity", &id, fields).await;

        let path = format!("/records/Opportunity/{id}");
        let (_, mirrored) = context.get(&path).await;
        let (_, live) = context.get_as(REP, &path).await;

        assert_eq!(
            (&mirrored["source"], mirrored["fields"]["Amount"].to_string().as_str()),
            (&json!("mirror"), "1234567890123456.78")
        );
        assert_eq!(
            (&live["source"], live["fields"]["Amount"].to_string().as_str()),
            (&json!("salesforce"), "1234567890123456.78")
        );
    });
}

#[test]
fn an_object_is_found_in_any_case() {
    run(async {
        let context = TestContext::new().await;
        context.mirror("Account", "001000000000001", json!({ "Name": "Acme", "SystemModstamp": STAMP })).await;
        context.mirror("Invoice__c", "a00000000000001", json!({ "Name": "I-1", "SystemModstamp": STAMP })).await;

        for path in ["account/001000000000001", "ACCOUNT/001000000000001", "invoice__c/a00000000000001"] {
            assert_eq!(context.get(&format!("/records/{path}")).await.0, StatusCode::OK, "{path}");
        }
    });
}

#[test]
fn a_missing_record_and_a_missing_object_differ() {
    run(async {
        let context = TestContext::new().await;
        let (status, record) = context.get("/records/Account/001000000000009").await;
        let (_, object) = context.get_as(REP, "/records/Nowhere__c/a00000000000009").await;

        assert_eq!((status, &record["type"]), (StatusCode::NOT_FOUND, &json!("urn:ferry:problem:not_found")));
        assert_eq!(record["detail"], "the mirror has no record of Account with this id");
        assert_eq!(object["type"], "urn:ferry:problem:object_not_visible");
        assert!(object["detail"].as_str().unwrap().contains("the object Nowhere__c"), "{object}");
    });
}

/// Only Salesforce's own and confirmed word makes a record or an object missing.
#[test]
fn a_passing_answer_of_a_live_read_is_no_404() {
    run(async {
        let mut context = TestContext::new().await;
        let id = context.opportunity(&context.rep, "Own", "Prospecting");
        let path = format!("/opportunities/{id}");
        let page = |status| Effect::Answer { status, content_type: "text/html".to_owned(), body: "<html>".to_owned() };
        let error = |status, code: &str| Effect::Error { status, code: code.to_owned(), message: "no".to_owned() };
        for effect in [page(403), page(404), page(420), error(404, "NOT_FOUND"), error(400, "INVALID_TYPE")] {
            for (request, schemas) in [("describe", Schemas::default()), ("read", context.deps.schemas.clone())] {
                context.deps.schemas = schemas;
                let path_prefix = "/services/data/v66.0/composite".to_owned();
                context.simulator.fault(Fault { path_prefix, method: None, times: 1, effect: effect.clone() });

                let (status, problem) = context.get_as(REP, &path).await;

                assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{effect:?} at the {request}: {problem}");
                assert_eq!(context.get_as(REP, &path).await.0, StatusCode::OK);
            }
        }
        let (status, problem) = context.get_as(REP, "/opportunities/006000000000009").await;
        assert_eq!((status, &problem["type"]), (StatusCode::NOT_FOUND, &json!("urn:ferry:problem:not_found")));
    });
}

#[test]
fn a_deleted_record_is_gone_and_names_its_master_record() {
    run(async {
        let context = TestContext::new().await;
        let merged = Tombstone {
            record_id: "001000000000001".parse().unwrap(),
            system_modstamp: context.deps.clock.now(),
            read_at: context.deps.clock.now(),
            master_record_id: Some("001000000000002".parse().unwrap()),
            reason: None,
        };
        let account = ObjectName::from_static("Account");
        context.deps.records.apply(context.org, &account, Change::Tombstone(merged)).await.unwrap();

        let (status, problem) = context.get("/accounts/001000000000001").await;

        assert_eq!((status, &problem["type"]), (StatusCode::GONE, &json!("urn:ferry:problem:record_deleted")));
        assert!(problem["detail"].as_str().unwrap().contains("001000000000002"), "{problem}");
    });
}

#[test]
fn a_rep_sees_what_salesforce_shows_the_rep_and_nothing_else() {
    run(async {
        let context = TestContext::new().await;
        context.simulator.set_private("Opportunity", true).unwrap();
        let own = context.opportunity(&context.rep, "Own", "Prospecting");
        let other = context.opportunity(&context.admin, "Other", "Prospecting");
        context.mirror("Opportunity", &other, json!({ "Name": "Other", "SystemModstamp": STAMP })).await;

        let (_, visible) = context.get_as(REP, &format!("/opportunities/{own}")).await;
        let (hidden, _) = context.get_as(REP, &format!("/opportunities/{other}")).await;
        let (mirrored, _) = context.get(&format!("/opportunities/{other}")).await;

        assert_eq!((&visible["source"], &visible["fields"]["Name"]), (&json!("salesforce"), &json!("Own")));
        assert_eq!((hidden, mirrored), (StatusCode::NOT_FOUND, StatusCode::OK));
    });
}

#[test]
fn a_rep_who_is_not_connected_reads_nothing_through_the_team() {
    run(async {
        let context = TestContext::new().await;
        let id = context.opportunity(&context.admin, "Deal", "Prospecting");

        let (status, problem) = context.get_as("rep-9", &format!("/opportunities/{id}")).await;
        assert_eq!((status, &problem["type"]), (StatusCode::CONFLICT, &json!("urn:ferry:problem:connect_required")));
        context.disconnect(&context.reps().connection_id()).await;
        let (status, problem) = context.get_as(REP, &format!("/opportunities/{id}")).await;
        assert_eq!((status, &problem["type"]), (StatusCode::CONFLICT, &json!("urn:ferry:problem:connect_required")));
        assert_eq!(context.simulator.api_calls(), 0);
    });
}

const OF_THE_MIRROR: [&str; 6] = [
    "/accounts/001000000000001",
    "/contacts/003000000000001",
    "/opportunities/006000000000001",
    "/records/Account/001000000000001",
    "/opportunities",
    "/pipelines",
];

#[test]
fn an_org_that_is_not_active_is_not_read() {
    run(async {
        let context = TestContext::new().await;
        context.mirror("Account", "001000000000001", json!({ "Name": "Acme", "SystemModstamp": STAMP })).await;
        for state in [OrgState::Uninstalled, OrgState::Disconnected, OrgState::Quarantined, OrgState::Claimed] {
            context.deps.orgs.set_state(context.org, state, context.deps.clock.now()).await.unwrap();
            for path in OF_THE_MIRROR {
                let (status, problem) = context.get(path).await;
                let refused = (StatusCode::CONFLICT, &json!("urn:ferry:problem:org_not_active"));
                assert_eq!((status, &problem["type"]), refused, "{path} of a {state:?} org");
            }
            assert_eq!(context.get_as(REP, "/accounts/001000000000001").await.0, StatusCode::CONFLICT);
            for path in ["", "/health", "/connections"] {
                assert_eq!(context.get(path).await.0, StatusCode::OK, "{path} of a {state:?} org");
            }
        }
    });
}

#[test]
fn a_deployment_may_serve_the_mirror_of_closed_orgs() {
    run(async {
        let mut context = TestContext::new().await;
        context.deps.serve_disconnected = ServeDisconnected::On;
        context.mirror("Account", "001000000000001", json!({ "Name": "Acme", "SystemModstamp": STAMP })).await;
        context.deps.orgs.set_state(context.org, OrgState::Uninstalled, context.deps.clock.now()).await.unwrap();

        assert_eq!(context.get("/accounts/001000000000001").await.0, StatusCode::OK);
        assert_eq!(context.get("/pipelines").await.0, StatusCode::OK);
        assert_eq!(context.get_as(REP, "/accounts/001000000000001").await.0, StatusCode::CONFLICT);
    });
}
