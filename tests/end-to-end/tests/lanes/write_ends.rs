//! The platform is told the end of every write that was answered 202 (invariant 25).

use harness::run;
use serde_json::json;

use crate::harness::{KEY, TestContext};

#[test]
fn the_end_of_a_queued_write_is_told() {
    run(async {
        let context = TestContext::new().await;
        let deal = json!({ KEY: "O-1", "Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-12-31" });

        let events = context.write_after_an_outage("k", deal).await;

        let [event] = &events[..] else { panic!("{events:?}") };
        assert_eq!((&event["type"], &event["data"]["state"]), (&json!("write.succeeded"), &json!("finished")));
        let outcome = &event["data"]["records"][0];
        assert_eq!(
            (&outcome["index"], &outcome["success"], &outcome["created"]),
            (&json!(0), &json!(true), &json!(true))
        );
        let record = context.simulator.record("Opportunity", outcome["id"].as_str().unwrap()).unwrap();
        assert_eq!(record["Name"], "Deal");
        assert!(!event.to_string().contains("Deal"), "{event}");
    });
}

#[test]
fn a_queued_write_that_fails_is_told() {
    run(async {
        let context = TestContext::new().await;

        let events = context.write_after_an_outage("k", json!({ KEY: "O-1", "Name": "Deal" })).await;

        let [event] = &events[..] else { panic!("{events:?}") };
        assert_eq!((&event["type"], &event["data"]["state"]), (&json!("write.failed"), &json!("finished")));
        assert_eq!(event["data"]["records"][0]["errors"], json!(["REQUIRED_FIELD_MISSING"]));
    });
}
