//! The freshness, the failures and the backlog in the health of an org.

use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use salesforce::{ObjectName, RecordId};
use serde_json::{Value, json};
use store::{
    BeginOutcome, ChangeLane, ConnectionId, CursorName, Deferrals, Deliveries, Delivery, DeliveryOutcome, Measured,
    NewWrite, Obstacle, QueuedState, RecordRef, Source, VisibleIn, WaitingFor, Write, WriteKind,
};

use crate::harness::{REP, TestContext, run};

const ACCOUNT: ObjectName = ObjectName::from_static("Account");

impl TestContext {
    /// Stores the latencies of changes.
    async fn measure(&self, place: VisibleIn, object: &ObjectName, seconds: &[i64]) {
        let now = self.deps.clock.now();
        let mut measured = Measured::default();
        for latency in seconds {
            let saved_at = now - SignedDuration::from_secs(*latency);
            measured.add(self.org, object, ChangeLane::Webhook, (saved_at, now));
        }
        self.deps.freshness.add(place, &measured, now).await.unwrap();
    }

    /// Stores a message about an Account with its outcome.
    async fn deliver(&self, n: usize, received_at: Timestamp, outcome: DeliveryOutcome) {
        let delivery = Delivery {
            org_id: self.org,
            delivery_id: format!("04l5e0000{n:06}").parse().unwrap(),
            source: Source::OutboundMessage,
            record: Some(RecordRef { object: ACCOUNT, record_id: account(n) }),
            received_at,
            settled_at: self.deps.clock.now(),
            outcome,
        };
        self.deps.deliveries.record(&[delivery]).await.unwrap();
    }

    /// Begins a write of a user.
    async fn begin(&self, user: &str) -> Write {
        let write = NewWrite {
            org_id: self.org,
            idempotency_key: format!("of-{user}").parse().unwrap(),
            kind: WriteKind::Records,
            object: Some(ACCOUNT),
            platform_user: Some(user.parse().unwrap()),
            request: json!({ "records": [{ "Name": "Acme" }] }),
            retry_of: None,
            now: self.deps.clock.now(),
            claim_ttl: SignedDuration::from_secs(20),
        };
        let BeginOutcome::Started(write) = self.deps.writes.begin(&write).await.unwrap() else { panic!("begun") };
        write
    }

    /// Queues a write, which waits for a person.
    async fn queue(&self, write: &Write, reason: &str) {
        let now = self.deps.clock.now();
        let reason = Some(reason.to_owned());
        let obstacle = Obstacle { waiting_for: WaitingFor::Person, reason, next: None, waits_for: Vec::new() };
        let deferrals = Deferrals { count: 1, ..Deferrals::default() };
        let (request, next_attempt_at) = (&json!({}), now + SignedDuration::from_mins(1));
        let queued = QueuedState { request, deferrals, obstacle: &obstacle, next_attempt_at, outcome: None };
        self.deps.writes.queue(write, &queued, now).await.unwrap();
    }
}

fn account(n: usize) -> RecordId {
    format!("0015e0000{n:06}").parse().unwrap()
}

#[test]
fn health_shows_latencies_and_objectives() {
    run(async {
        let mut context = TestContext::new().await;
        context.deps.objectives = "*=95%<60s".parse().unwrap();
        let lead = ObjectName::from_static("Lead");
        context.measure(VisibleIn::Mirror, &ACCOUNT, &[10; 20]).await;
        context.measure(VisibleIn::Event, &ACCOUNT, &[20; 20]).await;
        context.pass(SignedDuration::from_hours(3));
        context.measure(VisibleIn::Mirror, &ACCOUNT, &[100]).await;
        context.measure(VisibleIn::Event, &lead, &[100]).await;

        let (status, health) = context.get("/health").await;

        assert_eq!(status, StatusCode::OK);
        let freshness = &health["freshness"];
        assert_eq!(freshness["hour_since"], "2026-11-22T12:00:00.000Z");
        assert_eq!(freshness["day_since"], "2026-11-21T13:00:00.000Z");
        let none = json!({ "changes": 0, "p50_s": null, "p95_s": null, "p99_s": null });
        let lane = &freshness["lanes"][0];
        assert_eq!((&lane["object"], &lane["lane"]), (&json!("Account"), &json!("webhook")));
        assert_eq!((&lane["mirror"]["day"]["changes"], &lane["event"]["day"]["changes"]), (&json!(21), &json!(20)));
        assert_eq!(lane["event"]["hour"], none);
        for (latencies, percentile, seconds) in [
            (&lane["mirror"]["hour"], "p50_s", 100.0),
            (&lane["mirror"]["day"], "p50_s", 10.0),
            (&lane["mirror"]["day"], "p95_s", 10.0),
            (&lane["mirror"]["day"], "p99_s", 100.0),
            (&lane["event"]["day"], "p99_s", 20.0),
        ] {
            let shown = latencies[percentile].as_f64().unwrap();
            assert!((shown - seconds).abs() <= seconds / 10.0, "{percentile} {seconds}: {latencies}");
        }
        let objectives = json!([{
            "object": "Account", "percent": 95.0, "within_s": 60,
            "hour": { "changes": 1, "in_time": 0, "met": false },
            "day": { "changes": 21, "in_time": 20, "met": true },
        }]);
        assert_eq!(freshness["objectives"], objectives, "no Lead was measured in the mirror");
    });
}

#[test]
fn health_groups_what_fails_by_who_must_act() {
    run(async {
        let context = TestContext::new().await;
        let (deps, start) = (&context.deps, context.deps.clock.now());
        let failed = |reason: &str| DeliveryOutcome::Failed { reason: reason.to_owned() };
        context.deliver(9, start, failed("INVALID_TYPE")).await;
        context.pass(SignedDuration::from_hours(73));
        let now = deps.clock.now();
        for n in 1..=3 {
            let reason = "over_budget".to_owned();
            context.deliver(n, now - SignedDuration::from_mins(9), DeliveryOutcome::Deferred { reason }).await;
        }
        context.deliver(4, now, failed("FIELD_INTEGRITY_EXCEPTION")).await;
        context.deliver(5, now, DeliveryOutcome::Applied).await;
        let scan = CursorName::incremental(&ACCOUNT);
        deps.cursors.record_failure(context.org, &scan, "over_budget", now).await.unwrap();
        deps.cursors.leave_out(context.org, (&ACCOUNT, account(6)), "too_large", now).await.unwrap();
        let queued = context.begin(REP).await;
        context.queue(&queued, "reconnect_required").await;
        let refused = context.begin("rep-2").await;
        let response = json!({ "records": [
            { "success": false, "id": account(7), "errors": [{ "code": "FIELD_CUSTOM_VALIDATION_EXCEPTION" }] },
        ] });
        deps.writes.finish(&refused, None, &response, now).await.unwrap();

        let (status, health) = context.get("/health").await;

        assert_eq!(status, StatusCode::OK);
        let failing = &health["failing"];
        assert_eq!((&failing["since"], &failing["complete"]), (&json!("2026-11-22T11:00:00.000Z"), &json!(true)));
        let groups: Vec<_> = failing["groups"].as_array().unwrap().iter().map(summary).collect();
        let expected = [
            json!(["over_budget", "sync", "limit", "admin", 4, 0, 3, 0]),
            json!(["FIELD_INTEGRITY_EXCEPTION", "sync", "internal", "vendor", 1, 1, 1, 0]),
            json!(["too_large", "sync", "data", "vendor", 1, 0, 1, 0]),
            json!(["FIELD_CUSTOM_VALIDATION_EXCEPTION", "write", "data", "rep", 1, 1, 1, 1]),
            json!(["reconnect_required", "write", "connection", "rep", 1, 0, 0, 1]),
        ];
        assert_eq!(groups, expected, "{failing:#}");
        assert_eq!(failing["groups"][0]["scans"], json!(["incremental/Account"]));
        assert_eq!(failing["groups"][3]["records"], json!([{ "object": "Account", "id": account(7) }]));
        assert_eq!(failing["groups"][3]["writes"], json!([refused.write_id]));
        let backlog = json!({
            "changes": { "count": 3, "oldest_at": "2026-11-25T10:51:00.000Z" },
            "writes": { "count": 1, "oldest_at": "2026-11-25T11:00:00.000Z" },
            "scans": 0,
            "complete": true,
        });
        assert_eq!(health["backlog"], backlog);

        let (_, of_rep) = context.get_with_token_of(REP, "ferry/read", "/health").await;
        let groups = of_rep["failing"]["groups"].as_array().unwrap();
        assert!(groups.iter().all(|group| group["records"] == json!([])), "{groups:?}");
        assert!(groups.iter().all(|group| group["reason"] != "FIELD_CUSTOM_VALIDATION_EXCEPTION"), "{groups:?}");
        assert!(groups.iter().any(|group| group["writes"] == json!([queued.write_id])), "{groups:?}");
    });
}

/// Returns what a group says, with the numbers of its failures, of those that were given up, and of its records and writes.
fn summary(group: &Value) -> Value {
    let len = |name: &str| group[name].as_array().unwrap().len();
    let text = |name: &str| group[name].clone();
    json!([
        text("reason"),
        text("work"),
        text("kind"),
        text("must_act"),
        text("count"),
        text("given_up"),
        len("records"),
        len("writes"),
    ])
}

#[test]
fn health_names_a_connection_that_cannot_be_used() {
    run(async {
        let context = TestContext::new().await;
        assert_eq!(context.get("/health").await.1["failing"]["groups"], json!([]));
        context.kill(&ConnectionId::team());
        context.get("/objects").await;

        let (_, health) = context.get("/health").await;

        let groups: Vec<_> = health["failing"]["groups"].as_array().unwrap().iter().map(summary).collect();
        assert_eq!(groups, [json!(["reconnect_required", "sync", "connection", "admin", 1, 0, 0, 0])]);
    });
}

#[test]
fn health_shows_the_rest_if_a_part_cannot_be_read() {
    run(async {
        let mut context = TestContext::new().await;
        context.deps.deliveries = Deliveries::new(context.dynamodb(), "no-such-table");
        let (status, health) = context.get("/health").await;
        assert_eq!((status, &health["state"]), (StatusCode::OK, &json!("active")));
        assert_eq!((&health["failing"], &health["backlog"]), (&json!(null), &json!(null)));
        assert_eq!(health["freshness"]["lanes"], json!([]));
    });
}
