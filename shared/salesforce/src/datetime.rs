//! Salesforce's date-times: `2026-11-22T10:15:30.000+0000` in REST answers, `...Z` in messages and in SOQL
//! (docs/salesforce.md 4.3, traps 15 to 18).

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use crate::Error;

/// Reads a date-time with any offset, written with or without a colon.
///
/// # Errors
///
/// [`Error::Invalid`] when the text is no date-time with an offset.
pub fn parse(text: &str) -> Result<Timestamp, Error> {
    text.parse().map_err(|_| Error::Invalid {
        what: "date-time",
        reason: "is not ISO 8601 with an offset",
    })
}

/// Writes a date-time as SOQL and REST take it: UTC, milliseconds, `Z`.
pub fn render(time: Timestamp) -> String {
    format!("{time:.3}")
}

/// For `#[serde(deserialize_with = ...)]` on a date-time of an answer.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).map_err(serde::de::Error::custom)
}
