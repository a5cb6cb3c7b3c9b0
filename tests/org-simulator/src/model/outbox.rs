//! Outbound messages: their definitions and the queue of notifications.

pub(crate) mod notification;
pub(crate) mod settings;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use serde::{Deserialize, Serialize};

use crate::model::ids::{IdSource, RecordId};
use crate::model::outbox::delivery::{Delivery, DeliveryState, OutboundMessage};
use crate::model::outbox::notification::Notification;
use crate::model::outbox::settings::{BATCH, OutboundDisturbance, OutboundSettings};

/// Pending notifications; above this number the oldest are dropped, which bounds the memory of the queue.
const MOST_PENDING: usize = 200_000;

/// Notifications that are kept after they were delivered or dropped.
const MOST_SETTLED: usize = 20_000;

/// The definition of an outbound message, with the action id that its messages carry.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Definition {
    pub(crate) action_id: RecordId,
    pub(crate) message: OutboundMessage,
    pub(crate) settings: OutboundSettings,
}

/// Notifications of one definition that are sent in one message.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) definition: Definition,
    pub(crate) notifications: Vec<(u64, Notification)>,
}

/// A length of the queue, for a rollback.
#[derive(Clone, Copy)]
pub(crate) struct OutboxMark(u64);

/// All definitions and the notifications, in the order in which they were queued.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Outbox {
    definitions: Vec<Definition>,
    pending: BTreeMap<u64, Notification>,
    settled: VecDeque<(u64, Notification)>,
    queued: u64,
    pub(crate) disturbance: OutboundDisturbance,
    /// Users without the permission "Send Outbound Messages"; their changes queue no notification.
    pub(crate) silent_users: BTreeSet<RecordId>,
    shuffles: u64,
}

impl Outbox {
    /// Adds a definition, or replaces the one with that name, which keeps its id and settings.
    pub(crate) fn define(&mut self, message: OutboundMessage, ids: &mut IdSource) -> RecordId {
        if let Some(known) = self.definitions.iter_mut().find(|known| known.message.name == message.name) {
            known.message = message;
            return known.action_id;
        }
        let action_id = ids.next("04k");
        self.definitions.push(Definition { action_id, message, settings: OutboundSettings::default() });
        action_id
    }

    /// Returns the definitions without the queue, as a copy of the org has them.
    pub(crate) fn without_queue(self) -> Self {
        Self { pending: BTreeMap::new(), settled: VecDeque::new(), ..self }
    }

    pub(crate) fn definitions(&self) -> &[Definition] {
        &self.definitions
    }

    pub(crate) fn definition_mut(&mut self, name: &str) -> Option<&mut Definition> {
        self.definitions.iter_mut().find(|known| known.message.name == name)
    }

    /// Removes a definition; its pending notifications are dropped.
    pub(crate) fn undefine(&mut self, action_id: RecordId) {
        self.definitions.retain(|known| known.action_id != action_id);
        let orphans: Vec<u64> =
            self.pending.iter().filter(|(_, n)| n.action_id == action_id).map(|(at, _)| *at).collect();
        for at in orphans {
            self.drop_pending(at, "the definition was deleted");
        }
    }

    /// Queues a notification for each active definition of the object.
    pub(crate) fn changed(&mut self, object: &str, record: RecordId, now: Timestamp, ids: &mut IdSource) {
        for definition in self.definitions.iter().filter(|d| d.message.object == object && d.settings.active) {
            let notification = Notification::new(ids.next("04l"), definition.action_id, (object, record), now);
            self.pending.insert(self.queued, notification);
            self.queued += 1;
        }
        while self.pending.len() > MOST_PENDING {
            let Some(oldest) = self.pending.keys().next().copied() else { return };
            tracing::warn!("the outbound queue is full: its oldest notification is dropped");
            self.drop_pending(oldest, "the queue was full");
        }
    }

    fn drop_pending(&mut self, at: u64, why: &str) {
        if let Some(mut notification) = self.pending.remove(&at) {
            notification.state = DeliveryState::Dropped;
            notification.last_outcome = Some(why.to_owned());
            self.remember(at, notification);
        }
    }

    fn remember(&mut self, at: u64, notification: Notification) {
        if self.settled.len() == MOST_SETTLED {
            self.settled.pop_front();
        }
        self.settled.push_back((at, notification));
    }

    pub(crate) fn mark(&self) -> OutboxMark {
        OutboxMark(self.queued)
    }

    pub(crate) fn rollback(&mut self, to: OutboxMark) {
        self.pending.split_off(&to.0);
    }

    /// Takes the due notifications in batches, by definition; they are not due again until [`Outbox::settle`].
    pub(crate) fn take_due(&mut self, now: Timestamp) -> Vec<Batch> {
        let size = self.disturbance.batch.clamp(1, BATCH);
        let mut random = self.disturbance.shuffle.map(|seed| {
            self.shuffles += 1;
            StdRng::seed_from_u64(seed.wrapping_add(self.shuffles))
        });
        let mut due: BTreeMap<RecordId, Vec<(u64, Notification)>> = BTreeMap::new();
        for (at, notification) in self.pending.iter_mut().filter(|(_, notification)| notification.is_due(now)) {
            notification.sending = true;
            due.entry(notification.action_id).or_default().push((*at, notification.clone()));
        }
        let mut batches = Vec::new();
        for definition in &self.definitions {
            let mut taken = due.remove(&definition.action_id).unwrap_or_default();
            shuffle(&mut taken, random.as_mut());
            let parts = taken.chunks(size).map(<[_]>::to_vec);
            batches.extend(parts.map(|notifications| Batch { definition: definition.clone(), notifications }));
        }
        shuffle(&mut batches, random.as_mut());
        batches
    }

    /// Records the outcome of a batch and returns its notifications in their new state.
    pub(crate) fn settle(&mut self, batch: &Batch, acknowledged: bool, outcome: &str, now: Timestamp) -> Vec<Delivery> {
        let mut deliveries = Vec::new();
        for (at, _) in &batch.notifications {
            let Some(notification) = self.pending.get_mut(at) else { continue };
            notification.settle(acknowledged, outcome, now);
            deliveries.push(notification.delivery());
            if notification.state != DeliveryState::Pending
                && let Some(notification) = self.pending.remove(at)
            {
                self.remember(*at, notification);
            }
        }
        deliveries
    }

    /// Returns every notification that is kept, oldest first.
    pub(crate) fn deliveries(&self) -> Vec<Delivery> {
        let mut all: Vec<(u64, &Notification)> = self.pending.iter().map(|(at, n)| (*at, n)).collect();
        all.extend(self.settled.iter().map(|(at, n)| (*at, n)));
        all.sort_unstable_by_key(|(at, _)| *at);
        all.into_iter().map(|(_, notification)| notification.delivery()).collect()
    }
}

fn shuffle<T>(items: &mut [T], random: Option<&mut StdRng>) {
    if let Some(random) = random {
        items.shuffle(random);
    }
}

pub(crate) mod delivery;
#[cfg(test)]
mod tests;
