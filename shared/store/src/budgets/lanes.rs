//! Lanes: which calls may still be made when an org's daily budget runs low. A pure rule.

use serde::{Deserialize, Serialize};

/// A class of API calls, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// Someone waits for the answer.
    Interactive,
    /// A changed record is read again.
    Webhook,
    /// The incremental sync.
    Incremental,
    /// The nightly audit.
    Audit,
    /// The first copy of an org.
    Backfill,
}

/// Whether a lane may make calls now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It may.
    Go,
    /// It waits until the org has used less of its last 24 hours.
    Wait,
}

impl Lane {
    /// Every lane, the most urgent first.
    pub const ALL: [Self; 5] = [Self::Interactive, Self::Webhook, Self::Incremental, Self::Audit, Self::Backfill];

    /// How much of the org's calls may be used, by everyone, before this lane waits: a share in percent. What is above is
    /// left to more urgent lanes, and to the customer's other integrations.
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

    /// Whether this lane may make `calls` more, when the org has used `used` of `max`. An unknown limit stops nobody.
    #[must_use]
    pub fn verdict(self, used: u64, max: u64, calls: u64) -> Verdict {
        let after = u128::from(used) + u128::from(calls);
        let share = u128::from(max) * u128::from(self.share_percent());
        if max == 0 || after * 100 <= share { Verdict::Go } else { Verdict::Wait }
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
        fn a_less_urgent_lane_never_goes_where_a_more_urgent_one_waits(
            used in 0..200_000_u64, max in 1..150_000_u64, calls in 0..500_u64
        ) {
            let verdicts = Lane::ALL.map(|lane| lane.verdict(used, max, calls));
            let first_wait = verdicts.iter().position(|verdict| *verdict == Verdict::Wait).unwrap_or(verdicts.len());
            prop_assert!(verdicts.iter().skip(first_wait).all(|verdict| *verdict == Verdict::Wait));
        }

        #[test]
        fn more_use_never_opens_a_lane(used in 0..100_000_u64, more in 0..100_000_u64, max in 1..100_000_u64) {
            for lane in Lane::ALL {
                if lane.verdict(used, max, 1) == Verdict::Wait {
                    prop_assert_eq!(lane.verdict(used + more, max, 1), Verdict::Wait);
                }
            }
        }
    }

    #[test]
    fn a_lane_goes_up_to_its_share_and_no_further() {
        assert_eq!(Lane::Backfill.verdict(599, 1000, 1), Verdict::Go);
        assert_eq!(Lane::Backfill.verdict(600, 1000, 1), Verdict::Wait);
        assert_eq!(Lane::Interactive.verdict(600, 1000, 1), Verdict::Go);
    }

    #[test]
    fn an_unknown_limit_stops_nobody() {
        assert_eq!(Lane::Backfill.verdict(0, 0, 100), Verdict::Go);
    }
}
