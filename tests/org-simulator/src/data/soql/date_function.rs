//! Date functions, such as `CALENDAR_YEAR(CloseDate)`: they return a number, or a date for `DAY_ONLY`.
//!
//! Times are read in UTC, or in the user's time zone within `convertTimezone()`; the fiscal year begins in January, as in a
//! new org.

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

use crate::model::value::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DateFunction {
    CalendarMonth,
    CalendarQuarter,
    CalendarYear,
    DayInMonth,
    DayInWeek,
    DayInYear,
    DayOnly,
    FiscalMonth,
    FiscalQuarter,
    FiscalYear,
    HourInDay,
    WeekInMonth,
    WeekInYear,
}

impl DateFunction {
    pub(super) const NAMES: [(&'static str, Self); 13] = [
        ("CALENDAR_MONTH", Self::CalendarMonth),
        ("CALENDAR_QUARTER", Self::CalendarQuarter),
        ("CALENDAR_YEAR", Self::CalendarYear),
        ("DAY_IN_MONTH", Self::DayInMonth),
        ("DAY_IN_WEEK", Self::DayInWeek),
        ("DAY_IN_YEAR", Self::DayInYear),
        ("DAY_ONLY", Self::DayOnly),
        ("FISCAL_MONTH", Self::FiscalMonth),
        ("FISCAL_QUARTER", Self::FiscalQuarter),
        ("FISCAL_YEAR", Self::FiscalYear),
        ("HOUR_IN_DAY", Self::HourInDay),
        ("WEEK_IN_MONTH", Self::WeekInMonth),
        ("WEEK_IN_YEAR", Self::WeekInYear),
    ];

    /// Applies the function to a date or a time; null for other values.
    pub(super) fn of(self, value: &Value, zone: &TimeZone) -> Value {
        let (day, hour) = match value {
            Value::Date(day) => (*day, 0),
            Value::Instant(at) => {
                let local = zone.to_datetime(*at);
                (local.date(), local.hour())
            }
            _ => return Value::Null,
        };
        match self {
            Self::DayOnly => Value::Date(day),
            Self::HourInDay => Value::Int(i64::from(hour)),
            _ => Value::Int(self.number(day)),
        }
    }

    fn number(self, day: Date) -> i64 {
        let month = i64::from(day.month());
        match self {
            Self::CalendarMonth | Self::FiscalMonth => month,
            Self::CalendarQuarter | Self::FiscalQuarter => (month - 1) / 3 + 1,
            Self::CalendarYear | Self::FiscalYear => i64::from(day.year()),
            // Sunday is 1; the first week of a month or a year is its first seven days.
            Self::DayInWeek => i64::from(day.weekday().since(Weekday::Sunday)) + 1,
            Self::DayInYear => i64::from(day.day_of_year()),
            Self::WeekInMonth => (i64::from(day.day()) - 1) / 7 + 1,
            Self::WeekInYear => (i64::from(day.day_of_year()) - 1) / 7 + 1,
            Self::DayInMonth | Self::DayOnly | Self::HourInDay => i64::from(day.day()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_date_function_returns_its_part_of_a_time() {
        let at = Value::Instant("2026-11-22T10:15:30Z".parse().unwrap());
        for (name, expected) in [
            ("CALENDAR_MONTH", 11),
            ("CALENDAR_QUARTER", 4),
            ("CALENDAR_YEAR", 2026),
            ("DAY_IN_MONTH", 22),
            ("DAY_IN_WEEK", 1),
            ("DAY_IN_YEAR", 326),
            ("HOUR_IN_DAY", 10),
            ("WEEK_IN_MONTH", 4),
            ("WEEK_IN_YEAR", 47),
        ] {
            let (_, function) = DateFunction::NAMES.iter().find(|(known, _)| *known == name).unwrap();
            assert_eq!(function.of(&at, &TimeZone::UTC), Value::Int(expected), "{name}");
        }
        let (utc, auckland) = (TimeZone::UTC, TimeZone::get("Pacific/Auckland").unwrap());
        assert_eq!(DateFunction::DayOnly.of(&at, &utc), Value::Date("2026-11-22".parse().unwrap()));
        assert_eq!(DateFunction::HourInDay.of(&at, &auckland), Value::Int(23));
        assert_eq!(DateFunction::CalendarYear.of(&Value::Null, &utc), Value::Null);
    }
}
