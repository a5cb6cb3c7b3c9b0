//! Outbound messages: definitions, the queue of notifications, and when each is tried again. Pure state; [`sender`] does the posting.

mod ack;
mod message;
pub(crate) mod sender;

use jiff::{SignedDuration, Timestamp};

use crate::ids::{IdSource, RecordId};
use crate::{Delivery, DeliveryState, OutboundMessage};

pub(crate) const BATCH: usize = 100;
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(30);
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(2);
const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// A definition, with the id by which its messages name it.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    pub(crate) action_id: RecordId,
    pub(crate) message: OutboundMessage,
}

/// A change that is to be told, once or until it is acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Notification {
    pub(crate) id: RecordId,
    action_id: RecordId,
    object: String,
    pub(crate) record: RecordId,
    queued_at: Timestamp,
    next_attempt_at: Timestamp,
    attempts: u32,
    state: DeliveryState,
    sending: bool,
    last_outcome: Option<String>,
}

impl Notification {
    fn is_due(&self, now: Timestamp) -> bool {
        self.state == DeliveryState::Pending && !self.sending && self.next_attempt_at <= now
    }

    fn settle(&mut self, acknowledged: bool, outcome: &str, now: Timestamp) {
        self.sending = false;
        self.attempts += 1;
        self.last_outcome = Some(outcome.to_owned());
        if acknowledged {
            self.state = DeliveryState::Delivered;
            return;
        }
        self.next_attempt_at = now.saturating_add(pause(self.attempts)).unwrap_or(now);
        if self.next_attempt_at.duration_since(self.queued_at) > KEPT {
            self.state = DeliveryState::Dropped;
        }
    }

    fn delivery(&self) -> Delivery {
        Delivery {
            notification_id: self.id.to_string(),
            action_id: self.action_id.to_string(),
            object: self.object.clone(),
            record_id: self.record.to_string(),
            state: self.state,
            attempts: self.attempts,
            last_outcome: self.last_outcome.clone(),
            next_attempt_at: (self.state == DeliveryState::Pending).then_some(self.next_attempt_at),
        }
    }
}

/// The pause after so many failed attempts: 30 s, 1 min, 2 min and so on, at most 2 h.
fn pause(attempts: u32) -> SignedDuration {
    let doublings = attempts.saturating_sub(1).min(16);
    (FIRST_PAUSE * (1 << doublings)).min(LONGEST_PAUSE)
}

/// Notifications of one definition that go in one message.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) definition: Definition,
    pub(crate) notifications: Vec<Notification>,
}

/// A length of the queue to return to.
#[derive(Clone, Copy)]
pub(crate) struct OutboxMark(usize);

/// All definitions and every notification so far.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    definitions: Vec<Definition>,
    queue: Vec<Notification>,
}

impl Outbox {
    /// Adds a definition, or replaces the one of that name, which keeps its id.
    pub(crate) fn define(&mut self, message: OutboundMessage, ids: &mut IdSource) -> RecordId {
        if let Some(known) = self.definitions.iter_mut().find(|known| known.message.name == message.name) {
            known.message = message;
            return known.action_id;
        }
        let action_id = ids.next("04k");
        self.definitions.push(Definition { action_id, message });
        action_id
    }

    pub(crate) fn definitions(&self) -> &[Definition] {
        &self.definitions
    }

    /// Queues a notification for each definition of the object.
    pub(crate) fn changed(&mut self, object: &str, record: RecordId, now: Timestamp, ids: &mut IdSource) {
        for definition in self.definitions.iter().filter(|d| d.message.object == object) {
            self.queue.push(Notification {
                id: ids.next("04l"),
                action_id: definition.action_id,
                object: object.to_owned(),
                record,
                queued_at: now,
                next_attempt_at: now,
                attempts: 0,
                state: DeliveryState::Pending,
                sending: false,
                last_outcome: None,
            });
        }
    }

    pub(crate) fn mark(&self) -> OutboxMark {
        OutboxMark(self.queue.len())
    }

    pub(crate) fn rollback(&mut self, to: OutboxMark) {
        self.queue.truncate(to.0);
    }

    /// Takes what is due, by definition and in batches; nobody else gets it until it is settled.
    pub(crate) fn take_due(&mut self, now: Timestamp) -> Vec<Batch> {
        let mut batches = Vec::new();
        for definition in &self.definitions {
            let due = self.queue.iter_mut().filter(|n| n.action_id == definition.action_id && n.is_due(now));
            let taken: Vec<Notification> = due
                .map(|notification| {
                    notification.sending = true;
                    notification.clone()
                })
                .collect();
            batches.extend(
                taken.chunks(BATCH).map(|part| Batch { definition: definition.clone(), notifications: part.to_vec() }),
            );
        }
        batches
    }

    /// Records what came of a batch and returns its notifications as they stand now.
    pub(crate) fn settle(&mut self, batch: &Batch, acknowledged: bool, outcome: &str, now: Timestamp) -> Vec<Delivery> {
        let mine = |n: &&mut Notification| batch.notifications.iter().any(|sent| sent.id == n.id);
        let settled = self.queue.iter_mut().filter(mine).map(|notification| {
            notification.settle(acknowledged, outcome, now);
            notification.delivery()
        });
        settled.collect()
    }

    /// Every notification, oldest first.
    pub(crate) fn deliveries(&self) -> Vec<Delivery> {
        self.queue.iter().map(Notification::delivery).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::numbered;

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
    fn the_pause_doubles_up_to_two_hours() {
        let seconds: Vec<_> = (1..=10).map(|n| pause(n).as_secs()).collect();
        assert_eq!(seconds, [30, 60, 120, 240, 480, 960, 1_920, 3_840, 7_200, 7_200]);
    }

    #[test]
    fn what_is_never_acknowledged_is_dropped_after_a_day_with_its_id_unchanged() {
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
        assert!(now.duration_since(start()) <= KEPT);
    }

    #[test]
    fn a_replaced_definition_keeps_its_id() {
        let (mut outbox, mut ids) = outbox();
        let before = outbox.definitions()[0].action_id;
        let message = OutboundMessage {
            endpoint_url: "http://127.0.0.1:2/".to_owned(),
            ..outbox.definitions()[0].message.clone()
        };
        assert_eq!(outbox.define(message, &mut ids), before);
        assert_eq!(outbox.definitions().len(), 2);
    }
}
