//! One change, reported by an outbound message, by Change Data Capture and by a gap event: one row in the mirror, one event, and an
//! entry in the ledger for each report.

use harness::run;
use jiff::SignedDuration;
use salesforce::soap::outbound_message;
use salesforce::{ObjectName, RecordId};
use serde_json::{Value, json};
use store::DeliveryOutcome::{Applied, Unchanged};

use crate::harness::TestContext;

const ACCOUNT: ObjectName = ObjectName::from_static("Account");
const CHANNEL: &str = "Ferry__chn";

#[derive(Clone, Copy, Debug, PartialEq)]
enum Lane {
    OutboundMessage,
    ChangeEvent,
    Gap,
}

use Lane::{ChangeEvent, Gap, OutboundMessage};

const ORDERS: [[Lane; 3]; 6] = [
    [OutboundMessage, ChangeEvent, Gap],
    [OutboundMessage, Gap, ChangeEvent],
    [ChangeEvent, OutboundMessage, Gap],
    [ChangeEvent, Gap, OutboundMessage],
    [Gap, OutboundMessage, ChangeEvent],
    [Gap, ChangeEvent, OutboundMessage],
];

/// Reports a change in one lane. Returns the id of the delivery.
async fn report(context: &TestContext, lane: Lane, id: RecordId, n: usize) -> String {
    match lane {
        OutboundMessage => {
            let notification = format!("04l5e000000{n:04}");
            let body = outbound_message_body(context, &notification, id);
            let message = outbound_message::parse(body.as_bytes()).unwrap();
            context
                .queue(&::outbound_message::hints::from_message(&message, context.org, context.clock.now()).unwrap())
                .await;
            notification.parse::<RecordId>().unwrap().to_string()
        }
        ChangeEvent => relay(context, org_event(context, id)).await,
        Gap => relay(context, gap(org_event(context, id), n)).await,
    }
}

/// Returns the event of the record's creation, as the org relays it.
fn org_event(context: &TestContext, id: RecordId) -> Value {
    let events = context.simulator.relayed_events(CHANNEL).unwrap();
    let is_of = |event: &Value| header(event)["recordIds"] == json!([id]);
    events.into_iter().find(is_of).unwrap()
}

/// Returns a gap event in place of the event: it has the header only, and another transaction.
fn gap(mut event: Value, n: usize) -> Value {
    let mut header = header(&event).clone();
    header["changeType"] = json!("GAP_CREATE");
    header["transactionKey"] = json!(format!("gap-{n}"));
    event["detail"]["payload"] = json!({ "ChangeEventHeader": header });
    event
}

fn header(event: &Value) -> &Value {
    &event["detail"]["payload"]["ChangeEventHeader"]
}

/// Relays the event. Returns the id of the delivery.
async fn relay(context: &TestContext, event: Value) -> String {
    context.relay(&event).await;
    let text = |name: &str| header(&event)[name].as_str().unwrap();
    let record = header(&event)["recordIds"][0].as_str().unwrap();
    format!("{}.1.{record}", text("transactionKey"))
}

fn outbound_message_body(context: &TestContext, notification: &str, id: RecordId) -> String {
    let org = context.org;
    format!(
        r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"
             xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><s:Body>
           <notifications xmlns="http://soap.sforce.com/2005/09/outbound">
           <OrganizationId>{org}</OrganizationId><ActionId>04k5e000000CaRkAAK</ActionId><SessionId xsi:nil="true"/>
           <Notification><Id>{notification}</Id><sObject xsi:type="sf:Account"
             xmlns:sf="urn:sobject.enterprise.soap.sforce.com"><sf:Id>{id}</sf:Id><sf:Name>what the message says</sf:Name>
           </sObject></Notification></notifications></s:Body></s:Envelope>"#
    )
}

/// Returns the record's name in the mirror.
async fn name(context: &TestContext, id: RecordId) -> Value {
    context.mirrored(&ACCOUNT, id).await.unwrap().fields["Name"].clone()
}

#[test]
fn a_change_reported_by_three_lanes_in_turn_is_one_event() {
    run(async {
        let context = TestContext::new().await;
        context.simulator.capture_changes(CHANNEL, &["Account"]).unwrap();
        for (n, order) in ORDERS.into_iter().enumerate() {
            let id: RecordId = context.create(&context.admin, "Account", &json!({ "Name": "Acme" })).parse().unwrap();
            let mut events = Vec::new();
            for (turn, lane) in order.into_iter().enumerate() {
                context.pass(SignedDuration::from_secs(1));
                let delivery = report(&context, lane, id, n).await;
                events.extend(context.settle(&ACCOUNT, id).await);
                let expected = if turn == 0 { Applied } else { Unchanged };
                assert_eq!(context.outcome(&delivery).await, expected, "{lane:?} in {order:?}");
                assert_eq!(name(&context, id).await, "Acme", "{order:?}");
            }
            assert_eq!(events.len(), 1, "{order:?}: {events:?}");
            assert_eq!((&events[0]["type"], &events[0]["data"]["created"]), (&json!("record.changed"), &json!(true)));
        }
    });
}

#[test]
fn a_change_reported_by_three_lanes_at_once_is_one_event() {
    run(async {
        let context = TestContext::new().await;
        context.simulator.capture_changes(CHANNEL, &["Account"]).unwrap();
        for (n, order) in ORDERS.into_iter().enumerate() {
            let id: RecordId = context.create(&context.admin, "Account", &json!({ "Name": "Acme" })).parse().unwrap();
            let mut deliveries = Vec::new();
            for lane in order {
                deliveries.push(report(&context, lane, id, n).await);
            }

            let events = context.settle(&ACCOUNT, id).await;

            assert_eq!(events.len(), 1, "{order:?}: {events:?}");
            assert_eq!(name(&context, id).await, "Acme");
            for delivery in deliveries {
                assert_eq!(context.outcome(&delivery).await, Applied, "{order:?}");
            }
        }
    });
}
