//! Deliveries that succeed.

use ::http::StatusCode;
use jiff::SignedDuration;
use serde_json::json;

use crate::harness::{QUEUE, RECORDS, TestContext, envelope, run};

#[test]
fn an_event_is_delivered_once_and_signed() {
    run(async {
        let context = TestContext::new().await;
        let (id, secret) = context.endpoint(&json!({})).await;
        let event = context.change(RECORDS[0], 1);
        context.publish(&event).await;
        assert_eq!(context.waiting(QUEUE).await, (1, 0), "a task in the queue");

        let report = context.work(&id).await;

        assert!(report.counts.contains(&("events.delivered", 1)), "{report:?}");
        let [received] = &context.platform.received()[..] else { panic!("one request") };
        assert_eq!(received.event(), serde_json::to_value(&event).unwrap());
        assert_eq!(received.header("webhook-id"), event.id);
        assert_eq!(received.header("webhook-timestamp"), context.clock.now().as_second().to_string());
        assert_eq!(received.header("content-type"), "application/json");
        assert!(received.is_signed_with(&secret));
        let [delivery] = &context.deliveries(&id, "?state=delivered").await[..] else { panic!("one delivery") };
        assert_eq!((&delivery["event_id"], &delivery["last_attempt"]["status"]), (&json!(event.id), &json!(200)));
        assert!(context.deliveries(&id, "?state=waiting").await.is_empty());
    });
}

#[test]
fn an_event_goes_to_the_endpoints_that_want_it() {
    run(async {
        let context = TestContext::new().await;
        let (all, _) = context.endpoint(&json!({})).await;
        let (records, _) = context.endpoint(&json!({ "events": ["record.changed"], "orgs": [context.org] })).await;
        let (writes, _) = context.endpoint(&json!({ "events": ["write.failed"] })).await;
        let (other_org, _) = context.endpoint(&json!({ "orgs": ["00D79000000exLEEAY"] })).await;
        let mut others = context.change(RECORDS[0], 2);
        others.data["tenant"] = json!("globex");
        let mut nobodys = context.change(RECORDS[0], 3);
        nobodys.data["tenant"] = json!(null);
        for event in [&context.change(RECORDS[0], 1), &others, &nobodys] {
            context.publish(event).await;
        }
        for (endpoint, expected) in [(all, 1), (records, 1), (writes, 0), (other_org, 0)] {
            assert_eq!(context.events_of(&endpoint).await.len(), expected);
        }
    });
}

#[test]
fn an_event_that_arrives_twice_waits_once() {
    run(async {
        let context = TestContext::new().await;
        let (id, _) = context.endpoint(&json!({})).await;
        let event = context.change(RECORDS[0], 1);
        context.handle(&[envelope(&event), envelope(&event)]).await;
        assert_eq!(context.events_of(&id).await.len(), 1);
    });
}

#[test]
fn one_task_delivers_everything_that_waits_in_order() {
    run(async {
        let context = TestContext::new().await;
        let (id, _) = context.endpoint(&json!({})).await;
        // EventBridge may hand them over in another order.
        for number in [2, 3, 1] {
            context.publish(&context.change(RECORDS[0], number)).await;
        }
        let task = context.tasks(&id).await.remove(0);
        context.handle(&[task]).await;
        assert_eq!(context.platform.ids(), [1, 2, 3].map(|number| format!("{}-{number}", RECORDS[0])));
    });
}

#[test]
fn a_replaced_secret_signs_beside_the_new_one_for_a_day() {
    run(async {
        let context = TestContext::new().await;
        let (id, old) = context.endpoint(&json!({})).await;
        let (status, rotated) = context.request("POST", &format!("/{id}/secrets"), None).await;
        assert_eq!(status, StatusCode::CREATED);
        let new = rotated["secret"].as_str().unwrap();
        assert_ne!(new, old);
        for (number, hours, by_old) in [(1, 0, true), (2, 23, true), (3, 2, false)] {
            context.pass(SignedDuration::from_hours(hours));
            context.publish(&context.change(RECORDS[0], number)).await;
            context.work(&id).await;
            let [received] = &context.platform.received()[..] else { panic!("one request") };
            assert_eq!((received.is_signed_with(new), received.is_signed_with(&old)), (true, by_old), "{number}");
        }
    });
}

#[test]
fn a_test_event_is_delivered_whatever_the_endpoint_wants() {
    run(async {
        let context = TestContext::new().await;
        let (id, secret) = context.endpoint(&json!({ "events": ["write.failed"] })).await;
        let (status, accepted) = context.request("POST", &format!("/{id}/test"), None).await;
        assert_eq!(status, StatusCode::ACCEPTED);
        context.work(&id).await;
        let [received] = &context.platform.received()[..] else { panic!("one request") };
        assert!(received.is_signed_with(&secret));
        assert_eq!(received.event()["type"], "webhook_endpoint.test");
        assert_eq!(accepted["event_id"], received.header("webhook-id"));
    });
}

#[test]
fn what_waits_for_a_deleted_endpoint_is_dropped() {
    run(async {
        let context = TestContext::new().await;
        let (id, _) = context.endpoint(&json!({})).await;
        context.publish(&context.change(RECORDS[0], 1)).await;
        let tasks = context.tasks(&id).await;
        context.request("DELETE", &format!("/{id}"), None).await;
        context.handle(&tasks).await;
        assert!(context.events_of(&id).await.is_empty());
        assert!(context.platform.received().is_empty());
    });
}
