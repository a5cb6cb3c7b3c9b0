//! Timestamps as they are stored: RFC 3339 in UTC with exactly three decimals, so that text order is time order.

use jiff::Timestamp;

/// Returns the stored form of a timestamp.
#[must_use]
pub fn format(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// Truncates a timestamp to the stored precision. Every rule compares timestamps of this precision.
#[must_use]
pub fn to_millis(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

/// `#[serde(with)]` for a [`Timestamp`] in its stored form.
pub mod millis {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes the stored form.
    ///
    /// # Errors
    /// Only those of the serializer.
    pub fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::format(*at))
    }

    /// Reads any RFC 3339 timestamp.
    ///
    /// # Errors
    /// The text is not a timestamp.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        Timestamp::deserialize(deserializer)
    }
}

/// `#[serde(with)]` for an optional [`Timestamp`] in its stored form.
pub mod millis_option {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes the stored form, or nothing.
    ///
    /// # Errors
    /// Only those of the serializer.
    pub fn serialize<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => serializer.serialize_some(&super::format(*at)),
            None => serializer.serialize_none(),
        }
    }

    /// Reads any RFC 3339 timestamp, or nothing.
    ///
    /// # Errors
    /// The text is not a timestamp.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        Option::<Timestamp>::deserialize(deserializer)
    }
}
