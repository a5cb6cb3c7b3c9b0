//! Login hours and login IP ranges of profiles.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::civil::{DateTime, Time, Weekday};
use serde::{Deserialize, Serialize};

use super::policy::in_range;

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names of the days say everything")]
pub enum Day {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl From<Weekday> for Day {
    fn from(day: Weekday) -> Self {
        match day {
            Weekday::Monday => Self::Monday,
            Weekday::Tuesday => Self::Tuesday,
            Weekday::Wednesday => Self::Wednesday,
            Weekday::Thursday => Self::Thursday,
            Weekday::Friday => Self::Friday,
            Weekday::Saturday => Self::Saturday,
            Weekday::Sunday => Self::Sunday,
        }
    }
}

/// The hours and the addresses at which the users of a profile may log in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoginLimits {
    /// The hours of a day, from the first time to before the second, in the org's time zone. A day that is not named has no
    /// limit; equal times close it.
    pub hours: BTreeMap<Day, (Time, Time)>,
    /// Addresses, as `192.0.2.7` or `192.0.2.0-192.0.2.255`; any when empty.
    pub addresses: Vec<String>,
}

impl LoginLimits {
    /// Returns whether users may log in at a time of the org's time zone.
    pub(crate) fn allows_time(&self, at: DateTime) -> bool {
        let hours = self.hours.get(&at.weekday().into());
        hours.is_none_or(|(from, to)| (*from..*to).contains(&at.time()))
    }

    /// Returns whether users may log in from an address.
    pub(crate) fn allows_address(&self, address: Option<IpAddr>) -> bool {
        let within = |range: &String| address.is_some_and(|address| in_range(range, address));
        self.addresses.is_empty() || self.addresses.iter().any(within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_hold_for_their_day_and_equal_times_close_it() {
        let limits = r#"{"hours": {"monday": ["08:00", "18:00"], "sunday": ["00:00", "00:00"]}}"#;
        let limits: LoginLimits = serde_json::from_str(limits).unwrap();
        for (at, allowed) in [
            ("2026-11-23T07:59:59", false),
            ("2026-11-23T08:00:00", true),
            ("2026-11-23T18:00:00", false),
            ("2026-11-24T03:00:00", true),
            ("2026-11-22T00:00:00", false),
        ] {
            assert_eq!(limits.allows_time(at.parse().unwrap()), allowed, "{at}");
        }
    }
}
