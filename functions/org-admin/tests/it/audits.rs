//! Audits: requested and listed.

use http::{Request, StatusCode};
use serde_json::{Value, json};
use store::{Audit, AuditCounts, AuditState, RefreshKind, RefreshTask, RowsHash};

use crate::harness::{TestContext, run};

impl TestContext {
    async fn post_audit(&self, body: &Value) -> (StatusCode, Value) {
        self.send_as(None, Request::post(format!("/v1/orgs/{}/audits", self.org)), Some(body)).await
    }

    async fn queued_audits(&self) -> Vec<RefreshTask> {
        let receive = self.sqs().receive_message().queue_url(self.queue_url("PipelineRefreshQueue"));
        let received = receive.max_number_of_messages(10).wait_time_seconds(0).send().await.unwrap();
        let messages = received.messages.unwrap_or_default();
        messages.iter().map(|message| serde_json::from_str(message.body().unwrap()).unwrap()).collect()
    }
}

#[test]
fn an_audit_is_queued_and_acknowledged() {
    run(async {
        let context = TestContext::new().await;
        let now = context.clock.now();

        let (status, all) = context.post_audit(&json!({})).await;
        let (_, one) = context.post_audit(&json!({ "object": "account", "confirm_vanished": true })).await;

        assert_eq!((status, &all["object"]), (StatusCode::ACCEPTED, &Value::Null), "{all}");
        assert_eq!(one["object"], "Account", "{one}");
        let account = "Account".parse().unwrap();
        let expected = [
            RefreshTask::new(context.org, RefreshKind::Audit, now),
            RefreshTask::new(context.org, RefreshKind::ConfirmedAudit, now).for_object(account),
        ];
        let queued = context.queued_audits().await;
        assert!(queued.len() == 2 && expected.iter().all(|task| queued.contains(task)), "{queued:?}");
    });
}

#[test]
fn an_audit_of_what_is_not_mirrored_is_refused() {
    run(async {
        let context = TestContext::new().await;
        for body in [json!({ "object": "Lead" }), json!({ "confirm_vanished": true }), json!({ "objects": [] })] {
            let (status, problem) = context.post_audit(&body).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{problem}");
        }
        context.orgs.close(context.org, context.clock.now()).await.unwrap();
        assert_eq!(context.post_audit(&json!({})).await.0, StatusCode::CONFLICT);
        assert!(context.queued_audits().await.is_empty());
    });
}

#[test]
fn the_audits_of_an_org_are_listed_the_newest_first() {
    run(async {
        let context = TestContext::new().await;
        for (hours, state) in [(0, AuditState::Finished), (1, AuditState::Unfinished)] {
            let at = context.clock.now() + jiff::SignedDuration::from_hours(hours);
            let audit = Audit {
                org_id: context.org,
                object: "Account".parse().unwrap(),
                started_at: at,
                state,
                reason: (state == AuditState::Unfinished).then(|| "over_budget".to_owned()),
                counts: AuditCounts { checked: 7, ..AuditCounts::default() },
                org_hash: RowsHash::default(),
                mirror_hash: RowsHash::default(),
                updated_at: at,
            };
            context.deps.audits.store(&audit).await.unwrap();
        }

        let (status, listed) = context.get("/audits").await;

        assert_eq!(status, StatusCode::OK, "{listed}");
        let audits = listed["audits"].as_array().unwrap();
        let shown: Vec<_> = audits.iter().map(|audit| (&audit["state"], &audit["green"], &audit["reason"])).collect();
        let expected = [
            (&json!("unfinished"), &json!(false), &json!("over_budget")),
            (&json!("finished"), &json!(true), &Value::Null),
        ];
        assert_eq!(shown, expected);
        assert_eq!(context.get("/audits?limit=1").await.1["audits"].as_array().unwrap().len(), 1);
        assert_eq!(context.get("/audits?limit=0").await.0, StatusCode::BAD_REQUEST);
    });
}
