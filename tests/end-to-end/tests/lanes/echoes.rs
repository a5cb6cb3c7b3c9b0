//! The origin of a change: events of Ferry's own writes are marked, and those of other changes are not.

use harness::run;
use jiff::SignedDuration;
use salesforce::{ObjectName, RecordId};
use serde_json::{Value, json};
use store::{ChangeHint, RecordRef, Source};

use crate::harness::{KEY, TestContext};

const OPPORTUNITY: ObjectName = ObjectName::from_static("Opportunity");

/// Processes a notification that the record changed. Returns the data of its event.
async fn event_of(context: &TestContext, record_id: RecordId, n: usize) -> Value {
    let hint = ChangeHint {
        org_id: context.org,
        delivery_id: format!("04l5e000000{n:04}").parse().unwrap(),
        source: Source::OutboundMessage,
        record: Some(RecordRef { object: OPPORTUNITY, record_id }),
        received_at: context.clock.now(),
        deferrals: store::Deferrals::default(),
    };
    context.queue(&[hint]).await;
    let mut events = context.settle(&OPPORTUNITY, record_id).await;
    assert_eq!(events.len(), 1, "{events:?}");
    events.remove(0)["data"].take()
}

fn edit(context: &TestContext, username: &str, id: RecordId, fields: &Value) {
    let fields = fields.as_object().unwrap();
    context.simulator.update_record(username, "Opportunity", id.as_str(), fields).unwrap();
}

fn is_unmarked(event: &Value) -> bool {
    ["origin", "write_id", "unwritten_fields"].iter().all(|name| event.get(name).is_none())
}

#[test]
fn ferrys_writes_are_marked_and_later_changes_are_not() {
    run(async {
        let context = TestContext::new().await;
        let deal = json!({ KEY: "O-1", "Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-12-31" });

        let (id, created) = context.write("k1", deal).await;
        let event = event_of(&context, id, 1).await;
        assert_eq!((&event["origin"], &event["write_id"]), (&json!("ferry"), &created));
        let unwritten = event["unwritten_fields"].as_array().unwrap();
        assert!(unwritten.contains(&json!("OwnerId")) && !unwritten.contains(&json!("StageName")), "{event}");

        context.pass(SignedDuration::from_mins(1));
        let (_, updated) = context.write("k2", json!({ KEY: "O-1", "Amount": 100 })).await;
        let event = event_of(&context, id, 2).await;
        assert_eq!((&event["origin"], &event["write_id"]), (&json!("ferry"), &updated));
        assert!(!event["unwritten_fields"].as_array().unwrap().contains(&json!("Amount")), "{event}");

        context.pass(SignedDuration::from_secs(4));
        edit(&context, &context.rep.username, id, &json!({ "Amount": 200 }));
        let event = event_of(&context, id, 3).await;
        assert!(event["changed_fields"].as_array().unwrap().contains(&json!("Amount")), "{event}");
        assert!(is_unmarked(&event), "the rep changed it in Salesforce: {event}");

        context.pass(SignedDuration::from_mins(1));
        context.write("k3", json!({ KEY: "O-1", "Amount": 300 })).await;
        edit(&context, &context.admin.username, id, &json!({ "NextStep": "Call" }));
        let event = event_of(&context, id, 4).await;
        assert!(is_unmarked(&event), "the admin changed it in the same second: {event}");
    });
}

/// An org may have no outbound messages, or none for the changes of the connection's user.
#[test]
fn a_write_is_in_the_mirror_without_a_message_of_salesforce() {
    run(async {
        let context = TestContext::new().await;
        let deal = json!({ KEY: "O-1", "Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-12-31" });
        let (id, write) = context.write("k1", deal).await;
        let events = context.settle(&OPPORTUNITY, id).await;
        assert_eq!((&events[0]["data"]["origin"], &events[0]["data"]["write_id"]), (&json!("ferry"), &write));
        let row = context.mirrored(&OPPORTUNITY, id).await.unwrap();
        assert_eq!(row.fields["Name"], "Deal");
        let delivery = format!("{}/{id}", write.as_str().unwrap());
        assert_eq!(context.outcome(&delivery).await, store::DeliveryOutcome::Applied);
    });
}

#[test]
fn a_change_just_before_a_write_is_named_as_not_written() {
    run(async {
        let context = TestContext::new().await;
        let deal = json!({ KEY: "O-1", "Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-12-31" });
        let (id, _) = context.write("k1", deal).await;
        event_of(&context, id, 1).await;
        context.pass(SignedDuration::from_mins(1));
        edit(&context, &context.admin.username, id, &json!({ "NextStep": "Call" }));
        context.pass(SignedDuration::from_secs(10));

        context.write("k2", json!({ KEY: "O-1", "Amount": 100 })).await;
        let event = event_of(&context, id, 2).await;

        assert_eq!(event["origin"], "ferry");
        assert!(event["unwritten_fields"].as_array().unwrap().contains(&json!("NextStep")), "{event}");
    });
}
