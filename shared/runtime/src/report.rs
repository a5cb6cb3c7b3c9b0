//! The result of an invocation, from which its closing log line is made.

/// The outcome of an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All of the work was done.
    Ok,
    /// Some of the work was done; the rest is retried.
    Partial,
    /// The request was refused, also by Salesforce, or there was nothing to do.
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

    /// Returns the numbers of which the metrics are percentiles, by the metric's name: none by default.
    fn samples(&self) -> Vec<(&'static str, Vec<u64>)> {
        Vec::new()
    }
}
