//! The argument `--since`: a time, or an age counted back from now.

use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use store::deliveries::MAX_RETENTION;

use crate::failure::Failure;

/// The start of a time range that ends now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Since {
    Time(Timestamp),
    Age(SignedDuration),
}

impl FromStr for Since {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(at) => Ok(Self::Time(at)),
            Err(_) => age(text).map(Self::Age).ok_or(EXPECTED),
        }
    }
}

const EXPECTED: &str = "expected a time such as 2026-11-22T10:00:00Z, or an age such as 90m, 24h or 7d";

fn age(text: &str) -> Option<SignedDuration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return None,
    };
    let number: u32 = number.parse().ok()?;
    Some(SignedDuration::from_secs(i64::from(number) * seconds))
}

impl Since {
    /// Returns the time, in whole seconds. It fails if the time is in the future.
    pub(crate) fn resolve(self, now: Timestamp) -> Result<Timestamp, Failure> {
        let at = match self {
            Self::Time(at) => at,
            Self::Age(age) => now.saturating_sub(age).unwrap_or(Timestamp::MIN),
        };
        if at > now {
            return Err(Failure::BadInput(format!("--since {at:.0} is in the future")));
        }
        Ok(Timestamp::from_second(at.as_second()).unwrap_or(at))
    }

    /// Returns the same for deliveries. It fails too if the time is older than any delivery can be.
    pub(crate) fn resolve_for_deliveries(self, now: Timestamp) -> Result<Timestamp, Failure> {
        let at = self.resolve(now)?;
        if now.duration_since(at) > MAX_RETENTION {
            let days = MAX_RETENTION.as_hours() / 24;
            return Err(Failure::BadInput(format!(
                "the ledger keeps deliveries for {days} days at most; pass --since {days}d or less"
            )));
        }
        Ok(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-22T10:00:00Z";

    fn since(text: &str) -> Result<String, String> {
        let since: Since = text.parse().map_err(str::to_owned)?;
        since
            .resolve_for_deliveries(NOW.parse().unwrap())
            .map(|at| at.to_string())
            .map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_time_and_an_age_are_parsed() {
        assert_eq!(since("2026-11-21T10:00:00.9+02:00").unwrap(), "2026-11-21T08:00:00Z");
        assert_eq!(since("90m").unwrap(), "2026-11-22T08:30:00Z");
        assert_eq!(since("24h").unwrap(), "2026-11-21T10:00:00Z");
        assert_eq!(since("14d").unwrap(), "2026-11-08T10:00:00Z");
        assert_eq!(since("0m").unwrap(), NOW);
    }

    #[test]
    fn a_time_before_the_longest_retention_is_refused() {
        for text in ["3651d", "87601h", "4294967295d", "2016-11-24T09:59:59Z"] {
            assert!(since(text).unwrap_err().contains("the ledger keeps"), "{text}");
        }
        assert!(since("2026-11-22T10:00:01Z").unwrap_err().contains("future"));
    }

    #[test]
    fn other_text_is_refused_with_the_expected_form() {
        for text in ["", "h", "24", "-1h", "1w", "yesterday", "2026-11-21", "24\u{20ac}"] {
            assert_eq!(since(text).unwrap_err(), EXPECTED, "{text}");
        }
    }
}
