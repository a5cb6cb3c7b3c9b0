//! From when on the ledger is read: a time, or a span back from now.

use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use store::deliveries::RETENTION;

use crate::cli::Failure;

/// What `--since` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Since {
    At(Timestamp),
    Back(SignedDuration),
}

impl FromStr for Since {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(at) => Ok(Self::At(at)),
            Err(_) => span(text).map(Self::Back).ok_or(NO_TIME),
        }
    }
}

const NO_TIME: &str = "neither a time as 2026-11-22T10:00:00Z nor a span back as 90m, 24h or 7d";

fn span(text: &str) -> Option<SignedDuration> {
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
    /// The time that is meant, to the second.
    pub(crate) fn resolve(self, now: Timestamp) -> Result<Timestamp, Failure> {
        let at = match self {
            Self::At(at) => at,
            Self::Back(span) => now.saturating_sub(span).unwrap_or(Timestamp::MIN),
        };
        if at > now {
            return Err(Failure::BadInput(format!("--since {at:.0} is in the future")));
        }
        if now.duration_since(at) > RETENTION {
            let days = RETENTION.as_hours() / 24;
            return Err(Failure::BadInput(format!(
                "what arrived more than {days} days ago is gone from the ledger: give --since {days}d or less"
            )));
        }
        Ok(Timestamp::from_second(at.as_second()).unwrap_or(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-22T10:00:00Z";

    fn since(text: &str) -> Result<String, String> {
        let since: Since = text.parse().map_err(str::to_owned)?;
        since.resolve(NOW.parse().unwrap()).map(|at| at.to_string()).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_time_and_a_span_back_are_understood() {
        assert_eq!(since("2026-11-21T10:00:00.9+02:00").unwrap(), "2026-11-21T08:00:00Z");
        assert_eq!(since("90m").unwrap(), "2026-11-22T08:30:00Z");
        assert_eq!(since("24h").unwrap(), "2026-11-21T10:00:00Z");
        assert_eq!(since("14d").unwrap(), "2026-11-08T10:00:00Z");
        assert_eq!(since("0m").unwrap(), NOW);
    }

    #[test]
    fn what_the_ledger_has_forgotten_is_told_and_not_shown_as_empty() {
        for text in ["15d", "337h", "4294967295d", "2026-11-08T09:59:59Z"] {
            assert!(since(text).unwrap_err().contains("gone"), "{text}");
        }
        assert!(since("2026-11-22T10:00:01Z").unwrap_err().contains("future"));
    }

    #[test]
    fn anything_else_says_what_would_be_understood() {
        for text in ["", "h", "24", "-1h", "1w", "yesterday", "2026-11-21", "24\u{20ac}"] {
            assert_eq!(since(text).unwrap_err(), NO_TIME, "{text}");
        }
    }
}
