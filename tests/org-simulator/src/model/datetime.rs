//! Dates and times in the formats that Salesforce reads and writes.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

/// Formats `2026-11-22T10:15:30.000` in UTC, without a zone.
fn local(at: Timestamp) -> String {
    let t = Offset::UTC.to_datetime(at);
    let (date, ms) = (t.date(), t.subsec_nanosecond() / 1_000_000);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{ms:03}",
        date.year(),
        date.month(),
        date.day(),
        t.hour(),
        t.minute(),
        t.second()
    )
}

/// Formats a time for REST: `2026-11-22T10:15:30.000+0000`.
pub(crate) fn rest(at: Timestamp) -> String {
    local(at) + "+0000"
}

/// Formats a time for SOAP: `2026-11-22T10:15:30.000Z`.
pub(crate) fn soap(at: Timestamp) -> String {
    local(at) + "Z"
}

/// Truncates a time to whole seconds, the precision of a record's system fields.
pub(crate) fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// Returns the day of a time, in UTC.
pub(crate) fn day(at: Timestamp) -> Date {
    Offset::UTC.to_datetime(at).date()
}

/// Parses a time with `Z`, `+01:00` or `+0000`.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    text.contains(['T', 't']).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offset_is_written_without_a_colon() {
        let at: Timestamp = "2026-11-22T10:15:30.5Z".parse().unwrap();
        assert_eq!(rest(at), "2026-11-22T10:15:30.500+0000");
        assert_eq!(soap(whole_seconds(at)), "2026-11-22T10:15:30.000Z");
    }

    #[test]
    fn every_format_of_an_offset_is_parsed() {
        let at = parse("2026-11-22T10:15:30Z");
        assert!(at.is_some());
        for text in ["2026-11-22T10:15:30.000+0000", "2026-11-22T11:15:30+01:00", "2026-11-22T10:15:30.000Z"] {
            assert_eq!(parse(text), at, "{text}");
        }
        assert_eq!(parse("2026-11-22"), None);
    }
}
