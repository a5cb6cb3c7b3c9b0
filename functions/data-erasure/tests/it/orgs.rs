//! The erasure of an org.

use futures::future::join;
use http::StatusCode;
use jiff::SignedDuration;
use serde_json::json;
use store::erasures::LONGEST_INVOCATION;
use store::staged_files::Sha256Digest;
use store::{OrgState, OrgTable, StagedKey, WriteId};

use crate::harness::{CONTACT, TestContext, run};

const OTHER_ORG: &str = "00D79000000exLEEAY";

fn none() -> Vec<(OrgTable, usize)> {
    OrgTable::ALL.map(|table| (table, 0)).to_vec()
}

#[test]
fn everything_of_an_org_is_erased_and_nothing_of_another() {
    run(async {
        let context = TestContext::new().await;
        let other = OTHER_ORG.parse().unwrap();
        context.fill(context.org).await;
        context.fill(other).await;
        let before = context.rows(other).await;
        assert!(before.iter().all(|(_, rows)| *rows > 0), "{before:?}");
        assert_eq!(context.rows(context.org).await, before);
        context.dead_letter("RecordUpsertDeadLetters", &json!({ "org_id": context.org })).await;
        context.dead_letter("RecordUpsertDeadLetters", &json!({ "org_id": other })).await;
        let erasure = context.closed_and_requested().await;

        assert!(context.work_on(&erasure).await.is_empty());

        let done = context.progress(&erasure).await;
        assert_eq!(done["state"], "finished", "{done}");
        let deleted = json!({
            "records": 3, "pipelines": 1, "cursors": 2, "deliveries": 1, "writes": 1, "write_order": 1,
            "origins": 1, "budgets": 1, "freshness": 1, "authorizations": 1, "users": 1, "org_settings": 1, "audits": 1, "staged_files": 0, "dead_letters": 1, "connections": 2,
        });
        assert_eq!(done["deleted"], deleted);
        assert_eq!(context.rows(context.org).await, none());
        assert_eq!(context.rows(other).await, before);
        assert!(context.connections.list(context.org).await.unwrap().is_empty());
        let org = context.orgs.load(context.org).await.unwrap().unwrap();
        assert_eq!((org.state, org.tenant.is_some()), (OrgState::Disconnected, true));
        assert!(org.erased_at.is_some() && org.webhook_secrets.is_empty());
        let left: Vec<&str> =
            done["left"].as_array().unwrap().iter().map(|left| left["what"].as_str().unwrap()).collect();
        assert_eq!(left, ["org", "queues", "links", "backups", "logs", "events"]);
    });
}

#[test]
fn the_staged_files_of_an_org_are_erased() {
    run(async {
        let context = TestContext::new().await;
        let other = OTHER_ORG.parse().unwrap();
        for (org, count) in [(context.org, 3), (other, 1)] {
            for number in 0..count {
                let write = WriteId::derive(org, &format!("k{number}").parse().unwrap());
                let digest = Sha256Digest::of(b"content");
                let key = StagedKey::of_request(org, write, &digest);
                context.deps.staged_files.put(&key, b"content".to_vec(), &digest).await.unwrap();
            }
        }
        let erasure = context.closed_and_requested().await;

        assert!(context.work_on(&erasure).await.is_empty());

        let done = context.progress(&erasure).await;
        assert_eq!((&done["state"], &done["deleted"]["staged_files"]), (&json!("finished"), &json!(3)), "{done}");
        assert_eq!(context.deps.staged_files.delete_page(context.org).await.unwrap(), (0, false));
        assert_eq!(context.deps.staged_files.delete_page(other).await.unwrap(), (1, false), "another org's is kept");
    });
}

#[test]
fn a_newer_consent_is_kept_and_the_org_is_not_erased_yet() {
    run(async {
        let context = TestContext::new().await;
        let erasure = context.closed_and_requested().await;
        context.consented_at(context.clock.now()).await;

        assert!(context.work_on(&erasure).await.is_empty());

        let done = context.progress(&erasure).await;
        assert_eq!((&done["state"], &done["deleted"]["connections"]), (&json!("finished"), &json!(1)), "{done}");
        assert!(done["left"].to_string().contains("connections"), "{done}");
        assert_eq!(context.connections.list(context.org).await.unwrap().len(), 1);
        assert_eq!(context.orgs.load(context.org).await.unwrap().unwrap().erased_at, None);
    });
}

#[test]
fn an_active_or_unknown_org_is_refused() {
    run(async {
        let context = TestContext::new().await;
        context.fill(context.org).await;

        let (status, problem) = context.request("DELETE", "/data", None).await;

        assert_eq!((status, &problem["type"]), (StatusCode::CONFLICT, &json!("urn:ferry:problem:org_active")));
        assert_eq!(context.queued().await, 0);
        let unknown = http::Request::delete(format!("/v1/orgs/{OTHER_ORG}/data")).body(axum::body::Body::empty());
        let (status, _) = context.send(data_erasure::router(context.deps.clone()), unknown.unwrap()).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
    });
}

#[test]
fn nothing_is_deleted_while_earlier_invocations_may_run() {
    run(async {
        let context = TestContext::new().await;
        context.fill(context.org).await;
        context.orgs.close(context.org, context.clock.now()).await.unwrap();
        let (_, erasure) = context.request("DELETE", "/data", None).await;
        context.pass(LONGEST_INVOCATION - SignedDuration::from_secs(1));
        // A refresh that began before the org was closed stores its last page.
        context.mirror(context.org, "Account", "0015e00000ZkM3hAAF").await;

        context.work_on(&erasure).await;
        assert_eq!(context.progress(&erasure).await["deleted"], json!({}));
        assert_eq!(context.queued().await, 2, "the first task, and the delayed one");

        context.pass(SignedDuration::from_secs(1));
        context.work_on(&erasure).await;
        assert_eq!(context.progress(&erasure).await["deleted"]["records"], 4);
        assert_eq!(context.rows(context.org).await, none());
    });
}

#[test]
fn an_erasure_goes_on_in_later_invocations() {
    run(async {
        let context = TestContext::new().await;
        context.mirror_many(context.org, 3_000).await;
        let erasure = context.closed_and_requested().await;

        let mut invocations = 0;
        while context.progress(&erasure).await["state"] != "finished" {
            // Each invocation has time for one page.
            assert!(context.work_until(&erasure, context.clock.now()).await.is_empty());
            invocations += 1;
        }

        let done = context.progress(&erasure).await;
        assert!(invocations > 10, "{invocations}");
        assert_eq!((&done["deleted"]["records"], context.rows(context.org).await), (&json!(3_000), none()));
    });
}

#[test]
fn a_killed_function_resumes_wherever_it_was_killed() {
    run(async {
        let mut kills = 0;
        loop {
            let context = TestContext::killable().await;
            context.fill(context.org).await;
            let erasure = context.closed_and_requested().await;
            let deadline = context.clock.now() + SignedDuration::from_mins(5);
            let work = data_erasure::handle(&context.deps, context.task(&erasure), deadline);
            let finished = context.killed_at(kills, work).await;

            assert!(context.work_on(&erasure).await.is_empty(), "after request {kills}");

            let done = context.progress(&erasure).await;
            assert_eq!((&done["state"], context.rows(context.org).await), (&json!("finished"), none()), "{kills}");
            assert!(context.connections.list(context.org).await.unwrap().is_empty(), "{kills}");
            if finished {
                break;
            }
            // Every seventh request reaches each kind of request in some run.
            kills += 7;
        }
        assert!(kills > 20, "{kills}");
    });
}

#[test]
fn two_workers_and_two_requests_make_one_erasure() {
    run(async {
        let context = TestContext::new().await;
        context.mirror_many(context.org, 1_200).await;
        context.fill(context.org).await;
        let erasure = context.closed_and_requested().await;
        let (status, again) = context.request("DELETE", "/data", None).await;
        assert_eq!((status, &again["erasure_id"]), (StatusCode::ACCEPTED, &erasure["erasure_id"]));
        assert_eq!(again["requested_at"], erasure["requested_at"]);

        let (one, other) = join(context.work_on(&erasure), context.work_on(&erasure)).await;
        assert!(one.is_empty() && other.is_empty());
        context.work_on(&erasure).await;

        assert_eq!(context.progress(&erasure).await["state"], "finished");
        assert_eq!(context.rows(context.org).await, none());
    });
}

#[test]
fn an_org_that_connects_again_keeps_its_data() {
    run(async {
        let context = TestContext::new().await;
        context.fill(context.org).await;
        let before = context.rows(context.org).await;
        let erasure = context.closed_and_requested().await;
        context.activate(context.org).await;

        context.work_on(&erasure).await;

        let stopped = context.progress(&erasure).await;
        assert_eq!((&stopped["state"], &stopped["left"][0]["what"]), (&json!("stopped"), &json!("data")));
        assert_eq!(context.rows(context.org).await, before);
        assert_eq!(context.connections.list(context.org).await.unwrap().len(), 2);

        // It is closed again a minute later, when the first erasure would have begun.
        context.orgs.close(context.org, context.clock.now()).await.unwrap();
        context.work_on(&erasure).await;
        assert_eq!(context.rows(context.org).await, before);
        let again = context.closed_and_requested().await;
        context.work_on(&again).await;
        assert_eq!(context.rows(context.org).await, none());
    });
}

#[test]
fn an_erasure_is_the_same_under_either_form_of_the_org_id() {
    run(async {
        let context = TestContext::new().await;
        context.mirror(context.org, "Contact", CONTACT).await;
        let erasure = context.closed_and_requested().await;
        let short = context.org.as_str().get(..15).unwrap().to_owned();
        let id = erasure["erasure_id"].as_str().unwrap();
        let request = http::Request::get(format!("/v1/orgs/{short}/erasures/{id}")).body(axum::body::Body::empty());
        let (status, same) = context.send(data_erasure::router(context.deps.clone()), request.unwrap()).await;
        assert_eq!((status, &same["erasure_id"]), (StatusCode::OK, &erasure["erasure_id"]));
    });
}
