//! Lanes: classes of API calls with different shares of an org's daily limit. A pure rule.

use serde::{Deserialize, Serialize};

/// A class of API calls, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// A caller waits for the response.
    Interactive,
    /// Re-reads of changed records.
    Webhook,
    /// The incremental sync.
    Incremental,
    /// The nightly audit.
    Audit,
    /// The backfill of an org.
    Backfill,
}

impl Lane {
    /// Every lane, the most urgent first.
    pub const ALL: [Self; 5] = [Self::Interactive, Self::Webhook, Self::Incremental, Self::Audit, Self::Backfill];

    /// Returns the share of the org's calls, in percent and over all clients, up to which this lane may call. The rest
    /// is left to more urgent lanes and to the customer's other integrations.
    #[must_use]
    pub const fn share_percent(self) -> u64 {
        match self {
            Self::Interactive => 98,
            Self::Webhook => 90,
            Self::Incremental => 80,
            Self::Audit => 70,
            Self::Backfill => 60,
        }
    }

    /// Returns whether this lane may make `calls` more calls when the org has used `used` of `max`. An unknown limit
    /// allows every call.
    #[must_use]
    pub fn may_call(self, used: u64, max: u64, calls: u64) -> bool {
        let after = u128::from(used) + u128::from(calls);
        let share = u128::from(max) * u128::from(self.share_percent());
        max == 0 || after * 100 <= share
    }

    pub(super) const fn attribute(self) -> &'static str {
        match self {
            Self::Interactive => "calls_interactive",
            Self::Webhook => "calls_webhook",
            Self::Incremental => "calls_incremental",
            Self::Audit => "calls_audit",
            Self::Backfill => "calls_backfill",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_lane_waits_where_a_more_urgent_one_waits(
            used in 0..200_000_u64, max in 1..150_000_u64, calls in 0..500_u64
        ) {
            let allowed = Lane::ALL.map(|lane| lane.may_call(used, max, calls));
            prop_assert!(allowed.is_sorted_by(|urgent, less_urgent| urgent >= less_urgent));
        }

        #[test]
        fn more_use_never_opens_a_lane(used in 0..100_000_u64, more in 0..100_000_u64, max in 1..100_000_u64) {
            for lane in Lane::ALL {
                if !lane.may_call(used, max, 1) {
                    prop_assert!(!lane.may_call(used + more, max, 1));
                }
            }
        }
    }

    #[test]
    fn a_lane_may_call_up_to_its_share() {
        assert!(Lane::Backfill.may_call(599, 1000, 1));
        assert!(!Lane::Backfill.may_call(600, 1000, 1));
        assert!(Lane::Interactive.may_call(600, 1000, 1));
    }

    #[test]
    fn an_unknown_limit_allows_every_call() {
        assert!(Lane::Backfill.may_call(0, 0, 100));
    }
}
