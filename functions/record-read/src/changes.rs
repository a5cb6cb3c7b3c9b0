//! The source of an org's changes, and the state of its polls.

use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use store::{DetectionMethod, DetectionReason, Org};

/// The interval between polls: a rate of EventBridge Scheduler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollInterval(SignedDuration);

impl Default for PollInterval {
    fn default() -> Self {
        Self(SignedDuration::from_mins(15))
    }
}

impl FromStr for PollInterval {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rate = text.strip_prefix("rate(").and_then(|rest| rest.strip_suffix(')'));
        let (number, unit) = rate.and_then(|rate| rate.split_once(' ')).ok_or(NOT_A_RATE)?;
        let number: u32 = number.parse().map_err(|_| NOT_A_RATE)?;
        let minutes = match unit {
            "minute" | "minutes" => i64::from(number),
            "hour" | "hours" => i64::from(number) * 60,
            "day" | "days" => i64::from(number) * 24 * 60,
            _ => return Err(NOT_A_RATE),
        };
        Ok(Self(SignedDuration::from_mins(minutes)))
    }
}

const NOT_A_RATE: &str = "expected a rate such as rate(15 minutes)";

/// The source of an org's changes.
#[derive(Debug, Serialize)]
pub(crate) struct ChangesView {
    by: DetectionMethod,
    because: DetectionReason,
    /// The org's edition; `None` until it has been read.
    edition: Option<String>,
    /// The state of the polls; `None` unless the org is polled.
    #[serde(skip_serializing_if = "Option::is_none")]
    polls: Option<PollsView>,
}

/// The state of an org's polls.
#[derive(Debug, Serialize)]
struct PollsView {
    /// The start of the last completed poll.
    #[serde(serialize_with = "store::time::millis_option::serialize")]
    last_completed: Option<Timestamp>,
    overdue: bool,
}

impl ChangesView {
    pub(crate) fn new(org: &Org, last_poll: Option<Timestamp>, interval: PollInterval, now: Timestamp) -> Self {
        let changes = org.change_detection();
        let overdue = org.poll_is_overdue(last_poll, interval.0, now);
        Self {
            by: changes.method,
            because: changes.reason,
            edition: org.edition.as_ref().map(|edition| edition.organization_type.clone()),
            polls: (changes.method == DetectionMethod::Polling)
                .then_some(PollsView { last_completed: last_poll, overdue }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_parsed_as_eventbridge_scheduler_parses_them() {
        for (text, minutes) in
            [("rate(15 minutes)", 15), ("rate(1 minute)", 1), ("rate(2 hours)", 120), ("rate(1 day)", 1_440)]
        {
            assert_eq!(text.parse(), Ok(PollInterval(SignedDuration::from_mins(minutes))), "{text}");
        }
        for text in ["", "rate()", "rate(15)", "rate(-1 minutes)", "rate(15 weeks)", "cron(0 * * * ? *)", "15 minutes"]
        {
            assert_eq!(text.parse::<PollInterval>(), Err(NOT_A_RATE), "{text}");
        }
    }
}
