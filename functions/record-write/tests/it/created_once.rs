//! A record without an external id is created once, although responses are lost and the function is killed (invariant 16).

use http::StatusCode;
use jiff::SignedDuration;
use org_simulator::{Effect, Fault, ObjectPermissions};
use serde_json::{Value, json};
use store::{OrgData, RecordLedger, WriteId};

use crate::harness::{REP, TestContext, run};

/// The time after which no request of an attempt takes effect any more, and another attempt may begin.
const SETTLED: SignedDuration = SignedDuration::from_mins(13);

fn on(path: &str, times: u32, effect: Effect) -> Fault {
    Fault { path_prefix: format!("/services/data/v66.0/{path}"), method: None, times, effect }
}

fn error(status: u16, code: &str) -> (u16, String, String) {
    (status, code.to_owned(), "no".to_owned())
}

/// Every way in which a request ends without its effect, or without a response that tells it.
fn faults() -> Vec<Effect> {
    let (status, code, message) = error(503, "SERVER_UNAVAILABLE");
    let not_taken_up = Effect::Error { status, code, message };
    let (status, code, message) = error(500, "SOMETHING_NEW");
    let after_commit = Effect::ErrorAfter { status, code, message };
    vec![
        Effect::ResetBefore,
        Effect::ResetAfter,
        Effect::Unavailable,
        not_taken_up,
        after_commit,
        Effect::CommitLate { delay_s: 30 },
        Effect::CommitLate { delay_s: 570 },
        Effect::UnableToLockRow,
        Effect::RequestLimitExceeded,
        Effect::InternalError,
        Effect::Truncate { keep_bytes: None },
    ]
}

fn task(key: &str, subject: &str) -> Value {
    json!({"client_key": key, "Subject": subject, "Priority": "High", "ActivityDate": "2026-12-01"})
}

/// Makes attempts, each when no earlier request takes effect any more, until the write has ended. Returns it.
async fn end(context: &TestContext, idempotency_key: &str) -> Value {
    let write_id = json!(WriteId::derive(context.org, &idempotency_key.parse().unwrap()));
    for _ in 0..8 {
        let (_, write) = context.ledger(&write_id).await;
        if write["state"] == "finished" || write["state"] == "failed" {
            return write;
        }
        context.pass(SETTLED);
        assert!(context.resume(&write_id).await);
    }
    panic!("the write has not ended: {}", context.ledger(&write_id).await.1);
}

/// Walks the requests of an attempt and the faults of each: whatever happens, the records are there once, and the outcome says
/// so.
#[test]
fn any_fault_of_any_request_leaves_each_record_once() {
    run(async {
        let mut context = TestContext::new().await;
        for (number, effect) in faults().into_iter().enumerate() {
            // The creation alone; the creation and then the search for what it created; the creation and the describe.
            for (other, path) in [None, Some("query"), Some("sobjects/Task/describe")].into_iter().enumerate() {
                let before = context.count_in_org("Task");
                let name = format!("{number}-{other}");
                context.simulator.fault(on("composite/sobjects", 1, effect.clone()));
                if let Some(path) = path {
                    context.forget();
                    context.simulator.fault(on(path, 2, effect.clone()));
                }
                // Two of them are equal.
                let records = json!([
                    task(&format!("{name}a"), "Call"),
                    task(&format!("{name}b"), "Call"),
                    task(&format!("{name}c"), &name)
                ]);
                let (status, answer) = context.create_records("Task", Some(REP), &name, records.clone()).await;
                assert!(
                    [StatusCode::OK, StatusCode::ACCEPTED].contains(&status),
                    "{effect:?} {path:?} {status} {answer}"
                );
                context.simulator.clear_faults();

                let write = end(&context, &name).await;

                assert_eq!(context.count_in_org("Task"), before + 3, "{effect:?} {path:?} {write}");
                let (status, answer) = context.create_records("Task", Some(REP), &name, records).await;
                assert_eq!((status, &answer["records"]), (StatusCode::OK, &write["records"]), "{effect:?} {path:?}");
                let outcomes = answer["records"].as_array().unwrap();
                let mut ids: Vec<&str> = outcomes.iter().map(|outcome| outcome["id"].as_str().unwrap()).collect();
                assert!(outcomes.iter().all(|outcome| outcome["created"] == true), "{effect:?} {path:?} {answer}");
                assert_eq!(context.in_org("Task", &json!(ids[2]))["Subject"], *name);
                ids.sort_unstable();
                ids.dedup();
                assert_eq!(ids.len(), 3, "{effect:?} {path:?} {answer}");
                context.pass(SETTLED);
            }
        }
    });
}

#[test]
fn a_creation_killed_at_every_point_makes_one_record() {
    run(async {
        let context = TestContext::killable().await;
        let mut kills = 0;
        loop {
            let before = context.count_in_org("Task");
            let key = format!("k{kills}");
            let records = || json!([task(&key, &format!("Call {kills}"))]);
            let finished = context.killed_at(kills, context.create_records("Task", Some(REP), &key, records())).await;
            context.pass_a_minute();
            // The platform sends the request again, as after any lost response.
            let (status, answer) = context.create_records("Task", Some(REP), &key, records()).await;
            assert!([StatusCode::OK, StatusCode::ACCEPTED].contains(&status), "{kills} {status} {answer}");
            let write = end(&context, &key).await;
            assert_eq!(context.count_in_org("Task"), before + 1, "{kills} {write}");
            assert_eq!(
                (&write["state"], &write["records"][0]["created"]),
                (&json!("finished"), &json!(true)),
                "{kills} {write}"
            );
            if finished {
                break;
            }
            kills += 1;
        }
        // It stores the write, loads the connections, joins, claims, notes the time, sends, stores the record, and finishes.
        assert!(kills >= 8, "killed {kills} times");
    });
}

/// The platform gave the first request up, and sends the record with another idempotency key.
#[test]
fn a_killed_creation_is_found_by_another_write_of_its_client_key() {
    run(async {
        let context = TestContext::killable().await;
        let mut kills = 0;
        loop {
            let before = context.count_in_org("Task");
            let (first, second) = (format!("k{kills}"), format!("l{kills}"));
            let records = || json!([task(&first, &format!("Call {kills}"))]);
            let finished = context.killed_at(kills, context.create_records("Task", Some(REP), &first, records())).await;
            context.pass_a_minute();
            let (status, answer) = context.create_records("Task", Some(REP), &second, records()).await;
            assert!([StatusCode::OK, StatusCode::ACCEPTED].contains(&status), "{kills} {status} {answer}");
            let write = end(&context, &second).await;
            assert_eq!(
                (&write["state"], &write["records"][0]["success"]),
                (&json!("finished"), &json!(true)),
                "{kills} {write}"
            );
            assert_eq!(context.count_in_org("Task"), before + 1, "{kills} {write}");
            if finished {
                break;
            }
            kills += 1;
        }
        assert!(kills >= 8, "killed {kills} times");
    });
}

#[test]
fn equal_records_of_two_writes_without_responses_are_two() {
    run(async {
        let context = TestContext::new().await;
        let before = context.count_in_org("Task");
        context.simulator.fault(on("composite/sobjects", 2, Effect::CommitLate { delay_s: 60 }));
        for key in ["k1", "k2"] {
            let (status, _) = context.create_records("Task", Some(REP), key, json!([task(key, "Call")])).await;
            assert_eq!(status, StatusCode::ACCEPTED);
        }

        context.pass(SignedDuration::from_mins(2));
        let (first, second) = (end(&context, "k1").await, end(&context, "k2").await);

        assert_ne!(first["records"][0]["id"], second["records"][0]["id"], "{first} {second}");
        assert_eq!(context.count_in_org("Task"), before + 2);
    });
}

#[test]
fn a_record_that_never_arrived_is_not_taken_for_a_similar_one() {
    run(async {
        let context = TestContext::new().await;
        context.simulator.fault(on("composite/sobjects", 1, Effect::ResetBefore));
        context.create_records("Task", Some(REP), "k", json!([task("t-1", "Call")])).await;
        // The rep enters a similar task by hand, and a colleague an equal one.
        let mut similar = task("", "Mail");
        similar.as_object_mut().unwrap().remove("client_key");
        context.create(&context.rep, "Task", &similar);
        similar["Subject"] = json!("Call");
        context.create(&context.admin, "Task", &similar);
        let before = context.count_in_org("Task");

        let write = end(&context, "k").await;

        assert_eq!(context.count_in_org("Task"), before + 1, "{write}");
    });
}

#[test]
fn a_lost_record_that_was_edited_or_deleted_meanwhile_is_not_made_again() {
    run(async {
        let context = TestContext::new().await;
        for (key, edit) in [("k1", true), ("k2", false)] {
            context.simulator.fault(on("composite/sobjects", 1, Effect::ResetAfter));
            context.simulator.fault(on("query", 9, Effect::ResetBefore));
            let (status, _) = context.create_records("Task", Some(REP), key, json!([task(key, key)])).await;
            assert_eq!(status, StatusCode::ACCEPTED);
            context.simulator.clear_faults();
            let rows = context.simulator.record_counts()["Task"];
            let id = context.newest("Task").await;
            if edit {
                context.update("Task", &id, &json!({"Priority": "Low"}));
            } else {
                context.delete("Task", &id);
            }

            let write = end(&context, key).await;

            assert_eq!(write["records"][0]["id"], json!(id), "{write}");
            assert_eq!(context.simulator.record_counts()["Task"], rows - usize::from(!edit));
        }
    });
}

/// The first request went through the rep's connection, and the rest of the write through the team's.
#[test]
fn a_record_of_the_reps_connection_is_found_by_the_teams() {
    run(async {
        let context = TestContext::new().await;
        let before = context.count_in_org("Task");
        context.simulator.fault(on("composite/sobjects", 1, Effect::CommitLate { delay_s: 60 }));
        let (status, _) = context.create_records("Task", Some(REP), "k", json!([task("t-1", "Call")])).await;
        assert_eq!(status, StatusCode::ACCEPTED);
        context.revoke_reps_grant_after_a_refresh();

        let write = end(&context, "k").await;

        assert_eq!(
            (&write["owner_choice"], &write["records"][0]["created"]),
            (&json!("team_with_owner"), &json!(true)),
            "{write}"
        );
        assert_eq!(context.count_in_org("Task"), before + 1);
    });
}

#[test]
fn a_field_that_was_hidden_meanwhile_is_not_compared() {
    run(async {
        let context = TestContext::new().await;
        let before = context.count_in_org("Task");
        context.simulator.fault(on("composite/sobjects", 1, Effect::CommitLate { delay_s: 60 }));
        context.create_records("Task", Some(REP), "k", json!([task("t-1", "Call")])).await;
        context.pass(SignedDuration::from_mins(2));
        let hidden = ObjectPermissions { hidden_fields: vec!["Priority".to_owned()], ..ObjectPermissions::default() };
        context.simulator.limit_profile("Standard User", "Task", &hidden).unwrap();

        let write = end(&context, "k").await;

        assert_eq!(write["records"][0]["success"], true, "{write}");
        assert_eq!(context.count_in_org("Task"), before + 1);
    });
}

#[test]
fn a_locked_record_is_created_later_and_the_others_at_once() {
    run(async {
        let context = TestContext::new().await;
        let before = context.count_in_org("Task");
        context.simulator.fault(on("composite/sobjects", 9, Effect::UnableToLockRow));
        let (status, _) = context.create_records("Task", Some(REP), "k", json!([task("a", "A"), task("b", "B")])).await;
        assert_eq!(status, StatusCode::ACCEPTED);
        context.simulator.clear_faults();

        // Salesforce has answered, so nothing may take effect late.
        context.pass_a_minute();
        let write_id = json!(WriteId::derive(context.org, &"k".parse().unwrap()));
        assert!(context.resume(&write_id).await);

        assert_eq!(context.state(&write_id).await, "finished");
        assert_eq!(context.count_in_org("Task"), before + 2);
    });
}

#[test]
fn an_erased_record_frees_its_client_key() {
    run(async {
        let context = TestContext::new().await;
        let (_, first) = context.create_records("Task", None, "k1", json!([task("t-1", "Call")])).await;
        let record = first["records"][0]["id"].as_str().unwrap().parse().unwrap();
        let data = OrgData::new(&context.dynamodb(), |table| context.table(table.name()));

        let deleted = data.delete_record_page(context.org, record, RecordLedger::ClientKeys, None).await.unwrap();
        assert_eq!(deleted.deleted, 2, "the row of the record, and that of the client key");

        let (_, second) = context.create_records("Task", None, "k2", json!([task("t-1", "Call")])).await;
        assert_eq!(second["records"][0]["created"], true, "{second}");
    });
}

/// After three days without an answer the write ends, and the same client key makes a new request safe.
#[test]
fn a_write_that_was_given_up_is_sent_again_safely() {
    run(async {
        let context = TestContext::new().await;
        let before = context.count_in_org("Task");
        context.simulator.fault(on("composite/sobjects", 1, Effect::ResetAfter));
        context.simulator.fault(on("query", 1_000, Effect::Unavailable));
        context.create_records("Task", Some(REP), "k1", json!([task("t-1", "Call")])).await;
        let write_id = json!(WriteId::derive(context.org, &"k1".parse().unwrap()));
        while context.state(&write_id).await == "queued" {
            context.pass(SignedDuration::from_mins(46));
            assert!(context.resume(&write_id).await);
        }
        assert_eq!(context.state(&write_id).await, "failed");
        context.simulator.clear_faults();

        let (status, again) = context.create_records("Task", Some(REP), "k2", json!([task("t-1", "Call")])).await;

        assert_eq!((status, &again["records"][0]["created"]), (StatusCode::OK, &json!(false)), "{again}");
        assert_eq!(context.count_in_org("Task"), before + 1);
    });
}
