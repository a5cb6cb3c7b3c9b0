//! The event of an audit that has ended, or that cannot go on.

use salesforce::ObjectName;
use serde::Serialize;
use store::{Audit, AuditCounts, AuditState, BusEvent, EventKind, RowsHash, Tenant};

/// Returns whether an audit has ended with this change, or waits for a reason that it did not have before.
#[must_use]
pub fn is_told(old: Option<&Audit>, new: &Audit) -> bool {
    let end = |audit: &Audit| (audit.state != AuditState::Running).then(|| (audit.state, audit.reason.clone()));
    end(new).is_some() && old.and_then(end) != end(new)
}

/// The `data` of an event.
#[derive(Debug, Serialize)]
struct Data<'a> {
    org_id: &'a str,
    tenant: &'a str,
    object: &'a ObjectName,
    started_at: String,
    state: AuditState,
    /// `true` if every row is compared and every difference is repaired.
    green: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(flatten)]
    counts: AuditCounts,
    org_hash: RowsHash,
    mirror_hash: RowsHash,
}

/// Builds the event. `change_id` identifies the change, so that the same change published twice is the same event.
#[must_use]
pub fn event(audit: &Audit, tenant: &Tenant, change_id: &str) -> BusEvent {
    let started_at = store::time::format(audit.started_at);
    let data = Data {
        org_id: audit.org_id.as_str(),
        tenant: tenant.as_str(),
        object: &audit.object,
        started_at: started_at.clone(),
        state: audit.state,
        green: audit.is_green(),
        reason: audit.reason.as_deref(),
        counts: audit.counts,
        org_hash: audit.org_hash,
        mirror_hash: audit.mirror_hash,
    };
    let subject = format!("audits/{}", audit.object);
    let mut event = BusEvent::new(audit.org_id, EventKind::AuditCompleted, subject, change_id);
    event.time = audit.updated_at;
    event.data = serde_json::to_value(data).unwrap_or_default();
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audit(state: AuditState, reason: Option<&str>) -> Audit {
        let at = "2026-11-22T02:15:00Z".parse().unwrap();
        Audit {
            org_id: "00D5e000000KQ2eEAG".parse().unwrap(),
            object: ObjectName::from_static("Account"),
            started_at: at,
            state,
            reason: reason.map(str::to_owned),
            counts: AuditCounts::default(),
            org_hash: RowsHash::default(),
            mirror_hash: RowsHash::default(),
            updated_at: at,
        }
    }

    #[test]
    fn the_progress_of_an_audit_and_a_repeated_obstacle_are_no_event() {
        use AuditState::{Finished, Running, Unfinished};
        let (over, down) = (Some("over_budget"), Some("salesforce_unavailable"));
        let told = |old: Option<(AuditState, Option<&str>)>, (state, reason)| {
            let old = old.map(|(state, reason)| audit(state, reason));
            is_told(old.as_ref(), &audit(state, reason))
        };
        assert!(told(None, (Finished, None)) && told(Some((Running, None)), (Finished, None)));
        assert!(told(Some((Unfinished, over)), (Finished, None)));
        assert!(told(Some((Running, None)), (Unfinished, over)) && told(Some((Unfinished, over)), (Unfinished, down)));
        assert!(!told(Some((Unfinished, over)), (Unfinished, over)));
        assert!(!told(None, (Running, None)) && !told(Some((Running, None)), (Running, None)));
        assert!(!told(Some((Finished, None)), (Finished, None)));
    }
}
