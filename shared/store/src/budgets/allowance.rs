//! The rule by which a lane waits, and when it goes on. Pure.
//!
//! Two limits apply. The org's own limit is counted by Salesforce over all clients and the last 24 hours; each lane stops at its
//! share of it. The allocation of the org's settings is counted by Ferry over its own calls of a day in UTC; each lane stops at
//! its share of that too, so that the more urgent lanes have the rest.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use salesforce::ApiUsage;

use super::{Budget, Lane, USAGE_MAX_AGE};
use crate::Allocation;

/// The shortest time that a forecast continues: the calls of a few minutes say little about a day.
const FORECAST_BASIS: SignedDuration = SignedDuration::from_hours(1);

/// The API calls that an org allows, as far as an invocation knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    /// The budget that was stored before the first call, by any function.
    pub stored: Option<Budget>,
    /// The allocation of the org's settings.
    pub allocation: Option<Allocation>,
}

/// The calls that an invocation has made itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Made {
    /// The usage in Salesforce's last response to this invocation.
    pub reported: Option<ApiUsage>,
    /// The number of calls.
    pub calls: u64,
}

impl Allowance {
    /// Returns whether the lane may make one more call. What this invocation was told takes precedence over what was stored.
    /// Without a recent usage the call is allowed, and its response decides about the next one.
    #[must_use]
    pub fn may_call(&self, lane: Lane, made: Made, now: Timestamp) -> bool {
        let within_limit = match (made.reported, &self.stored) {
            (Some(ApiUsage { used, max }), _) => lane.may_call(used, max, 1),
            (None, Some(stored)) => stored.may_call(lane, 1, now),
            (None, None) => true,
        };
        within_limit && self.has_allocation(lane, made)
    }

    /// Returns whether the allocation has calls left for the lane, whatever the org's own limit is.
    #[must_use]
    pub fn has_allocation(&self, lane: Lane, made: Made) -> bool {
        let reported = made.reported.map(|usage| usage.max);
        let Some(max) = reported.or(self.stored.as_ref().map(|stored| stored.max)) else { return true };
        let own = self.stored.as_ref().map_or(0, Budget::own_calls).saturating_add(made.calls);
        self.allocation.is_none_or(|allocation| lane.may_call(own, allocation.calls(max), 1))
    }
}

/// The state of an org's budget, and what is to be expected of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// The time at which the day ends, and the allocation begins anew.
    pub window_ends_at: Timestamp,
    /// The calls of the day that the allocation allows; `None` without one.
    pub allocated: Option<u64>,
    /// Ferry's own calls on the day.
    pub calls: u64,
    /// Ferry's own calls at the end of the day, if they go on as they have so far.
    pub forecast: u64,
    /// The lanes that wait, each with the time at which its work is tried again.
    pub waits_until: BTreeMap<Lane, Timestamp>,
}

impl Budget {
    /// Returns Ferry's own calls on the day, in all lanes.
    #[must_use]
    pub fn own_calls(&self) -> u64 {
        self.calls.values().fold(0, |sum, calls| sum.saturating_add(*calls))
    }

    /// Returns the state of the budget at `now`, a time of its day.
    #[must_use]
    pub fn outlook(&self, allocation: Option<Allocation>, now: Timestamp) -> Outlook {
        let (began_at, window_ends_at) = day_around(now);
        let allowance = Allowance { stored: Some(self.clone()), allocation };
        let waits_until = Lane::ALL.into_iter().filter_map(|lane| {
            if !allowance.has_allocation(lane, Made::default()) {
                return Some((lane, window_ends_at));
            }
            // By then the report is too old to decide, and a call asks for the usage again.
            let asked_again_at = self.observed_at.saturating_add(USAGE_MAX_AGE).unwrap_or(now);
            (!self.may_call(lane, 1, now)).then_some((lane, asked_again_at))
        });
        let calls = self.own_calls();
        Outlook {
            window_ends_at,
            allocated: allocation.map(|allocation| allocation.calls(self.max)),
            calls,
            forecast: forecast(calls, now.duration_since(began_at), window_ends_at.duration_since(now)),
            waits_until: waits_until.collect(),
        }
    }
}

/// Returns the calls at the end of a time of which `passed` is over and `left` is not.
fn forecast(calls: u64, passed: SignedDuration, left: SignedDuration) -> u64 {
    let seconds = |duration: SignedDuration| u128::try_from(duration.as_secs()).unwrap_or_default();
    let more = u128::from(calls) * seconds(left) / seconds(passed.max(FORECAST_BASIS));
    u64::try_from(u128::from(calls).saturating_add(more)).unwrap_or(u64::MAX)
}

/// Returns the beginning and the end of the day in UTC.
fn day_around(now: Timestamp) -> (Timestamp, Timestamp) {
    let midnight = |date: jiff::civil::Date| date.to_zoned(TimeZone::UTC).map_or(now, |zoned| zoned.timestamp());
    let date = now.to_zoned(TimeZone::UTC).date();
    (midnight(date), midnight(date.saturating_add(1.day())))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(time: &str) -> Timestamp {
        format!("2026-11-22T{time}Z").parse().unwrap()
    }

    fn budget(used: u64, own: u64, observed_at: Timestamp) -> Budget {
        Budget {
            org_id: "00D5e000000KQ2eEAG".parse().unwrap(),
            day: "2026-11-22".to_owned(),
            used,
            max: 1_000,
            observed_at,
            calls: BTreeMap::from([(Lane::Incremental, own / 2), (Lane::Interactive, own - own / 2)]),
        }
    }

    fn reported(used: u64, calls: u64) -> Made {
        Made { reported: Some(ApiUsage { used, max: 1_000 }), calls }
    }

    #[test]
    fn an_old_usage_lets_one_call_probe() {
        let old = Allowance { stored: Some(budget(950, 0, at("10:00:00"))), allocation: None };
        let now = at("10:15:00");
        assert!(old.may_call(Lane::Webhook, Made::default(), now));
        assert!(!old.may_call(Lane::Webhook, reported(951, 1), now));
        assert!(old.may_call(Lane::Webhook, reported(400, 1), now));
    }

    #[test]
    fn a_recent_usage_decides() {
        let stored = |used| Allowance { stored: Some(budget(used, 0, at("10:00:00"))), allocation: None };
        assert!(!stored(900).may_call(Lane::Webhook, Made::default(), at("10:14:00")));
        assert!(stored(899).may_call(Lane::Webhook, Made::default(), at("10:14:00")));
        assert!(Allowance::default().may_call(Lane::Webhook, Made::default(), at("10:14:00")));
    }

    #[test]
    fn a_lane_stops_at_its_share_of_the_allocation() {
        let allowance =
            |own| Allowance { stored: Some(budget(0, own, at("00:00:00"))), allocation: Some(Allocation::Percent(10)) };
        // An old report decides nothing about the org's limit, but Ferry's own calls are known.
        let now = at("10:00:00");
        assert!(allowance(79).may_call(Lane::Incremental, Made::default(), now));
        assert!(!allowance(80).may_call(Lane::Incremental, Made::default(), now));
        assert!(allowance(80).may_call(Lane::Interactive, Made::default(), now));
        assert!(!allowance(70).may_call(Lane::Incremental, reported(70, 10), now), "with the calls of the invocation");
        let unknown = Allowance { stored: None, allocation: Some(Allocation::Calls(10)) };
        assert!(unknown.may_call(Lane::Incremental, Made::default(), now), "before the first call of a day");
        assert!(!unknown.may_call(Lane::Incremental, reported(8, 8), now));
    }

    #[test]
    fn the_outlook_says_what_waits_and_until_when() {
        let now = at("06:00:00");
        let full = budget(850, 100, at("05:55:00"));
        let outlook = full.outlook(None, now);
        let lanes: Vec<Lane> = outlook.waits_until.keys().copied().collect();
        assert_eq!(lanes, [Lane::Incremental, Lane::Audit, Lane::Backfill]);
        assert!(outlook.waits_until.values().all(|until| *until == at("06:10:00")), "{outlook:?}");
        assert_eq!((outlook.calls, outlook.forecast, outlook.allocated), (100, 400, None));

        let outlook = full.outlook(Some(Allocation::Calls(110)), now);
        let midnight = "2026-11-23T00:00:00Z".parse().unwrap();
        assert_eq!((outlook.window_ends_at, outlook.allocated), (midnight, Some(110)));
        assert_eq!(outlook.waits_until.get(&Lane::Webhook), Some(&midnight));
        assert_eq!(outlook.waits_until.get(&Lane::Interactive), None);
    }

    proptest! {
        #[test]
        fn a_forecast_is_at_least_what_was_called(calls in 0..1_000_000_u64, second in 0..86_400_i64, more in 0..1_000_u64) {
            let now = at("00:00:00") + SignedDuration::from_secs(second);
            let forecast = |calls| budget(0, calls, now).outlook(None, now).forecast;
            prop_assert!(forecast(calls) >= calls);
            prop_assert!(forecast(calls + more) >= forecast(calls));
            // In the first hour too, no more than if the calls went on each hour.
            prop_assert!(forecast(calls) <= calls * 25);
        }

        #[test]
        fn no_lane_calls_beyond_its_share_of_the_allocation(own in 0..500_u64, allocated in 100..500_u64) {
            let now = at("10:00:00");
            let allowance = Allowance {
                stored: Some(budget(0, own, now)), allocation: Some(Allocation::Calls(allocated)),
            };
            for lane in Lane::ALL {
                let allowed = allowance.may_call(lane, Made::default(), now);
                prop_assert_eq!(allowed, (own + 1) * 100 <= allocated * lane.share_percent());
            }
        }
    }
}
