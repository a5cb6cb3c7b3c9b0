//! The last hour and the last day, out of rows of whole hours. Pure.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use salesforce::ObjectName;

use super::{ChangeLane, Histogram, HourlyFreshness, start_of_hour};

/// The beginnings of the windows, both of which end now. A row is of a whole hour in UTC, so a window begins with one: that of
/// the last hour has 60 to 120 minutes, that of the last day 24 to 25 hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowStarts {
    /// The beginning of the hour before the running one.
    pub hour: Timestamp,
    /// The beginning of the hour 24 hours before the running one.
    pub day: Timestamp,
}

impl WindowStarts {
    /// Returns the beginnings of the windows that end at this time.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        let running = start_of_hour(now);
        let before = |hours| running.saturating_sub(SignedDuration::from_hours(hours)).unwrap_or(running);
        Self { hour: before(1), day: before(24) }
    }
}

/// The latencies within both windows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Windows {
    /// Those of the last hour.
    pub hour: Histogram,
    /// Those of the last day, with the last hour.
    pub day: Histogram,
}

impl Windows {
    /// Adds the latencies of other changes.
    pub fn merge(&mut self, other: &Self) {
        self.hour.merge(&other.hour);
        self.day.merge(&other.day);
    }
}

/// The freshness of an object's changes that came in one lane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LaneFreshness {
    /// The times until the changes were in the mirror.
    pub mirror: Windows,
    /// The times until their events were published.
    pub event: Windows,
}

/// Sums the rows by object and lane. Rows from before the windows are left out.
#[must_use]
pub fn summarize(rows: &[HourlyFreshness], now: Timestamp) -> BTreeMap<(ObjectName, ChangeLane), LaneFreshness> {
    let starts = WindowStarts::at(now);
    let mut lanes: BTreeMap<_, LaneFreshness> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.hour >= starts.day) {
        let lane = lanes.entry((row.object.clone(), row.lane)).or_default();
        for (windows, histogram) in [(&mut lane.mirror, &row.mirror), (&mut lane.event, &row.event)] {
            windows.day.merge(histogram);
            if row.hour >= starts.hour {
                windows.hour.merge(histogram);
            }
        }
    }
    lanes
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const HOUR: i64 = 60 * 60;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn row(hour: Timestamp, object: &str, lane: ChangeLane) -> HourlyFreshness {
        let one = [Duration::from_secs(1)];
        let (mirror, event) = (one.into_iter().collect(), Histogram::default());
        HourlyFreshness { hour, object: object.parse().unwrap(), lane, mirror, event }
    }

    fn ages() -> impl Strategy<Value = Vec<i64>> {
        prop::collection::vec(0..30 * HOUR, 0..20)
    }

    proptest! {
        #[test]
        fn a_window_has_every_change_of_its_time(now in 0..4_000_000_000_i64, ages in ages()) {
            let rows: Vec<_> =
                ages.iter().map(|age| row(start_of_hour(at(now - age)), "Lead", ChangeLane::Write)).collect();
            let lanes = summarize(&rows, at(now));
            let mirror = lanes.into_values().next().unwrap_or_default().mirror;
            let younger = |limit: i64| ages.iter().filter(|age| **age < limit).count() as u64;
            prop_assert!((younger(HOUR)..=younger(2 * HOUR)).contains(&mirror.hour.total()));
            prop_assert!((younger(24 * HOUR)..=younger(25 * HOUR)).contains(&mirror.day.total()));
        }

        #[test]
        fn windows_begin_with_an_hour(now in 0..4_000_000_000_i64) {
            let WindowStarts { hour, day } = WindowStarts::at(at(now));
            prop_assert!((HOUR..2 * HOUR).contains(&(now - hour.as_second())));
            prop_assert!((24 * HOUR..25 * HOUR).contains(&(now - day.as_second())));
            prop_assert_eq!((start_of_hour(hour), start_of_hour(day)), (hour, day));
        }
    }

    #[test]
    fn objects_and_lanes_are_summed_apart() {
        let now = at(0);
        let rows = [
            row(now, "Lead", ChangeLane::Webhook),
            row(at(-HOUR), "Lead", ChangeLane::Webhook),
            row(now, "Lead", ChangeLane::Write),
            row(now, "Account", ChangeLane::Webhook),
        ];
        let lanes = summarize(&rows, now);
        let totals: Vec<_> = lanes
            .iter()
            .map(|((object, lane), summed)| {
                (object.as_str(), *lane, summed.mirror.hour.total(), summed.event.day.total())
            })
            .collect();
        let expected = [
            ("Account", ChangeLane::Webhook, 1, 0),
            ("Lead", ChangeLane::Webhook, 2, 0),
            ("Lead", ChangeLane::Write, 1, 0),
        ];
        assert_eq!(totals, expected);
    }
}
