//! Errors of reading changed records and applying them to the mirror.

use std::time::Duration;

use salesforce::{Classify, Retry};

/// A failure to read a changed record or to apply it to the mirror.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Salesforce could not be reached, or refused the read.
    #[error("could not read the changed records")]
    Salesforce(#[source] salesforce::Error),
    /// The cached fields of the object are out of date. The cached description is dropped; the next read describes the object.
    #[error("could not read the changed records: the object's fields changed")]
    FieldsChanged(#[source] salesforce::Error),
    /// The object does not exist, or the connection may not see it: the list of the objects does not have it.
    #[error("could not read the changed records: the object does not exist or is not visible")]
    Hidden,
    /// The org's API budget leaves no calls for this lane.
    #[error("could not read the changed records: the org's API budget is reserved for more urgent lanes")]
    OverBudget,
    /// The org did not respond within its share of the invocation.
    #[error("could not read the changed records: the org did not respond in time")]
    TooSlow,
    /// The invocation ended before the org's turn.
    #[error("could not read the changed records: the invocation has no time left")]
    OutOfTime,
    /// The record could not be written to the mirror.
    #[error("could not write a record to the mirror")]
    Mirror(#[source] store::Error),
    /// Salesforce cannot return the record, not even alone and in parts.
    #[error("could not read a record: it is too large, or too complicated, to be returned")]
    Unreadable,
    /// The record was deleted or restored while it was read.
    #[error("could not read a record: it was deleted or restored meanwhile")]
    Changing,
}

impl Error {
    /// Returns whether every other object of the org would fail in the same way.
    #[must_use]
    pub fn affects_the_org(&self) -> bool {
        match self {
            Self::Salesforce(error) => error.problems().is_empty(),
            Self::OverBudget | Self::TooSlow | Self::OutOfTime => true,
            Self::Mirror(_) | Self::FieldsChanged(_) | Self::Hidden | Self::Unreadable | Self::Changing => false,
        }
    }

    /// Returns whether it is about one record, and every other one may succeed.
    #[must_use]
    pub fn is_about_the_record(&self) -> bool {
        matches!(self, Self::Mirror(_) | Self::Unreadable | Self::Changing)
    }

    /// Returns whether the org is unavailable or slow, so that it should not be called for a moment.
    #[must_use]
    pub fn needs_backoff(&self) -> bool {
        let transient = matches!(self.retry(), Retry::After(_) | Retry::Unknown(_));
        transient && self.affects_the_org() && matches!(self, Self::Salesforce(_) | Self::TooSlow)
    }

    /// Returns a stable code for the ledger: Salesforce's own error code where there is one.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Salesforce(error) | Self::FieldsChanged(error) => mirroring::reason(error),
            Self::Hidden => "object_not_visible",
            Self::OverBudget => "over_budget",
            Self::TooSlow => "org_too_slow",
            Self::OutOfTime => "out_of_time",
            Self::Mirror(store::Error::TooLarge { .. }) => "too_large",
            Self::Mirror(_) => "mirror_unavailable",
            Self::Unreadable => "record_unreadable",
            Self::Changing => "record_changing",
        }
        .to_owned()
    }
}

impl Classify for Error {
    fn retry(&self) -> Retry {
        match self {
            Self::Salesforce(error) => error.retry(),
            Self::Hidden | Self::Unreadable => Retry::Never,
            Self::OverBudget | Self::TooSlow | Self::OutOfTime | Self::FieldsChanged(_) | Self::Changing => {
                Retry::After(Duration::from_secs(1))
            }
            // Deferred, not dead-lettered: a wrong permission or table name is usually corrected within the days for
            // which hints are deferred.
            Self::Mirror(store::Error::Refused { .. }) => Retry::After(Duration::from_mins(1)),
            Self::Mirror(error) => error.retry(),
        }
    }
}
