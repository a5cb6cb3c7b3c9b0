//! The plan of a write.

use http::StatusCode;
use org_simulator::ObjectPermissions;
use record_write::Metadata;
use serde_json::{Value, json};
use store::ConnectionId;

use crate::harness::{KEY, REP, TestContext, run};

impl TestContext {
    /// Plans an upsert by the package's external id.
    async fn plan(
        &self,
        object: &str,
        acting: Option<&str>,
        all_or_none: bool,
        records: &Value,
    ) -> (StatusCode, Value) {
        let acting = acting.map(|user| format!("&as={user}")).unwrap_or_default();
        let path = format!("/v1/orgs/{}/records/{object}?dry_run=true{acting}", self.org);
        let body = json!({ "external_id_field": KEY, "all_or_none": all_or_none, "records": records });
        self.post(&path, None, body).await
    }
}

fn actions(plan: &Value) -> Vec<&str> {
    plan["records"].as_array().unwrap().iter().map(|record| record["action"].as_str().unwrap()).collect()
}

#[test]
fn a_plan_names_what_would_change_and_changes_nothing() {
    run(async {
        let context = TestContext::new().await;
        let first = json!([{ KEY: "A-1", "Name": "Acme", "AnnualRevenue": 7.5 }, { KEY: "A-2", "Name": "Bolt" }]);
        let (_, made) = context.upsert("Account", Some(REP), "k", first).await;
        let count = context.count_in_org("Account");
        let records = json!([
            { KEY: "a-1", "Name": "Acme", "AnnualRevenue": "7.50" },
            { KEY: "A-2", "Name": "Bolt Inc", "Phone": "1" },
            { KEY: "A-3", "Name": "Cork" },
        ]);

        let (status, plan) = context.plan("Account", Some(REP), false, &records).await;

        assert_eq!(status, StatusCode::OK, "{plan}");
        assert_eq!((&plan["dry_run"], &plan["owner_choice"]), (&json!(true), &json!("rep")));
        assert_eq!(actions(&plan), ["unchanged", "update", "create"]);
        assert_eq!(plan["records"][0]["id"], made["records"][0]["id"]);
        let changed = json!({"Name": {"from": "Bolt", "to": "Bolt Inc"}, "Phone": {"from": null, "to": "1"}});
        assert_eq!(plan["records"][1]["differences"], changed);
        assert_eq!(plan["records"][2]["differences"]["Name"], json!({"from": null, "to": "Cork"}));
        assert_eq!((&plan["result"], &plan["records"][2]["id"]), (&json!("written"), &Value::Null));
        assert!(plan["budget"]["max"].as_u64() > plan["budget"]["used"].as_u64(), "{plan}");
        assert_eq!(context.count_in_org("Account"), count);
        assert_eq!(context.queued().await, 0);
        assert_eq!(context.in_org("Account", &made["records"][1]["id"])["Name"], "Bolt");
    });
}

/// The calls of the plan are those that the write then makes in an execution environment that remembers nothing.
#[test]
fn a_plan_counts_the_calls_of_the_write() {
    run(async {
        let records = json!([{ KEY: "O-1", "Name": "D", "StageName": "Prospecting", "CloseDate": "2026-12-31" }]);
        for (user, has_ended, total) in [(None, false, 2), (Some(REP), false, 2), (Some(REP), true, 5)] {
            let mut context = TestContext::new().await;
            if has_ended {
                context.kill(&context.reps().connection_id());
            }
            let (status, plan) = context.plan("Opportunity", user, false, &records).await;
            assert_eq!((status, &plan["calls"]["total"]), (StatusCode::OK, &json!(total)), "{plan}");
            context.deps.metadata = Metadata::new(context.clock.clone());
            context.deps.ledger.users = runtime::Users::new(context.clock.clone());
            let before = context.simulator.api_calls();
            let (status, written) = context.upsert("Opportunity", user, "k", records.clone()).await;
            assert_eq!((status, &written["records"][0]["success"]), (StatusCode::OK, &json!(true)), "{written}");
            assert_eq!(context.simulator.api_calls() - before, total, "{plan}");
        }
    });
}

#[test]
fn a_plan_lists_what_the_write_is_refused_for() {
    run(async {
        let context = TestContext::new().await;
        let records = json!([{ KEY: "A-1", "Name": "Acme", "Nope__c": 1 }, { KEY: "A-2", "Name": "Bolt" }]);

        let (status, plan) = context.plan("Account", Some(REP), false, &records).await;

        assert_eq!((status, &plan["result"]), (StatusCode::OK, &json!("refused")), "{plan}");
        assert_eq!(plan["records"][0]["defects"][0]["code"], "field_not_visible");
        assert_eq!((actions(&plan), &plan["records"][1]["defects"]), (vec!["create", "create"], &json!([])));
        let (status, _) = context.upsert("Account", Some(REP), "k", records).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    });
}

/// Only the plan of a rep's write knows that a record is new, so the write itself leaves the refusal to Salesforce.
#[test]
fn a_plan_says_what_follows_from_a_refused_record() {
    run(async {
        let context = TestContext::new().await;
        let records = json!([{ KEY: "C-1", "FirstName": "Jo" }, { KEY: "C-2", "LastName": "Doe" }]);
        for (all_or_none, result, written) in [(true, "rolled_back", false), (false, "partly_written", true)] {
            let (_, plan) = context.plan("Contact", Some(REP), all_or_none, &records).await;
            assert_eq!((&plan["result"], &plan["all_or_none"]), (&json!(result), &json!(all_or_none)), "{plan}");
            assert_eq!(plan["records"][0]["defects"][0]["code"], "required");
            let path = format!("/v1/orgs/{}/records/Contact?as={REP}", context.org);
            let body = json!({ "external_id_field": KEY, "all_or_none": all_or_none, "records": records });
            let (_, response) = context.post(&path, Some(result), body).await;
            assert_eq!(response["records"][1]["success"], written, "{response}");
        }
    });
}

#[test]
fn a_plan_of_a_hidden_object_or_key_lists_it() {
    run(async {
        let context = TestContext::new().await;
        let records = json!([{ KEY: "A-1", "Name": "Acme" }]);
        let (status, plan) = context.plan("Invoice__c", None, false, &records).await;
        assert_eq!((status, &plan["defects"][0]["code"]), (StatusCode::OK, &json!("object_not_visible")), "{plan}");
        assert_eq!((&plan["result"], actions(&plan)), (&json!("refused"), vec!["unknown"]));
        let hidden = ObjectPermissions { hidden_fields: vec![KEY.to_owned()], ..Default::default() };
        context.simulator.limit_profile("System Administrator", "Account", &hidden).unwrap();
        let (_, plan) = context.plan("Account", None, false, &records).await;
        assert_eq!(plan["defects"][0]["field"], KEY, "{plan}");
    });
}

#[test]
fn an_impossible_plan_has_the_problem_of_the_write() {
    run(async {
        let context = TestContext::new().await;
        context.kill(&ConnectionId::team());
        let records = json!([{ KEY: "A-1", "Name": "Acme" }]);

        let planned = context.plan("Account", None, false, &records).await;

        assert_eq!(planned, context.upsert("Account", None, "k", records).await);
        assert_eq!(planned.0, StatusCode::CONFLICT);
        let path = format!("/v1/orgs/{}/records/Account?dry_run=maybe", context.org);
        assert_eq!(context.post(&path, None, json!({})).await.0, StatusCode::BAD_REQUEST);
        let path = format!("/v1/orgs/{}/records/Account?dry_run=false", context.org);
        let body = json!({ "external_id_field": KEY, "records": [{ KEY: "A-1" }] });
        assert_eq!(context.post(&path, None, body).await.0, StatusCode::BAD_REQUEST, "a write needs its key");
    });
}

#[test]
fn a_parent_is_compared_by_its_external_id() {
    run(async {
        let context = TestContext::new().await;
        let accounts = json!([{ KEY: "A-1", "Name": "Acme" }, { KEY: "A-2", "Name": "Bolt" }]);
        context.upsert("Account", Some(REP), "k1", accounts).await;
        let contact = |of: &str| json!([{ KEY: "C-1", "LastName": "Doe", "Account": { KEY: of } }]);
        context.upsert("Contact", Some(REP), "k2", contact("A-1")).await;

        let (_, same) = context.plan("Contact", Some(REP), false, &contact("a-1")).await;
        let (_, other) = context.plan("Contact", Some(REP), false, &contact("A-2")).await;

        assert_eq!(actions(&same), ["unchanged"], "{same}");
        let expected = json!({"Account": {"from": { KEY: "A-1" }, "to": { KEY: "A-2" }}});
        assert_eq!((actions(&other), &other["records"][0]["differences"]), (vec!["update"], &expected), "{other}");
    });
}

#[test]
fn a_plan_by_id_finds_the_records_that_exist() {
    run(async {
        let context = TestContext::new().await;
        let (_, made) = context.upsert("Account", Some(REP), "k", json!([{ KEY: "A-1", "Name": "Acme" }])).await;
        let id = made["records"][0]["id"].as_str().unwrap();
        let path = format!("/v1/orgs/{}/records/Account?as={REP}&dry_run=true", context.org);
        let records =
            json!([{ "Id": &id[..15], "Name": "Acme Inc" }, { "Id": "001000000000001AAA", "Name": "Nobody" }]);

        let (status, plan) = context.post(&path, None, json!({ "external_id_field": "Id", "records": records })).await;

        assert_eq!((status, actions(&plan)), (StatusCode::OK, vec!["update", "unknown"]), "{plan}");
        assert_eq!(plan["records"][0]["differences"], json!({"Name": {"from": "Acme", "to": "Acme Inc"}}));
        assert_eq!((&plan["records"][0]["id"], &plan["result"]), (&json!(id), &json!("partly_written")));
        assert_eq!(plan["records"][1]["defects"][0]["code"], "invalid_reference");
    });
}
