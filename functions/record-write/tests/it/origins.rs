//! What a write notes for the events about its records.

use http::StatusCode;
use serde_json::json;
use store::{Origins, Saved};

use crate::world::{KEY, REP, World, run};

/// The version of a record as the org has it.
fn saved(world: &World, object: &str, id: &serde_json::Value) -> Saved {
    let record = world.in_org(object, id);
    let text = |field: &str| record[field].as_str().unwrap().to_owned();
    Saved { by: text("LastModifiedById").parse().unwrap(), at: text("SystemModstamp").parse().unwrap() }
}

#[test]
fn what_a_write_created_and_updated_is_noted_as_the_connections_user() {
    run(async {
        let world = World::new().await;
        let origins = world.deps.origins.clone().unwrap();
        let (_, team) = world.upsert("Account", None, "k1", json!([{ KEY: "A-1", "Name": "Acme" }])).await;
        let id = &team["records"][0]["id"];
        let (record, created) = (id.as_str().unwrap().parse().unwrap(), saved(&world, "Account", id));
        world.pass_a_minute();

        let records = json!([{ KEY: "A-1", "Industry": "Energy" }, { KEY: "A-2" }]);
        let (_, rep) = world.upsert("Account", Some(REP), "k2", records).await;
        let updated = saved(&world, "Account", id);

        assert_eq!((created.by.as_str(), updated.by.as_str()), (world.admin.id.as_str(), world.rep.id.as_str()));
        let by_team = origins.find(world.org, record, created).await.unwrap().expect("the team's write");
        let by_rep = origins.find(world.org, record, updated).await.unwrap().expect("the rep's write");
        assert_eq!((by_team.set("Name"), by_team.set("Industry")), (true, false));
        assert_eq!((by_rep.set("Name"), by_rep.set("Industry")), (false, true));
        assert_eq!(
            (json!(by_team.write_id), json!(by_rep.write_id)),
            (team["write_id"].clone(), rep["write_id"].clone())
        );
        assert_eq!(rep["records"][1]["success"], false, "an account has to have a name");
        let just_before = Saved { at: created.at.checked_sub(jiff::SignedDuration::from_secs(5)).unwrap(), ..created };
        assert_eq!(origins.find(world.org, record, just_before).await.unwrap(), None);
        let between = Saved { at: created.at.checked_add(jiff::SignedDuration::from_secs(5)).unwrap(), ..created };
        assert_eq!(origins.find(world.org, record, between).await.unwrap(), None);
    });
}

#[test]
fn a_write_whose_origin_cannot_be_noted_is_written_all_the_same() {
    run(async {
        let mut world = World::new().await;
        let nowhere = Origins::new(world.dynamodb(), "no-such-table");
        std::sync::Arc::get_mut(&mut world.deps).unwrap().origins = Some(nowhere);

        let (status, answer) = world.upsert("Account", None, "k1", json!([{ KEY: "A-1", "Name": "Acme" }])).await;

        assert_eq!((status, &answer["records"][0]["success"]), (StatusCode::OK, &json!(true)));
        let (_, ledger) = world.ledger(&answer["write_id"]).await;
        assert_eq!(ledger["state"], "finished", "{ledger}");
    });
}
