//! Notes are created, read and changed.

use http::StatusCode;
use jiff::SignedDuration;
use org_simulator::{Effect, Fault};
use serde_json::{Value, json};
use store::WriteState;
use store::owner_policy::OwnerPolicy;

use crate::harness::{REP, TestContext, run};

fn contains(links: &Value, id: &str) -> bool {
    links.as_array().unwrap().iter().any(|link| link == id)
}

#[test]
fn a_rep_s_note_is_linked_to_each_record_and_reads_back() {
    run(async {
        let context = TestContext::new().await;

        let (status, written) = context.create_note(Some(REP), "k", "Met R&D\nnext: <offer>").await;
        assert_eq!(status, StatusCode::CREATED);
        assert_eq!((&written["owner_choice"], &written["links"][1]), (&json!("rep"), &json!(context.opportunity)));

        let (status, note) = context.read(Some(REP), &written["note_id"]).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!((&note["title"], &note["html"]), (&json!("Call"), &json!("Met R&amp;D<br>next: &lt;offer&gt;")));
        assert!(contains(&note["links"], &context.account) && contains(&note["links"], &context.opportunity), "{note}");
        assert!(contains(&note["links"], &context.rep.id), "{note}");
    });
}

#[test]
fn the_teams_user_owns_the_note_of_a_rep_whose_grant_ended() {
    run(async {
        let context = TestContext::new().await;
        context.kill(&context.reps().connection_id());

        let (status, written) = context.create_note(Some(REP), "k", "Hi").await;

        assert_eq!(status, StatusCode::CREATED);
        assert_eq!((&written["connection"], &written["owner_choice"]), (&json!("team"), &json!("team")));
        assert_eq!(written["owner_reason"], "rep_must_reconnect");
        assert!(written["next"].as_str().unwrap().contains("POST /v1/connect-links"), "{written}");
        let note = context.simulator.record("ContentDocument", written["note_id"].as_str().unwrap()).unwrap();
        assert_eq!(note["OwnerId"], context.admin.id);
    });
}

#[test]
fn no_note_is_written_for_a_rep_who_is_unknown_or_disconnected() {
    run(async {
        let context = TestContext::new().await;
        context.disconnect(&context.reps().connection_id()).await;

        for rep in ["rep-9", REP] {
            let (status, problem) = context.create_note(Some(rep), "k", "Hi").await;
            assert_eq!(
                (status, &problem["type"]),
                (StatusCode::CONFLICT, &json!("urn:ferry:problem:connect_required")),
                "{problem}"
            );
        }
        assert_eq!(context.notes(), 0);
    });
}

#[test]
fn with_rep_only_the_same_key_works_after_a_reconnect() {
    run(async {
        let context = TestContext::with(OwnerPolicy::RepOnly).await;
        context.kill(&context.reps().connection_id());

        let (status, problem) = context.create_note(Some(REP), "k", "Hi").await;
        assert_eq!((status, &problem["type"]), (StatusCode::CONFLICT, &json!("urn:ferry:problem:reconnect_required")));

        context.connect(context.reps()).await;
        assert_eq!(context.create_note(Some(REP), "k", "Hi").await.0, StatusCode::CREATED);
    });
}

#[test]
fn a_change_leaves_the_other_members_as_they_are() {
    run(async {
        let context = TestContext::new().await;
        let (_, written) = context.create_note(None, "k", "Old").await;
        let id = &written["note_id"];

        let (status, changed) = context.change(id, None, json!({ "html": "<p>New</p>" })).await;

        assert_eq!((status, &changed["note_id"]), (StatusCode::OK, id));
        let (_, note) = context.read(None, id).await;
        assert_eq!((&note["title"], &note["html"]), (&json!("Call"), &json!("<p>New</p>")));
        let ledger = context.ledger(&changed["write_id"]).await;
        assert_eq!(ledger.state, WriteState::Finished);
        assert!(ledger.route.unwrap().connection_id.is_team());
    });
}

#[test]
fn a_change_of_a_deleted_note_is_refused_and_not_repeated() {
    run(async {
        let context = TestContext::new().await;
        let (_, written) = context.create_note(None, "k", "Old").await;
        context.delete("ContentNote", written["note_id"].as_str().unwrap());

        let (status, problem) = context.change(&written["note_id"], None, json!({ "text": "New" })).await;

        assert_eq!(
            (status, &problem["type"]),
            (StatusCode::GONE, &json!("urn:ferry:problem:record_deleted")),
            "{problem}"
        );
    });
}

#[test]
fn a_change_of_a_note_that_never_was_is_final() {
    run(async {
        let context = TestContext::new().await;
        let (status, problem) = context.change(&json!("069000000000001"), None, json!({ "text": "New" })).await;
        assert_eq!((status, &problem["type"]), (StatusCode::NOT_FOUND, &json!("urn:ferry:problem:not_found")));
    });
}

/// Salesforce says once that the note does not exist, or a proxy returns a page.
#[test]
fn a_passing_answer_does_not_refuse_a_change() {
    run(async {
        let context = TestContext::new().await;
        let (_, written) = context.create_note(None, "k", "Old").await;
        let error = |code: &str| Effect::Error { status: 404, code: code.to_owned(), message: "not found".to_owned() };
        let page = |status| Effect::Answer { status, content_type: "text/html".to_owned(), body: "<html>".to_owned() };
        let answers = [error("NOT_FOUND"), error("ENTITY_IS_DELETED"), page(403), page(404), page(420)];
        for (n, effect) in answers.into_iter().enumerate() {
            let path_prefix = "/services/data/v66.0/sobjects/ContentNote".to_owned();
            let method = Some("PATCH".to_owned());
            context.simulator.fault(Fault { path_prefix, method, times: 2, effect: effect.clone() });
            let (key, text) = (format!("c{n}"), format!("New {n}"));

            let (status, queued) = context.change(&written["note_id"], Some(&key), json!({ "text": text })).await;
            assert_eq!(status, StatusCode::ACCEPTED, "{effect:?}: {queued}");
            context.simulator.clear_faults();
            assert!(context.resume(&queued["write_id"]).await);

            assert_eq!(context.read(None, &written["note_id"]).await.1["html"], text, "{effect:?}");
            // Behind a page the change may have taken effect, or may still: the next one waits until it cannot.
            context.pass(SignedDuration::from_mins(12));
        }
    });
}

/// A note that is there is not reported as missing because of one answer.
#[test]
fn a_passing_answer_does_not_hide_a_note() {
    run(async {
        let context = TestContext::new().await;
        let (_, written) = context.create_note(None, "k", "Hi").await;
        let not_found = Effect::Error { status: 404, code: "NOT_FOUND".to_owned(), message: "not found".to_owned() };
        let page = |status| Effect::Answer { status, content_type: "text/html".to_owned(), body: "<html>".to_owned() };
        for effect in [not_found, page(403), page(404)] {
            let path_prefix = "/services/data/v66.0/sobjects/ContentNote".to_owned();
            context.simulator.fault(Fault { path_prefix, method: None, times: 1, effect: effect.clone() });

            let (status, problem) = context.read(None, &written["note_id"]).await;

            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{effect:?}: {problem}");
            assert_eq!(context.read(None, &written["note_id"]).await.0, StatusCode::OK);
        }
    });
}

#[test]
fn a_link_to_nothing_is_refused_and_leaves_no_note() {
    run(async {
        let context = TestContext::new().await;
        let path = format!("/v1/orgs/{}/notes", context.org);
        let body = json!({ "title": "T", "text": "a", "links": [context.account, "006000000000001"] });

        let (status, problem) = context.send("POST", &path, Some("k"), body).await;

        assert!(status.is_client_error(), "{status} {problem}");
        assert!(problem["salesforce"]["codes"].is_array(), "{problem}");
        assert_eq!(context.notes(), 0);
    });
}

#[test]
fn every_defect_of_a_request_is_named() {
    run(async {
        let context = TestContext::new().await;
        let path = format!("/v1/orgs/{}/notes", context.org);

        let (status, problem) = context.send("POST", &path, Some("k"), json!({ "title": "", "links": ["x"] })).await;

        assert_eq!(status, StatusCode::BAD_REQUEST);
        let defects =
            "title: the title is empty; text: text, html or markdown is required; links[0]: must be a record id";
        assert_eq!(problem["detail"], defects);
        assert_eq!(context.simulator.api_calls(), 0);
    });
}

#[test]
fn an_unknown_note_is_not_found() {
    run(async {
        let context = TestContext::new().await;
        let (status, _) = context.read(None, &json!("069000000000001")).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
    });
}

#[test]
fn a_rep_reads_only_through_the_rep_s_own_connection() {
    run(async {
        let context = TestContext::new().await;
        let (_, written) = context.create_note(None, "k", "Hi").await;

        let (status, problem) = context.read(Some("rep-9"), &written["note_id"]).await;

        assert_eq!((status, &problem["type"]), (StatusCode::CONFLICT, &json!("urn:ferry:problem:connect_required")));
    });
}

#[test]
fn an_unknown_org_is_not_found() {
    run(async {
        let context = TestContext::new().await;
        let body = json!({ "title": "T", "text": "a", "links": [context.account] });
        let (status, _) = context.send("POST", "/v1/orgs/00D000000000001/notes", Some("k"), body).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
    });
}

#[test]
fn another_method_is_not_found() {
    run(async {
        let context = TestContext::new().await;
        let path = format!("/v1/orgs/{}/notes", context.org);
        assert_eq!(context.send("GET", &path, None, Value::Null).await.0, StatusCode::NOT_FOUND);
    });
}
