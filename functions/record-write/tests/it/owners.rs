//! Who writes, and who owns what was written.

use http::StatusCode;
use org_simulator::ObjectPermissions;
use serde_json::json;
use store::owner_policy::OwnerPolicy;
use store::{ConnectionId, Lane};

use crate::harness::{KEY, REP, TestContext, run};

#[test]
fn what_a_connected_rep_creates_belongs_to_the_rep() {
    run(async {
        let context = TestContext::new().await;

        let (_, accounts) = context.upsert("Account", Some(REP), "k1", json!([{ KEY: "A-1", "Name": "Acme" }])).await;
        let contact = json!([{ KEY: "C-1", "LastName": "Doe", "Account": { KEY: "A-1" } }]);
        let (_, contacts) = context.upsert("Contact", Some(REP), "k2", contact).await;
        let opportunity = json!([{
            KEY: "O-1", "Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-12-31", "Account": { KEY: "A-1" },
        }]);
        let (status, deals) = context.upsert("Opportunity", Some(REP), "k3", opportunity).await;

        assert_eq!(status, StatusCode::OK);
        assert_eq!((&deals["owner_choice"], &deals["owner_reason"]), (&json!("rep"), &json!("rep_connected")));
        let account = &accounts["records"][0]["id"];
        for (object, answer) in [("Account", &accounts), ("Contact", &contacts), ("Opportunity", &deals)] {
            let record = context.in_org(object, &answer["records"][0]["id"]);
            assert_eq!(record["OwnerId"], context.rep.id, "{object}");
        }
        assert_eq!(&context.in_org("Opportunity", &deals["records"][0]["id"])["AccountId"], account);
    });
}

#[test]
fn the_team_writes_for_itself_when_nobody_is_named() {
    run(async {
        let context = TestContext::new().await;

        let (_, answer) = context.upsert("Account", None, "k", json!([{ KEY: "A-1", "Name": "Acme" }])).await;

        assert_eq!((&answer["connection"], &answer["owner_choice"]), (&json!("team"), &json!("team")));
        assert_eq!(context.in_org("Account", &answer["records"][0]["id"])["OwnerId"], context.admin.id);
    });
}

/// The team may do less than the rep here, and the rep's connection does not help it.
#[test]
fn a_personal_connection_does_not_widen_what_the_team_may_write() {
    run(async {
        let context = TestContext::new().await;
        let readonly = ObjectPermissions { no_create: true, ..ObjectPermissions::default() };
        context.simulator.limit_profile("System Administrator", "Account", &readonly).unwrap();
        let asked = || context.simulator.requests_of(&context.rep.username).unwrap().len();

        let (_, by_team) = context.upsert("Account", None, "k1", json!([{ KEY: "A-1", "Name": "Acme" }])).await;

        assert_eq!(by_team["records"][0]["success"], false, "{by_team}");
        assert_eq!(asked(), 0, "nothing was asked with a session of the rep");
        let (_, by_rep) = context.upsert("Account", Some(REP), "k2", json!([{ KEY: "A-2", "Name": "Acme" }])).await;
        assert_eq!(by_rep["records"][0]["success"], true, "{by_rep}");
        assert!(asked() > 0, "the rep's own writes are seen in the org");
    });
}

#[test]
fn the_team_makes_a_rep_whose_grant_ended_the_owner_of_new_records_and_of_no_others() {
    run(async {
        let context = TestContext::new().await;
        let (_, first) = context.upsert("Account", None, "k1", json!([{ KEY: "A-1", "Name": "Old" }])).await;
        context.kill(&context.reps().connection_id());

        let records = json!([{ KEY: "a-1", "Name": "Renamed" }, { KEY: "A-2", "Name": "New" }]);
        let (_, answer) = context.upsert("Account", Some(REP), "k2", records).await;

        assert_eq!(answer["owner_choice"], "team_with_owner");
        assert_eq!(answer["owner_reason"], "rep_must_reconnect");
        assert!(answer["next"].as_str().unwrap().contains("POST /v1/connect-links"), "{answer}");
        let old = context.in_org("Account", &first["records"][0]["id"]);
        assert_eq!((&old["Name"], &old["OwnerId"]), (&json!("Renamed"), &json!(context.admin.id)));
        assert_eq!(context.in_org("Account", &answer["records"][1]["id"])["OwnerId"], context.rep.id);
    });
}

#[test]
fn the_team_writes_as_itself_for_a_rep_it_has_never_seen() {
    run(async {
        let context = TestContext::new().await;

        let (_, answer) = context.upsert("Account", Some("rep-9"), "k", json!([{ KEY: "A-1", "Name": "Acme" }])).await;

        assert_eq!((&answer["owner_choice"], &answer["owner_reason"]), (&json!("team"), &json!("rep_not_connected")));
    });
}

#[test]
fn a_rep_only_deployment_says_who_has_to_connect_and_takes_the_same_key_afterwards() {
    run(async {
        let context = TestContext::with(OwnerPolicy::RepOnly).await;
        let records = json!([{ KEY: "A-1", "Name": "Acme" }]);
        context.kill(&context.reps().connection_id());

        let (status, problem) = context.upsert("Account", Some(REP), "k", records.clone()).await;
        assert_eq!((status, &problem["type"]), (StatusCode::CONFLICT, &json!("urn:ferry:problem:reconnect_required")));
        let (_, stranger) = context.upsert("Account", Some("rep-9"), "k9", records.clone()).await;
        assert_eq!(stranger["type"], "urn:ferry:problem:connect_required");

        context.connect(context.reps()).await;
        let (status, _) = context.upsert("Account", Some(REP), "k", records).await;
        assert_eq!(status, StatusCode::OK);
    });
}

#[test]
fn an_org_whose_team_connection_ended_says_so() {
    run(async {
        let context = TestContext::new().await;
        context.kill(&ConnectionId::team());

        let (status, problem) = context.upsert("Account", None, "k", json!([{ KEY: "A-1", "Name": "Acme" }])).await;

        assert_eq!((status, &problem["type"]), (StatusCode::CONFLICT, &json!("urn:ferry:problem:reconnect_required")));
        assert_eq!(problem["detail"], "the team has to reconnect");
    });
}

/// The team connection writes for a rep: the describe says that the object has an owner, and the query which records are new.
#[test]
fn a_write_adds_each_of_its_calls_to_the_budget() {
    run(async {
        let context = TestContext::new().await;
        let key = json!({ "name": KEY, "external_id": true, "unique": true });
        context.simulator.define_object(json!({ "name": "Invoice__c", "fields": [key] })).unwrap();
        context.kill(&context.reps().connection_id());

        let (status, write) = context.upsert("Invoice__c", Some(REP), "k", json!([{ KEY: "I-1" }])).await;

        assert_eq!((status, &write["owner_choice"]), (StatusCode::OK, &json!("team_with_owner")));
        let budget = context.deps.ledger.budgets.load(context.org, context.clock.now()).await.unwrap().unwrap();
        assert_eq!(budget.calls, [(Lane::Interactive, 3)].into());
    });
}
