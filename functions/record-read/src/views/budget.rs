//! The API budget of an org, with what is to be expected of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use runtime::BudgetView;
use salesforce::OrgLimit;
use serde::{Serialize, Serializer};
use store::{Allocation, Budget, Lane, OrgLimits, Outlook};

/// The API calls of the day, and the lanes whose work waits.
#[derive(Debug, Serialize)]
pub(crate) struct BudgetHealth {
    #[serde(flatten)]
    today: BudgetView,
    /// The calls of the day that the org's settings allow.
    allocated: Option<u64>,
    /// Ferry's own calls at the end of the day, if they go on as they have so far.
    forecast: u64,
    /// The time at which the day ends.
    #[serde(serialize_with = "store::time::millis::serialize")]
    window_ends_at: Timestamp,
    /// The times at which the work of waiting lanes is tried again.
    #[serde(serialize_with = "times")]
    waits_until: BTreeMap<Lane, Timestamp>,
    /// The limits of the org, as Salesforce told of them in the last night; `None` before the first.
    limits: Option<LimitsView>,
}

/// The limits of an org.
#[derive(Debug, Serialize)]
struct LimitsView {
    #[serde(serialize_with = "store::time::millis::serialize")]
    read_at: Timestamp,
    #[serde(flatten)]
    limits: BTreeMap<String, OrgLimit>,
}

impl BudgetHealth {
    pub(crate) fn new(
        budget: Budget,
        allocation: Option<Allocation>,
        limits: Option<OrgLimits>,
        now: Timestamp,
    ) -> Self {
        let Outlook { window_ends_at, allocated, forecast, waits_until, .. } = budget.outlook(allocation, now);
        let limits = limits.map(|OrgLimits { read_at, limits, .. }| LimitsView { read_at, limits });
        Self { today: budget.into(), allocated, forecast, window_ends_at, waits_until, limits }
    }
}

fn times<S: Serializer>(times: &BTreeMap<Lane, Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(times.iter().map(|(lane, time)| (lane, store::time::format(*time))))
}
