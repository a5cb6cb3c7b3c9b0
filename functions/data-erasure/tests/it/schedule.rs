//! The nightly schedule.

use data_erasure::{Event, Reply, Scheduled, handle};
use jiff::SignedDuration;
use serde_json::json;
use store::erasures::LONGEST_INVOCATION;

use crate::harness::{TestContext, run};

async fn night(context: &TestContext) -> Scheduled {
    let event: Event = serde_json::from_value(json!({ "kind": "nightly" })).unwrap();
    let Reply::Schedule(scheduled) = handle(&context.deps, event, context.clock.now()).await.unwrap() else {
        panic!("the reply to tasks")
    };
    scheduled
}

#[test]
fn the_data_of_a_closed_org_are_erased_after_the_retention() {
    run(async {
        let mut context = TestContext::new().await;
        context.fill(context.org).await;
        assert_eq!(night(&context).await, Scheduled::default(), "the org is active");
        context.orgs.close(context.org, context.clock.now()).await.unwrap();
        context.pass(SignedDuration::from_hours(29 * 24));
        assert_eq!(night(&context).await, Scheduled::default());
        context.pass(SignedDuration::from_hours(24));
        let retention = context.deps.disconnected_retention.take();
        assert_eq!(night(&context).await, Scheduled::default(), "the retention is unlimited");
        context.deps.disconnected_retention = retention;

        let started = Scheduled { erasures: 1, ..Scheduled::default() };
        assert_eq!(night(&context).await, started);
        assert_eq!(night(&context).await, started, "a repetition queues the task again");
        assert_eq!(context.queued().await, 2);

        context.pass(LONGEST_INVOCATION);
        let (_, erasure) = context.request("DELETE", "/data", None).await;
        context.work_on(&erasure).await;
        assert!(context.rows(context.org).await.iter().all(|(_, rows)| *rows == 0));
        assert_eq!(night(&context).await, Scheduled::default(), "the data are erased");
    });
}

#[test]
fn any_other_event_is_refused() {
    for event in [json!({}), json!({ "kind": "weekly" }), json!({ "kind": "nightly", "org": "x" }), json!([])] {
        assert!(serde_json::from_value::<Event>(event.clone()).is_err(), "{event}");
    }
}
