//! Change events that Salesforce relays to EventBridge, over the deployed stack.
//!
//! The emulator has no partner event sources: its `PutPartnerEvents` delivers nothing, and like AWS it rejects other events with
//! such a source. So `TestEventPattern` checks that the rule would deliver, and the test invokes the rule's target.

use end_to_end::{Connected, eventually};
use local::stack;
use serde_json::{Value, json};
use store::{Deliveries, DeliveryOutcome};

const BUS: &str = "ferry-change-events";
const CHANNEL: &str = "Ferry__chn";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relayed_change_is_mirrored_and_an_overflow_refreshes() {
    let org = Connected::start(stack::Options::default()).await.unwrap();
    let org_id = org.stack.simulator().org_id();
    org.stack.simulator().capture_changes(CHANNEL, &["Account"]).unwrap();
    let id = org.create("Account", &json!({ "Name": "Relayed" })).unwrap();
    let change = org.stack.simulator().relayed_events(CHANNEL).unwrap().remove(0);
    let overflow = overflow(&change);
    let function = target_of(&org, &change).await;

    let lambda = aws_sdk_lambda::Client::new(org.stack.sdk_config());
    for event in [&change, &overflow] {
        let payload = event.to_string().into_bytes();
        let response = lambda.invoke().function_name(&function).payload(payload.into()).send().await.unwrap();
        assert_eq!(response.function_error, None, "{:?}", response.payload);
    }

    eventually("the account in the mirror", async || {
        Ok(org.mirrored("Account", &id, "Name").await? == Some(json!("Relayed")))
    })
    .await
    .unwrap();
    let dynamodb = aws_sdk_dynamodb::Client::new(org.stack.sdk_config());
    let deliveries = Deliveries::new(dynamodb, org.stack.output("DeliveriesTable").unwrap());
    let load = async |name: String| deliveries.load(org_id.parse().unwrap(), &name.parse().unwrap()).await;
    let transaction = change["detail"]["payload"]["ChangeEventHeader"]["transactionKey"].as_str().unwrap();
    // The refresh that the overflow requested may have been faster.
    let settled = [DeliveryOutcome::Applied, DeliveryOutcome::Unchanged];
    eventually("the delivery in the ledger", async || {
        Ok(load(format!("{transaction}.1.{id}")).await?.is_some_and(|delivery| settled.contains(&delivery.outcome)))
    })
    .await
    .unwrap();
    let whole_object = load("overflow.1.Account".to_owned()).await.unwrap().unwrap();
    assert_eq!(whole_object.outcome, DeliveryOutcome::ObjectRefresh);
}

/// Returns the ARN of the function that the deployed rule delivers the event to. Checks that only AWS can send such an event.
async fn target_of(org: &Connected, event: &Value) -> String {
    use aws_sdk_eventbridge::types::PutEventsRequestEntry;

    let events = aws_sdk_eventbridge::Client::new(org.stack.sdk_config());
    let forged = PutEventsRequestEntry::builder().event_bus_name(BUS).source(event["source"].as_str().unwrap());
    let forged = forged.detail_type("AccountChangeEvent").detail(event["detail"].to_string()).build();
    let put = events.put_events().entries(forged).send().await.unwrap();
    assert_eq!(put.entries()[0].error_code(), Some("NotAuthorizedForSourceException"));

    let rule = events.describe_rule().name(BUS).event_bus_name(BUS).send().await.unwrap();
    let pattern = rule.event_pattern.unwrap();
    let foreign = json!({ "source": "ferry" });
    for (source, wanted) in [(&event["source"], true), (&foreign["source"], false)] {
        let mut event = event.clone();
        event["source"] = source.clone();
        let test = events.test_event_pattern().event_pattern(&pattern).event(event.to_string());
        assert_eq!(test.send().await.unwrap().result, wanted, "{source}");
    }
    let targets = events.list_targets_by_rule().rule(BUS).event_bus_name(BUS).send().await.unwrap();
    targets.targets()[0].arn().to_owned()
}

/// Returns an overflow event in place of the change; the simulated org has none.
fn overflow(change: &Value) -> Value {
    let mut event = change.clone();
    let mut header = event["detail"]["payload"]["ChangeEventHeader"].clone();
    header["changeType"] = json!("GAP_OVERFLOW");
    header["recordIds"] = json!(["000000000000000AAA"]);
    header["transactionKey"] = json!("overflow");
    event["detail"]["payload"] = json!({ "ChangeEventHeader": header });
    event
}
