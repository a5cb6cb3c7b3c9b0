use jiff::SignedDuration;

use super::*;
use crate::model::ids::numbered;

fn outbox() -> (Outbox, IdSource) {
    let (mut outbox, mut ids) = (Outbox::default(), IdSource::default());
    let message = |name: &str, object: &str| OutboundMessage {
        name: name.to_owned(),
        object: object.to_owned(),
        fields: Vec::new(),
        endpoint_url: "http://127.0.0.1:1/".to_owned(),
    };
    outbox.define(message("A", "Account"), &mut ids);
    outbox.define(message("B", "Opportunity"), &mut ids);
    (outbox, ids)
}

fn start() -> Timestamp {
    "2026-11-22T10:00:00Z".parse().unwrap()
}

#[test]
fn a_message_holds_a_hundred_notifications_of_one_definition() {
    let (mut outbox, mut ids) = outbox();
    for n in 0..150 {
        outbox.changed("Account", numbered("001", n), start(), &mut ids);
    }
    outbox.changed("Opportunity", numbered("006", 1), start(), &mut ids);

    let sizes: Vec<_> = outbox.take_due(start()).iter().map(|batch| batch.notifications.len()).collect();

    assert_eq!(sizes, [100, 50, 1]);
    assert!(outbox.take_due(start()).is_empty());
}

#[test]
fn an_unacknowledged_notification_is_dropped_after_a_day() {
    let (mut outbox, mut ids) = outbox();
    outbox.changed("Account", numbered("001", 1), start(), &mut ids);
    let first = outbox.deliveries()[0].clone();
    let mut now = start();
    while let Some(next) = outbox.deliveries()[0].next_attempt_at {
        now = next;
        for batch in outbox.take_due(now) {
            outbox.settle(&batch, false, "status 500", now);
        }
    }
    let last = &outbox.deliveries()[0];
    assert_eq!((last.state, &last.notification_id), (DeliveryState::Dropped, &first.notification_id));
    assert!(now.duration_since(start()) > SignedDuration::from_hours(21));
    assert!(now.duration_since(start()) <= notification::KEPT);
}

#[test]
fn a_replaced_definition_keeps_its_id() {
    let (mut outbox, mut ids) = outbox();
    let before = outbox.definitions()[0].action_id;
    let message =
        OutboundMessage { endpoint_url: "http://127.0.0.1:2/".to_owned(), ..outbox.definitions()[0].message.clone() };
    assert_eq!(outbox.define(message, &mut ids), before);
    assert_eq!(outbox.definitions().len(), 2);
}

#[test]
fn the_queue_is_bounded() {
    let (mut outbox, mut ids) = outbox();
    for n in 0..MOST_PENDING as u64 + 3 {
        outbox.changed("Account", numbered("001", n), start(), &mut ids);
    }
    assert_eq!((outbox.pending.len(), outbox.settled.len()), (MOST_PENDING, 3));
    for batch in outbox.take_due(start()) {
        outbox.settle(&batch, true, "acknowledged", start());
    }
    assert_eq!((outbox.pending.len(), outbox.settled.len()), (0, MOST_SETTLED));
    assert_eq!(outbox.deliveries().last().unwrap().record_id, numbered("001", MOST_PENDING as u64 + 2).to_string());
}

#[test]
fn a_shuffle_is_complete_and_repeatable_by_its_seed() {
    let order = |seed| {
        let (mut outbox, mut ids) = outbox();
        outbox.disturbance = OutboundDisturbance { shuffle: seed, batch: 3, ..OutboundDisturbance::default() };
        for n in 0..10 {
            outbox.changed("Account", numbered("001", n), start(), &mut ids);
        }
        let batches = outbox.take_due(start());
        batches.iter().flat_map(|batch| batch.notifications.iter().map(|(at, _)| *at)).collect::<Vec<_>>()
    };
    let plain: Vec<u64> = (0..10).collect();
    assert_eq!(order(None), plain);
    let shuffled = order(Some(4));
    assert_ne!(shuffled, plain);
    assert_eq!(order(Some(4)), shuffled);
    let mut sorted = shuffled;
    sorted.sort_unstable();
    assert_eq!(sorted, plain);
}

#[test]
fn a_rollback_removes_only_later_notifications() {
    let (mut outbox, mut ids) = outbox();
    outbox.changed("Account", numbered("001", 1), start(), &mut ids);
    let mark = outbox.mark();
    outbox.changed("Account", numbered("001", 2), start(), &mut ids);
    outbox.rollback(mark);
    assert_eq!(outbox.deliveries().len(), 1);
}

#[test]
fn a_deleted_definition_drops_its_notifications() {
    let (mut outbox, mut ids) = outbox();
    outbox.changed("Account", numbered("001", 1), start(), &mut ids);
    let action = outbox.definitions()[0].action_id;
    outbox.undefine(action);
    assert!(outbox.take_due(start()).is_empty());
    assert_eq!(outbox.deliveries()[0].state, DeliveryState::Dropped);
}
