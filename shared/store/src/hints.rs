//! Change hints: messages that a record may have changed. Outbound messages and change events are both turned into
//! hints.

use jiff::Timestamp;
use salesforce::{ObjectName, OrgId, RecordId};
use serde::{Deserialize, Serialize};

use crate::deferral::Deferrals;
use crate::ids::DeliveryId;
use crate::queues::Message;

/// The kind of message that a delivery came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A notification of an outbound message.
    OutboundMessage,
    /// A change event of Change Data Capture.
    ChangeDataCapture,
    /// A write of Ferry's own: the record is read without waiting for Salesforce's message, which may not come.
    Write,
}

/// A reference to a record of an org.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RecordRef {
    /// The record's object.
    pub object: ObjectName,
    /// The record's id.
    pub record_id: RecordId,
}

/// A message that a record may have changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeHint {
    /// The org.
    pub org_id: OrgId,
    /// The delivery that the hint came from.
    pub delivery_id: DeliveryId,
    /// The kind of message that the hint came from.
    pub source: Source,
    /// The record; `None` when the message names none, because the record was deleted before Salesforce sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<RecordRef>,
    /// The time at which the delivery arrived.
    #[serde(with = "crate::time::millis")]
    pub received_at: Timestamp,
    /// The deferrals so far.
    #[serde(flatten)]
    pub deferrals: Deferrals,
}

impl Message for ChangeHint {
    fn group(&self) -> &str {
        self.org_id.as_str()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_hint_reads_back_as_it_was_written() {
        let written = json!({
            "org_id": "00D5e000000KQ2eEAG", "delivery_id": "04l5e00000Gx7QzAAJ", "source": "outbound_message",
            "record": { "object": "Opportunity", "record_id": "0065e00000AbCdEAAV" },
            "received_at": "2026-11-22T10:00:00.000Z",
        });
        let hint: ChangeHint = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(hint.deferrals, Deferrals::default());
        assert_eq!(serde_json::to_value(&hint).unwrap(), written);
    }
}
