//! Backfills: requested, and their progress.

use http::{Request, StatusCode};
use jiff::SignedDuration;
use salesforce::ObjectName;
use serde_json::{Value, json};
use store::{BackfillMethod, BackfillProgress, CursorName, RefreshKind, RefreshTask};

use crate::harness::{TestContext, run};

const ACCOUNT: ObjectName = ObjectName::from_static("Account");
const CONTACT: ObjectName = ObjectName::from_static("Contact");

impl TestContext {
    async fn post_backfill(&self, body: &Value) -> (StatusCode, Value) {
        self.send_as(None, Request::post(format!("/v1/orgs/{}/backfills", self.org)), Some(body)).await
    }

    async fn queued_backfills(&self) -> Vec<RefreshTask> {
        let receive = self.sqs().receive_message().queue_url(self.queue_url("BackfillQueue"));
        let received = receive.max_number_of_messages(10).wait_time_seconds(0).send().await.unwrap();
        let messages = received.messages.unwrap_or_default();
        messages.iter().map(|message| serde_json::from_str(message.body().unwrap()).unwrap()).collect()
    }
}

#[test]
fn a_backfill_of_each_object_is_queued_and_acknowledged() {
    run(async {
        let context = TestContext::new().await;
        let now = context.clock.now();
        let since = now - SignedDuration::from_hours(2);

        let (status, all) = context.post_backfill(&json!({})).await;
        let body = json!({ "object": "contact", "since": store::time::format(since) });
        let (_, one) = context.post_backfill(&body).await;

        assert_eq!((status, &all["objects"]), (StatusCode::ACCEPTED, &json!(["Account", "Contact"])), "{all}");
        assert_eq!((&all["since"], &all["requested_at"]), (&Value::Null, &json!(store::time::format(now))));
        assert_eq!((&one["objects"], &one["since"]), (&json!(["Contact"]), &body["since"]), "{one}");
        let task = RefreshTask::new(context.org, RefreshKind::Backfill, now);
        let since = RefreshTask { since: Some(since), ..task.for_object(CONTACT) };
        let expected = [task.for_object(ACCOUNT), task.for_object(CONTACT), since];
        let queued = context.queued_backfills().await;
        assert!(queued.len() == 3 && expected.iter().all(|task| queued.contains(task)), "{queued:?}");
    });
}

#[test]
fn a_backfill_that_cannot_be_made_is_refused() {
    run(async {
        let context = TestContext::new().await;
        let bodies = [
            (json!({ "object": "Lead" }), "mirrored objects"),
            (json!({ "since": "2099-01-01T00:00:00Z" }), "future"),
            (json!({ "since": "yesterday" }), "since"),
            (json!({ "objects": [] }), "objects"),
        ];
        for (body, expected) in bodies {
            let (status, problem) = context.post_backfill(&body).await;
            let detail = problem["detail"].as_str().unwrap_or_default();
            assert!(status == StatusCode::BAD_REQUEST && detail.contains(expected), "{status} {problem}");
        }
        context.orgs.close(context.org, context.clock.now()).await.unwrap();
        assert_eq!(context.post_backfill(&json!({})).await.0, StatusCode::CONFLICT);
        assert!(context.queued_backfills().await.is_empty());
    });
}

#[test]
fn the_progress_of_each_mirrored_object_is_shown() {
    run(async {
        let context = TestContext::new().await;
        let started_at = context.clock.now();
        let begun = BackfillProgress::new(BackfillMethod::Rest, started_at);
        let progress = BackfillProgress { total: Some(5_000), ..begun.after_page(2_000, 0) };
        let now = started_at + SignedDuration::from_secs(10);
        for object in [CONTACT, ObjectName::from_static("Case")] {
            let name = CursorName::backfill(&object);
            context.deps.cursors.record_progress(context.org, &name, &progress, now).await.unwrap();
        }
        context.pass(SignedDuration::from_secs(20));

        let (status, shown) = context.get("/backfills").await;

        let at = |at| json!(store::time::format(at));
        let expected = json!({ "backfills": [
            { "object": "Account", "state": "not_started", "rows": 0, "bytes": 0, "pages": 0 },
            {
                "object": "Contact", "state": "running", "method": "rest", "started_at": at(started_at),
                "updated_at": at(now), "total": 5_000, "rows": 2_000, "bytes": 0, "pages": 1,
                "rows_per_second": 100.0, "seconds_left": 30,
            },
        ] });
        assert_eq!((status, shown), (StatusCode::OK, expected));
    });
}
