//! Date-times of Salesforce: `2026-11-22T10:15:30.000+0000` in REST, `2026-11-22T10:15:30.000Z` in outbound messages and SOQL.

use jiff::Timestamp;

use crate::Error;

/// Parses a date-time with any offset, with or without a colon.
///
/// # Errors
///
/// [`Error::Invalid`] if the text is not a date-time with an offset.
pub fn parse(text: &str) -> Result<Timestamp, Error> {
    text.parse().map_err(|_| Error::Invalid { what: "date-time", reason: "is not ISO 8601 with an offset" })
}

/// Renders a date-time for SOQL and REST: UTC, milliseconds, `Z`.
pub fn render(time: Timestamp) -> String {
    format!("{time:.3}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn all_spellings_of_an_offset_are_parsed() {
        let expected: Timestamp = "2026-11-22T10:15:30.5Z".parse().unwrap();
        for text in [
            "2026-11-22T10:15:30.500+0000",
            "2026-11-22T10:15:30.500Z",
            "2026-11-22T11:15:30.500+01:00",
            "2026-11-22T05:15:30.500-0500",
        ] {
            assert_eq!(parse(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn a_date_or_a_time_without_offset_is_rejected() {
        for text in ["2026-11-22", "2026-11-22T10:15:30", "", "yesterday"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_date_time_is_rendered_in_utc_with_milliseconds() {
        let time = parse("2026-11-22T11:15:30+0100").unwrap();
        assert_eq!(render(time), "2026-11-22T10:15:30.000Z");
    }

    proptest! {
        #[test]
        fn a_rendered_date_time_parses_back(ms in 0i64..4_102_444_800_000) {
            let time = Timestamp::from_millisecond(ms).unwrap();
            prop_assert_eq!(parse(&render(time)).unwrap(), time);
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = parse(&text);
        }
    }
}
