//! Accepted writes whose message was lost are sent again by night.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use store::{
    BeginOutcome, Deferrals, NewWrite, Obstacle, QueuedState, RefreshKind, WaitingFor, Write, WriteKind, WriteTask,
};

use crate::harness::{TestContext, run};

/// The time for which an attempt owns a write.
const CLAIM: SignedDuration = SignedDuration::from_mins(1);

/// Accepts a write whose next attempt is due at a time. Its message is dropped.
async fn accept(context: &TestContext, kind: WriteKind, key: &str, next_attempt_at: Timestamp) -> Write {
    let request = NewWrite {
        org_id: context.org,
        idempotency_key: key.parse().unwrap(),
        kind,
        object: None,
        platform_user: None,
        request: json!({}),
        retry_of: None,
        now: context.clock.now(),
        claim_ttl: CLAIM,
    };
    let BeginOutcome::Started(write) = context.deps.writes.begin(&request).await.unwrap() else { panic!("{key}") };
    let obstacle = Obstacle { waiting_for: WaitingFor::Salesforce, reason: None, next: None, waits_for: Vec::new() };
    let queued = QueuedState {
        request: &request.request,
        deferrals: Deferrals { count: 3, ..Deferrals::default() },
        obstacle: &obstacle,
        next_attempt_at,
        outcome: None,
    };
    context.deps.writes.queue(&write, &queued, request.now).await.unwrap()
}

fn task(write: &Write) -> WriteTask {
    WriteTask { org_id: write.org_id, write_id: write.write_id, deferrals: 3, postponed_since: None }
}

#[test]
fn the_night_sends_the_tasks_of_overdue_writes_again() {
    run(async {
        let context = TestContext::new().await;
        context.activate(context.org).await;
        let now = context.clock.now();
        let overdue = accept(&context, WriteKind::Records, "k1", now - SignedDuration::from_mins(61)).await;
        let note = accept(&context, WriteKind::NoteUpdate, "k2", now - SignedDuration::from_hours(400)).await;
        accept(&context, WriteKind::Records, "due", now - SignedDuration::from_mins(50)).await;
        let ended = accept(&context, WriteKind::Records, "ended", now - SignedDuration::from_hours(2)).await;
        context.deps.writes.finish(&ended, None, &json!({}), now).await.unwrap();

        context.work_on(&[context.task(RefreshKind::Connections)]).await;
        assert_eq!(context.writes().await, [Vec::new(), Vec::new()], "only the night does it");
        context.work_on(&[context.task(RefreshKind::Nightly)]).await;

        assert_eq!(context.writes().await, [vec![task(&overdue)], vec![task(&note)]]);
        // The function takes the write up, and another night finds nothing.
        let resumed = context.deps.writes.resume(&task(&overdue), context.clock.now(), CLAIM).await.unwrap();
        let BeginOutcome::Started(resumed) = resumed else { panic!("{resumed:?}") };
        context.deps.writes.finish(&resumed, None, &json!({}), context.clock.now()).await.unwrap();
        context.work_on(&[context.task(RefreshKind::Nightly)]).await;
        assert_eq!(context.writes().await, [Vec::new(), vec![task(&note)]]);
    });
}

/// Its function was killed, and its message became a dead letter meanwhile.
#[test]
fn an_attempt_that_nothing_continues_is_found_too() {
    run(async {
        let context = TestContext::new().await;
        context.activate(context.org).await;
        let two_hours_ago = context.clock.now() - SignedDuration::from_hours(2);
        let write = accept(&context, WriteKind::Records, "k", two_hours_ago).await;
        context.deps.writes.resume(&task(&write), context.clock.now(), CLAIM).await.unwrap();
        context.work_on(&[context.task(RefreshKind::Nightly)]).await;

        assert_eq!(context.writes().await, [vec![task(&write)], Vec::new()]);
    });
}
