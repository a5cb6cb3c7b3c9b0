//! The closing line: exactly one an invocation, the only one that alarms and dashboards read.

use std::sync::OnceLock;

use jiff::Timestamp;
use salesforce::Clock;
use serde_json::{Map, Value};

/// How an invocation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything was done.
    Ok,
    /// Some of it was done; the rest comes again.
    Partial,
    /// There was nothing to do, or the request was refused.
    Refused,
    /// It failed.
    Failed,
}

impl Outcome {
    /// As the line says it.
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

/// What an invocation did, in numbers.
pub trait Report {
    /// How it ended.
    fn outcome(&self) -> Outcome {
        Outcome::Ok
    }

    /// What was counted, for example `("records.applied", 3)`.
    fn counts(&self) -> Vec<(&'static str, u64)>;
}

/// The function that this process is; set once, by [`crate::start`].
pub(crate) static FUNCTION: OnceLock<&'static str> = OnceLock::new();

/// Times an invocation.
pub(crate) struct Invocation {
    clock: Clock,
    started: Timestamp,
}

impl Invocation {
    pub(crate) fn begin(clock: &Clock) -> Self {
        Self { clock: clock.clone(), started: clock.now() }
    }

    /// Writes the closing line.
    pub(crate) fn close(&self, outcome: Outcome, counts: Vec<(&'static str, u64)>) {
        let duration_ms = self.clock.now().duration_since(self.started).as_millis();
        let duration_ms = u64::try_from(duration_ms).unwrap_or_default();
        let counts: Map<String, Value> = counts.into_iter().map(|(name, n)| (name.to_owned(), n.into())).collect();
        let (outcome, counts) = (outcome.as_str(), Value::Object(counts));
        let function = FUNCTION.get().copied().unwrap_or_default();
        tracing::info!(r#fn = function, outcome, duration_ms, %counts, "invocation ended: {outcome}");
    }
}
