//! The event of a share of an org's API calls that is used.

use serde::Serialize;
use store::budgets::Limit;
use store::{BudgetWarning, BusEvent, EventKind, Tenant};

/// The `data` of an event.
#[derive(Debug, Serialize)]
struct Data<'a> {
    org_id: &'a str,
    tenant: &'a str,
    percent: u8,
    limit: Limit,
    used: u64,
    max: u64,
    forecast: u64,
    window_ends_at: String,
}

/// Builds the event. `change_id` identifies the change, so that the same change published twice is the same event.
#[must_use]
pub fn event(warning: &BudgetWarning, tenant: &Tenant, change_id: &str) -> BusEvent {
    let data = Data {
        org_id: warning.org_id.as_str(),
        tenant: tenant.as_str(),
        percent: warning.percent,
        limit: warning.limit,
        used: warning.used,
        max: warning.max,
        forecast: warning.forecast,
        window_ends_at: store::time::format(warning.window_ends_at),
    };
    let mut event = BusEvent::new(warning.org_id, EventKind::BudgetWarning, "budget".to_owned(), change_id);
    event.time = warning.warned_at;
    event.data = serde_json::to_value(data).unwrap_or_default();
    event
}
