//! A killed function loses nothing that was acknowledged.

use std::time::Duration;

use bench::Outcome;
use end_to_end::{Binary, Connected, Messages, eventually, stop_poller};
use local::stack;
use org_simulator::{DeliveryState, Effect, Fault};
use serde_json::json;

const FUNCTION: &str = "record-upsert";
/// The visibility timeout of the queue. It is short, so that the messages of a killed function return soon.
const HIDDEN: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_record_upsert_loses_nothing_that_was_acknowledged() {
    let org = Connected::start(stack::Options::default()).await.unwrap();
    stop_poller(&org.stack, FUNCTION).await.unwrap();
    let function = Binary::of(&org.stack, FUNCTION).await.unwrap();
    org.send_outbound_messages(&["Account", "Opportunity"]).unwrap();
    let account = org.create("Account", &json!({ "Name": "Before the kill" })).unwrap();
    let opportunity = json!({ "Name": "After the kill", "StageName": "Prospecting", "CloseDate": "2027-01-31" });
    let opportunity = org.create("Opportunity", &opportunity).unwrap();
    let delivered = org.stack.simulator().deliver_outbound_messages().await;
    assert!(delivered.iter().all(|delivery| delivery.state == DeliveryState::Delivered), "{delivered:?}");
    org.edit("Account", &account, &json!({ "Name": "Newer than the message" })).unwrap();

    org.stack.simulator().fault(Fault {
        path_prefix: "/services/data/v66.0/composite/sobjects/Opportunity".to_owned(),
        method: None,
        times: 1,
        effect: Effect::Delay { delay_ms: 120_000 },
    });
    let sqs = aws_sdk_sqs::Client::new(org.stack.sdk_config());
    let messages = Messages::of(sqs, org.stack.output("RecordUpsertQueueUrl").unwrap(), HIDDEN);
    let first = function.start().unwrap();
    let batch = messages.batch(delivered.len()).await.unwrap();
    let (killed, ()) = tokio::join!(first.invoke(&batch), async {
        eventually("the account in the mirror, and a request for the opportunity", async || {
            // The fault must hit the first process: unused, it would delay the second one.
            let requested = org.stack.simulator().faults().iter().all(|fault| fault.used == 1);
            Ok(requested && org.mirrored("Account", &account, "Name").await? == Some(json!("Newer than the message")))
        })
        .await
        .unwrap();
        first.kill().await;
    });
    assert!(matches!(killed.unwrap().outcome, Outcome::Exited(_)));
    assert_eq!(org.mirrored("Opportunity", &opportunity, "Name").await.unwrap(), None, "the kill was too late");

    let second = function.start().unwrap();
    let again = messages.batch(delivered.len()).await.unwrap();
    let result = second.invoke(&again).await.unwrap();

    assert_eq!(result.outcome, Outcome::Response(json!({ "batchItemFailures": [] })), "{:?}", second.logs());
    assert_eq!(org.mirrored("Account", &account, "Name").await.unwrap(), Some(json!("Newer than the message")));
    assert_eq!(org.mirrored("Opportunity", &opportunity, "Name").await.unwrap(), Some(json!("After the kill")));
}
