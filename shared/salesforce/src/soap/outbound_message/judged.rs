//! An outbound message whose ids are checked.

use std::str::FromStr;

use super::{Notification, OutboundMessage, ParseError};
use crate::{Error, ObjectName, OrgId, RecordId};

/// An outbound message with checked ids: still a claim of whoever sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The org that the message speaks for.
    pub org_id: OrgId,
    /// The outbound message's definition, where it was given.
    pub action_id: Option<RecordId>,
    /// What changed, one entry a notification that names a record.
    pub changes: Vec<Change>,
    /// Notifications without a value, which is what is sent when the record was deleted in the meantime.
    pub without_record: Vec<RecordId>,
}

/// A record that has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Names the notification in every delivery of it: the key against duplicates.
    pub notification_id: RecordId,
    /// The record's object.
    pub object: ObjectName,
    /// The record.
    pub record_id: RecordId,
}

impl OutboundMessage<'_> {
    /// Checks every id and name of the message.
    ///
    /// # Errors
    ///
    /// [`ParseError::Missing`] or [`ParseError::Malformed`] for the first one that is not right.
    pub fn judge(&self) -> Result<Judged, ParseError> {
        let action_id = self.action_id.as_deref();
        let mut judged = Judged {
            org_id: required("OrganizationId", self.organization_id.as_deref())?,
            action_id: action_id.map(|id| checked("ActionId", id)).transpose()?,
            changes: Vec::with_capacity(self.notifications.len()),
            without_record: Vec::new(),
        };
        for notification in &self.notifications {
            let id = required("the notification's Id", notification.id.as_deref())?;
            match notification.change(id)? {
                Some(change) => judged.changes.push(change),
                None => judged.without_record.push(id),
            }
        }
        Ok(judged)
    }
}

impl Notification<'_> {
    fn change(&self, notification_id: RecordId) -> Result<Option<Change>, ParseError> {
        if self.fields.iter().all(|(_, value)| value.is_none()) {
            return Ok(None);
        }
        Ok(Some(Change {
            notification_id,
            object: required("the sObject's type", self.object_type.as_deref())?,
            record_id: required("the record's Id", self.record_id.as_deref())?,
        }))
    }
}

fn required<T: FromStr<Err = Error>>(element: &'static str, value: Option<&str>) -> Result<T, ParseError> {
    checked(element, value.ok_or(ParseError::Missing { element })?)
}

fn checked<T: FromStr<Err = Error>>(element: &'static str, value: &str) -> Result<T, ParseError> {
    value.parse().map_err(|error| ParseError::Malformed {
        element,
        reason: match error {
            Error::Invalid { reason, .. } => reason,
            _ => "is malformed",
        },
    })
}
