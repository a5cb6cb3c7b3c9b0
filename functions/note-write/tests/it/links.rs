//! Links of notes: with share types, added and removed, and refused.

use http::StatusCode;
use org_simulator::ObjectPermissions;
use serde_json::{Value, json};

use crate::harness::{REP, TestContext, run};

fn notes_path(context: &TestContext) -> String {
    format!("/v1/orgs/{}/notes?as={REP}", context.org)
}

#[test]
fn a_note_with_100_links_costs_two_calls() {
    run(async {
        let context = TestContext::new().await;
        let records = context.accounts(100);
        context.create_note(Some(REP), "first", "The describe of the notes is remembered").await;
        let calls = context.simulator.api_calls();

        let body = json!({ "title": "Call", "text": "Hi", "links": records });
        let (status, written) = context.send("POST", &notes_path(&context), Some("k"), body).await;

        assert_eq!((status, context.simulator.api_calls() - calls), (StatusCode::CREATED, 2), "{written}");
        assert_eq!(written["links"].as_array().unwrap().len(), 100);
        let linked = context.links_of(&written["note_id"]).await;
        assert!(records.iter().all(|record| linked.contains(record)));
    });
}

#[test]
fn a_refused_link_is_named_and_no_note_remains() {
    run(async {
        let context = TestContext::new().await;
        for at in [1, 29] {
            let mut records = context.accounts(30);
            records[at] = "006000000000001AAA".to_owned();
            let body = json!({ "title": "Call", "text": "Hi", "links": records });

            let (status, problem) = context.send("POST", &notes_path(&context), Some(&format!("k{at}")), body).await;

            assert!(status.is_client_error(), "{status} {problem}");
            assert!(
                problem["detail"].as_str().unwrap().contains("the link to 006000000000001AAA was refused"),
                "{problem}"
            );
            assert_eq!(context.notes(), 0);
        }
    });
}

#[test]
fn a_link_is_added_changed_and_removed() {
    run(async {
        let context = TestContext::new().await;
        let (_, written) = context.create_note(Some(REP), "k", "Hi").await;
        let id = &written["note_id"];
        let record = context.accounts(1).remove(0);
        let path = format!("/v1/orgs/{}/notes/{}/links/{record}?as={REP}", context.org, id.as_str().unwrap());

        for (body, code) in [(json!({}), "V"), (json!({}), "V"), (json!({ "share_type": "inferred" }), "I")] {
            let (status, linked) = context.send("PUT", &path, None, body).await;
            assert_eq!((status, &linked["record"]), (StatusCode::OK, &json!(record)), "{linked}");
            assert_eq!(context.share_type(id, &record).await, Some(code));
        }
        for _ in 0..2 {
            let (status, removed) = context.send("DELETE", &path, None, Value::Null).await;
            assert_eq!((status, &removed["record"]), (StatusCode::OK, &json!(record)), "{removed}");
            assert_eq!(context.share_type(id, &record).await, None);
        }
        let (status, problem) = context.send("PUT", &path, None, json!({ "share_type": "owner" })).await;
        assert_eq!(
            (status, &problem["detail"]),
            (StatusCode::BAD_REQUEST, &json!("share_type: share_type must be viewer, collaborator or inferred"))
        );
    });
}

#[test]
fn a_note_loses_its_last_record_and_stays() {
    run(async {
        let context = TestContext::new().await;
        let (_, written) = context.create_note(None, "k", "Hi").await;
        let id = written["note_id"].as_str().unwrap();
        for record in [&context.account, &context.opportunity] {
            let path = format!("/v1/orgs/{}/notes/{id}/links/{record}", context.org);
            assert_eq!(context.send("DELETE", &path, None, Value::Null).await.0, StatusCode::OK);
        }
        let (status, note) = context.read(None, &json!(id)).await;
        assert_eq!((status, &note["links"]), (StatusCode::OK, &json!([context.admin.id])), "the owner's link");
    });
}

#[test]
fn a_deleted_note_is_deleted_again() {
    run(async {
        let context = TestContext::new().await;
        let (_, written) = context.create_note(Some(REP), "k", "Hi").await;
        let path = format!("/v1/orgs/{}/notes/{}?as={REP}", context.org, written["note_id"].as_str().unwrap());

        for _ in 0..2 {
            let (status, deleted) = context.send("DELETE", &path, None, Value::Null).await;
            assert_eq!((status, &deleted["note_id"]), (StatusCode::OK, &written["note_id"]), "{deleted}");
            assert_eq!(context.notes(), 0);
        }
        let (status, problem) = context.read(Some(REP), &written["note_id"]).await;
        assert_eq!(
            (status, &problem["type"]),
            (StatusCode::GONE, &json!("urn:ferry:problem:record_deleted")),
            "{problem}"
        );
        let never = format!("/v1/orgs/{}/notes/069000000000001", context.org);
        assert_eq!(context.send("DELETE", &never, None, Value::Null).await.0, StatusCode::NOT_FOUND);
    });
}

#[test]
fn notes_that_are_switched_off_are_a_problem_of_their_own() {
    run(async {
        let context = TestContext::new().await;
        let (_, written) = context.create_note(Some(REP), "k", "Hi").await;
        let hidden = ObjectPermissions { hidden: true, ..ObjectPermissions::default() };
        for profile in ["Standard User", "System Administrator"] {
            context.simulator.limit_profile(profile, "ContentNote", &hidden).unwrap();
        }
        context.pass(jiff::SignedDuration::from_mins(16));

        let answers = [
            context.create_note(Some(REP), "k2", "Hi").await,
            context.read(Some(REP), &written["note_id"]).await,
            context.change(&written["note_id"], None, json!({ "text": "New" })).await,
        ];
        for (status, problem) in answers {
            assert_eq!(
                (status, &problem["type"]),
                (StatusCode::NOT_FOUND, &json!("urn:ferry:problem:object_not_visible")),
                "{problem}"
            );
            assert!(problem["next"].as_str().unwrap().contains("Notes Settings"), "{problem}");
        }
    });
}

#[test]
fn a_rep_who_may_only_read_is_refused_before_a_write() {
    run(async {
        let context = TestContext::new().await;
        let (_, written) = context.create_note(Some(REP), "k", "Hi").await;
        let read_only = ObjectPermissions { no_create: true, no_edit: true, ..ObjectPermissions::default() };
        context.simulator.limit_profile("Standard User", "ContentNote", &read_only).unwrap();
        context.pass(jiff::SignedDuration::from_mins(16));
        let path = format!("/v1/orgs/{}/notes/{}?as={REP}", context.org, written["note_id"].as_str().unwrap());

        let created = context.create_note(Some(REP), "k2", "Hi").await;
        let changed = context.send("PATCH", &path, None, json!({ "text": "New" })).await;

        for ((status, problem), action) in [(created, "create notes"), (changed, "change notes")] {
            assert_eq!(
                (status, &problem["type"]),
                (StatusCode::FORBIDDEN, &json!("urn:ferry:problem:salesforce_forbidden")),
                "{problem}"
            );
            assert_eq!(problem["detail"], format!("the connection's user may not {action}"));
        }
        let writes = context
            .simulator
            .request_log()
            .into_iter()
            .filter(|line| line.starts_with("POST") || line.starts_with("PATCH"));
        assert_eq!(
            writes.filter(|line| line.contains("/composite") || line.contains("ContentNote")).count(),
            1,
            "the first note"
        );
    });
}
