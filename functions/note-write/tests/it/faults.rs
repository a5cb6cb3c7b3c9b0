//! A fault at each request of each write of a note: one note, all links, one outcome.

use http::StatusCode;
use jiff::SignedDuration;
use org_simulator::{Effect, Fault, FaultRule};
use serde_json::{Value, json};
use store::{WriteId, WriteState};

use crate::harness::{REP, TestContext, run};

/// The faults, by the way in which the request takes effect.
fn effects() -> [Effect; 5] {
    [
        Effect::ResetBefore,
        Effect::ResetAfter,
        Effect::Unavailable,
        Effect::CommitLate { delay_s: 570 },
        Effect::ErrorAfter { status: 500, code: "SOMETHING_NEW".to_owned(), message: "no".to_owned() },
    ]
}

/// Adds a fault for the request with this number.
fn fault_at(context: &TestContext, number: u32, effect: &Effect) {
    let path_prefix = "/services/data".to_owned();
    let fault = Fault { path_prefix, method: None, times: 1, effect: effect.clone() };
    context.simulator.clear_faults();
    context.simulator.fault(FaultRule { skip: number, times: Some(1), ..FaultRule::from(fault) });
}

/// Removes the fault. Returns whether it has affected a request.
fn was_spent(context: &TestContext) -> bool {
    let is_spent = context.simulator.faults().iter().all(|fault| fault.spent);
    context.simulator.clear_faults();
    is_spent
}

/// Sends a request, and makes the later attempts until the write has ended. Returns its outcome.
async fn to_the_end(context: &TestContext, method: &str, path: &str, key: &str, body: &Value) -> Value {
    let (status, response) = context.send(method, path, Some(key), body.clone()).await;
    let id = json!(WriteId::derive(context.org, &key.parse().unwrap()));
    for _ in 0..6 {
        if context.ledger(&id).await.state != WriteState::Queued {
            break;
        }
        assert_eq!(status, StatusCode::ACCEPTED, "{response}");
        context.pass(SignedDuration::from_mins(12));
        assert!(context.resume(&id).await);
    }
    let write = context.ledger(&id).await;
    assert_eq!(write.state, WriteState::Finished, "{response} {:?}", write.response);
    let (status, repeated) = context.send(method, path, Some(key), body.clone()).await;
    assert!(status.is_success(), "{status} {repeated}");
    write.response.unwrap()
}

fn created_with_faults(links: usize) {
    run(async move {
        let context = TestContext::new().await;
        let records = context.accounts(links);
        let path = format!("/v1/orgs/{}/notes?as={REP}", context.org);
        let body = json!({ "title": "Call", "text": "Hi", "links": records });
        let mut notes = 0;
        for (kind, effect) in effects().into_iter().enumerate() {
            for number in 0.. {
                // The describe of the notes is remembered for 15 minutes.
                context.pass(SignedDuration::from_mins(16));
                fault_at(&context, number, &effect);
                let outcome = to_the_end(&context, "POST", &path, &format!("{kind}-{number}"), &body).await;
                let was_spent = was_spent(&context);
                notes += 1;
                assert_eq!(context.notes(), notes, "{effect:?} at request {number}");
                let linked = context.links_of(&outcome["note_id"]).await;
                assert!(records.iter().all(|record| linked.contains(record)), "{effect:?} at request {number}");
                if !was_spent {
                    assert!(number >= 2, "a describe and the creation");
                    break;
                }
            }
        }
    });
}

#[test]
fn a_note_with_one_link_is_made_once_with_its_link() {
    created_with_faults(1);
}

#[test]
fn a_note_with_30_links_is_made_once_with_all_links() {
    created_with_faults(30);
}

#[test]
fn a_note_with_100_links_is_made_once_with_all_links() {
    created_with_faults(100);
}

#[test]
fn a_note_with_30_links_killed_at_every_point_is_completed() {
    run(async {
        let context = TestContext::killable().await;
        let records = context.accounts(30);
        let path = format!("/v1/orgs/{}/notes?as={REP}", context.org);
        let body = json!({ "title": "Call", "text": "Hi", "links": records });

        let mut kills = 0;
        while !context.killed_at(kills, context.send("POST", &path, Some("k"), body.clone())).await {
            context.pass_a_minute();
            kills += 1;
        }

        assert!(kills > 3, "killed {kills} times");
        context.pass(SignedDuration::from_mins(12));
        context.resume(&json!(WriteId::derive(context.org, &"k".parse().unwrap()))).await;
        let (status, written) = context.send("POST", &path, Some("k"), body).await;
        assert_eq!((status, context.notes()), (StatusCode::CREATED, 1), "{written}");
        let linked = context.links_of(&written["note_id"]).await;
        assert!(records.iter().all(|record| linked.contains(record)));
    });
}

/// Each write of a note that exists, with each fault at each of its requests.
#[test]
fn a_change_a_link_and_a_deletion_happen_once() {
    run(async {
        let context = TestContext::new().await;
        let record = context.accounts(1).remove(0);
        for (kind, effect) in effects().into_iter().enumerate() {
            for number in 0.. {
                let (_, written) = context.create_note(None, &format!("{kind}-{number}"), "Old").await;
                let id = written["note_id"].as_str().unwrap();
                let path = format!("/v1/orgs/{}/notes/{id}", context.org);
                let link = format!("{path}/links/{record}");
                let key = |operation: &str| format!("{operation}-{kind}-{number}");
                let mut is_any_spent = false;

                fault_at(&context, number, &effect);
                to_the_end(&context, "PATCH", &path, &key("change"), &json!({ "text": "New" })).await;
                is_any_spent |= was_spent(&context);
                context.pass(SignedDuration::from_mins(12));
                assert_eq!(context.read(None, &json!(id)).await.1["html"], "New", "{effect:?} {number}");

                fault_at(&context, number, &effect);
                let share = json!({ "share_type": "inferred" });
                to_the_end(&context, "PUT", &link, &key("link"), &share).await;
                is_any_spent |= was_spent(&context);
                context.pass(SignedDuration::from_mins(12));
                assert_eq!(context.share_type(&json!(id), &record).await, Some("I"), "{effect:?} {number}");

                fault_at(&context, number, &effect);
                to_the_end(&context, "DELETE", &link, &key("unlink"), &json!({})).await;
                is_any_spent |= was_spent(&context);
                context.pass(SignedDuration::from_mins(12));
                assert_eq!(context.share_type(&json!(id), &record).await, None, "{effect:?} {number}");

                let before = context.notes();
                fault_at(&context, number, &effect);
                to_the_end(&context, "DELETE", &path, &key("delete"), &json!({})).await;
                is_any_spent |= was_spent(&context);
                context.pass(SignedDuration::from_mins(12));
                assert_eq!(context.notes(), before - 1, "{effect:?} {number}");
                if !is_any_spent {
                    assert!(number >= 2);
                    break;
                }
            }
        }
    });
}
