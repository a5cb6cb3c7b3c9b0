//! Composite requests and graphs, beside the recordings of `rest/composite`.

use serde_json::{Value, json};

use crate::shapes::{
    Comparison::{self, ByTest},
    assert_replayed, assert_shape, read,
};
use crate::support::{Scene, recorded};

pub(in crate::shapes) const RECORDINGS: &[(&str, Comparison)] = &[
    ("rest/composite/four-queries.json", ByTest("composites_are_handled_as_recorded")),
    ("rest/composite/graph-ok.json", ByTest("composites_are_handled_as_recorded")),
    ("rest/composite/sub-request-404-in-200.json", ByTest("composites_are_handled_as_recorded")),
    ("rest/composite/two-payments-created.json", ByTest("composites_are_handled_as_recorded")),
];

#[tokio::test]
async fn composites_are_handled_as_recorded() {
    if recorded("SOURCES.md").is_none() {
        return;
    }
    let scene = Scene::new().await;
    let whole: Value =
        serde_json::from_str(&std::fs::read_to_string(recorded("rest/composite/four-queries.json").unwrap()).unwrap())
            .unwrap();
    let current = |body: &Value| Some(serde_json::from_str(&body.to_string().replace("vxx.0", "v66.0")).unwrap());
    assert_replayed(&scene, "rest/composite/four-queries.json", "composite", current(&whole["request"]["body"])).await;
    let missing = json!({"compositeRequest": [{"referenceId": "CCI__RefId__0__", "method": "GET", "url": "/services/data/v66.0/sobjects/Foo"}]});
    assert_replayed(&scene, "rest/composite/sub-request-404-in-200.json", "composite", Some(missing)).await;
    assert_replayed(&scene, "rest/composite/graph-ok.json", "composite/graph", None).await;
    let account = |reference: &str| json!({"referenceId": reference, "method": "POST", "url": "/services/data/v66.0/sobjects/Account", "body": {"Name": reference}});
    let two = json!({"compositeRequest": [account("NewPayment1"), account("NewPayment2")]});
    let response = scene.post("composite", two).await.body;
    assert_shape(&response, &read("rest/composite/two-payments-created.json").unwrap(), "payments", &["warnings"]);
    let describe = json!({"compositeRequest": [{"referenceId": "d", "method": "GET", "url": "/services/data/v66.0/sobjects/Account/describe"}]});
    let response = scene.post("composite", describe).await.body;
    assert_shape(
        &response,
        &read("rest/describe/account-sampled-in-composite.json").unwrap(),
        "describe",
        &["urls", "supportedScopes", "sobjectDescribeOption", "ETag", "Last-Modified"],
    );
}
