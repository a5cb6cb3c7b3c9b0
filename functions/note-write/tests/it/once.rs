//! A note is there once, whatever happens to the answers and to the function (invariant 16).

use http::StatusCode;
use org_simulator::{Effect, Fault};
use serde_json::json;
use store::WriteState;

use crate::world::{REP, World, run};

fn fault(path: &str, times: u32, effect: Effect) -> Fault {
    Fault { path_prefix: format!("/services/data/v66.0/{path}"), method: None, times, effect }
}

#[test]
fn the_same_key_is_answered_from_the_ledger() {
    run(async {
        let world = World::new().await;
        let first = world.create_note(Some(REP), "k", "Hi").await;
        let calls = world.simulator.api_calls();

        let second = world.create_note(Some(REP), "k", "Hi").await;

        assert_eq!(first, second);
        assert_eq!(world.simulator.api_calls(), calls);
        let (status, _) = world.create_note(Some(REP), "k", "Another").await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    });
}

#[test]
fn a_note_whose_answer_was_lost_is_found_at_once() {
    run(async {
        let world = World::new().await;
        world.simulator.fault(fault("composite", 1, Effect::ResetAfter));

        let (status, written) = world.create_note(None, "k", "Met R&D").await;

        assert_eq!((status, world.notes()), (StatusCode::CREATED, 1));
        assert_eq!(world.read(None, &written["note_id"]).await.1["html"], "Met R&amp;D");
    });
}

#[test]
fn a_note_that_could_not_be_looked_for_is_found_later() {
    run(async {
        let world = World::new().await;
        world.simulator.fault(fault("composite", 1, Effect::ResetAfter));
        world.simulator.fault(fault("query", 100, Effect::Unavailable));
        let (status, queued) = world.create_note(None, "k", "Hi").await;
        assert_eq!((status, world.notes()), (StatusCode::ACCEPTED, 1));
        assert!(world.work(&queued["write_id"]).await, "it cannot be looked for yet");

        world.simulator.clear_faults();
        assert!(!world.work(&queued["write_id"]).await);

        assert_eq!(world.notes(), 1);
        assert_eq!(world.ledger(&queued["write_id"]).await.state, WriteState::Finished);
        assert_eq!(world.create_note(None, "k", "Hi").await.0, StatusCode::CREATED);
    });
}

#[test]
fn a_note_that_never_arrived_is_created_by_the_next_attempt() {
    run(async {
        let world = World::new().await;
        world.simulator.fault(fault("composite", 1, Effect::ResetBefore));
        let (status, queued) = world.create_note(None, "k", "Hi").await;
        assert_eq!((status, world.notes(), world.queued().await), (StatusCode::ACCEPTED, 0, 1));

        assert!(!world.work(&queued["write_id"]).await);

        assert_eq!(world.notes(), 1);
    });
}

#[test]
fn a_note_during_maintenance_waits_in_the_queue() {
    run(async {
        let world = World::new().await;
        world.simulator.fault(fault("", 100, Effect::Unavailable));
        let (status, queued) = world.create_note(Some(REP), "k", "Hi").await;
        assert_eq!(status, StatusCode::ACCEPTED);

        world.simulator.clear_faults();
        assert!(!world.work(&queued["write_id"]).await);
        assert!(!world.work(&queued["write_id"]).await, "a task too many");

        assert_eq!(world.notes(), 1);
    });
}

#[test]
fn a_note_like_another_one_is_not_taken_for_it() {
    run(async {
        let world = World::new().await;
        world.create_note(None, "k1", "First call").await;
        world.simulator.fault(fault("composite", 1, Effect::ResetBefore));
        let (_, queued) = world.create_note(None, "k2", "Second call").await;

        assert!(!world.work(&queued["write_id"]).await);

        assert_eq!(world.notes(), 2);
    });
}

#[test]
fn a_request_killed_at_every_point_and_sent_again_writes_once() {
    run(async {
        let world = World::new().await;

        let mut kills = 0;
        while !world::killed_after(world.create_note(Some(REP), "k", "Hi"), kills).await {
            world.pass_a_minute();
            kills += 1;
        }

        assert!(kills > 3, "killed {kills} times");
        assert_eq!(world.notes(), 1);
        assert_eq!(world.create_note(Some(REP), "k", "Hi").await.0, StatusCode::CREATED);
    });
}

#[test]
fn a_change_during_maintenance_is_made_later() {
    run(async {
        let world = World::new().await;
        let (_, written) = world.create_note(None, "k", "Hi").await;
        world.simulator.fault(fault("sobjects/ContentNote", 100, Effect::Unavailable));

        let (status, queued) = world.change(&written["note_id"], Some("c"), json!({ "title": "New" })).await;
        assert_eq!(status, StatusCode::ACCEPTED);
        world.simulator.clear_faults();
        assert!(!world.work(&queued["write_id"]).await);

        assert_eq!(world.read(None, &written["note_id"]).await.1["title"], "New");
    });
}
