//! The API budget of an org, with what is to be expected of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use runtime::BudgetView;
use serde::{Serialize, Serializer};
use store::{Allocation, Budget, Lane, Outlook};

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
}

impl BudgetHealth {
    pub(crate) fn new(budget: Budget, allocation: Option<Allocation>, now: Timestamp) -> Self {
        let Outlook { window_ends_at, allocated, forecast, waits_until, .. } = budget.outlook(allocation, now);
        Self { today: budget.into(), allocated, forecast, window_ends_at, waits_until }
    }
}

fn times<S: Serializer>(times: &BTreeMap<Lane, Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(times.iter().map(|(lane, time)| (lane, store::time::format(*time))))
}
