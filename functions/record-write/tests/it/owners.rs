//! Who writes, and who owns what was written.

use http::StatusCode;
use org_simulator::ObjectPermissions;
use serde_json::json;
use store::ConnectionId;
use store::owner_policy::OwnerPolicy;

use crate::world::{KEY, REP, World, run};

#[test]
fn what_a_connected_rep_creates_belongs_to_the_rep() {
    run(async {
        let world = World::new().await;

        let (_, accounts) = world.upsert("Account", Some(REP), "k1", json!([{ KEY: "A-1", "Name": "Acme" }])).await;
        let contact = json!([{ KEY: "C-1", "LastName": "Doe", "Account": { KEY: "A-1" } }]);
        let (_, contacts) = world.upsert("Contact", Some(REP), "k2", contact).await;
        let opportunity = json!([{
            KEY: "O-1", "Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-12-31", "Account": { KEY: "A-1" },
        }]);
        let (status, deals) = world.upsert("Opportunity", Some(REP), "k3", opportunity).await;

        assert_eq!(status, StatusCode::OK);
        assert_eq!((&deals["owner_choice"], &deals["owner_reason"]), (&json!("rep"), &json!("rep_connected")));
        let account = &accounts["records"][0]["id"];
        for (object, answer) in [("Account", &accounts), ("Contact", &contacts), ("Opportunity", &deals)] {
            let record = world.in_org(object, &answer["records"][0]["id"]);
            assert_eq!(record["OwnerId"], world.rep.id, "{object}");
        }
        assert_eq!(&world.in_org("Opportunity", &deals["records"][0]["id"])["AccountId"], account);
    });
}

#[test]
fn the_team_writes_for_itself_when_nobody_is_named() {
    run(async {
        let world = World::new().await;

        let (_, answer) = world.upsert("Account", None, "k", json!([{ KEY: "A-1", "Name": "Acme" }])).await;

        assert_eq!((&answer["connection"], &answer["owner_choice"]), (&json!("team"), &json!("team")));
        assert_eq!(world.in_org("Account", &answer["records"][0]["id"])["OwnerId"], world.admin.id);
    });
}

/// The team may do less than the rep here, and the rep's connection does not help it.
#[test]
fn a_personal_connection_does_not_widen_what_the_team_may_write() {
    run(async {
        let world = World::new().await;
        let readonly = ObjectPermissions { no_create: true, ..ObjectPermissions::default() };
        world.simulator.limit_profile("System Administrator", "Account", &readonly).unwrap();
        let asked = || world.simulator.requests_of(&world.rep.username).unwrap().len();

        let (_, by_team) = world.upsert("Account", None, "k1", json!([{ KEY: "A-1", "Name": "Acme" }])).await;

        assert_eq!(by_team["records"][0]["success"], false, "{by_team}");
        assert_eq!(asked(), 0, "nothing was asked with a session of the rep");
        let (_, by_rep) = world.upsert("Account", Some(REP), "k2", json!([{ KEY: "A-2", "Name": "Acme" }])).await;
        assert_eq!(by_rep["records"][0]["success"], true, "{by_rep}");
        assert!(asked() > 0, "the rep's own writes are seen in the org");
    });
}

#[test]
fn the_team_makes_a_rep_whose_grant_ended_the_owner_of_new_records_and_of_no_others() {
    run(async {
        let world = World::new().await;
        let (_, first) = world.upsert("Account", None, "k1", json!([{ KEY: "A-1", "Name": "Old" }])).await;
        world.kill(&world.reps().connection_id());

        let records = json!([{ KEY: "a-1", "Name": "Renamed" }, { KEY: "A-2", "Name": "New" }]);
        let (_, answer) = world.upsert("Account", Some(REP), "k2", records).await;

        assert_eq!(answer["owner_choice"], "team_with_owner");
        assert_eq!(answer["owner_reason"], "rep_must_reconnect");
        assert!(answer["next"].as_str().unwrap().contains("POST /v1/connect-links"), "{answer}");
        let old = world.in_org("Account", &first["records"][0]["id"]);
        assert_eq!((&old["Name"], &old["OwnerId"]), (&json!("Renamed"), &json!(world.admin.id)));
        assert_eq!(world.in_org("Account", &answer["records"][1]["id"])["OwnerId"], world.rep.id);
    });
}

#[test]
fn the_team_writes_as_itself_for_a_rep_it_has_never_seen() {
    run(async {
        let world = World::new().await;

        let (_, answer) = world.upsert("Account", Some("rep-9"), "k", json!([{ KEY: "A-1", "Name": "Acme" }])).await;

        assert_eq!((&answer["owner_choice"], &answer["owner_reason"]), (&json!("team"), &json!("rep_not_connected")));
    });
}

#[test]
fn a_rep_only_deployment_says_who_has_to_connect_and_takes_the_same_key_afterwards() {
    run(async {
        let world = World::with(OwnerPolicy::RepOnly).await;
        let records = json!([{ KEY: "A-1", "Name": "Acme" }]);
        world.kill(&world.reps().connection_id());

        let (status, problem) = world.upsert("Account", Some(REP), "k", records.clone()).await;
        assert_eq!((status, &problem["type"]), (StatusCode::CONFLICT, &json!("urn:ferry:problem:reconnect_required")));
        let (_, stranger) = world.upsert("Account", Some("rep-9"), "k9", records.clone()).await;
        assert_eq!(stranger["type"], "urn:ferry:problem:connect_required");

        world.connect(world.reps()).await;
        let (status, _) = world.upsert("Account", Some(REP), "k", records).await;
        assert_eq!(status, StatusCode::OK);
    });
}

#[test]
fn an_org_whose_team_connection_ended_says_so() {
    run(async {
        let world = World::new().await;
        world.kill(&ConnectionId::team());

        let (status, problem) = world.upsert("Account", None, "k", json!([{ KEY: "A-1", "Name": "Acme" }])).await;

        assert_eq!((status, &problem["type"]), (StatusCode::CONFLICT, &json!("urn:ferry:problem:reconnect_required")));
        assert_eq!(problem["detail"], "the team has to reconnect");
    });
}
