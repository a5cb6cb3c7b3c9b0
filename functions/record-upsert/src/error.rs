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
            Self::Mirror(_) => true,
            Self::FieldsChanged(_) | Self::Wavering => false,
        }
    }

    /// A stable code for the ledger.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Salesforce(error) | Self::FieldsChanged(error) => {
                let codes = error.problems().iter().map(|problem| problem.code.as_str());
                codes.chain(std::iter::once(kind(error))).next().unwrap_or_default().to_owned()
            }
            Self::Mirror(_) => "mirror_unavailable".to_owned(),
            Self::Wavering => "record_wavering".to_owned(),
        }
    }
}

/// Salesforce's own codes go first; this names what failed without one.
fn kind(error: &salesforce::Error) -> &'static str {
    match error.retry() {
        Retry::Never => "salesforce_refused",
        Retry::NeedsHuman => "reconnect_required",
        Retry::After(_) | Retry::Unknown(_) => "salesforce_unavailable",
    }
}

impl Classify for Error {
    fn retry(&self) -> Retry {
        match self {
            Self::Salesforce(error) => error.retry(),
            Self::FieldsChanged(_) | Self::Wavering => Retry::After(Duration::from_secs(1)),
            Self::Mirror(error) => error.retry(),
        }
    }
}
