//! A killed function loses nothing that was acknowledged.

use std::collections::HashMap;
use std::path::PathBuf;

use bench::{Outcome, RuntimeApi};
use end_to_end::{Connected, Messages, eventually};
use local::stack;
use local::workspace::Workspace;
use local::{Progress, functions};
use org_simulator::{DeliveryState, Effect, Fault};
use serde_json::json;

const FUNCTION: &str = "ferry-record-upsert";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_record_upsert_loses_nothing_that_was_acknowledged() {
    let org = Connected::start(stack::Options::default()).await.unwrap();
    let lambda = aws_sdk_lambda::Client::new(org.stack.sdk_config());
    stop_poller(&lambda).await;
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
    let messages = Messages::of(sqs, org.stack.output("RecordUpsertQueueUrl").unwrap());
    let first = start(&org, &lambda).await;
    let batch = messages.batch(delivered.len()).await.unwrap();
    let (killed, ()) = tokio::join!(first.invoke(&batch), async {
        eventually("the account in the mirror, and the opportunity asked for", async || {
            // The opportunity has been asked for too: a fault that is left would hold up the second process instead.
            let asked = org.stack.simulator().faults().iter().all(|fault| fault.used == 1);
            Ok(asked && org.mirrored("Account", &account, "Name").await? == Some(json!("Newer than the message")))
        })
        .await
        .unwrap();
        first.kill().await;
    });
    assert!(matches!(killed.unwrap().outcome, Outcome::Exited(_)));
    assert_eq!(org.mirrored("Opportunity", &opportunity, "Name").await.unwrap(), None, "the kill came too late");

    let second = start(&org, &lambda).await;
    let again = messages.batch(delivered.len()).await.unwrap();
    let answer = second.invoke(&again).await.unwrap();

    assert_eq!(answer.outcome, Outcome::Response(json!({ "batchItemFailures": [] })), "{:?}", second.logs());
    assert_eq!(org.mirrored("Account", &account, "Name").await.unwrap(), Some(json!("Newer than the message")));
    assert_eq!(org.mirrored("Opportunity", &opportunity, "Name").await.unwrap(), Some(json!("After the kill")));
}

/// Takes the queue away from Lambda, so that the test is the one who hands out messages and kills.
async fn stop_poller(lambda: &aws_sdk_lambda::Client) {
    let mappings = lambda.list_event_source_mappings().function_name(FUNCTION).send().await.unwrap();
    for mapping in mappings.event_source_mappings() {
        lambda.delete_event_source_mapping().uuid(mapping.uuid().unwrap()).send().await.unwrap();
    }
}

/// Starts the function's own binary with the environment that it is deployed with.
async fn start(org: &Connected, lambda: &aws_sdk_lambda::Client) -> RuntimeApi {
    let deployed = lambda.get_function_configuration().function_name(FUNCTION).send().await.unwrap();
    let mut environment: HashMap<String, String> =
        deployed.environment.and_then(|environment| environment.variables).unwrap_or_default();
    let emulator = [
        ("AWS_ENDPOINT_URL", org.stack.emulator().endpoint()),
        ("AWS_REGION", local::emulator::REGION),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    environment.extend(emulator.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let environment: Vec<_> = environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    RuntimeApi::start(&binary().await, &environment).unwrap()
}

async fn binary() -> PathBuf {
    let binaries = functions::build(&Workspace::here(), &Progress::Silent).await.unwrap();
    binaries.get("record-upsert").expect("the workspace has a record-upsert").clone()
}
