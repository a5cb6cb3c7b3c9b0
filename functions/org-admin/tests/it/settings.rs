//! The settings of an org.

use futures::future::join;
use http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::harness::{TestContext, run};

#[test]
fn an_org_without_settings_has_those_of_the_deployment() {
    run(async {
        let context = TestContext::new().await;
        let (status, settings) = context.get("/settings").await;
        let expected = json!({
            "version": 0, "settings": {}, "objects": ["Account", "Contact"], "changed_at": null, "changed_by": null,
        });
        assert_eq!((status, settings), (StatusCode::OK, expected));
        assert_eq!(context.get("/settings/history").await.1, json!({ "versions": [], "next": null }));
    });
}

#[test]
fn a_change_is_a_version_with_its_author() {
    run(async {
        let context = TestContext::new().await;
        let first =
            json!({ "objects": ["Account", "Lead"], "filters": { "Account": "industry<>null" }, "poll_minutes": 30 });
        let (status, changed) = context.put(None, "", 0, &first).await;
        assert_eq!((status, &changed["version"]), (StatusCode::OK, &json!(1)), "{changed}");
        assert_eq!(changed["settings"]["filters"]["Account"], "industry != NULL", "in its canonical form");
        assert_eq!(context.backfills().await, 3, "Account has a filter, Lead is new, and Contact is left out");

        let (_, changed) = context.put(Some("rep-1"), "", 1, &json!({ "api_allocation": { "percent": 20 } })).await;
        assert_eq!(
            (&changed["version"], &changed["objects"]),
            (&json!(2), &json!(["Account", "Contact"])),
            "{changed}"
        );

        let (_, history) = context.get("/settings/history?limit=1").await;
        let newest = &history["versions"][0];
        assert_eq!((&newest["changed_by"], &history["next"]), (&json!({ "user": "rep-1" }), &json!(2)));
        let changes: Vec<&str> =
            newest["changes"].as_array().unwrap().iter().map(|change| change["setting"].as_str().unwrap()).collect();
        assert_eq!(changes, ["api_allocation", "filters.Account", "objects", "poll_minutes"]);
        let (_, history) = context.get("/settings/history?limit=1&after=2").await;
        assert_eq!((&history["versions"][0]["changed_by"], &history["next"]), (&json!("platform"), &Value::Null));
    });
}

#[test]
fn a_dry_run_says_what_would_change_and_stores_nothing() {
    run(async {
        let context = TestContext::new().await;
        let (status, view) = context.put(None, "?dry_run=true", 0, &json!({ "objects": ["Account"] })).await;
        let changes = json!([{ "setting": "objects", "before": null, "after": ["Account"] }]);
        assert_eq!((status, &view["changes"], &view["dry_run"]), (StatusCode::OK, &changes, &json!(true)));
        assert_eq!((&view["version"], &view["objects"]), (&json!(0), &json!(["Account"])));
        assert_eq!((&context.get("/settings").await.1["version"], context.backfills().await), (&json!(0), 0));
    });
}

#[test]
fn the_same_settings_make_no_version() {
    run(async {
        let context = TestContext::new().await;
        context.put(None, "", 0, &json!({ "poll_minutes": 30 })).await;
        let (status, view) = context.put(None, "", 1, &json!({ "poll_minutes": 30 })).await;
        assert_eq!((status, &view["version"], &view["changes"]), (StatusCode::OK, &json!(1), &json!([])));
    });
}

#[test]
fn settings_that_the_caller_has_not_seen_are_not_replaced() {
    run(async {
        let context = TestContext::new().await;
        let settings = json!({ "poll_minutes": 30 });
        let other = json!({ "poll_minutes": 60 });
        let (one, two) = join(context.put(None, "", 0, &settings), context.put(None, "", 0, &other)).await;
        let statuses = [one.0, two.0];
        assert!(
            statuses.contains(&StatusCode::OK) && statuses.contains(&StatusCode::PRECONDITION_FAILED),
            "{statuses:?}"
        );
        let (status, problem) = context.put(None, "", 0, &settings).await;
        let changed = json!("urn:ferry:problem:settings_changed");
        assert_eq!((status, &problem["type"]), (StatusCode::PRECONDITION_FAILED, &changed));

        let request = Request::put(format!("/v1/orgs/{}/settings", context.org));
        let (status, problem) = context.send_as(None, request, Some(&settings)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(problem["detail"].as_str().unwrap().contains("If-Match"), "{problem}");
    });
}

#[test]
fn all_defects_are_listed_at_once() {
    run(async {
        let context = TestContext::new().await;
        let settings = json!({
            "objects": ["Account", "Nowhere__c"],
            "fields": { "Account": ["Name", "Colour__c"] },
            "filters": { "Account": "Name = 'x' AND Industry = 'y' OR Type = 'z'" },
        });
        let (status, problem) = context.put(None, "", 0, &settings).await;
        assert_eq!(
            (status, &problem["type"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!("urn:ferry:problem:invalid_settings"))
        );
        let places: Vec<&str> =
            problem["defects"].as_array().unwrap().iter().map(|defect| defect["field"].as_str().unwrap()).collect();
        assert_eq!(places, ["filters.Account", "objects[1]", "fields.Account[1]"], "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains("character 31"), "{problem}");
        assert_eq!(context.get("/settings").await.1["version"], 0);
    });
}

#[test]
fn a_condition_that_salesforce_refuses_is_a_defect() {
    run(async {
        let context = TestContext::new().await;
        let settings = json!({ "filters": { "Account": "AnnualRevenue = 'much'" } });
        let (status, problem) = context.put(None, "", 0, &settings).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains("Salesforce refuses the condition"), "{problem}");
    });
}

#[test]
fn an_org_that_is_not_active_has_nothing_to_check_against() {
    run(async {
        let context = TestContext::new().await;
        context.orgs.close(context.org, context.clock.now()).await.unwrap();
        let (status, problem) = context.put(None, "", 0, &json!({ "poll_minutes": 30 })).await;
        assert_eq!((status, &problem["type"]), (StatusCode::CONFLICT, &json!("urn:ferry:problem:org_not_active")));
    });
}

#[test]
fn objects_are_stored_as_salesforce_spells_them() {
    run(async {
        let context = TestContext::new().await;
        let definition = json!({ "name": "Invoice__c", "fields": [{ "name": "Note__c" }] });
        context.simulator.define_object(definition).unwrap();
        let settings = json!({
            "objects": ["invoice__c"], "fields": { "INVOICE__C": ["Note__c"] },
            "filters": { "invoice__C": "Note__c != NULL" },
        });
        let (status, changed) = context.put(None, "", 0, &settings).await;
        assert_eq!((status, &changed["objects"]), (StatusCode::OK, &json!(["Invoice__c"])), "{changed}");
        let expected = json!({
            "objects": ["Invoice__c"], "fields": { "Invoice__c": ["Note__c"] },
            "filters": { "Invoice__c": "Note__c != NULL" },
        });
        assert_eq!(context.get("/settings").await.1["settings"], expected);
    });
}

#[test]
fn two_spellings_of_an_object_are_a_defect() {
    run(async {
        let context = TestContext::new().await;
        let settings = json!({
            "fields": { "Account": ["Name"], "account": ["Industry"] },
            "filters": { "ACCOUNT": "Name = 'x'", "Account": "Name = 'y'", "1": "Name = 'z'" },
        });
        let (status, problem) = context.put(None, "", 0, &settings).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        let places: Vec<&str> =
            problem["defects"].as_array().unwrap().iter().map(|defect| defect["field"].as_str().unwrap()).collect();
        assert_eq!(places, ["fields.account", "filters.1", "filters.Account"], "{problem}");
    });
}

#[test]
fn settings_that_are_too_large_queue_no_backfill() {
    run(async {
        let context = TestContext::new().await;
        let names = ["Account", "Contact"].map(|name| (name, vec![format!("{}__c", "A".repeat(200)); 700]));
        let fields: serde_json::Map<String, Value> =
            names.into_iter().map(|(name, fields)| (name.to_owned(), json!(fields))).collect();
        let (status, problem) = context.put(None, "", 0, &json!({ "fields": fields })).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains("200 KB"), "{problem}");
        assert_eq!((context.backfills().await, &context.get("/settings").await.1["version"]), (0, &json!(0)));
    });
}
