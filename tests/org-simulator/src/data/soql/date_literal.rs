//! Date literals: `TODAY`, `LAST_N_DAYS:7`, `THIS_FISCAL_QUARTER`; each stands for a range of days.
//!
//! The current day is that of the user's time zone; weeks begin on Sunday, as in the locale en_US;
//! the fiscal year begins in January, as in a new org.

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

/// A calendar unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

/// A range of whole units relative to the current one, from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DateLiteral {
    unit: Unit,
    first: i32,
    last: i32,
}

const UNITS: [(&str, Unit); 7] = [
    ("DAY", Unit::Day),
    ("WEEK", Unit::Week),
    ("MONTH", Unit::Month),
    ("QUARTER", Unit::Quarter),
    ("YEAR", Unit::Year),
    ("FISCAL_QUARTER", Unit::Quarter),
    ("FISCAL_YEAR", Unit::Year),
];

fn unit(name: &str) -> Option<Unit> {
    UNITS.iter().find(|(known, _)| *known == name).map(|(_, unit)| *unit)
}

fn units(name: &str) -> Option<Unit> {
    unit(name.strip_suffix('S')?)
}

impl DateLiteral {
    /// Parses a literal without a number, in upper case.
    pub(super) fn plain(name: &str) -> Option<Self> {
        let of = |unit, first, last| Some(Self { unit, first, last });
        match name {
            "TODAY" => return of(Unit::Day, 0, 0),
            "YESTERDAY" => return of(Unit::Day, -1, -1),
            "TOMORROW" => return of(Unit::Day, 1, 1),
            "LAST_90_DAYS" => return of(Unit::Day, -90, 0),
            "NEXT_90_DAYS" => return of(Unit::Day, 1, 90),
            _ => {}
        }
        let (which, rest) = name.split_once('_')?;
        let unit = unit(rest).filter(|unit| *unit != Unit::Day)?;
        match which {
            "LAST" => of(unit, -1, -1),
            "THIS" => of(unit, 0, 0),
            "NEXT" => of(unit, 1, 1),
            _ => None,
        }
    }

    /// Parses a literal with a number, such as `LAST_N_DAYS` or `N_MONTHS_AGO`; the name is in upper case.
    pub(super) fn numbered(name: &str, n: i32) -> Option<Self> {
        let of = |unit, first, last| Some(Self { unit, first, last });
        if let Some(rest) = name.strip_prefix("LAST_N_") {
            let unit = units(rest)?;
            // `LAST_N_DAYS` includes today; the longer units end before the current one.
            return of(unit, -n, if unit == Unit::Day { 0 } else { -1 });
        }
        if let Some(rest) = name.strip_prefix("NEXT_N_") {
            return of(units(rest)?, 1, n);
        }
        of(units(name.strip_prefix("N_")?.strip_suffix("_AGO")?)?, -n, -n)
    }

    /// Returns the first day of the range, and the first day after it.
    pub(super) fn days(self, today: Date) -> Option<(Date, Date)> {
        Some((self.start(today, self.first)?, self.start(today, self.last.checked_add(1)?)?))
    }

    /// Returns the first day of the unit that is `n` units after the current one.
    fn start(self, today: Date, n: i32) -> Option<Date> {
        let month = |months: i32| today.first_of_month().checked_add(months.months()).ok();
        let in_year = i32::from(today.month()) - 1;
        match self.unit {
            Unit::Day => today.checked_add(n.days()).ok(),
            Unit::Week => {
                let since_sunday = i32::from(today.weekday().since(Weekday::Sunday));
                today.checked_add((n.checked_mul(7)? - since_sunday).days()).ok()
            }
            Unit::Month => month(n),
            Unit::Quarter => month(n.checked_mul(3)? - in_year % 3),
            Unit::Year => month(n.checked_mul(12)? - in_year),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn days(text: &str) -> String {
        let today: Date = "2026-11-22".parse().unwrap();
        let literal = match text.split_once(':') {
            Some((name, n)) => DateLiteral::numbered(name, n.parse().unwrap()),
            None => DateLiteral::plain(text),
        };
        let (from, to) = literal.unwrap().days(today).unwrap();
        format!("{from}..{to}")
    }

    #[test]
    fn every_literal_has_its_range_of_days() {
        for (literal, expected) in [
            ("TODAY", "2026-11-22..2026-11-23"),
            ("YESTERDAY", "2026-11-21..2026-11-22"),
            ("TOMORROW", "2026-11-23..2026-11-24"),
            ("LAST_WEEK", "2026-11-15..2026-11-22"),
            ("THIS_WEEK", "2026-11-22..2026-11-29"),
            ("NEXT_MONTH", "2026-12-01..2027-01-01"),
            ("THIS_QUARTER", "2026-10-01..2027-01-01"),
            ("LAST_QUARTER", "2026-07-01..2026-10-01"),
            ("LAST_YEAR", "2025-01-01..2026-01-01"),
            ("THIS_FISCAL_QUARTER", "2026-10-01..2027-01-01"),
            ("NEXT_FISCAL_YEAR", "2027-01-01..2028-01-01"),
            ("LAST_90_DAYS", "2026-08-24..2026-11-23"),
            ("LAST_N_DAYS:7", "2026-11-15..2026-11-23"),
            ("NEXT_N_DAYS:2", "2026-11-23..2026-11-25"),
            ("N_DAYS_AGO:3", "2026-11-19..2026-11-20"),
            ("LAST_N_WEEKS:2", "2026-11-08..2026-11-22"),
            ("LAST_N_MONTHS:2", "2026-09-01..2026-11-01"),
            ("N_MONTHS_AGO:1", "2026-10-01..2026-11-01"),
            ("NEXT_N_QUARTERS:1", "2027-01-01..2027-04-01"),
            ("LAST_N_FISCAL_YEARS:2", "2024-01-01..2026-01-01"),
            ("N_FISCAL_QUARTERS_AGO:1", "2026-07-01..2026-10-01"),
        ] {
            assert_eq!(days(literal), expected, "{literal}");
        }
    }

    #[test]
    fn an_unknown_literal_is_not_parsed() {
        for text in ["THIS_DAY", "SOMEDAY", "LAST_N_DAYS", "THIS_DECADE"] {
            assert_eq!(DateLiteral::plain(text), None, "{text}");
        }
        assert_eq!(DateLiteral::numbered("THIS_WEEK", 1), None);
    }

    proptest! {
        #[test]
        fn the_ranges_before_and_after_a_unit_adjoin(day in 0_i32..20_000, which in 0_usize..6) {
            let today = Date::constant(1990, 1, 1).checked_add(day.days()).unwrap();
            let name = ["WEEK", "MONTH", "QUARTER", "YEAR", "FISCAL_QUARTER", "FISCAL_YEAR"][which];
            let of = |when: &str| DateLiteral::plain(&format!("{when}_{name}")).unwrap().days(today).unwrap();
            let (last, this, next) = (of("LAST"), of("THIS"), of("NEXT"));
            prop_assert!(last.1 == this.0 && this.1 == next.0);
            prop_assert!(this.0 <= today && today < this.1);
        }
    }
}
