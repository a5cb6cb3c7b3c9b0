//! One notification: its retries and its expiry.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::ids::RecordId;
use crate::model::outbox::delivery::{Delivery, DeliveryState};

const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(30);
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(2);
/// The time for which a notification is retried.
pub(super) const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// A changed record for which a message is sent until it is acknowledged.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Notification {
    pub(crate) id: RecordId,
    pub(super) action_id: RecordId,
    pub(super) object: String,
    pub(crate) record: RecordId,
    pub(super) queued_at: Timestamp,
    pub(super) next_attempt_at: Timestamp,
    pub(super) attempts: u32,
    pub(super) state: DeliveryState,
    /// A message with it is in transit; not saved.
    #[serde(skip)]
    pub(super) sending: bool,
    pub(super) last_outcome: Option<String>,
}

impl Notification {
    pub(super) fn new(id: RecordId, action_id: RecordId, (object, record): (&str, RecordId), now: Timestamp) -> Self {
        Self {
            id,
            action_id,
            object: object.to_owned(),
            record,
            queued_at: now,
            next_attempt_at: now,
            attempts: 0,
            state: DeliveryState::Pending,
            sending: false,
            last_outcome: None,
        }
    }

    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.state == DeliveryState::Pending && !self.sending && self.next_attempt_at <= now
    }

    pub(super) fn settle(&mut self, acknowledged: bool, outcome: &str, now: Timestamp) {
        self.sending = false;
        self.attempts += 1;
        self.last_outcome = Some(outcome.to_owned());
        if acknowledged {
            self.state = DeliveryState::Delivered;
            return;
        }
        if self.state != DeliveryState::Pending {
            return;
        }
        self.next_attempt_at = now.saturating_add(pause(self.attempts)).unwrap_or(now);
        if self.next_attempt_at.duration_since(self.queued_at) > KEPT {
            self.state = DeliveryState::Dropped;
        }
    }

    pub(super) fn delivery(&self) -> Delivery {
        Delivery {
            notification_id: self.id.to_string(),
            action_id: self.action_id.to_string(),
            object: self.object.clone(),
            record_id: self.record.to_string(),
            state: self.state,
            attempts: self.attempts,
            last_outcome: self.last_outcome.clone(),
            next_attempt_at: (self.state == DeliveryState::Pending).then_some(self.next_attempt_at),
            queued_at: Some(self.queued_at),
        }
    }
}

/// Returns the delay after a number of failed attempts: 30 s, 1 min, 2 min and so on, at most 2 h.
fn pause(attempts: u32) -> SignedDuration {
    let doublings = attempts.saturating_sub(1).min(16);
    (FIRST_PAUSE * (1 << doublings)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_up_to_two_hours() {
        let seconds: Vec<_> = (1..=10).map(|n| pause(n).as_secs()).collect();
        assert_eq!(seconds, [30, 60, 120, 240, 480, 960, 1_920, 3_840, 7_200, 7_200]);
    }
}
