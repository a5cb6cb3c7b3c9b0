//! The function killed at each of its requests to AWS.

use std::collections::BTreeSet;

use serde_json::json;

use crate::harness::{QUEUE, RECORDS, TestContext, envelope, run, sqs_event};

/// The most requests of one message.
const MOST_REQUESTS: usize = 40;

#[test]
fn a_killed_function_loses_no_event_and_keeps_the_order() {
    run(async {
        for passes in 0..MOST_REQUESTS {
            let context = TestContext::killable().await;
            let (id, _) = context.endpoint(&json!({})).await;
            let events = [1, 2].map(|number| context.change(RECORDS[0], number));
            let deadline = context.clock.now() + jiff::SignedDuration::from_secs(120);
            let bodies = events.each_ref().map(envelope);
            let accepting = event_delivery::handle(&context.deps, sqs_event(&bodies), deadline);
            let accepted = context.killed_at(passes, accepting).await;
            // SQS delivers the messages again.
            context.handle(&bodies).await;
            assert!(context.queued().await >= 2, "{passes}: each event has a task");

            let tasks = context.tasks(&id).await;
            let delivering = event_delivery::handle(&context.deps, sqs_event(&tasks), deadline);
            let delivered = context.killed_at(passes, delivering).await;
            context.handle(&tasks).await;

            let received = context.platform.ids();
            let mut seen = BTreeSet::new();
            let first: Vec<_> = received.iter().filter(|id| seen.insert((*id).clone())).collect();
            assert_eq!(first, [&events[0].id, &events[1].id], "{passes}: {received:?}");
            assert!(received.len() <= 3, "{passes}: one event at most is sent again: {received:?}");
            assert!(context.events_of(&id).await.is_empty(), "{passes}");
            let ended = context.deliveries(&id, "?state=delivered").await;
            assert_eq!(ended.len(), 2, "{passes}");
            if accepted && delivered {
                assert!(passes > 5, "{passes}: fewer requests than the tables need");
                return;
            }
        }
        panic!("more than {MOST_REQUESTS} requests");
    });
}

/// Three to accept it (the endpoints, the event, its task), four to deliver it (the event, the endpoint, the outcome, and that no
/// other event waits).
#[test]
fn an_event_costs_seven_requests_to_aws() {
    run(async {
        let context = TestContext::killable().await;
        let (id, _) = context.endpoint(&json!({})).await;
        let deadline = context.clock.now() + jiff::SignedDuration::from_secs(120);
        let fits = async |requests: usize, message: serde_json::Value| {
            context.killed_at(requests, event_delivery::handle(&context.deps, sqs_event(&[message]), deadline)).await
        };
        let [one, other] = RECORDS.map(|record| envelope(&context.change(record, 1)));
        assert!(!fits(2, one).await && fits(3, other).await);
        let tasks = context.tasks(&id).await;
        let [one, other] = &tasks[..] else { panic!("{tasks:?}") };
        assert!(!fits(3, one.clone()).await && fits(4, other.clone()).await);
    });
}

impl TestContext {
    /// Returns the number of messages in the queue.
    async fn queued(&self) -> usize {
        let (visible, delayed) = harness::TestContext::waiting(self, QUEUE).await;
        visible + delayed
    }
}
