//! A note is created once, although responses are lost and the function is killed (invariant 16).

use http::StatusCode;
use jiff::SignedDuration;
use org_simulator::{Effect, Fault, FaultRule, ObjectPermissions};
use serde_json::json;
use store::{WriteId, WriteState};

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

        context.pass(SignedDuration::from_mins(11));
        assert!(context.resume(&queued["write_id"]).await);
        let write = context.ledger(&queued["write_id"]).await;
        assert_eq!((write.state, context.notes()), (WriteState::Queued, 0), "the request may still take effect");
        context.pass(SignedDuration::from_mins(1));
        assert!(context.resume(&queued["write_id"]).await);

        assert_eq!(context.notes(), 1);
    });
}

/// Salesforce carries a call out for up to 10 minutes.
#[test]
fn a_note_that_is_committed_minutes_later_is_made_once() {
    run(async {
        let context = TestContext::new().await;
        context.simulator.fault(fault("composite", 1, Effect::CommitLate { delay_s: 570 }));
        let (status, queued) = context.create_note(None, "k", "Hi").await;
        assert_eq!((status, context.notes()), (StatusCode::ACCEPTED, 0));

        for minutes in [1, 2, 5] {
            context.pass(SignedDuration::from_mins(minutes));
            assert!(context.resume(&queued["write_id"]).await);
            assert_eq!(context.ledger(&queued["write_id"]).await.state, WriteState::Queued);
        }
        assert_eq!(context.notes(), 0);
        context.pass(SignedDuration::from_mins(2));
        assert!(context.resume(&queued["write_id"]).await);

        assert_eq!(context.notes(), 1);
        assert_eq!(context.create_note(None, "k", "Hi").await.0, StatusCode::CREATED);
    });
}

#[test]
fn two_writes_with_the_same_text_make_two_notes() {
    run(async {
        let context = TestContext::new().await;
        let (_, first) = context.create_note(None, "k1", "Hi").await;
        context.simulator.fault(fault("composite", 1, Effect::ResetBefore));
        let (_, queued) = context.create_note(None, "k2", "Hi").await;

        context.pass(SignedDuration::from_mins(12));
        assert!(context.resume(&queued["write_id"]).await);

        assert_eq!(context.notes(), 2);
        let (_, second) = context.create_note(None, "k2", "Hi").await;
        assert_ne!(first["note_id"], second["note_id"]);
    });
}

/// The rep has changed the note before the write is tried again.
#[test]
fn a_note_that_was_edited_meanwhile_is_found() {
    run(async {
        let context = TestContext::new().await;
        context.simulator.fault(fault("composite", 1, Effect::CommitLate { delay_s: 30 }));
        let (_, queued) = context.create_note(None, "k", "Hi").await;
        context.pass(SignedDuration::from_mins(1));
        let note = context.only_note().await.id;
        context.change(&json!(note), None, json!({ "title": "Renamed", "text": "Edited" })).await;

        assert!(context.resume(&queued["write_id"]).await);

        assert_eq!(context.only_note().await.id, note);
        assert_eq!(context.ledger(&queued["write_id"]).await.response.unwrap()["note_id"], json!(note));
    });
}

/// Salesforce answers with an error after it has saved the note.
#[test]
fn an_unlisted_error_500_after_the_commit_makes_one_note() {
    run(async {
        let context = TestContext::new().await;
        let effect = Effect::ErrorAfter { status: 500, code: "SOMETHING_NEW".to_owned(), message: "no".to_owned() };
        context.simulator.fault(fault("composite", 1, effect));

        let (status, written) = context.create_note(None, "k", "Hi").await;

        assert_eq!((status, context.notes()), (StatusCode::CREATED, 1), "{written}");
    });
}

#[test]
fn an_org_that_refuses_marks_gets_its_notes_once() {
    run(async {
        let context = TestContext::new().await;
        let hidden =
            ObjectPermissions { hidden_fields: vec!["Description".to_owned()], ..ObjectPermissions::default() };
        for profile in ["Standard User", "System Administrator"] {
            context.simulator.limit_profile(profile, "ContentVersion", &hidden).unwrap();
        }
        // The first request is refused with the mark, and the second one's response is lost.
        let lost = FaultRule { skip: 1, times: Some(1), ..FaultRule::from(fault("composite", 1, Effect::ResetAfter)) };
        context.simulator.fault(lost);

        let (status, _) = context.create_note(None, "k", "Hi").await;

        assert_eq!((status, context.notes()), (StatusCode::CREATED, 1));
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
        context.pass(SignedDuration::from_mins(12));
        assert!(context.resume(&queued["write_id"]).await);
        assert!(context.resume(&queued["write_id"]).await, "a second delivery of the task");

        assert_eq!(context.notes(), 1);
    });
}

/// A proxy returns such a 503 too when the connection to its server ended after it had sent the request on.
#[test]
fn a_note_that_got_a_bare_503_is_looked_for_before_it_is_sent_again() {
    run(async {
        let context = TestContext::new().await;
        context.simulator.fault(fault("composite", 1, Effect::Unavailable));

        let (status, queued) = context.create_note(None, "k", "Hi").await;
        assert_eq!(status, StatusCode::ACCEPTED);
        assert!(context.resume(&queued["write_id"]).await);
        assert_eq!(context.notes(), 0, "the request may still take effect");
        context.pass(SignedDuration::from_mins(12));
        assert!(context.resume(&queued["write_id"]).await);

        assert_eq!(context.notes(), 1);
        let requests = context.simulator.request_log();
        assert_eq!(requests.iter().filter(|request| request.contains("/composite")).count(), 2, "{requests:?}");
    });
}

#[test]
fn a_note_that_salesforce_did_not_take_up_is_sent_again_at_once() {
    run(async {
        let context = TestContext::new().await;
        let effect = Effect::Error { status: 503, code: "SERVER_UNAVAILABLE".to_owned(), message: "down".to_owned() };
        context.simulator.fault(fault("composite", 100, effect));
        let (status, queued) = context.create_note(None, "k", "Hi").await;
        assert_eq!(status, StatusCode::ACCEPTED);

        context.simulator.clear_faults();
        assert!(context.resume(&queued["write_id"]).await);

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

        context.pass(SignedDuration::from_mins(12));
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
        context.pass(SignedDuration::from_mins(12));
        let write = json!(WriteId::derive(context.org, &"k".parse().unwrap()));
        context.resume(&write).await;
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
