//! The definition of an outbound message and the state of its notifications, as the public API shows them.

use serde::{Deserialize, Serialize};

/// The definition of an outbound message: the object, the fields to send and the endpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutboundMessage {
    /// Name of the definition.
    pub name: String,
    /// The object whose creates and updates are sent.
    pub object: String,
    /// Fields to send; `Id` is always sent.
    pub fields: Vec<String>,
    /// The URL to which messages are posted; must be a loopback address.
    pub endpoint_url: String,
}

/// The state of a queued notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Waiting for its first or next attempt.
    Pending,
    /// The endpoint returned a correct acknowledgement.
    Delivered,
    /// Dropped 24 hours after it was queued.
    Dropped,
}

/// One notification of the outbound queue.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Delivery {
    /// Id of the notification (`04l`), the same in every attempt.
    pub notification_id: String,
    /// Id of the definition (`04k`).
    pub action_id: String,
    /// The object of the record.
    pub object: String,
    /// The record that changed.
    pub record_id: String,
    /// The state of the notification.
    pub state: DeliveryState,
    /// Attempts made so far.
    pub attempts: u32,
    /// The outcome of the last attempt, for example `acknowledged` or `status 503`.
    pub last_outcome: Option<String>,
    /// The time at which the next attempt is due.
    pub next_attempt_at: Option<jiff::Timestamp>,
    /// The time of the change.
    #[serde(default)]
    pub queued_at: Option<jiff::Timestamp>,
}
