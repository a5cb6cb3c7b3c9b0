//! The org's daily limit of API calls.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::kind::OrgKind;

const HOURS: i64 = 24;

/// Counts API calls by the hour, over the last 24 hours of the org's clock.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ApiLimits {
    pub(crate) max: u64,
    by_hour: BTreeMap<i64, u64>,
}

impl Default for ApiLimits {
    fn default() -> Self {
        Self { max: 100_000, by_hour: BTreeMap::new() }
    }
}

impl ApiLimits {
    /// Returns the default limit of such an org (Salesforce Developer Limits Quick Reference, API request limits; the
    /// sandbox's is unverified).
    pub(crate) fn of(kind: OrgKind) -> Self {
        let max = match kind {
            OrgKind::Production | OrgKind::LicenseManagement => 100_000,
            OrgKind::Sandbox => 5_000_000,
            OrgKind::DeveloperEdition => 15_000,
        };
        Self { max, ..Self::default() }
    }

    /// Counts one call and returns `true`; returns `false` when the limit is reached.
    pub(crate) fn take(&mut self, now: Timestamp) -> bool {
        let hour = now.as_second().div_euclid(3_600);
        self.by_hour.retain(|known, _| *known > hour - HOURS);
        let free = self.used() < self.max;
        if free {
            *self.by_hour.entry(hour).or_insert(0) += 1;
        }
        free
    }

    /// Returns the calls of the last 24 hours.
    pub(crate) fn used(&self) -> u64 {
        self.by_hour.values().sum()
    }

    /// Returns the value of the `Sforce-Limit-Info` header.
    pub(crate) fn header(&self) -> String {
        format!("api-usage={}/{}", self.used(), self.max)
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn the_limit_renews_after_a_day() {
        let mut limits = ApiLimits { max: 2, ..ApiLimits::default() };
        let start = Timestamp::UNIX_EPOCH;
        assert!(limits.take(start) && limits.take(start));
        assert!(!limits.take(start));
        assert_eq!(limits.header(), "api-usage=2/2");

        assert!(limits.take(start + SignedDuration::from_hours(24)));
        assert_eq!(limits.used(), 1);
    }
}
