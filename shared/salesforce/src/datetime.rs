//! Salesforce's date-times: `2026-11-22T10:15:30.000+0000` in REST answers, `...Z` in messages and in SOQL
//!.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use crate::Error;

/// Reads a date-time with any offset, written with or without a colon.
///
/// # Errors
///
/// [`Error::Invalid`] when the text is no date-time with an offset.
pub fn parse(text: &str) -> Result<Timestamp, Error> {
    text.parse().map_err(|_| Error::Invalid { what: "date-time", reason: "is not ISO 8601 with an offset" })
}

/// Writes a date-time as SOQL and REST take it: UTC, milliseconds, `Z`.
pub fn render(time: Timestamp) -> String {
    format!("{time:.3}")
}

/// For `#[serde(deserialize_with = ...)]` on a date-time of an answer.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_spelling_of_a_date_time_is_the_same_instant() {
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
    fn a_date_is_no_instant() {
        for text in ["2026-11-22", "2026-11-22T10:15:30", "", "yesterday"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn it_is_rendered_in_utc_with_milliseconds() {
        let time = parse("2026-11-22T11:15:30+0100").unwrap();
        assert_eq!(render(time), "2026-11-22T10:15:30.000Z");
    }

    proptest! {
        #[test]
        fn what_is_rendered_reads_back(ms in 0i64..4_102_444_800_000) {
            let time = Timestamp::from_millisecond(ms).unwrap();
            prop_assert_eq!(parse(&render(time)).unwrap(), time);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            let _ = parse(&text);
        }
    }
}
