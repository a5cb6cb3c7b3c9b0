//! Change hints: messages that a record may have changed. Outbound messages and change events are both turned into
//! hints.

use jiff::Timestamp;
use salesforce::{ObjectName, OrgId, RecordId};
use serde::{Deserialize, Serialize};

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
    /// The number of times the hint was re-queued because its org could not be reached.
    #[serde(default, rename = "put_off", alias = "deferrals", skip_serializing_if = "is_zero")]
    pub deferrals: u32,
}

impl Message for ChangeHint {
    fn org(&self) -> OrgId {
        self.org_id
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
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
        assert_eq!(hint.deferrals, 0);
        assert_eq!(serde_json::to_value(&hint).unwrap(), written);
    }

    #[test]
    fn deferrals_are_read_by_both_names_and_written_as_put_off() {
        for name in ["put_off", "deferrals"] {
            let hint: ChangeHint = serde_json::from_value(json!({
                "org_id": "00D5e000000KQ2eEAG", "delivery_id": "04l5e00000Gx7QzAAJ", "source": "outbound_message",
                "received_at": "2026-11-22T10:00:00.000Z", name: 7,
            }))
            .unwrap();
            assert_eq!(hint.deferrals, 7, "{name}");
            assert_eq!(serde_json::to_value(&hint).unwrap()["put_off"], 7);
        }
    }

    #[test]
    fn a_malformed_record_is_an_error() {
        let malformed = json!({
            "org_id": "00D5e000000KQ2eEAG", "delivery_id": "04l5e00000Gx7QzAAJ", "source": "outbound_message",
            "record": { "object": "no object", "record_id": "0065e00000AbCdEAAV" },
            "received_at": "2026-11-22T10:00:00.000Z",
        });
        assert!(serde_json::from_value::<ChangeHint>(malformed).is_err());
    }
}
