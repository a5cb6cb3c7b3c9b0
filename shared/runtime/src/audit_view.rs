//! The report of an audit, as the platform reads it.

use jiff::Timestamp;
use salesforce::ObjectName;
use serde::Serialize;
use store::{Audit, AuditCounts, AuditState};

/// An audit of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditView {
    object: ObjectName,
    #[serde(serialize_with = "store::time::millis::serialize")]
    started_at: Timestamp,
    #[serde(serialize_with = "store::time::millis::serialize")]
    updated_at: Timestamp,
    state: AuditState,
    /// `true` if every row is compared and every difference is repaired.
    green: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(flatten)]
    counts: AuditCounts,
}

impl From<Audit> for AuditView {
    fn from(audit: Audit) -> Self {
        let green = audit.is_green();
        let Audit { object, started_at, updated_at, state, reason, counts, .. } = audit;
        Self { object, started_at, updated_at, state, green, reason, counts }
    }
}
