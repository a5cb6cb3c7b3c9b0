//! Why a record could not be brought up to date.

use std::time::Duration;

use salesforce::{Classify, Retry};

/// Why a record could not be brought up to date.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Salesforce could not be asked, or refused to answer.
    #[error("the changed records could not be read")]
    Salesforce(#[source] salesforce::Error),
    /// What is known of the object's fields no longer holds; it is forgotten, and the next reading asks again.
    #[error("the object's fields have changed")]
    FieldsChanged(#[source] salesforce::Error),
    /// The org has used up what this lane may use of its calls.
    #[error("the org's calls are needed for more urgent work")]
    OverBudget,
    /// The org took longer than its share of the invocation.
    #[error("the org did not answer in the time that it has")]
    TooSlow,
    /// The invocation ended before the org's turn.
    #[error("the invocation had no time for the org")]
    OutOfTime,
    /// The mirror did not take the record.
    #[error("the mirror did not take a record")]
    Mirror(#[source] store::Error),
    /// The record appeared and disappeared while it was read.
    #[error("a record is being deleted or restored")]
    Wavering,
}

impl Error {
    /// Whether every other object of the org would fail in the same way.
    #[must_use]
    pub fn concerns_the_org(&self) -> bool {
        match self {
            Self::Salesforce(error) => error.problems().is_empty(),
            Self::OverBudget | Self::TooSlow | Self::OutOfTime => true,
            Self::Mirror(_) | Self::FieldsChanged(_) | Self::Wavering => false,
        }
    }

    /// Whether the org itself is in trouble, so that it is better left alone for a moment.
    #[must_use]
    pub fn is_trouble_of_the_org(&self) -> bool {
        let transient = matches!(self.retry(), Retry::After(_) | Retry::Unknown(_));
        transient && self.concerns_the_org() && matches!(self, Self::Salesforce(_) | Self::TooSlow)
    }

    /// A stable code for the ledger.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Salesforce(error) | Self::FieldsChanged(error) => {
                let codes = error.problems().iter().map(|problem| problem.code.as_str());
                codes.chain(std::iter::once(kind(error))).next().unwrap_or_default()
            }
            Self::OverBudget => "over_budget",
            Self::TooSlow => "org_too_slow",
            Self::OutOfTime => "out_of_time",
            Self::Mirror(store::Error::TooLarge { .. }) => "too_large",
            Self::Mirror(_) => "mirror_unavailable",
            Self::Wavering => "record_wavering",
        }
        .to_owned()
    }
}

/// Salesforce's own codes go first; this names what failed without one.
fn kind(error: &salesforce::Error) -> &'static str {
    match (error, error.retry()) {
        (salesforce::Error::DailyLimit { .. }, _) => "daily_limit",
        (_, Retry::Never) => "salesforce_refused",
        (_, Retry::NeedsHuman) => "reconnect_required",
        (_, Retry::After(_) | Retry::Unknown(_)) => "salesforce_unavailable",
    }
}

impl Classify for Error {
    fn retry(&self) -> Retry {
        match self {
            Self::Salesforce(error) => error.retry(),
            Self::OverBudget | Self::TooSlow | Self::OutOfTime | Self::FieldsChanged(_) | Self::Wavering => {
                Retry::After(Duration::from_secs(1))
            }
            // A permission or a name that a deployment got wrong is put right in less time than a hint has.
            Self::Mirror(store::Error::Refused { .. }) => Retry::After(Duration::from_mins(1)),
            Self::Mirror(error) => error.retry(),
        }
    }
}
