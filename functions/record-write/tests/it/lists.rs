//! The list of an org's writes.

use axum::body::Body;
use http::{Request, StatusCode};
use jiff::SignedDuration;
use org_simulator::{Effect, Fault};
use serde_json::{Value, json};

use crate::harness::{KEY, REP, TestContext, run};

impl TestContext {
    /// Returns a page of the list.
    async fn list(&self, query: &str) -> Value {
        let path = format!("/v1/orgs/{}/writes{query}", self.org);
        let (status, page) = self.send(Request::get(path).body(Body::empty()).unwrap()).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        page
    }

    /// Returns the ids of the writes on a page.
    async fn ids(&self, query: &str) -> Vec<Value> {
        let page = self.list(query).await;
        page["writes"].as_array().unwrap().iter().map(|write| write["write_id"].clone()).collect()
    }

    /// Makes writes that end in every state: written, refused in part, refused as a whole and queued. Returns their ids.
    async fn writes_of_every_state(&self) -> [Value; 4] {
        let account = json!([{ KEY: "A-1", "Name": "Acme" }]);
        let (_, written) = self.upsert("Account", Some(REP), "k1", account.clone()).await;
        self.pass(SignedDuration::from_secs(1));
        let leads = json!([{ KEY: "L-1", "LastName": "Dahl", "Company": "Acme" }, { KEY: "L-2", "LastName": "Moe" }]);
        let (_, partly) = self.upsert("Lead", None, "k2", leads).await;
        self.pass(SignedDuration::from_secs(1));
        let body = json!({ "external_id_field": KEY, "all_or_none": true, "records": [{ KEY: "L-3", "LastName": "Moe", "Company": "Acme" }] });
        let refuse = Effect::Error { status: 400, code: "MALFORMED_QUERY".to_owned(), message: "no".to_owned() };
        self.simulator.fault(fault(refuse));
        let (_, failed) = self.post(&format!("/v1/orgs/{}/records/Lead?as={REP}", self.org), Some("k3"), body).await;
        self.simulator.clear_faults();
        assert!(failed["write_id"].is_null(), "{failed}");
        self.pass(SignedDuration::from_secs(1));
        self.simulator.fault(fault(Effect::Unavailable));
        let (_, queued) = self.upsert("account", None, "k4", account).await;
        self.simulator.clear_faults();
        let failed = store::WriteId::derive(self.org, &"k3".parse().unwrap());
        [written["write_id"].clone(), partly["write_id"].clone(), json!(failed), queued["write_id"].clone()]
    }
}

fn fault(effect: Effect) -> Fault {
    Fault { path_prefix: "/services/data/v66.0/composite".to_owned(), method: None, times: 100, effect }
}

#[test]
fn the_last_requested_write_comes_first_with_its_reason() {
    run(async {
        let context = TestContext::new().await;
        let [written, partly, failed, queued] = context.writes_of_every_state().await;

        let page = context.list("").await;

        let writes = page["writes"].as_array().unwrap();
        let ids: Vec<&Value> = writes.iter().map(|write| &write["write_id"]).collect();
        assert_eq!(ids, [&queued, &failed, &partly, &written], "{page}");
        assert_eq!(page["next"], Value::Null);
        assert_eq!((&writes[0]["state"], &writes[0]["waiting_for"]), (&json!("queued"), &json!("salesforce")));
        assert_eq!(writes[1]["state"], "failed");
        assert!(writes[1]["problem"]["type"].as_str().unwrap().starts_with("urn:ferry:problem:"), "{page}");
        let counts = json!({ "written": 1, "failed": 1, "error_codes": ["REQUIRED_FIELD_MISSING"] });
        assert_eq!(writes[2]["records"], counts);
        assert_eq!((&writes[3]["kind"], &writes[3]["platform_user"]), (&json!("records"), &json!(REP)));
        assert_eq!(writes[3]["records"], json!({ "written": 1, "failed": 0, "error_codes": [] }));
    });
}

#[test]
fn filters_of_a_list_are_combined() {
    run(async {
        let context = TestContext::new().await;
        let [written, partly, failed, queued] = context.writes_of_every_state().await;

        for (query, expected) in [
            ("?state=queued", vec![&queued]),
            ("?state=finished", vec![&partly, &written]),
            ("?state=failed,with_failures", vec![&failed, &partly]),
            ("?state=in_progress", vec![]),
            ("?object=ACCOUNT", vec![&queued, &written]),
            ("?object=Lead&user=rep-1", vec![&failed]),
            ("?user=rep-1&state=finished", vec![&written]),
            ("?user=nobody", vec![]),
        ] {
            assert_eq!(context.ids(query).await.iter().collect::<Vec<_>>(), expected, "{query}");
        }
    });
}

#[test]
fn pages_of_a_list_lose_no_write() {
    run(async {
        let context = TestContext::new().await;
        // Two of them at the same millisecond.
        for n in 0..5 {
            context.upsert("Account", None, &format!("k{n}"), json!([{ KEY: format!("A-{n}"), "Name": "Acme" }])).await;
            context.pass(SignedDuration::from_secs(n % 2));
        }
        let all = context.ids("").await;
        assert_eq!(all.len(), 5);
        let (mut pages, mut query) = (Vec::new(), "?limit=2".to_owned());
        loop {
            let page = context.list(&query).await;
            let writes = page["writes"].as_array().unwrap();
            assert!(writes.len() <= 2, "{page}");
            pages.extend(writes.iter().map(|write| write["write_id"].clone()));
            let Some(next) = page["next"].as_str() else { break };
            query = format!("?limit=2&cursor={next}");
        }
        assert_eq!(pages, all);
    });
}

#[test]
fn a_users_token_lists_only_that_users_writes() {
    run(async {
        let context = TestContext::new().await;
        let [written, _, failed, _] = context.writes_of_every_state().await;
        let listed = async |user: &str, query: &str| {
            let path = format!("/v1/orgs/{}/writes{query}", context.org);
            let request = Request::get(path).extension(harness::token("acme", Some(user), "ferry/read"));
            let (_, page) = context.send(request.body(Body::empty()).unwrap()).await;
            page["writes"].as_array().unwrap().iter().map(|write| write["write_id"].clone()).collect::<Vec<_>>()
        };

        assert_eq!(listed(REP, "").await, [failed, written]);
        assert!(listed("rep-2", "").await.is_empty());
        assert!(listed("rep-2", "?user=rep-1").await.is_empty());
    });
}

#[test]
fn a_former_tenants_writes_are_not_listed() {
    run(async {
        let context = TestContext::new().await;
        context.upsert("Account", None, "k", json!([{ KEY: "A-1", "Name": "Acme" }])).await;
        context.orgs.close(context.org, context.clock.now()).await.unwrap();
        for tenant in ["globex", "acme"] {
            context.pass(SignedDuration::from_mins(2));
            context.orgs.transfer(context.org, &tenant.parse().unwrap(), context.clock.now()).await.unwrap();
        }
        context.activate(context.org).await;

        assert!(context.ids("").await.is_empty());
    });
}
