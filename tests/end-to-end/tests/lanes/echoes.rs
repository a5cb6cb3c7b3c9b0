//! Whose change it was: what Ferry wrote comes back marked, and nobody else's change does.

use jiff::SignedDuration;
use salesforce::{ObjectName, RecordId};
use serde_json::{Value, json};
use store::{ChangeHint, RecordRef, Source};
use world::run;

use crate::stage::{KEY, Stage};

const OPPORTUNITY: ObjectName = ObjectName::from_static("Opportunity");

/// A notification that the record changed, through to what the platform hears.
async fn heard(stage: &Stage, record_id: RecordId, n: usize) -> Value {
    let hint = ChangeHint {
        org_id: stage.org,
        delivery_id: format!("04l5e000000{n:04}").parse().unwrap(),
        source: Source::OutboundMessage,
        record: Some(RecordRef { object: OPPORTUNITY, record_id }),
        received_at: stage.clock.now(),
        put_off: 0,
    };
    stage.queue(&[hint]).await;
    let mut events = stage.settle(&OPPORTUNITY, record_id).await;
    assert_eq!(events.len(), 1, "{events:?}");
    events.remove(0)["data"].take()
}

fn edit(stage: &Stage, username: &str, id: RecordId, fields: &Value) {
    let fields = fields.as_object().unwrap();
    stage.simulator.update_record(username, "Opportunity", id.as_str(), fields).unwrap();
}

fn is_anybodys(event: &Value) -> bool {
    ["origin", "write_id", "unwritten_fields"].iter().all(|name| event.get(name).is_none())
}

#[test]
fn what_ferry_wrote_is_marked_and_what_people_change_afterwards_is_not() {
    run(async {
        let stage = Stage::new().await;
        let deal = json!({ KEY: "O-1", "Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-12-31" });

        let (id, created) = stage.write("k1", deal).await;
        let event = heard(&stage, id, 1).await;
        assert_eq!((&event["origin"], &event["write_id"]), (&json!("ferry"), &created));
        let unwritten = event["unwritten_fields"].as_array().unwrap();
        assert!(unwritten.contains(&json!("OwnerId")) && !unwritten.contains(&json!("StageName")), "{event}");

        stage.pass(SignedDuration::from_mins(1));
        let (_, updated) = stage.write("k2", json!({ KEY: "O-1", "Amount": 100 })).await;
        let event = heard(&stage, id, 2).await;
        assert_eq!((&event["origin"], &event["write_id"]), (&json!("ferry"), &updated));
        assert!(!event["unwritten_fields"].as_array().unwrap().contains(&json!("Amount")), "{event}");

        stage.pass(SignedDuration::from_secs(4));
        edit(&stage, &stage.rep.username, id, &json!({ "Amount": 200 }));
        let event = heard(&stage, id, 3).await;
        assert!(event["changed_fields"].as_array().unwrap().contains(&json!("Amount")), "{event}");
        assert!(is_anybodys(&event), "the rep changed it in Salesforce: {event}");

        stage.pass(SignedDuration::from_mins(1));
        stage.write("k3", json!({ KEY: "O-1", "Amount": 300 })).await;
        edit(&stage, &stage.admin.username, id, &json!({ "NextStep": "Call" }));
        let event = heard(&stage, id, 4).await;
        assert!(is_anybodys(&event), "the admin changed it in the same second: {event}");
    });
}

#[test]
fn what_somebody_changed_just_before_a_write_is_named_as_not_written() {
    run(async {
        let stage = Stage::new().await;
        let deal = json!({ KEY: "O-1", "Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-12-31" });
        let (id, _) = stage.write("k1", deal).await;
        heard(&stage, id, 1).await;
        stage.pass(SignedDuration::from_mins(1));
        edit(&stage, &stage.admin.username, id, &json!({ "NextStep": "Call" }));
        stage.pass(SignedDuration::from_secs(10));

        stage.write("k2", json!({ KEY: "O-1", "Amount": 100 })).await;
        let event = heard(&stage, id, 2).await;

        assert_eq!(event["origin"], "ferry");
        assert!(event["unwritten_fields"].as_array().unwrap().contains(&json!("NextStep")), "{event}");
    });
}
