//! The users' time zones.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::model::ids::RecordId;
use crate::model::org::Org;

impl Org {
    /// Returns the time zone of a user (`TimeZoneSidKey`); UTC for an unknown one.
    pub(crate) fn time_zone(&self, user: RecordId) -> TimeZone {
        let row = self.store.get("User", user);
        let name = row.map_or("", |row| self.value("User", row, "TimeZoneSidKey").as_text());
        TimeZone::get(name).unwrap_or(TimeZone::UTC)
    }

    /// Returns the time zone of the org's settings.
    pub(crate) fn default_time_zone(&self) -> TimeZone {
        let row = self.store.get("Organization", self.id);
        let name = row.map_or("", |row| self.value("Organization", row, "TimeZoneSidKey").as_text());
        TimeZone::get(name).unwrap_or(TimeZone::UTC)
    }

    /// Returns the user's day.
    pub(crate) fn today(&self, user: RecordId) -> Date {
        self.time_zone(user).to_datetime(self.clock.now()).date()
    }
}

/// Returns the beginning of a day in a time zone.
pub(crate) fn start_of(day: Date, zone: &TimeZone) -> Option<Timestamp> {
    day.to_zoned(zone.clone()).ok().map(|start| start.timestamp())
}

/// Returns the offset of a time zone from UTC in milliseconds, without daylight saving time.
pub(crate) fn standard_offset_ms(zone: &TimeZone, at: Timestamp) -> i64 {
    let half_year = at.saturating_add((24 * 182).hours()).unwrap_or(at);
    let infos = [at, half_year].map(|at| zone.to_offset_info(at));
    let standard = infos.iter().find(|info| !info.dst().is_dst()).unwrap_or(&infos[0]);
    i64::from(standard.offset().seconds()) * 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_of_its_zone() {
        let zone = TimeZone::get("America/Los_Angeles").unwrap();
        let starts = |day: &str| start_of(day.parse().unwrap(), &zone).unwrap().to_string();
        assert_eq!(starts("2026-11-22"), "2026-11-22T08:00:00Z");
        assert_eq!(starts("2026-07-01"), "2026-07-01T07:00:00Z");
        for at in ["2026-11-22T10:00:00Z", "2026-07-01T10:00:00Z"] {
            assert_eq!(standard_offset_ms(&zone, at.parse().unwrap()), -28_800_000, "{at}");
        }
    }
}
