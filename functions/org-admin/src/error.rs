//! Errors of the administration of an org.

use std::time::Duration;

use runtime::problem::Defect;
use runtime::{Problem, ProblemCode};
use salesforce::{Classify, Retry};
use store::OrgState;

/// A failure of a request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A query parameter or a header is invalid.
    #[error("could not read the request: {0}")]
    Invalid(&'static str),
    /// The org does not accept the settings.
    #[error("could not store the settings: the org does not accept them (defects: {})", .0.len())]
    Refused(Vec<Defect>),
    /// The settings were changed since the caller read them.
    #[error("could not store the settings: they were changed since the version in If-Match")]
    Changed,
    /// The org is not active.
    #[error("could not work on the org: it is not active")]
    OrgNotActive(OrgState),
    /// Salesforce refused a call or was unavailable.
    #[error(transparent)]
    Salesforce(#[from] salesforce::Error),
    /// Ferry's own state could not be read or written.
    #[error(transparent)]
    State(store::Error),
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Conflict { .. } => Self::Changed,
            error => Self::State(error),
        }
    }
}

impl Classify for Error {
    fn retry(&self) -> Retry {
        match self {
            Self::Invalid(_) | Self::Refused(_) => Retry::Never,
            // Another author was faster, and the settings are loaded again.
            Self::Changed => Retry::After(Duration::ZERO),
            Self::OrgNotActive(_) => Retry::NeedsHuman,
            Self::Salesforce(error) => error.retry(),
            Self::State(error) => error.retry(),
        }
    }
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        match error {
            Error::Invalid(detail) => Self::invalid(*detail),
            Error::Refused(defects) => Self::new(ProblemCode::InvalidSettings).defects(defects.clone()),
            Error::Changed => Self::new(ProblemCode::SettingsChanged),
            Error::OrgNotActive(state) => Self::org_not_active(*state),
            Error::Salesforce(error) => Self::from(error),
            Error::State(error) => Self::from(error),
        }
    }
}
