//! The function on the emulator: from events as EventBridge delivers them to hints, refreshes and the ledger.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::collections::BTreeSet;

use aws_sdk_sqs::types::MessageSystemAttributeName::MessageGroupId;
use change_event::{Deps, Error, EventReport, handle};
use harness::{DISCONNECTED, TestContext, run};
use jiff::SignedDuration;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use store::{ChangeHint, Deliveries, DeliveryOutcome, Orgs, Queue, RefreshKind, RefreshTask};

const TRANSACTION: &str = "000f07d5-d33e-8607-991e-ad2c1fda0750";

fn deps(context: &TestContext) -> Deps {
    Deps {
        orgs: context.orgs.clone(),
        deliveries: Deliveries::new(context.dynamodb(), context.table("deliveries")),
        hints: Queue::new(context.sqs(), context.queue_url("RecordUpsertQueue"), context.clock.clone()),
        refreshes: Queue::new(context.sqs(), context.queue_url("PipelineRefreshQueue"), context.clock.clone()),
        clock: context.clock.clone(),
    }
}

fn event(org: &str, change_type: &str, record_ids: &[&str]) -> Box<RawValue> {
    let header = json!({
        "entityName": "Opportunity", "recordIds": record_ids, "changeType": change_type, "sequenceNumber": 1,
        "transactionKey": TRANSACTION, "commitTimestamp": 1_732_262_800_000_u64, "changedFields": ["StageName"],
    });
    let event = json!({
        "version": "0", "id": "5c42b99e-e005-43b3-c744-07990c50d2cc", "detail-type": "OpportunityChangeEvent",
        "source": format!("aws.partner/salesforce.com/{org}/0YL5e000000CaRkGAK"),
        "detail": { "payload": { "ChangeEventHeader": header, "StageName": "an ignored value" } },
    });
    serde_json::value::to_raw_value(&event).unwrap()
}

async fn handle_event(context: &TestContext, deps: &Deps, event: Box<RawValue>) -> Result<EventReport, Error> {
    handle(deps, event, context.clock.now().checked_add(SignedDuration::from_secs(20)).unwrap()).await
}

/// Receives all messages of a queue: the group and the body of each.
async fn queued(context: &TestContext, queue: &str) -> Vec<(String, String)> {
    let (visible, _) = context.waiting(queue).await;
    let mut bodies = Vec::new();
    while bodies.len() < visible {
        let receive = context.sqs().receive_message().queue_url(context.queue_url(queue)).max_number_of_messages(10);
        let received = receive.message_system_attribute_names(MessageGroupId).send().await.unwrap();
        for message in received.messages.unwrap_or_default() {
            let group = message.attributes.unwrap().remove(&MessageGroupId).unwrap();
            bodies.push((group, message.body.unwrap()));
        }
    }
    bodies
}

#[test]
fn a_change_queues_a_hint_per_record_without_its_values() {
    run(async {
        let context = TestContext::connected().await;
        let ids = ["0065e00000AbCdEAAV", "0065e00000AbCdFAAV"];

        let report =
            handle_event(&context, &deps(&context), event(context.org.as_str(), "GAP_UPDATE", &ids)).await.unwrap();

        assert_eq!(report, EventReport { refused: false, hints: 2, refreshes: 0 });
        let queued = queued(&context, "RecordUpsertQueue").await;
        assert!(queued.iter().all(|(group, body)| group == context.org.as_str() && !body.contains("an ignored value")));
        let hints = queued.iter().map(|(_, body)| serde_json::from_str::<ChangeHint>(body).unwrap());
        let mut deliveries: Vec<String> = hints.map(|hint| hint.delivery_id.to_string()).collect();
        deliveries.sort();
        assert_eq!(deliveries, ids.map(|id| format!("{TRANSACTION}.1.{id}")));
        assert_eq!(context.waiting("PipelineRefreshQueue").await, (0, 0));
    });
}

#[test]
fn events_that_an_org_relays_queue_a_hint_each() {
    run(async {
        let context = TestContext::connected().await;
        context.simulator.capture_changes("Ferry__chn", &["Account"]).unwrap();
        let id = context.create(&context.admin, "Account", &json!({ "Name": "an ignored value" }));
        context.update("Account", &id, &json!({ "Phone": "1" }));
        context.simulator.delete_record(&context.admin.username, "Account", &id).unwrap();
        let events = context.simulator.relayed_events("Ferry__chn").unwrap();

        for event in &events {
            let event = serde_json::value::to_raw_value(event).unwrap();
            let report = handle_event(&context, &deps(&context), event).await.unwrap();
            assert_eq!(report, EventReport { refused: false, hints: 1, refreshes: 0 });
        }

        let queued = queued(&context, "RecordUpsertQueue").await;
        assert!(queued.iter().all(|(_, body)| !body.contains("an ignored value")));
        let hints = queued.iter().map(|(_, body)| serde_json::from_str::<ChangeHint>(body).unwrap());
        let deliveries: BTreeSet<String> = hints.map(|hint| hint.delivery_id.to_string()).collect();
        let header = |event: &Value| event["detail"]["payload"]["ChangeEventHeader"].clone();
        let transactions = events.iter().map(|event| header(event)["transactionKey"].as_str().unwrap().to_owned());
        assert_eq!(deliveries, transactions.map(|key| format!("{key}.1.{id}")).collect());
        assert_eq!(deliveries.len(), 3, "created, updated and deleted");
    });
}

#[test]
fn an_overflow_queues_a_refresh_and_a_ledger_entry() {
    run(async {
        let context = TestContext::connected().await;
        let deps = deps(&context);

        let report =
            handle_event(&context, &deps, event(context.org.as_str(), "GAP_OVERFLOW", &["000000000000000AAA"]))
                .await
                .unwrap();

        assert_eq!(report, EventReport { refused: false, hints: 0, refreshes: 1 });
        let queued = queued(&context, "PipelineRefreshQueue").await;
        let task: RefreshTask = serde_json::from_str(&queued[0].1).unwrap();
        assert_eq!((task.org_id, task.kind), (context.org, RefreshKind::Incremental));
        assert_eq!(task.object.unwrap().as_str(), "Opportunity");
        let id = format!("{TRANSACTION}.1.Opportunity").parse().unwrap();
        let delivery = deps.deliveries.load(context.org, &id).await.unwrap().unwrap();
        assert_eq!((delivery.outcome, delivery.record), (DeliveryOutcome::ObjectRefresh, None));
    });
}

#[test]
fn an_event_of_an_unknown_or_inactive_org_is_refused() {
    run(async {
        let context = TestContext::new().await;
        let deps = deps(&context);
        for org in [context.org.as_str(), DISCONNECTED] {
            for (kind, ids) in [("UPDATE", &["0065e00000AbCdEAAV"][..]), ("GAP_OVERFLOW", &[])] {
                let report = handle_event(&context, &deps, event(org, kind, ids)).await.unwrap();
                assert_eq!(report, EventReport { refused: true, ..EventReport::default() });
            }
        }
        for queue in ["RecordUpsertQueue", "PipelineRefreshQueue"] {
            assert_eq!(context.waiting(queue).await, (0, 0));
        }
    });
}

#[test]
fn malformed_events_and_unavailable_state_are_errors() {
    run(async {
        let context = TestContext::connected().await;
        let deps = deps(&context);
        let platform_event = json!({
            "id": "1", "source": format!("aws.partner/salesforce.com/{}/0YL5e000000CaRkGAK", context.org),
            "detail": { "payload": { "Order__c": "1" } },
        });
        let malformed = serde_json::value::to_raw_value::<Value>(&platform_event).unwrap();
        assert!(matches!(handle_event(&context, &deps, malformed).await, Err(Error::Malformed(_))));

        let url = context.queue_url("RecordUpsertQueue").replace("record-upsert", "no-such-queue");
        let without_queue = Deps { hints: Queue::new(context.sqs(), url, context.clock.clone()), ..deps.clone() };
        let change = || event(context.org.as_str(), "UPDATE", &["0065e00000AbCdEAAV"]);
        assert!(matches!(handle_event(&context, &without_queue, change()).await, Err(Error::State(_))));
        let without_orgs = Deps { orgs: Orgs::new(context.dynamodb(), "no-such-table"), ..deps };
        assert!(matches!(handle_event(&context, &without_orgs, change()).await, Err(Error::State(_))));
        assert_eq!(context.waiting("RecordUpsertQueue").await, (0, 0));
    });
}
