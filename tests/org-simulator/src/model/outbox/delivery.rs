//! The public view of a definition and of its notifications.

use serde::{Deserialize, Serialize};

/// A definition of an outbound message: which object's changes go where, with which fields.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OutboundMessage {
    /// Name of the definition.
    pub name: String,
    /// The object whose creates and updates are sent.
    pub object: String,
    /// Fields to send; `Id` is always sent.
    pub fields: Vec<String>,
    /// Where to post; must be a loopback address.
    pub endpoint_url: String,
}

/// Where a queued notification stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Waiting for its first or next attempt.
    Pending,
    /// The endpoint answered with a correct Ack.
    Delivered,
    /// Given up 24 hours after it was queued.
    Dropped,
}

/// One notification of the outbound queue.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Delivery {
    /// Id of the notification (`04l`), the same in every attempt.
    pub notification_id: String,
    /// Id of the definition (`04k`).
    pub action_id: String,
    /// Object of the record.
    pub object: String,
    /// The record that changed.
    pub record_id: String,
    /// Where it stands.
    pub state: DeliveryState,
    /// Attempts made so far.
    pub attempts: u32,
    /// What came of the last attempt, for example `acknowledged` or `status 503`.
    pub last_outcome: Option<String>,
    /// When the next attempt falls due.
    pub next_attempt_at: Option<jiff::Timestamp>,
    /// When the change was made.
    #[serde(default)]
    pub queued_at: Option<jiff::Timestamp>,
}
