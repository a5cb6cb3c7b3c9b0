//! An outbound message whose ids are checked.

use crate::{ObjectName, OrgId, RecordId};

/// An outbound message with checked ids: still a claim of whoever sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The org that the message speaks for.
    pub org_id: OrgId,
    /// The outbound message's definition, where it was given.
    pub action_id: Option<RecordId>,
    /// What changed, one entry a notification.
    pub changes: Vec<Change>,
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
