//! A note is created once, although responses are lost and the function is killed (invariant 16).

use http::StatusCode;
use org_simulator::{Effect, Fault};
use serde_json::json;
use store::WriteState;

use crate::harness::{REP, TestContext, run};

fn fault(path: &str, times: u32, effect: Effect) -> Fault {
    Fault { path_prefix: format!("/services/data/v66.0/{path}"), method: None, times, effect }
}

#[test]
fn the_same_key_gets_the_stored_response() {
    run(async {
        let context = TestContext::new().await;
        let first = context.create_note(Some(REP), "k", "Hi").await;
        let calls = context.simulator.api_calls();

        let second = context.create_note(Some(REP), "k", "Hi").await;

        assert_eq!(first, second);
        assert_eq!(context.simulator.api_calls(), calls);
        let (status, _) = context.create_note(Some(REP), "k", "Another").await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    });
}

#[test]
fn a_note_whose_response_was_lost_is_found_at_once() {
    run(async {
        let context = TestContext::new().await;
        context.simulator.fault(fault("composite", 1, Effect::ResetAfter));

        let (status, written) = context.create_note(None, "k", "Met R&D").await;

        assert_eq!((status, context.notes()), (StatusCode::CREATED, 1));
        assert_eq!(context.read(None, &written["note_id"]).await.1["html"], "Met R&amp;D");
    });
}

#[test]
fn a_failed_search_for_a_note_is_repeated_later() {
    run(async {
        let context = TestContext::new().await;
        context.simulator.fault(fault("composite", 1, Effect::ResetAfter));
        context.simulator.fault(fault("query", 100, Effect::Unavailable));
        let (status, queued) = context.create_note(None, "k", "Hi").await;
        assert_eq!((status, context.notes()), (StatusCode::ACCEPTED, 1));
        assert!(context.resume(&queued["write_id"]).await);
        assert_eq!(context.ledger(&queued["write_id"]).await.state, WriteState::Queued, "the search still fails");

        context.simulator.clear_faults();
        assert!(context.resume(&queued["write_id"]).await);

        assert_eq!(context.notes(), 1);
        assert_eq!(context.ledger(&queued["write_id"]).await.state, WriteState::Finished);
        assert_eq!(context.create_note(None, "k", "Hi").await.0, StatusCode::CREATED);
    });
}

#[test]
fn a_note_that_never_arrived_is_created_by_the_next_attempt() {
    run(async {
        let context = TestContext::new().await;
        context.simulator.fault(fault("composite", 1, Effect::ResetBefore));
        let (status, queued) = context.create_note(None, "k", "Hi").await;
        assert_eq!((status, context.notes(), context.queued().await), (StatusCode::ACCEPTED, 0, 1));

        assert!(context.resume(&queued["write_id"]).await);

        assert_eq!(context.notes(), 1);
    });
}

#[test]
fn a_note_during_maintenance_waits_in_the_queue() {
    run(async {
        let context = TestContext::new().await;
        context.simulator.fault(fault("", 100, Effect::Unavailable));
        let (status, queued) = context.create_note(Some(REP), "k", "Hi").await;
        assert_eq!(status, StatusCode::ACCEPTED);

        context.simulator.clear_faults();
        assert!(context.resume(&queued["write_id"]).await);
        assert!(context.resume(&queued["write_id"]).await, "a second delivery of the task");

        assert_eq!(context.notes(), 1);
    });
}

#[test]
fn a_similar_note_is_not_taken_for_the_lost_one() {
    run(async {
        let context = TestContext::new().await;
        context.create_note(None, "k1", "First call").await;
        context.simulator.fault(fault("composite", 1, Effect::ResetBefore));
        let (_, queued) = context.create_note(None, "k2", "Second call").await;

        assert!(context.resume(&queued["write_id"]).await);

        assert_eq!(context.notes(), 2);
    });
}

#[test]
fn a_request_killed_at_every_point_and_sent_again_writes_once() {
    run(async {
        let context = TestContext::killable().await;

        let mut kills = 0;
        while !context.killed_at(kills, context.create_note(Some(REP), "k", "Hi")).await {
            context.pass_a_minute();
            kills += 1;
        }

        assert!(kills > 3, "killed {kills} times");
        assert_eq!(context.notes(), 1);
        assert_eq!(context.create_note(Some(REP), "k", "Hi").await.0, StatusCode::CREATED);
    });
}

#[test]
fn a_change_during_maintenance_is_made_later() {
    run(async {
        let context = TestContext::new().await;
        let (_, written) = context.create_note(None, "k", "Hi").await;
        context.simulator.fault(fault("sobjects/ContentNote", 100, Effect::Unavailable));

        let (status, queued) = context.change(&written["note_id"], Some("c"), json!({ "title": "New" })).await;
        assert_eq!(status, StatusCode::ACCEPTED);
        context.simulator.clear_faults();
        assert!(context.resume(&queued["write_id"]).await);

        assert_eq!(context.read(None, &written["note_id"]).await.1["title"], "New");
    });
}
