//! The warnings of a budget: rows of the table beside the days, one for each share that is reached on a day. Its stream
//! publishes them.

use jiff::Timestamp;
use salesforce::OrgId;
use serde::{Deserialize, Serialize};

use super::Budget;
use crate::{Allocation, time};

/// The shares of a limit, in percent, at which the platform is warned.
const PERCENTS: [u8; 2] = [70, 90];

/// The limit of which a share is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// The allocation of the org's settings, of Ferry's own calls on the day.
    Allocation,
    /// The org's own limit, of the calls of all clients in the last 24 hours.
    Org,
}

/// A warning that a share of an org's API calls is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetWarning {
    /// The org.
    pub org_id: OrgId,
    /// The key of the row: `warning#2026-11-22#90`.
    pub day: String,
    /// The share that is reached, in percent.
    pub percent: u8,
    /// The limit.
    pub limit: Limit,
    /// The calls that are used.
    pub used: u64,
    /// The calls that the limit allows.
    pub max: u64,
    /// Ferry's own calls at the end of the day, if they go on as they have so far.
    pub forecast: u64,
    /// The time at which the day ends.
    #[serde(with = "crate::time::millis")]
    pub window_ends_at: Timestamp,
    /// The time of the warning.
    #[serde(with = "crate::time::millis")]
    pub warned_at: Timestamp,
}

impl Budget {
    /// Returns the warnings that are reached: of the allocation where there is one, and otherwise of the org's own limit.
    #[must_use]
    pub fn warnings(&self, allocation: Option<Allocation>, now: Timestamp) -> Vec<BudgetWarning> {
        let (limit, used, max) = match allocation {
            Some(allocation) => (Limit::Allocation, self.own_calls(), allocation.calls(self.max)),
            None => (Limit::Org, self.used, self.max),
        };
        let is_reached = |percent: &u8| max > 0 && u128::from(used) * 100 >= u128::from(max) * u128::from(*percent);
        let outlook = self.outlook(allocation, now);
        let warning = |percent: u8| BudgetWarning {
            org_id: self.org_id,
            day: format!("warning#{}#{percent}", self.day),
            percent,
            limit,
            used,
            max,
            forecast: outlook.forecast,
            window_ends_at: outlook.window_ends_at,
            warned_at: time::to_millis(now),
        };
        PERCENTS.into_iter().filter(is_reached).map(warning).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Lane;

    fn budget(used: u64, own: u64) -> Budget {
        Budget {
            org_id: "00D5e000000KQ2eEAG".parse().unwrap(),
            day: "2026-11-22".to_owned(),
            used,
            max: 1_000,
            observed_at: now(),
            calls: [(Lane::Incremental, own)].into(),
        }
    }

    fn now() -> Timestamp {
        "2026-11-22T10:00:00Z".parse().unwrap()
    }

    #[test]
    fn the_platform_is_warned_of_the_allocation_or_the_limit() {
        let warned = |used, own, allocation| {
            let warnings = budget(used, own).warnings(allocation, now());
            warnings.into_iter().map(|warning| (warning.limit, warning.percent)).collect::<Vec<_>>()
        };
        assert_eq!(warned(699, 0, None), []);
        assert_eq!(warned(700, 0, None), [(Limit::Org, 70)]);
        assert_eq!(warned(950, 89, Some(Allocation::Calls(100))), [(Limit::Allocation, 70)]);
        assert_eq!(warned(0, 90, Some(Allocation::Percent(10))), [70, 90].map(|percent| (Limit::Allocation, percent)));
    }

    #[test]
    fn a_warning_has_its_day_and_share_as_its_key() {
        let [warning] = <[BudgetWarning; 1]>::try_from(budget(800, 100).warnings(None, now())).unwrap();
        assert_eq!(warning.day, "warning#2026-11-22#70");
        assert_eq!((warning.used, warning.max, warning.forecast), (800, 1_000, 240));
    }
}
