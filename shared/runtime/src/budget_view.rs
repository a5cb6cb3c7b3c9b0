//! The API budget of an org, as the platform reads it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use store::{Budget, Lane};

/// The org's API calls today.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BudgetView {
    day: String,
    used: u64,
    max: u64,
    #[serde(serialize_with = "store::time::millis::serialize")]
    observed_at: Timestamp,
    calls: BTreeMap<Lane, u64>,
}

impl From<Budget> for BudgetView {
    fn from(budget: Budget) -> Self {
        let Budget { day, used, max, observed_at, calls, .. } = budget;
        Self { day, used, max, observed_at, calls }
    }
}
