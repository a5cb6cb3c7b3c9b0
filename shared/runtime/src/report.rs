//! The closing log line: exactly one for each invocation, and the only one that alarms and dashboards read.

use std::sync::OnceLock;

use jiff::Timestamp;
use salesforce::Clock;
use serde_json::{Map, Value};

/// The outcome of an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All of the work was done.
    Ok,
    /// Some of the work was done; the rest is retried.
    Partial,
    /// The request was refused, or there was nothing to do.
    Refused,
    /// The invocation failed.
    Failed,
}

impl Outcome {
    /// Returns the outcome as it is logged.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Partial => "partial",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// The result of an invocation, as the closing log line reports it.
pub trait Report {
    /// Returns the outcome.
    fn outcome(&self) -> Outcome {
        Outcome::Ok
    }

    /// Returns the counts, for example `("records.applied", 3)`.
    fn counts(&self) -> Vec<(&'static str, u64)>;
}

/// The function's name; set once, by [`crate::start`].
pub(crate) static FUNCTION: OnceLock<&'static str> = OnceLock::new();

/// A running invocation, with its start time.
pub(crate) struct Invocation {
    clock: Clock,
    started: Timestamp,
}

impl Invocation {
    pub(crate) fn begin(clock: &Clock) -> Self {
        Self { clock: clock.clone(), started: clock.now() }
    }

    /// Writes the closing log line.
    pub(crate) fn close(&self, outcome: Outcome, counts: Vec<(&'static str, u64)>) {
        let duration_ms = self.clock.now().duration_since(self.started).as_millis();
        let duration_ms = u64::try_from(duration_ms).unwrap_or_default();
        let counts: Map<String, Value> = counts.into_iter().map(|(name, n)| (name.to_owned(), n.into())).collect();
        let (outcome, counts) = (outcome.as_str(), Value::Object(counts));
        let function = FUNCTION.get().copied().unwrap_or_default();
        tracing::info!(r#fn = function, outcome, duration_ms, %counts, "invocation ended: {outcome}");
    }
}
