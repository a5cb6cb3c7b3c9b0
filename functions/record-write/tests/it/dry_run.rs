//! The plan of a write.

use http::StatusCode;
use org_simulator::{Effect, Fault, ObjectPermissions};
use record_write::Metadata;
use serde_json::{Value, json};
use store::ConnectionId;

use crate::harness::{KEY, REP, TestContext, pipelines, run};

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

    /// Plans a write of `path` as the rep.
    async fn plan_of(&self, path: &str, body: &Value) -> Value {
        let path = format!("/v1/orgs/{}/{path}?dry_run=true&as={REP}", self.org);
        let (status, plan) = self.post(&path, None, body.clone()).await;
        assert_eq!(status, StatusCode::OK, "{plan}");
        plan
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
            context.deps.metadata = Metadata::new(pipelines(&context), context.clock.clone());
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

#[test]
fn a_plan_of_new_records_knows_their_client_keys() {
    run(async {
        let context = TestContext::new().await;
        let task = |key: &str| json!({"client_key": key, "Subject": "Call"});
        let (_, made) = context.create_records("Task", Some(REP), "k", json!([task("t-1")])).await;
        let count = context.count_in_org("Task");
        let body = json!({"records": [task("t-1"), task("t-2")]});

        let plan = context.plan_of("records/Task", &body).await;

        assert_eq!((actions(&plan), &plan["result"]), (vec!["unchanged", "create"], &json!("written")), "{plan}");
        assert_eq!(plan["records"][0]["id"], made["records"][0]["id"]);
        assert_eq!((&plan["records"][0]["differences"], &plan["records"][1]["id"]), (&json!({}), &Value::Null));
        assert_eq!(plan["records"][1]["differences"], json!({"Subject": {"from": null, "to": "Call"}}));
        assert_eq!((context.count_in_org("Task"), context.queued().await), (count, 0));
        let (_, made) = context.create_records("Task", Some(REP), "k2", body["records"].clone()).await;
        assert_eq!(made["records"][1]["created"], true, "the plan has claimed no client key: {made}");
        let known = context.plan_of("records/Task", &body).await;
        assert_eq!((actions(&known), &known["calls"].get("write")), (vec!["unchanged"; 2], &None), "{known}");
    });
}

#[test]
fn a_plan_does_not_know_what_a_lost_response_created() {
    run(async {
        let context = TestContext::new().await;
        let records = json!([{"client_key": "t-1", "Subject": "Call"}]);
        let path_prefix = "/services/data/v66.0/composite/sobjects".to_owned();
        let effect = Effect::ResetAfter;
        context.simulator.fault(Fault { path_prefix, method: None, times: 1, effect });
        context.simulator.fault(Fault {
            path_prefix: "/services/data/v66.0/query".to_owned(),
            method: None,
            times: 9,
            effect: Effect::Unavailable,
        });
        let (status, queued) = context.create_records("Task", Some(REP), "k", records.clone()).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{queued}");

        let plan = context.plan_of("records/Task", &json!({ "records": records })).await;

        assert_eq!((actions(&plan), &plan["calls"]["existing_records"]), (vec!["unknown"], &json!(1)), "{plan}");
    });
}

#[test]
fn a_plan_of_new_records_lists_their_defects() {
    run(async {
        let context = TestContext::new().await;
        let body = json!({"all_or_none": true, "records": [
            {"client_key": "l-1", "LastName": "Doe", "Nope__c": 1}, {"client_key": "l-2", "LastName": "Roe", "Company": "Acme"},
        ]});

        let plan = context.plan_of("records/Lead", &body).await;

        let codes = ["field_not_visible", "required"].map(|code| json!(code));
        let defects = plan["records"][0]["defects"].as_array().unwrap();
        assert_eq!(defects.iter().map(|defect| defect["code"].clone()).collect::<Vec<_>>(), codes, "{plan}");
        assert_eq!((&plan["result"], &plan["records"][1]["defects"]), (&json!("refused"), &json!([])));
        assert_eq!(plan["all_or_none"], true);
        let (status, _) = context.create_records("Lead", Some(REP), "k", body["records"].clone()).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    });
}

/// An account, its contact, and an activity of both, which has no external id.
fn visit(account: &str, name: &str) -> Value {
    json!({"records": [
        {"object": "Task", "client_key": "t", "fields": {"Subject": "Visit", "What": {KEY: account, "attributes": {"type": "Account"}}}},
        {"object": "Contact", "external_id_field": KEY, "fields": {KEY: "C-1", "LastName": "Doe", "Account": {KEY: account}}},
        {"object": "Account", "external_id_field": KEY, "fields": {KEY: account, "Name": name}},
    ]})
}

#[test]
fn a_plan_of_a_graph_names_what_would_change() {
    run(async {
        let context = TestContext::new().await;
        let new = context.plan_of("records", &visit("A-1", "Acme")).await;
        assert_eq!((actions(&new), &new["result"]), (vec!["create"; 3], &json!("written")), "{new}");
        let counts = || ["Account", "Contact", "Task"].map(|object| context.count_in_org(object));
        let before = counts();
        let (status, made) = context.graph(Some(REP), "k", visit("A-1", "Acme")).await;
        assert_eq!(
            (status, counts()),
            (StatusCode::OK, before.map(|count| count + 1)),
            "nothing was made before: {made}"
        );

        let plan = context.plan_of("records", &visit("a-1", "Acme Inc")).await;

        assert_eq!(
            (actions(&plan), &plan["all_or_none"]),
            (vec!["create", "unchanged", "update"], &json!(true)),
            "{plan}"
        );
        let ids = |answer: &Value| [1, 2].map(|at: usize| answer["records"][at]["id"].clone());
        assert_eq!((ids(&plan), &plan["records"][0]["id"]), (ids(&made), &Value::Null));
        assert_eq!(plan["records"][2]["differences"], json!({"Name": {"from": "Acme", "to": "Acme Inc"}}));
        assert_eq!(counts(), before.map(|count| count + 1));
    });
}

/// A parent that the request creates has no external id to read; that of another record's parent is read nevertheless.
#[test]
fn a_plan_tells_a_new_parent_from_an_existing_one() {
    run(async {
        let context = TestContext::new().await;
        let contact = |key: &str, account: Value| json!({"object": "Contact", "external_id_field": KEY, "fields": {KEY: key, "LastName": "Doe", "Account": account}});
        let mut existing = visit("A-1", "Acme");
        existing["records"].as_array_mut().unwrap().push(contact("C-2", json!({ KEY: "A-1" })));
        context.graph(Some(REP), "k", existing).await;
        let account = json!({"object": "Account", "client_key": "new", "fields": {"Name": "Bolt"}});
        let moved = contact("C-1", json!({"client_key": "new"}));
        let body = json!({"records": [account, moved, contact("C-2", json!({ KEY: "a-1" }))]});

        let plan = context.plan_of("records", &body).await;

        assert_eq!(
            (actions(&plan), &plan["result"]),
            (vec!["create", "update", "unchanged"], &json!("written")),
            "{plan}"
        );
        let expected = json!({"Account": {"from": { KEY: "A-1" }, "to": {"client_key": "new"}}});
        assert_eq!(plan["records"][1]["differences"], expected, "{plan}");
    });
}

#[test]
fn a_plan_of_a_graph_lists_defects_as_the_request_has_them() {
    run(async {
        let context = TestContext::new().await;
        let mut body = visit("A-1", "Acme");
        body["records"][2]["fields"]["Nope__c"] = json!(1);
        body["records"][1]["fields"]["LastName"] = Value::Null;
        let place = |plan: &Value, at: usize| {
            let defect = &plan["records"][at]["defects"][0];
            (defect["record"].clone(), defect["field"].clone(), defect["code"].clone())
        };

        let plan = context.plan_of("records", &body).await;

        assert_eq!(plan["result"], "refused", "{plan}");
        assert_eq!(place(&plan, 2), (json!(2), json!("fields.Nope__c"), json!("field_not_visible")));
        assert_eq!(place(&plan, 1), (json!(1), json!("fields.LastName"), json!("required")));
        let (status, problem) = context.graph(Some(REP), "k", body).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        let mut body = visit("A-1", "Acme");
        body["records"][0]["fields"]["Who"] = json!({"client_key": "nobody"});
        let plan = context.plan_of("records", &body).await;
        assert_eq!((&plan["result"], place(&plan, 0).1), (&json!("refused"), json!("fields.Who")), "{plan}");
        let (status, _) = context.graph(Some(REP), "k2", body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
    });
}

/// As for upserts: the calls of a write that remembers nothing.
#[test]
fn a_plan_counts_the_calls_of_creates_and_graphs() {
    run(async {
        let deal = json!({"client_key": "o", "Name": "D", "StageName": "Prospecting", "CloseDate": "2026-12-31"});
        let new = ("records/Opportunity", json!({ "records": [deal] }));
        let graph = ("records", visit("A-1", "Acme"));
        // A describe, the stages of the default record type and the write; for the team also the rep's user, and in a graph a
        // query for each object with a key.
        for ((path, body), has_ended, total) in
            [(&new, false, 3), (&new, true, 4), (&graph, false, 2), (&graph, true, 5)]
        {
            let mut context = TestContext::new().await;
            if has_ended {
                context.kill(&context.reps().connection_id());
            }
            let plan = context.plan_of(path, body).await;
            context.forget();
            context.deps.ledger.users = runtime::Users::new(context.clock.clone());
            let before = context.simulator.api_calls();
            let path = format!("/v1/orgs/{}/{path}?as={REP}", context.org);
            let (status, written) = context.post(&path, Some("k"), body.clone()).await;
            assert_eq!((status, &written["records"][0]["success"]), (StatusCode::OK, &json!(true)), "{written}");
            let made = context.simulator.api_calls() - before;
            assert_eq!((&plan["calls"]["total"], made), (&json!(total), total), "{plan}");
        }
    });
}
