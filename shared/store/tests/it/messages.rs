use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_sqs::Client as Sqs;
use salesforce::Clock;
use serde_json::{Value, json};
use store::{BusEvent, ChangeHint, Error, EventBus, EventKind, NewDeadLetter, Queue, RecordRef, Source};

use crate::harness::{account, at, emulator, org, other_org, run, state};

fn hint(n: usize) -> ChangeHint {
    ChangeHint {
        org_id: if n.is_multiple_of(2) { org() } else { other_org() },
        delivery_id: "04l5e00000Gx7Qz".parse().unwrap(),
        source: Source::OutboundMessage,
        record: Some(RecordRef { object: "Account".parse().unwrap(), record_id: account(n) }),
        received_at: at(0),
        deferrals: store::Deferrals::default(),
    }
}

/// Receives and deletes every message of a queue.
async fn drain(sqs: &Sqs, url: &str) -> Vec<String> {
    let mut bodies = Vec::new();
    loop {
        let request = sqs.receive_message().queue_url(url).max_number_of_messages(10).wait_time_seconds(1);
        let messages = request.send().await.unwrap().messages.unwrap_or_default();
        if messages.is_empty() {
            return bodies;
        }
        for message in messages {
            sqs.delete_message().queue_url(url).receipt_handle(message.receipt_handle.unwrap()).send().await.unwrap();
            bodies.push(message.body.unwrap());
        }
    }
}

#[test]
fn every_message_is_queued_once() {
    run(async {
        let state = state().await;
        let sqs = Sqs::new(emulator().await.sdk_config());
        let url = state.physical("RecordUpsertQueue").unwrap();
        let queue = Queue::new(sqs.clone(), url, Clock::manual(at(0)));
        let hints: Vec<_> = (0..100).map(hint).collect();

        queue.send_all(&hints, at(20)).await.unwrap();
        queue.send(&hint(100), Duration::ZERO).await.unwrap();

        let bodies = drain(&sqs, url).await;
        let ids: BTreeSet<_> = bodies
            .iter()
            .filter_map(|body| serde_json::from_str::<ChangeHint>(body).unwrap().record)
            .map(|record| record.record_id)
            .collect();
        assert_eq!(bodies.len(), 101);
        assert_eq!(ids, (0..=100).map(account).collect());
    });
}

#[test]
fn delayed_messages_keep_their_own_delay() {
    run(async {
        let state = state().await;
        let sqs = Sqs::new(emulator().await.sdk_config());
        let url = state.physical("RecordUpsertQueue").unwrap();
        let queue = Queue::new(sqs.clone(), url, Clock::manual(at(0)));
        let delay = |n: usize| if n < 5 { Duration::ZERO } else { Duration::from_secs(3_600) };
        let messages: Vec<_> = (0..25).map(|n| (hint(n), delay(n))).collect();

        assert_eq!(queue.send_delayed(&messages, at(20)).await.unwrap(), [0; 0]);

        assert_eq!(drain(&sqs, url).await.len(), 5);
    });
}

#[test]
fn a_dead_letter_carries_its_reason_and_its_time() {
    run(async {
        let state = state().await;
        let sqs = Sqs::new(emulator().await.sdk_config());
        let url = state.physical("RecordUpsertDeadLetters").unwrap();
        let queue: Queue<ChangeHint> = Queue::new(sqs.clone(), url, Clock::manual(at(0)));
        let letter = |n: usize| NewDeadLetter {
            group: (n > 0).then(|| org().to_string()),
            body: format!("not a hint {n}"),
            reason: "unreadable".to_owned(),
            failed_at: at(n.try_into().unwrap()),
        };
        let letters: Vec<_> = (0..12).map(letter).collect();

        assert_eq!(queue.send_dead_letters(&letters, at(20)).await.unwrap(), [0; 0]);

        let mut found = Vec::new();
        while found.len() < letters.len() {
            let request = sqs.receive_message().queue_url(url).max_number_of_messages(10).wait_time_seconds(20);
            let request =
                request.message_attribute_names("All").message_system_attribute_names("MessageGroupId".into());
            for message in request.send().await.unwrap().messages.expect("the letters") {
                let group = message.attributes.and_then(|known| known.get(&"MessageGroupId".into()).cloned());
                let attributes = message.message_attributes.unwrap();
                let text = |name: &str| attributes[name].string_value().unwrap().to_owned();
                let failed_at = text("failed_at").parse().unwrap();
                found.push(NewDeadLetter { group, body: message.body.unwrap(), reason: text("reason"), failed_at });
            }
        }
        found.sort_by_key(|letter| letter.failed_at);
        assert_eq!(found, letters);
    });
}

#[test]
fn unconfirmed_messages_are_returned() {
    run(async {
        let config = aws_sdk_sqs::config::Builder::from(emulator().await.sdk_config());
        let unreachable = Sqs::from_conf(config.endpoint_url("http://127.0.0.1:9").build());
        let queue = Queue::new(unreachable, "http://127.0.0.1:9/none", Clock::manual(at(0)));

        let mut unconfirmed =
            queue.send_delayed(&[(hint(1), Duration::ZERO), (hint(2), Duration::ZERO)], at(0)).await.unwrap();

        unconfirmed.sort_unstable();
        assert_eq!(unconfirmed, [0, 1]);
    });
}

#[test]
fn a_missing_queue_is_an_error() {
    run(async {
        let sqs = Sqs::new(emulator().await.sdk_config());
        let url = format!("{}/000000000000/no-such-queue", emulator().await.endpoint());
        let queue = Queue::new(sqs, url, Clock::manual(at(0)));

        let failed = queue.send_all(&[hint(1)], at(20)).await;

        assert!(matches!(failed, Err(Error::Refused { .. })), "{failed:?}");
    });
}

#[test]
fn an_empty_batch_makes_no_call() {
    run(async {
        let sqs = Sqs::new(emulator().await.sdk_config());
        let queue: Queue<ChangeHint> = Queue::new(sqs, "http://127.0.0.1:9/none", Clock::manual(at(0)));
        queue.send_all(&[], at(0)).await.unwrap();
    });
}

#[test]
fn an_unreachable_queue_is_an_error_at_the_deadline() {
    run(async {
        let sqs = Sqs::new(emulator().await.sdk_config());
        let config = aws_sdk_sqs::config::Builder::from(emulator().await.sdk_config());
        let unreachable = Sqs::from_conf(config.endpoint_url("http://127.0.0.1:9").build());
        let queue = Queue::new(unreachable, "http://127.0.0.1:9/none", Clock::manual(at(0)));

        let failed = queue.send_all(&[hint(1), hint(2)], at(0)).await;

        assert!(matches!(failed, Err(Error::NotAllQueued { missing: 2, total: 2 })), "{failed:?}");
        drop(sqs);
    });
}

fn event(n: usize) -> BusEvent {
    let mut event =
        BusEvent::new(org(), EventKind::RecordChanged, format!("Account/{}", account(n)), format!("event-{n}"));
    event.time = at(0);
    event.data = json!({"n": n});
    event
}

#[test]
fn events_reach_a_queue_behind_the_bus() {
    run(async {
        let state = state().await;
        let sdk = emulator().await.sdk_config();
        let (sqs, eventbridge) = (Sqs::new(sdk), aws_sdk_eventbridge::Client::new(sdk));
        let (url, bus) = (state.physical("RecordUpsertQueue").unwrap(), state.physical("EventBus").unwrap());
        subscribe(&eventbridge, &sqs, bus, url).await;

        let events: Vec<_> = (0..25).map(event).collect();
        let results = EventBus::new(eventbridge, bus).publish(&events).await;

        assert!(results.len() == 25 && results.iter().all(Result::is_ok), "{results:?}");
        let bodies: Vec<Value> =
            drain(&sqs, url).await.iter().map(|body| serde_json::from_str(body).unwrap()).collect();
        let details: Vec<BusEvent> =
            bodies.iter().map(|body| serde_json::from_value(body["detail"].clone()).unwrap()).collect();
        assert!(bodies.iter().all(|body| body["source"] == "ferry" && body["detail-type"] == "record.changed"));
        assert_eq!(details.len(), 25);
        assert!(events.iter().all(|event| details.contains(event)));
    });
}

async fn subscribe(eventbridge: &aws_sdk_eventbridge::Client, sqs: &Sqs, bus: &str, url: &str) {
    use aws_sdk_sqs::types::QueueAttributeName::QueueArn;
    let attributes = sqs.get_queue_attributes().queue_url(url).attribute_names(QueueArn).send().await.unwrap();
    let arn = attributes.attributes.unwrap().remove(&QueueArn).unwrap();
    let rule = eventbridge.put_rule().name("everything").event_bus_name(bus).event_pattern(r#"{"source": ["ferry"]}"#);
    rule.send().await.unwrap();
    let target = aws_sdk_eventbridge::types::Target::builder().id("queue").arn(arn).build().unwrap();
    eventbridge.put_targets().rule("everything").event_bus_name(bus).targets(target).send().await.unwrap();
}

#[test]
fn an_unreachable_bus_publishes_nothing() {
    run(async {
        let config = aws_sdk_eventbridge::config::Builder::from(emulator().await.sdk_config());
        let unreachable = aws_sdk_eventbridge::Client::from_conf(config.endpoint_url("http://127.0.0.1:9").build());

        let results = EventBus::new(unreachable, "bus").publish(&[event(1), event(2)]).await;

        assert!(results.len() == 2 && results.iter().all(Result::is_err), "{results:?}");
    });
}
