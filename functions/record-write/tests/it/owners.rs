//! The connection that writes, and the owner of the records.

use http::StatusCode;
use org_simulator::ObjectPermissions;
use salesforce::Condition;
use serde_json::json;
use store::owner_policy::OwnerPolicy;
use store::{ConnectionId, Lane, UserMapping};

use crate::harness::{KEY, REP, TestContext, run};

#[test]
fn a_connected_rep_owns_the_created_records() {
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
        for (object, response) in [("Account", &accounts), ("Contact", &contacts), ("Opportunity", &deals)] {
            let record = context.in_org(object, &response["records"][0]["id"]);
            assert_eq!(record["OwnerId"], context.rep.id, "{object}");
        }
        assert_eq!(&context.in_org("Opportunity", &deals["records"][0]["id"])["AccountId"], account);
    });
}

#[test]
fn without_a_rep_the_team_owns_the_created_records() {
    run(async {
        let context = TestContext::new().await;

        let (_, response) = context.upsert("Account", None, "k", json!([{ KEY: "A-1", "Name": "Acme" }])).await;

        assert_eq!((&response["connection"], &response["owner_choice"]), (&json!("team"), &json!("team")));
        assert_eq!(context.in_org("Account", &response["records"][0]["id"])["OwnerId"], context.admin.id);
    });
}

#[test]
fn a_mapped_rep_owns_what_the_team_creates() {
    run(async {
        let context = TestContext::new().await;
        let mapping = UserMapping {
            org_id: context.org,
            platform_user: "rep-7".parse().unwrap(),
            tenant: "acme".parse().unwrap(),
            user_id: context.rep.id.parse().unwrap(),
            mapped_at: context.clock.now(),
        };
        context.deps.ledger.user_mappings.store(&mapping).await.unwrap();
        let account = |key: &str| json!([{ KEY: key, "Name": "Acme" }]);

        let (status, made) = context.upsert("Account", Some("rep-7"), "k1", account("A-1")).await;

        assert_eq!((status, &made["owner_choice"]), (StatusCode::OK, &json!("team_with_owner")), "{made}");
        assert_eq!(context.in_org("Account", &made["records"][0]["id"])["OwnerId"], context.rep.id);
        context.deps.ledger.user_mappings.delete(context.org, &mapping.platform_user).await.unwrap();
        let (status, refused) = context.upsert("Account", Some("rep-7"), "k2", account("A-2")).await;
        assert_eq!(status, StatusCode::CONFLICT, "{refused}");
    });
}

/// The profile of the team's user may not create the records, which the rep's profile may.
#[test]
fn a_personal_connection_does_not_widen_what_the_team_may_write() {
    run(async {
        let context = TestContext::new().await;
        let readonly = ObjectPermissions { no_create: true, ..ObjectPermissions::default() };
        context.simulator.limit_profile("System Administrator", "Account", &readonly).unwrap();
        let requests_of_rep = || context.simulator.requests_of(&context.rep.username).unwrap().len();

        let (_, by_team) = context.upsert("Account", None, "k1", json!([{ KEY: "A-1", "Name": "Acme" }])).await;

        assert_eq!(by_team["records"][0]["success"], false, "{by_team}");
        assert_eq!(requests_of_rep(), 0, "no request used a session of the rep");
        let (_, by_rep) = context.upsert("Account", Some(REP), "k2", json!([{ KEY: "A-2", "Name": "Acme" }])).await;
        assert_eq!(by_rep["records"][0]["success"], true, "{by_rep}");
        assert!(requests_of_rep() > 0, "the rep's own writes use the rep's session");
    });
}

#[test]
fn a_rep_whose_grant_ended_owns_only_the_new_records() {
    run(async {
        let context = TestContext::new().await;
        let (_, first) = context.upsert("Account", None, "k1", json!([{ KEY: "A-1", "Name": "Old" }])).await;
        context.kill(&context.reps().connection_id());

        let records = json!([{ KEY: "a-1", "Name": "Renamed" }, { KEY: "A-2", "Name": "New" }]);
        let (_, response) = context.upsert("Account", Some(REP), "k2", records).await;

        assert_eq!(response["owner_choice"], "team_with_owner");
        assert_eq!(response["owner_reason"], "rep_must_reconnect");
        assert!(response["next"].as_str().unwrap().contains("POST /v1/connect-links"), "{response}");
        let old = context.in_org("Account", &first["records"][0]["id"]);
        assert_eq!((&old["Name"], &old["OwnerId"]), (&json!("Renamed"), &json!(context.admin.id)));
        assert_eq!(context.in_org("Account", &response["records"][1]["id"])["OwnerId"], context.rep.id);
    });
}

/// The write that finds the block falls back, and so do the later ones, which find it in the connection's row.
#[test]
fn the_team_writes_for_a_rep_blocked_by_a_fault_of_the_app() {
    run(async {
        let context = TestContext::new().await;
        context.block(&context.reps().connection_id(), Condition::AppRefused);

        for key in ["A-1", "A-2"] {
            let (status, response) =
                context.upsert("Account", Some(REP), key, json!([{ KEY: key, "Name": "Acme" }])).await;
            assert_eq!((status, &response["owner_choice"]), (StatusCode::OK, &json!("team_with_owner")), "{response}");
            assert_eq!(response["owner_reason"], "rep_blocked");
            assert_eq!(context.in_org("Account", &response["records"][0]["id"])["OwnerId"], context.rep.id);
        }

        context.unblock(&context.reps().connection_id()).await;
        let (_, response) = context.upsert("Account", Some(REP), "A-3", json!([{ KEY: "A-3", "Name": "Acme" }])).await;
        assert_eq!(response["owner_reason"], "rep_connected");
    });
}

#[test]
fn the_team_does_not_write_around_a_block_by_the_org() {
    run(async {
        let context = TestContext::new().await;
        let records = json!([{ KEY: "A-1", "Name": "Acme" }]);
        let before = context.count_in_org("Account");
        context.block(&context.reps().connection_id(), Condition::UserNotApproved);

        for _ in 0..2 {
            let (status, problem) = context.upsert("Account", Some(REP), "k", records.clone()).await;
            assert_eq!(
                (status, &problem["type"]),
                (StatusCode::CONFLICT, &json!("urn:ferry:problem:connection_blocked")),
                "{problem}"
            );
        }
        assert_eq!(context.count_in_org("Account"), before);

        context.unblock(&context.reps().connection_id()).await;
        let (status, response) = context.upsert("Account", Some(REP), "k", records).await;
        assert_eq!((status, &response["owner_reason"]), (StatusCode::OK, &json!("rep_connected")), "{response}");
    });
}

/// The team is asked once: its own block is not a reason to apply the policy again.
#[test]
fn a_blocked_team_is_named_when_it_would_write_for_a_rep() {
    run(async {
        let context = TestContext::new().await;
        for connection in [context.reps().connection_id(), ConnectionId::team()] {
            context.block(&connection, Condition::AppRefused);
        }
        let (status, problem) =
            context.upsert("Account", Some(REP), "k", json!([{ KEY: "A-1", "Name": "Acme" }])).await;
        assert_eq!(
            (status, &problem["type"]),
            (StatusCode::CONFLICT, &json!("urn:ferry:problem:connection_blocked")),
            "{problem}"
        );
    });
}

#[test]
fn with_rep_only_the_same_key_works_after_a_reconnect() {
    run(async {
        let context = TestContext::with(OwnerPolicy::RepOnly).await;
        let records = json!([{ KEY: "A-1", "Name": "Acme" }]);
        context.kill(&context.reps().connection_id());

        let (status, problem) = context.upsert("Account", Some(REP), "k", records.clone()).await;
        assert_eq!((status, &problem["type"]), (StatusCode::CONFLICT, &json!("urn:ferry:problem:reconnect_required")));
        let (_, unknown) = context.upsert("Account", Some("rep-9"), "k9", records.clone()).await;
        assert_eq!(unknown["type"], "urn:ferry:problem:connect_required");

        context.connect(context.reps()).await;
        let (status, _) = context.upsert("Account", Some(REP), "k", records).await;
        assert_eq!(status, StatusCode::OK);
    });
}

#[test]
fn an_ended_team_connection_requires_a_reconnect() {
    run(async {
        let context = TestContext::new().await;
        context.kill(&ConnectionId::team());

        let (status, problem) = context.upsert("Account", None, "k", json!([{ KEY: "A-1", "Name": "Acme" }])).await;

        assert_eq!((status, &problem["type"]), (StatusCode::CONFLICT, &json!("urn:ferry:problem:reconnect_required")));
        assert_eq!(problem["detail"], "the team has to reconnect");
    });
}

/// The team connection writes for a rep in four calls: a look-up of the rep's user; a describe of the object; a query for
/// existing records; and the upsert. The first two are remembered.
#[test]
fn a_write_adds_each_of_its_calls_to_the_budget() {
    run(async {
        let context = TestContext::new().await;
        let key = json!({ "name": KEY, "external_id": true, "unique": true });
        context.simulator.define_object(json!({ "name": "Invoice__c", "fields": [key] })).unwrap();
        context.kill(&context.reps().connection_id());

        let (status, write) = context.upsert("Invoice__c", Some(REP), "k", json!([{ KEY: "I-1" }])).await;
        assert_eq!((status, &write["owner_choice"]), (StatusCode::OK, &json!("team_with_owner")));
        let budgets = &context.deps.ledger.budgets;
        let budget = budgets.load(context.org, context.clock.now()).await.unwrap().unwrap();
        assert_eq!(budget.calls, [(Lane::Interactive, 4)].into());

        context.upsert("Invoice__c", Some(REP), "k2", json!([{ KEY: "I-2" }])).await;
        let budget = budgets.load(context.org, context.clock.now()).await.unwrap().unwrap();
        assert_eq!(budget.calls, [(Lane::Interactive, 6)].into());
    });
}
