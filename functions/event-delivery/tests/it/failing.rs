//! Deliveries that fail: order, delays, pauses, and the end.

use ::http::StatusCode;
use jiff::SignedDuration;
use serde_json::{Value, json};
use store::event_endpoints::health::{HOLD_FAILURES, PAUSE_AFTER};

use crate::harness::{QUEUE, RECORDS, Scripted, TestContext, run, sqs_event};

fn ids(record: &str, numbers: &[u32]) -> Vec<String> {
    numbers.iter().map(|number| format!("{record}-{number}")).collect()
}

#[test]
fn a_failing_event_holds_up_its_record_and_no_other() {
    run(async {
        let context = TestContext::new().await;
        let (id, _) = context.endpoint(&json!({})).await;
        let [failing, other] = RECORDS;
        for (record, number) in [(failing, 1), (failing, 2), (other, 3)] {
            context.publish(&context.change(record, number)).await;
        }
        context.platform.answer(failing, Scripted::status(500));
        context.work(&id).await;
        let mut first = context.platform.ids();
        first.sort();
        assert_eq!(first, [ids(failing, &[1]), ids(other, &[3])].concat());

        context.work(&id).await;
        assert!(context.platform.received().is_empty(), "before the delay has passed");
        let [waiting, ..] = &context.deliveries(&id, "?state=waiting").await[..] else { panic!("it waits") };
        assert_eq!((&waiting["failures"], &waiting["last_attempt"]["status"]), (&json!(1), &json!(500)));

        context.pass(SignedDuration::from_secs(10));
        context.work(&id).await;
        assert_eq!(context.platform.ids(), ids(failing, &[1, 2]));
    });
}

#[test]
fn a_task_leaves_an_event_whose_predecessor_waits() {
    run(async {
        let context = TestContext::new().await;
        let (id, _) = context.endpoint(&json!({})).await;
        context.publish(&context.change(RECORDS[0], 2)).await;
        let later = context.tasks(&id).await;
        context.publish(&context.change(RECORDS[0], 1)).await;
        context.handle(&later).await;
        assert!(context.platform.received().is_empty());
        context.work(&id).await;
        assert_eq!(context.platform.ids(), ids(RECORDS[0], &[1, 2]));
    });
}

/// As after the task of the first event became a dead letter.
#[test]
fn a_later_task_delivers_an_overdue_event_first() {
    run(async {
        let context = TestContext::new().await;
        let (id, _) = context.endpoint(&json!({})).await;
        context.publish(&context.change(RECORDS[0], 1)).await;
        context.pass(SignedDuration::from_mins(31));
        context.publish(&context.change(RECORDS[0], 2)).await;
        let [_, later] = &context.events_of(&id).await[..] else { panic!("two events wait") };
        let later = serde_json::to_value(later.task("acme".parse().unwrap())).unwrap();
        context.platform.answer(RECORDS[0], Scripted::status(500));
        let (_, delayed) = context.waiting(QUEUE).await;
        context.handle(std::slice::from_ref(&later)).await;
        assert_eq!(context.waiting(QUEUE).await.1, delayed + 1, "the failed event has a task again");
        context.pass(SignedDuration::from_mins(31));
        context.handle(&[later]).await;
        assert_eq!(context.platform.ids(), ids(RECORDS[0], &[1, 1, 2]));
    });
}

#[test]
fn nothing_is_begun_when_the_time_is_over() {
    run(async {
        let context = TestContext::new().await;
        let [(dropped, _), (given_up, _)] = [context.endpoint(&json!({})).await, context.endpoint(&json!({})).await];
        context.publish(&context.change(RECORDS[0], 1)).await;
        context.request("DELETE", &format!("/{dropped}"), None).await;
        context.pass(SignedDuration::from_hours(72));
        for id in [dropped, given_up] {
            let tasks = context.tasks(&id).await;
            let (before, _) = context.waiting(QUEUE).await;
            let report = event_delivery::handle(&context.deps, sqs_event(&tasks), context.clock.now()).await.unwrap();
            assert_eq!(report.failed, [""; 0]);
            assert_eq!(context.events_of(&id).await.len(), 1, "it waits");
            assert_eq!(context.waiting(QUEUE).await.0, before + 1, "its task is queued again");
        }
    });
}

#[test]
fn retry_after_is_obeyed() {
    run(async {
        let context = TestContext::new().await;
        let (id, _) = context.endpoint(&json!({})).await;
        context.publish(&context.change(RECORDS[0], 1)).await;
        let busy = Scripted { status: 429, headers: vec![("retry-after", "120".to_owned())] };
        context.platform.answer(RECORDS[0], busy);
        context.work(&id).await;
        context.pass(SignedDuration::from_secs(119));
        context.work(&id).await;
        assert_eq!(context.platform.received().len(), 1);
        context.pass(SignedDuration::from_secs(1));
        context.work(&id).await;
        assert_eq!(context.platform.received().len(), 1, "the second attempt");
        assert!(context.events_of(&id).await.is_empty());
    });
}

#[test]
fn a_redirect_is_a_failure_and_not_followed() {
    run(async {
        let context = TestContext::new().await;
        let (id, _) = context.endpoint(&json!({})).await;
        context.publish(&context.change(RECORDS[0], 1)).await;
        let elsewhere = Scripted { status: 307, headers: vec![("location", context.platform.url.clone())] };
        context.platform.answer(RECORDS[0], elsewhere);
        context.work(&id).await;
        assert_eq!(context.platform.received().len(), 1);
        assert_eq!(context.deliveries(&id, "").await[0]["last_attempt"]["status"], 307);
    });
}

#[test]
fn an_event_is_given_up_after_three_days_and_the_next_is_sent() {
    run(async {
        let context = TestContext::new().await;
        let (id, _) = context.endpoint(&json!({})).await;
        context.publish(&context.change(RECORDS[0], 1)).await;
        context.platform.answer(RECORDS[0], Scripted::status(500));
        context.work(&id).await;
        context.pass(SignedDuration::from_hours(48));
        context.publish(&context.change(RECORDS[0], 2)).await;
        context.pass(SignedDuration::from_hours(24));
        context.platform.received();

        let report = context.work(&id).await;

        assert!(report.counts.contains(&("events.given_up", 1)), "{report:?}");
        assert_eq!(context.platform.ids(), ids(RECORDS[0], &[2]));
        let [given_up] = &context.deliveries(&id, "?state=given_up").await[..] else { panic!("one was given up") };
        assert_eq!((&given_up["event_id"], &given_up["failures"]), (&json!(ids(RECORDS[0], &[1])[0]), &json!(1)));
    });
}

#[test]
fn a_paused_endpoint_gives_its_events_up_after_three_days() {
    run(async {
        let context = TestContext::new().await;
        let (id, _) = context.endpoint(&json!({})).await;
        context.publish(&context.change(RECORDS[0], 1)).await;
        context.platform.answer(RECORDS[0], Scripted::status(410));
        let (_, delayed) = context.waiting(QUEUE).await;

        let report = context.work(&id).await;

        assert_eq!(context.waiting(QUEUE).await.1, delayed + 1, "the event has a task again");
        assert!(report.counts.iter().all(|(name, _)| *name != "deferred.oldest_s"), "not late: {report:?}");
        context.pass(SignedDuration::from_hours(72));
        let report = context.work(&id).await;
        assert!(report.counts.contains(&("events.given_up", 1)), "{report:?}");
        assert_eq!(context.deliveries(&id, "?state=given_up").await.len(), 1);
    });
}

/// Returns the body of the only message in the platform's queue.
async fn told(context: &TestContext, queue: &str) -> Value {
    let message: Value = serde_json::from_str(&context.received(queue, 1).await[0]).unwrap();
    message["detail"].clone()
}

#[test]
fn an_endpoint_that_is_gone_is_paused_and_the_platform_told() {
    run(async {
        let context = TestContext::new().await;
        let bus = context.subscribe("paused").await;
        let url = format!("{}?token=0123", context.platform.url);
        let (id, _) = context.endpoint(&json!({ "url": url })).await;
        context.publish(&context.change(RECORDS[0], 1)).await;
        context.platform.answer(RECORDS[0], Scripted::status(410));

        let report = context.work(&id).await;

        assert!(report.counts.contains(&("endpoints.paused", 1)), "{report:?}");
        let event = told(&context, &bus).await;
        assert_eq!((&event["type"], &event["data"]["reason"]), (&json!("webhook_endpoint.paused"), &json!("gone")));
        assert_eq!(event["data"]["url"], context.platform.url, "without the query");
        assert_eq!((&event["data"]["tenant"], &event["data"]["endpoint_id"]), (&json!("acme"), &json!(id)));
        let (_, shown) = context.request("GET", &format!("/{id}"), None).await;
        assert_eq!((&shown["state"], &shown["paused"]["reason"]), (&json!("paused"), &json!("gone")));
    });
}

#[test]
fn an_endpoint_that_fails_for_half_a_day_is_paused_and_resumes_in_order() {
    run(async {
        let context = TestContext::new().await;
        let bus = context.subscribe("failing").await;
        let (id, _) = context.endpoint(&json!({})).await;
        context.platform.always(Some(Scripted::status(503)));
        let [one, other] = RECORDS;
        for (record, number) in [(one, 1), (one, 2), (other, 3)] {
            context.publish(&context.change(record, number)).await;
        }
        let start = context.clock.now();
        while context.request("GET", &format!("/{id}"), None).await.1["state"] == "active" {
            context.work(&id).await;
            context.pass(SignedDuration::from_mins(15));
            assert!(context.clock.now().duration_since(start) < PAUSE_AFTER + SignedDuration::from_hours(4));
        }
        assert!(context.clock.now().duration_since(start) > PAUSE_AFTER);
        assert_eq!(told(&context, &bus).await["data"]["reason"], "failing");

        context.platform.always(None);
        context.platform.received();
        context.publish(&context.change(other, 4)).await;
        context.work(&id).await;
        assert!(context.platform.received().is_empty(), "while it is paused");

        let (status, resumed) = context.request("POST", &format!("/{id}/resume"), None).await;
        assert_eq!((status, &resumed["state"]), (StatusCode::OK, &json!("active")));
        let (before, _) = context.waiting(QUEUE).await;
        let resume = json!({ "task": "resume", "tenant": "acme", "endpoint_id": id });
        context.handle(&[resume]).await;
        assert_eq!(context.waiting(QUEUE).await.0, before + 2, "a task for each record");
        context.work(&id).await;
        let received = context.platform.ids();
        let of = |record: &str| received.iter().filter(|id| id.starts_with(record)).cloned().collect::<Vec<_>>();
        assert_eq!((of(one), of(other)), (ids(one, &[1, 2]), ids(other, &[3, 4])));
    });
}

#[test]
fn an_endpoint_that_fails_gets_one_request_at_a_time() {
    run(async {
        let context = TestContext::new().await;
        let (id, _) = context.endpoint(&json!({})).await;
        context.platform.always(Some(Scripted::status(503)));
        for number in 1..20 {
            let record = format!("0065e00000A{number:03}EAAV");
            context.publish(&context.change(&record, number)).await;
        }
        // The failures before it is known to fail, one after the other.
        for task in context.tasks(&id).await {
            context.handle(&[task]).await;
        }
        assert_eq!(context.platform.received().len(), HOLD_FAILURES as usize);
        context.pass(SignedDuration::from_mins(15));
        context.work(&id).await;
        assert_eq!(context.platform.received().len(), 1, "one of 19 records tries it");

        context.platform.always(None);
        context.pass(SignedDuration::from_mins(15));
        context.work(&id).await;
        context.pass(SignedDuration::from_mins(15));
        context.work(&id).await;
        assert!(context.events_of(&id).await.is_empty());
    });
}

#[test]
fn an_endpoint_that_cannot_be_reached_is_a_failure() {
    run(async {
        let context = TestContext::new().await;
        let (id, _) = context.endpoint(&json!({ "url": "http://127.0.0.1:1/" })).await;
        context.publish(&context.change(RECORDS[0], 1)).await;
        context.work(&id).await;
        let [delivery] = &context.deliveries(&id, "").await[..] else { panic!("one delivery") };
        assert_eq!(delivery["last_attempt"]["error"], "not_connected");
        assert_eq!(delivery["last_attempt"]["status"], Value::Null);
    });
}
