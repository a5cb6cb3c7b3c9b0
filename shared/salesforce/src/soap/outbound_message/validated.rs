//! An outbound message with validated ids.

use std::str::FromStr;

use super::{OutboundMessage, ParseError};
use crate::{Error, ObjectName, OrgId, RecordId};

/// An outbound message with validated ids. It does not prove who sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validated {
    /// The org that the message names as its sender.
    pub org_id: OrgId,
    /// The id of the outbound message's definition, if the message has it.
    pub action_id: Option<RecordId>,
    /// The changed records, one for each notification that has a record.
    pub changes: Vec<Change>,
    /// The notifications without a record, which Salesforce sends if the record was deleted in the meantime.
    pub without_record: Vec<RecordId>,
}

/// A changed record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The notification's id, the same in every delivery, by which duplicates are recognized.
    pub notification_id: RecordId,
    /// The record's object.
    pub object: ObjectName,
    /// The record's id.
    pub record_id: RecordId,
}

impl OutboundMessage<'_> {
    /// Validates every id and name of the message.
    ///
    /// # Errors
    ///
    /// [`ParseError::Missing`] or [`ParseError::Malformed`] for the first invalid one.
    pub fn validate(&self) -> Result<Validated, ParseError> {
        let org_id = required("OrganizationId", self.organization_id.as_deref())?;
        let action_id = self.action_id.as_deref().map(|id| valid("ActionId", id)).transpose()?;
        let (mut changes, mut without_record) = (Vec::with_capacity(self.notifications.len()), Vec::new());
        for notification in &self.notifications {
            let notification_id = required("the notification's Id", notification.id.as_deref())?;
            if notification.fields.iter().all(|(_, value)| value.is_none()) {
                without_record.push(notification_id);
                continue;
            }
            let object = required("the sObject's type", notification.object_type.as_deref())?;
            let record_id = required("the record's Id", notification.record_id.as_deref())?;
            changes.push(Change { notification_id, object, record_id });
        }
        Ok(Validated { org_id, action_id, changes, without_record })
    }
}

fn required<T: FromStr<Err = Error>>(element: &'static str, value: Option<&str>) -> Result<T, ParseError> {
    valid(element, value.ok_or(ParseError::Missing { element })?)
}

fn valid<T: FromStr<Err = Error>>(element: &'static str, value: &str) -> Result<T, ParseError> {
    value.parse().map_err(|error| match error {
        Error::Invalid { reason, .. } => ParseError::Malformed { element, reason },
        _ => ParseError::Malformed { element, reason: "is malformed" },
    })
}
