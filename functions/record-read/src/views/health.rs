//! The health of an org.

use jiff::Timestamp;
use runtime::{AuditView, BackfillView};
use salesforce::OrgId;
use serde::Serialize;
use store::{Cursor, CursorName, OrgState};

use super::{BudgetHealth, ConnectionView, CopyView, LeftOutView, LicenseView, ObjectFieldsView, millis_option};
use crate::changes::ChangesView;
use crate::failing::{BacklogView, FailingView};
use crate::freshness::FreshnessView;

/// The position of one of the org's scans.
#[derive(Debug, Serialize)]
pub(crate) struct SyncView {
    scan: CursorName,
    #[serde(serialize_with = "millis_option")]
    synced_to: Option<Timestamp>,
    #[serde(serialize_with = "millis_option")]
    finished_at: Option<Timestamp>,
    running: bool,
    /// The reason for which the object is not up to date.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
    #[serde(serialize_with = "millis_option", skip_serializing_if = "Option::is_none")]
    failing_since: Option<Timestamp>,
}

/// The state of the org's pipelines.
#[derive(Debug, Serialize)]
pub(crate) struct PipelinesHealth {
    pub(crate) count: usize,
    #[serde(serialize_with = "millis_option")]
    pub(crate) refreshed_at: Option<Timestamp>,
    /// The number of pipelines that are kept as they were read before.
    pub(crate) stale: usize,
    /// The reason for which the pipelines are not up to date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<String>,
    #[serde(serialize_with = "millis_option", skip_serializing_if = "Option::is_none")]
    pub(crate) failing_since: Option<Timestamp>,
}

/// The health of an org.
#[derive(Debug, Serialize)]
pub(crate) struct HealthView {
    pub(crate) org_id: OrgId,
    pub(crate) state: OrgState,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) copies: Vec<CopyView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) license: Option<LicenseView>,
    pub(crate) connections: Vec<ConnectionView>,
    pub(crate) changes: ChangesView,
    pub(crate) sync: Vec<SyncView>,
    /// The running or the last backfill of each object that has had one.
    pub(crate) backfills: Vec<BackfillView>,
    pub(crate) pipelines: PipelinesHealth,
    /// The last audit of each object.
    pub(crate) audits: Vec<AuditView>,
    pub(crate) budget: Option<BudgetHealth>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) left_out: Option<LeftOutView>,
    /// The objects whose fields have changed, or that are not scanned by `SystemModstamp`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) fields: Vec<ObjectFieldsView>,
    /// `None` if it could not be read, as the next two.
    pub(crate) freshness: Option<FreshnessView>,
    pub(crate) failing: Option<FailingView>,
    pub(crate) backlog: Option<BacklogView>,
}

impl From<Cursor> for SyncView {
    fn from(cursor: Cursor) -> Self {
        Self {
            scan: cursor.cursor_name,
            synced_to: cursor.position.map(|position| position.system_modstamp),
            finished_at: cursor.covered_until,
            running: cursor.checkpoint.is_some(),
            failure: cursor.failure,
            failing_since: cursor.failing_since,
        }
    }
}
