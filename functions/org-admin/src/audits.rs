//! Requests audits of an org's mirror, and lists their reports.

use std::time::Duration;

use jiff::Timestamp;
use runtime::AuditView;
use salesforce::{ObjectName, OrgId};
use serde::{Deserialize, Serialize};
use store::{Org, OrgState, RefreshKind, RefreshTask};

use crate::{Deps, Error, objects};

/// A request for audits.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuditBody {
    /// The object; all mirrored ones without it.
    object: Option<ObjectName>,
    /// `true` to delete all records from the mirror that Salesforce no longer returns, however many they are.
    #[serde(default)]
    confirm_vanished: bool,
}

/// A requested audit.
#[derive(Debug, Serialize)]
pub(crate) struct RequestedAudit {
    object: Option<ObjectName>,
    #[serde(serialize_with = "store::time::millis::serialize")]
    requested_at: Timestamp,
}

/// The reports of audits, the newest first.
#[derive(Debug, Serialize)]
pub(crate) struct AuditsView {
    audits: Vec<AuditView>,
}

pub(crate) async fn list(deps: &Deps, org: OrgId, limit: u16) -> Result<AuditsView, Error> {
    let audits = deps.audits.list(org, limit).await?;
    Ok(AuditsView { audits: audits.into_iter().map(AuditView::from).collect() })
}

/// Queues the audit.
///
/// # Errors
/// [`Error::OrgNotActive`]; [`Error::Invalid`] for an object that is not mirrored, and for a confirmation without an object.
pub(crate) async fn request(deps: &Deps, org: &Org, body: AuditBody) -> Result<RequestedAudit, Error> {
    if org.state != OrgState::Active {
        return Err(Error::OrgNotActive(org.state));
    }
    let object = match body.object {
        Some(object) => Some(objects::find(deps, org.org_id, &object).await?),
        None if body.confirm_vanished => return Err(Error::Invalid("confirm_vanished needs an object")),
        None => None,
    };
    let kind = if body.confirm_vanished { RefreshKind::ConfirmedAudit } else { RefreshKind::Audit };
    let requested_at = deps.clock.now();
    let task = RefreshTask { object: object.clone(), ..RefreshTask::new(org.org_id, kind, requested_at) };
    deps.refreshes.send(&task, Duration::ZERO).await?;
    Ok(RequestedAudit { object, requested_at })
}
