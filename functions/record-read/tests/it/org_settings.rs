//! Orgs with settings of their own: what the mirror has of them, and what it returns.

use http::StatusCode;
use serde_json::{Value, json};
use store::records::SETTLING_TIME;

use crate::harness::{TestContext, run};

const STAMP: &str = "2026-11-22T09:00:00.000+0000";
const LEAD: &str = "00Q000000000009";

impl TestContext {
    /// Stores settings, and forgets those that were read before.
    async fn set_now(&mut self, settings: Value) {
        self.set(settings).await;
        self.deps.settings = self.settings();
    }

    /// Returns the objects and ids of the change feed.
    async fn changed(&self) -> Vec<(String, bool)> {
        let (_, page) = self.fetch("/v1/changes").await;
        let change =
            |change: &Value| (change["object"].as_str().unwrap().to_owned(), change["deleted"].as_bool().unwrap());
        page["changes"].as_array().unwrap().iter().map(change).collect()
    }
}

#[test]
fn an_org_with_other_objects_is_read_by_them() {
    run(async {
        let mut context = TestContext::new().await;
        let account = context.create(&context.admin, "Account", &json!({ "Name": "Acme" }));
        let ada = json!({ "LastName": "Lovelace", "AccountId": account });
        let contact = context.create(&context.admin, "Contact", &ada);
        context.mirror("Account", &account, json!({ "Name": "Acme", "SystemModstamp": STAMP })).await;
        context.mirror("Lead", LEAD, json!({ "LastName": "Byron", "SystemModstamp": STAMP })).await;
        // As the mirror had it when it was left out.
        let old = json!({ "LastName": "Old", "AccountId": account, "SystemModstamp": STAMP });
        context.mirror("Contact", &contact, old).await;
        context.pass(SETTLING_TIME);
        assert_eq!(context.changed().await.len(), 2, "leads are not mirrored as deployed");
        let calls = context.simulator.api_calls();

        context.set_now(json!({ "objects": ["Account", "Lead"] })).await;

        let (status, lead) = context.get(&format!("/records/lead/{LEAD}")).await;
        assert_eq!(
            (status, &lead["source"], &lead["fields"]["LastName"]),
            (StatusCode::OK, &json!("mirror"), &json!("Byron"))
        );
        let (_, leads) = context.get("/records/Lead").await;
        assert_eq!((&leads["source"], leads["records"].as_array().unwrap().len()), (&json!("mirror"), 1));
        assert_eq!(context.simulator.api_calls(), calls);
        let (_, found) = context.get(&format!("/records/Contact/{contact}")).await;
        assert_eq!((&found["source"], &found["fields"]["LastName"]), (&json!("team"), &json!("Lovelace")));
        assert_eq!(context.get("/records/Contact").await.1["source"], "team");
        let (_, view) = context.get(&format!("/accounts/{account}")).await;
        assert_eq!(view["contacts"]["source"], "team", "{view}");
        assert_eq!(view["contacts"]["records"][0]["fields"]["LastName"], "Lovelace", "{view}");
        let changed = [("Account".to_owned(), false), ("Lead".to_owned(), false)];
        assert_eq!(context.changed().await, changed, "a row that is to be removed is not returned");
        let (status, problem) = context.post_empty(&format!("/records/Contact/{contact}/refresh")).await;
        assert_eq!((status, &problem["detail"]), (StatusCode::NOT_FOUND, &json!("Contact is not mirrored")));
        let (_, objects) = context.get("/objects").await;
        let mirrored = objects["objects"].as_array().unwrap().iter().filter(|object| object["mirrored"] == true);
        assert_eq!(mirrored.map(|object| &object["name"]).collect::<Vec<_>>(), ["Account", "Lead"]);
    });
}

#[test]
fn a_field_that_is_left_out_is_not_returned() {
    run(async {
        let mut context = TestContext::new().await;
        let account = context.create(&context.admin, "Account", &json!({ "Name": "Acme" }));
        let fields = json!({ "Name": "Acme", "Phone": "1", "Industry": "Energy", "SystemModstamp": STAMP });
        context.mirror("Account", &account, fields).await;
        context.pass(SETTLING_TIME);
        context.set_now(json!({ "objects": ["Account"], "fields": { "Account": ["Name", "Industry"] } })).await;

        let (_, record) = context.get(&format!("/records/Account/{account}")).await;
        let (_, view) = context.get(&format!("/accounts/{account}")).await;
        let (_, list) = context.get("/records/Account").await;
        let (_, feed) = context.fetch("/v1/changes").await;
        for found in [&record, &view, &list["records"][0], &feed["changes"][0]] {
            let mut names: Vec<&String> = found["fields"].as_object().unwrap().keys().collect();
            names.sort();
            assert_eq!(names, ["Industry", "Name", "SystemModstamp"], "{found}");
        }
        let (_, by_industry) = context.get("/records/Account?field.Industry=energy").await;
        assert_eq!(by_industry["records"].as_array().unwrap().len(), 1);
        let (status, by_phone) = context.get("/records/Account?field.Phone=1").await;
        assert_ne!(status, StatusCode::OK, "no condition tells its value: {by_phone}");
    });
}

#[test]
fn a_record_is_refreshed_by_the_settings() {
    run(async {
        let mut context = TestContext::new().await;
        let account = context.create(&context.admin, "Account", &json!({ "Name": "Acme", "Phone": "1" }));
        let settings = json!({ "fields": { "Account": ["Name"] }, "filters": { "Account": "Name LIKE 'A%'" } });
        context.set_now(settings).await;
        let refresh = format!("/records/Account/{account}/refresh");
        let (status, record) = context.post_empty(&refresh).await;
        assert_eq!((status, record["fields"].get("Phone")), (StatusCode::OK, None), "{record}");

        context.pass(jiff::SignedDuration::from_secs(1));
        context.update("Account", &account, &json!({ "Name": "Zenith" }));
        let (status, problem) = context.post_empty(&refresh).await;
        assert_eq!(status, StatusCode::GONE, "the filter excludes it: {problem}");
    });
}
