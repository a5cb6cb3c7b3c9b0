//! Settings that the operator's command line imports.

use org_admin::import;
use serde_json::{Value, json};

use crate::harness::{TestContext, run};

async fn imported(context: &TestContext, request: Value) -> Value {
    serde_json::to_value(import(&context.deps, serde_json::from_value(request).unwrap()).await.unwrap()).unwrap()
}

#[test]
fn an_import_replaces_the_newest_version() {
    run(async {
        let context = TestContext::new().await;
        context.put(None, "", 0, &json!({ "poll_minutes": 60 })).await;
        let settings = json!({ "filters": { "Account": "Name LIKE 'A%'" } });

        let request = |dry_run| json!({ "org_id": context.org, "settings": settings, "dry_run": dry_run });
        let checked = imported(&context, request(true)).await;
        assert_eq!((&checked["version"], &checked["dry_run"]), (&json!(1), &json!(true)));
        let stored = imported(&context, request(false)).await;
        assert_eq!((&stored["version"], &stored["changed_by"]), (&json!(2), &json!("operator")), "{stored}");
        assert_eq!(context.get("/settings").await.1["settings"], settings);
    });
}

#[test]
fn an_import_that_the_org_refuses_lists_its_defects() {
    run(async {
        let context = TestContext::new().await;
        let settings = json!({ "objects": ["Account", "Nowhere__c"] });
        let refused = imported(&context, json!({ "org_id": context.org, "settings": settings })).await;
        assert_eq!(refused["problem"]["defects"][0]["field"], "objects[1]", "{refused}");
        assert_eq!(context.get("/settings").await.1["version"], 0);
    });
}
