//! The settings of an org. What is not set is as the operator has deployed it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use salesforce::soql::Filter;
use salesforce::{FieldName, ObjectName};
use serde::{Deserialize, Serialize};

/// The settings of an org.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrgSettings {
    /// The mirrored objects; `None` for those of the deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objects: Option<Vec<ObjectName>>,
    /// The mirrored fields of an object; an object that is not listed has those of the deployment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<ObjectName, Vec<FieldName>>,
    /// The condition that the mirrored records of an object meet; an object that is not listed is mirrored whole.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub filters: BTreeMap<ObjectName, Filter>,
    /// The minutes between two polls; `None` for each poll of the deployment. Polls are no more frequent than those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll_minutes: Option<PollMinutes>,
    /// The time in which the nightly refresh begins; `None` for that of the deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nightly_window: Option<NightlyWindow>,
    /// The API calls of a day that Ferry may make; `None` for those that the lanes allow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_allocation: Option<Allocation>,
}

impl OrgSettings {
    /// Returns the mirrored objects, where `deployed` are those of the deployment.
    #[must_use]
    pub fn mirrored_objects<'a>(&'a self, deployed: &'a [ObjectName]) -> &'a [ObjectName] {
        self.objects.as_deref().unwrap_or(deployed)
    }

    /// Returns the condition of an object's mirrored records.
    #[must_use]
    pub fn filter(&self, object: &ObjectName) -> Option<&Filter> {
        self.filters.get(object)
    }
}

/// The minutes between two polls: from 1 to 1,440.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct PollMinutes(u16);

impl PollMinutes {
    /// Returns the interval.
    #[must_use]
    pub fn interval(self) -> SignedDuration {
        SignedDuration::from_mins(i64::from(self.0))
    }
}

impl TryFrom<u16> for PollMinutes {
    type Error = &'static str;

    fn try_from(minutes: u16) -> Result<Self, Self::Error> {
        (1..=1_440).contains(&minutes).then_some(Self(minutes)).ok_or("the minutes must be from 1 to 1440")
    }
}

impl From<PollMinutes> for u16 {
    fn from(PollMinutes(minutes): PollMinutes) -> Self {
        minutes
    }
}

/// The time in which a nightly refresh begins, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, try_from = "WindowJson", into = "WindowJson")]
pub struct NightlyWindow {
    start: Time,
    minutes: u16,
}

/// The JSON of a [`NightlyWindow`]: `{"start": "22:30", "minutes": 120}`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WindowJson {
    start: String,
    minutes: u16,
}

impl NightlyWindow {
    /// Returns the start of the window, a time of the day in UTC without seconds.
    #[must_use]
    pub fn start(self) -> Time {
        self.start
    }

    /// Returns the length of the window, up to 12 hours.
    #[must_use]
    pub fn length(self) -> SignedDuration {
        SignedDuration::from_mins(i64::from(self.minutes))
    }

    /// Returns the time at which a night begins that was requested at `requested_at`: in the window that is open then, or else in
    /// the next one. `place`, from 0 to 1, is the org's place in the window.
    #[must_use]
    pub fn begins_at(self, requested_at: Timestamp, place: f64) -> Timestamp {
        let requested = requested_at.to_zoned(TimeZone::UTC);
        let opens = |date: Date| date.to_datetime(self.start).to_zoned(TimeZone::UTC).map(|opens| opens.timestamp());
        let after = SignedDuration::from_secs_f64(self.length().as_secs_f64() * place);
        let today = requested.date();
        // A window that opened yesterday may be open still.
        let dates = [today.yesterday(), Ok(today), today.tomorrow()];
        let opens = dates.into_iter().flatten().flat_map(opens);
        let open = opens.filter_map(|opens| opens.checked_add(self.length()).ok().map(|closes| (opens, closes)));
        let next = open.filter(|(_, closes)| *closes >= requested_at).map(|(opens, _)| opens).next();
        next.and_then(|opens| opens.checked_add(after).ok()).unwrap_or(requested_at).max(requested_at)
    }
}

impl TryFrom<WindowJson> for NightlyWindow {
    type Error = &'static str;

    fn try_from(WindowJson { start, minutes }: WindowJson) -> Result<Self, Self::Error> {
        const START: &str = "the start must be a time of the day in UTC, as 22:30";
        let (hour, minute) = start.split_once(':').filter(|_| start.len() == 5).ok_or(START)?;
        let number =
            |digits: &str| i8::from_str(digits).ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()));
        let (hour, minute) = (number(hour).ok_or(START)?, number(minute).ok_or(START)?);
        let start = Time::new(hour, minute, 0, 0).map_err(|_| START)?;
        (minutes <= 720).then_some(Self { start, minutes }).ok_or("the minutes of the window must be from 0 to 720")
    }
}

impl From<NightlyWindow> for WindowJson {
    fn from(NightlyWindow { start, minutes }: NightlyWindow) -> Self {
        Self { start: format!("{:02}:{:02}", start.hour(), start.minute()), minutes }
    }
}

/// The fewest calls of an allocation, so that every lane has some.
const MIN_CALLS: u64 = 100;

/// The API calls of a day in UTC that Ferry may make in an org.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", try_from = "AllocationJson", into = "AllocationJson")]
pub enum Allocation {
    /// A number of calls.
    Calls(u64),
    /// A share of the org's limit, from 1 to 100 percent.
    Percent(u8),
}

/// The JSON of an [`Allocation`]: `{"calls": 20000}` or `{"percent": 30}`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AllocationJson {
    Calls(u64),
    Percent(u8),
}

impl Allocation {
    /// Returns the calls of an org whose limit is `max`.
    #[must_use]
    pub fn calls(self, max: u64) -> u64 {
        match self {
            Self::Calls(calls) => calls,
            Self::Percent(percent) => {
                let calls = u128::from(max) * u128::from(percent) / 100;
                u64::try_from(calls).unwrap_or(u64::MAX)
            }
        }
    }
}

impl TryFrom<AllocationJson> for Allocation {
    type Error = &'static str;

    fn try_from(json: AllocationJson) -> Result<Self, Self::Error> {
        match json {
            AllocationJson::Calls(..MIN_CALLS) => Err("the calls must be at least 100"),
            AllocationJson::Calls(calls) => Ok(Self::Calls(calls)),
            AllocationJson::Percent(percent @ 1..=100) => Ok(Self::Percent(percent)),
            AllocationJson::Percent(_) => Err("the percent must be from 1 to 100"),
        }
    }
}

impl From<Allocation> for AllocationJson {
    fn from(allocation: Allocation) -> Self {
        match allocation {
            Allocation::Calls(calls) => Self::Calls(calls),
            Allocation::Percent(percent) => Self::Percent(percent),
        }
    }
}

impl fmt::Display for Allocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Calls(calls) => write!(f, "{calls} calls"),
            Self::Percent(percent) => write!(f, "{percent} %"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    proptest! {
        #[test]
        fn a_night_begins_in_the_window_within_a_day(
            second in 0..400_000_i64, minute in 0..1_440_u32, length in 0..=720_u16, place in 0.0..=1.0_f64,
        ) {
            let start = format!("{:02}:{:02}", minute / 60, minute % 60);
            let window = NightlyWindow::try_from(WindowJson { start, minutes: length }).unwrap();
            let requested_at = Timestamp::from_second(1_790_000_000 + second).unwrap();

            let begins_at = window.begins_at(requested_at, place);

            prop_assert!(begins_at >= requested_at);
            let since = begins_at.duration_since(requested_at);
            prop_assert!(since <= SignedDuration::from_hours(24) + window.length(), "{since:?}");
            let minute_of_day = begins_at.as_second().rem_euclid(86_400) / 60;
            let after_start = (minute_of_day - i64::from(minute)).rem_euclid(1_440);
            prop_assert!(after_start <= i64::from(length), "{begins_at}");
        }
    }

    fn parse(settings: Value) -> Result<OrgSettings, String> {
        serde_json::from_value(settings).map_err(|error| error.to_string())
    }

    #[test]
    fn settings_are_stored_as_they_are_read() {
        let full = json!({
            "objects": ["Account", "Invoice__c"],
            "fields": { "Account": ["Name", "Industry"] },
            "filters": { "Account": "Industry != NULL" },
            "poll_minutes": 30,
            "nightly_window": { "start": "22:30", "minutes": 120 },
            "api_allocation": { "percent": 30 },
        });
        for settings in [json!({}), full] {
            assert_eq!(serde_json::to_value(parse(settings.clone()).unwrap()).unwrap(), settings);
        }
    }

    #[test]
    fn a_value_outside_its_range_is_refused() {
        for (settings, reason) in [
            (json!({ "poll_minutes": 0 }), "from 1 to 1440"),
            (json!({ "poll_minutes": 1441 }), "from 1 to 1440"),
            (json!({ "nightly_window": { "start": "24:00", "minutes": 1 } }), "as 22:30"),
            (json!({ "nightly_window": { "start": "+1:-2", "minutes": 1 } }), "as 22:30"),
            (json!({ "nightly_window": { "start": "2:30", "minutes": 1 } }), "as 22:30"),
            (json!({ "nightly_window": { "start": "02:30", "minutes": 721 } }), "from 0 to 720"),
            (json!({ "api_allocation": { "percent": 0 } }), "from 1 to 100"),
            (json!({ "api_allocation": { "percent": 101 } }), "from 1 to 100"),
            (json!({ "api_allocation": { "calls": 99 } }), "at least 100"),
            (json!({ "object": ["Account"] }), "unknown field `object`"),
        ] {
            let refused = parse(settings.clone()).unwrap_err();
            assert!(refused.contains(reason), "{settings}: {refused}");
        }
    }

    #[test]
    fn a_share_follows_the_limit_of_the_org() {
        assert_eq!(Allocation::Percent(30).calls(100_000), 30_000);
        assert_eq!(Allocation::Percent(100).calls(u64::MAX), u64::MAX);
        assert_eq!(Allocation::Calls(500).calls(100_000), 500);
    }
}
