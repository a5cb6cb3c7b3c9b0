//! Requests of the operator's command line.

use org_admin::operate;
use serde_json::{Value, json};

use crate::harness::{TestContext, run};

async fn reply(context: &TestContext, request: Value) -> Value {
    serde_json::to_value(operate(&context.deps, serde_json::from_value(request).unwrap()).await.unwrap()).unwrap()
}

#[test]
fn an_import_replaces_the_newest_version() {
    run(async {
        let context = TestContext::new().await;
        context.put(None, "", 0, &json!({ "poll_minutes": 60 })).await;
        let settings = json!({ "filters": { "Account": "Name LIKE 'A%'" } });

        let request = |dry_run| json!({ "org_id": context.org, "settings": settings, "dry_run": dry_run });
        let checked = reply(&context, request(true)).await;
        assert_eq!((&checked["version"], &checked["dry_run"]), (&json!(1), &json!(true)));
        let stored = reply(&context, request(false)).await;
        assert_eq!((&stored["version"], &stored["changed_by"]), (&json!(2), &json!("operator")), "{stored}");
        assert_eq!(context.get("/settings").await.1["settings"], settings);
    });
}

#[test]
fn an_import_that_the_org_refuses_lists_its_defects() {
    run(async {
        let context = TestContext::new().await;
        let settings = json!({ "objects": ["Account", "Nowhere__c"] });
        let refused = reply(&context, json!({ "org_id": context.org, "settings": settings })).await;
        assert_eq!(refused["problem"]["defects"][0]["field"], "objects[1]", "{refused}");
        assert_eq!(context.get("/settings").await.1["version"], 0);
    });
}

#[test]
fn an_operator_requests_backfills_as_the_platform_does() {
    run(async {
        let context = TestContext::new().await;
        let request = |backfill| json!({ "org_id": context.org, "backfill": backfill });

        let queued = reply(&context, request(json!({ "object": "contact" }))).await;
        let refused = reply(&context, request(json!({ "object": "Lead" }))).await;

        assert_eq!((&queued["objects"], context.backfills().await), (&json!(["Contact"]), 1), "{queued}");
        assert!(refused["problem"]["detail"].as_str().unwrap().contains("mirrored"), "{refused}");
    });
}

#[test]
fn an_operation_has_one_purpose() {
    for members in [json!({}), json!({ "settings": {}, "backfill": {} }), json!({ "backfill": { "objects": [] } })] {
        let mut operation = json!({ "org_id": "00D5e000000KQ2eEAG" });
        operation.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        assert!(serde_json::from_value::<org_admin::Operation>(operation).is_err(), "{members}");
    }
}
