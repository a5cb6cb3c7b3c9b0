//! A file is created once with all its links, although responses are lost and the function is killed (invariant 16).

use http::StatusCode;
use jiff::SignedDuration;
use org_simulator::{Effect, Fault, FaultRule};
use runtime::Schemas;
use serde_json::{Value, json};
use store::{WriteId, WriteState};

use crate::harness::{REP, TestContext, run};

fn fault(path: &str, times: u32, effect: Effect) -> Fault {
    Fault { path_prefix: format!("/services/data/v66.0/{path}"), method: None, times, effect }
}

/// Lets time pass and delivers the task of a queued write until the write has ended.
async fn finished(context: &TestContext, write_id: &Value) -> Value {
    for _ in 0..12 {
        let write = context.ledger(write_id).await;
        if write.state.is_final() {
            assert_eq!(write.state, WriteState::Finished, "{:?}", write.response);
            return write.response.unwrap();
        }
        context.pass(SignedDuration::from_mins(2));
        assert!(context.resume(write_id).await);
    }
    panic!("the write has not ended: {:?}", context.ledger(write_id).await);
}

/// The requests of a file on two records: the describe, the check of the records, the file, its document, and the links.
const REQUESTS: u32 = 5;

/// Each request of the write path gets each fault once.
#[test]
fn one_file_is_made_whatever_happens_to_a_request() {
    let unavailable = Effect::Error { status: 503, code: "SERVER_UNAVAILABLE".to_owned(), message: "down".to_owned() };
    let after_commit = Effect::ErrorAfter { status: 500, code: "SOMETHING_NEW".to_owned(), message: "no".to_owned() };
    let effects = [
        Effect::ResetBefore,
        Effect::ResetAfter,
        Effect::Unavailable,
        unavailable,
        after_commit,
        Effect::CommitLate { delay_s: 570 },
    ];
    run(async {
        let mut context = TestContext::new().await;
        let mut count = 0;
        for effect in effects {
            for skip in 0..REQUESTS {
                context.deps.schemas = Schemas::default();
                let rule = FaultRule { skip, times: Some(1), ..FaultRule::from(fault("", 1, effect.clone())) };
                context.simulator.fault(rule);
                let key = format!("k{count}");

                let (status, answer) = context.create_file(Some(REP), &key, &context.file(b"hello")).await;
                assert!(status.is_success(), "{effect:?} at {skip}: {status} {answer}");
                let used: u64 = context.simulator.faults().iter().map(|fault| fault.used).sum();
                assert_eq!(used, 1, "{effect:?} at {skip}");
                context.simulator.clear_faults();
                let outcome = finished(&context, &answer["write_id"]).await;

                count += 1;
                context.assert_files(count, &outcome, b"hello");
                let (status, again) = context.create_file(Some(REP), &key, &context.file(b"hello")).await;
                assert_eq!(
                    (status, &again["content_version_id"]),
                    (StatusCode::CREATED, &outcome["content_version_id"])
                );
            }
        }
    });
}

#[test]
fn a_file_that_is_committed_minutes_later_is_made_once() {
    run(async {
        let context = TestContext::new().await;
        context.simulator.fault(fault("sobjects/ContentVersion", 1, Effect::CommitLate { delay_s: 570 }));
        let (status, queued) = context.create_file(None, "k", &context.file(b"hello")).await;
        assert_eq!((status, context.files()), (StatusCode::ACCEPTED, 0));

        for minutes in [1, 3, 5] {
            context.pass(SignedDuration::from_mins(minutes));
            assert!(context.resume(&queued["write_id"]).await);
            assert_eq!((context.ledger(&queued["write_id"]).await.state, context.files()), (WriteState::Queued, 0));
        }
        context.pass(SignedDuration::from_mins(1));
        assert!(context.resume(&queued["write_id"]).await);

        let write = context.ledger(&queued["write_id"]).await;
        context.assert_one_file(&write.response.unwrap(), b"hello");
    });
}

#[test]
fn a_file_that_never_arrived_is_sent_once_no_request_can_take_effect() {
    run(async {
        let context = TestContext::new().await;
        context.simulator.fault(fault("sobjects/ContentVersion", 1, Effect::ResetBefore));
        let (_, queued) = context.create_file(None, "k", &context.file(b"hello")).await;

        context.pass(SignedDuration::from_mins(16));
        assert!(context.resume(&queued["write_id"]).await);
        assert_eq!(context.files(), 0, "the request may still take effect");
        context.pass(SignedDuration::from_mins(1));
        assert!(context.resume(&queued["write_id"]).await);

        let write = context.ledger(&queued["write_id"]).await;
        context.assert_one_file(&write.response.unwrap(), b"hello");
    });
}

#[test]
fn a_link_that_salesforce_refuses_is_reported_and_the_file_stays() {
    run(async {
        let context = TestContext::new().await;
        let refusal = "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY";
        let effect = Effect::Error { status: 400, code: refusal.to_owned(), message: "no".to_owned() };
        context.simulator.fault(fault("composite/sobjects", 1, effect));

        let (status, written) = context.create_file(Some(REP), "k", &context.file(b"hello")).await;

        assert_eq!((status, context.files()), (StatusCode::CREATED, 1), "{written}");
        assert_eq!((&written["links"][0]["linked"], &written["links"][1]["linked"]), (&json!(true), &json!(false)));
        assert_eq!(written["links"][1]["errors"][0]["code"], refusal);
    });
}

#[test]
fn two_writes_of_the_same_file_make_two() {
    run(async {
        let context = TestContext::new().await;
        let (_, first) = context.create_file(None, "k1", &context.file(b"hello")).await;
        context.simulator.fault(fault("sobjects/ContentVersion", 1, Effect::ResetBefore));
        let (_, queued) = context.create_file(None, "k2", &context.file(b"hello")).await;

        let second = finished(&context, &queued["write_id"]).await;

        assert_eq!(context.files(), 2);
        assert_ne!(first["content_version_id"], second["content_version_id"]);
    });
}

/// The rep has changed title and description before the write is tried again.
#[test]
fn a_file_that_was_edited_meanwhile_is_found() {
    run(async {
        let context = TestContext::new().await;
        context.simulator.fault(fault("sobjects/ContentVersion", 1, Effect::CommitLate { delay_s: 30 }));
        let (_, queued) = context.create_file(None, "k", &context.file(b"hello")).await;
        context.pass(SignedDuration::from_mins(1));
        let team = context.deps.ledger.salesforce.client(context.org, &store::ConnectionId::team());
        let since = context.clock.now() - SignedDuration::from_hours(1);
        let found = team.find_files(&context.account.parse().unwrap(), since).await.unwrap();
        let edit = json!({ "Title": "Renamed", "Description": "Edited" });
        context.update("ContentVersion", found[0].version.as_str(), &edit);

        let outcome = finished(&context, &queued["write_id"]).await;

        assert_eq!((context.files(), &outcome["content_version_id"]), (1, &json!(found[0].version)));
    });
}

#[test]
fn a_request_killed_at_every_point_and_sent_again_writes_once() {
    run(async {
        let context = TestContext::killable().await;
        let body = context.file(b"hello");

        let mut kills = 0;
        while !context.killed_at(kills, context.create_file(Some(REP), "k", &body)).await {
            context.pass_a_minute();
            kills += 1;
        }

        assert!(kills > 5, "killed {kills} times");
        let write = json!(WriteId::derive(context.org, &"k".parse().unwrap()));
        let outcome = finished(&context, &write).await;
        context.assert_one_file(&outcome, b"hello");
        assert_eq!(context.create_file(Some(REP), "k", &body).await.0, StatusCode::CREATED);
    });
}

/// The content waits in the bucket, and the function is killed wherever it can be.
#[test]
fn a_queued_file_killed_at_every_point_is_made_once() {
    run(async {
        let context = TestContext::killable().await;
        context.simulator.fault(fault("", 100, Effect::Unavailable));
        let (status, queued) = context.create_file(Some(REP), "k", &context.file(b"hello")).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{queued}");
        context.simulator.clear_faults();

        let mut kills = 0;
        while !context.killed_at(kills, context.resume(&queued["write_id"])).await {
            context.pass(SignedDuration::from_mins(6));
            kills += 1;
        }

        assert!(kills > 5, "killed {kills} times");
        let outcome = finished(&context, &queued["write_id"]).await;
        context.assert_one_file(&outcome, b"hello");
        assert_eq!(context.staged().await, 0);
    });
}
