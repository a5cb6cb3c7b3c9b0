//! Errors of writes and of reading notes back, and their effect on a write.

use std::time::Duration;

use runtime::{Problem, ProblemCode};
use salesforce::{Classify, Retry};
use store::OrgState;
use store::owner_policy::RouteError;

use crate::Defect;

/// The number of defects of a request that its problem lists.
const MAX_LISTED_DEFECTS: usize = 20;
/// The pause before the outcome of a write is looked up: longer than Salesforce takes to commit or to roll back.
const SETTLING: Duration = Duration::from_secs(30);
/// The pause before a request for a write that is being carried out may be sent again.
const IN_PROGRESS_PAUSE: Duration = Duration::from_secs(5);

/// An error of a write, or of reading a note back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The request is invalid; nothing was done.
    #[error("the request is invalid (defects: {})", .0.len())]
    Invalid(Vec<Defect>),
    /// The org does not exist.
    #[error("the org does not exist")]
    UnknownOrg,
    /// The org is not active, so that it must not be written to.
    #[error("the org is not active")]
    OrgNotActive(OrgState),
    /// The resource, for example a `note`, does not exist or is not visible to the user.
    #[error("the {0} does not exist")]
    NotFound(&'static str),
    /// Another request with the same key is being carried out.
    #[error("the write is being carried out by another request")]
    InProgress,
    /// No connection exists that may be used.
    #[error("no connection may be used")]
    NoRoute(#[source] RouteError),
    /// Salesforce rejected the operation or was unavailable. The operation is safe to repeat.
    #[error("Salesforce did not carry out the operation")]
    Salesforce(#[from] salesforce::Error),
    /// The write may or may not have taken effect, and repeating it blindly could create a duplicate. The queue looks the
    /// outcome up later.
    #[error("the outcome of the write is unknown")]
    OutcomeUnknown(#[source] salesforce::Error),
    /// Ferry's own state could not be read or written.
    #[error("Ferry's own state is unavailable")]
    Store(#[from] store::Error),
    /// The stored request of a write does not parse, which only a fault of Ferry can cause.
    #[error("could not parse the stored request of the write")]
    UnreadableTask(#[source] serde_json::Error),
}

impl Classify for Error {
    fn retry(&self) -> Retry {
        match self {
            Self::Invalid(_) | Self::UnknownOrg | Self::NotFound(_) | Self::UnreadableTask(_) => Retry::Never,
            Self::OrgNotActive(_) => Retry::NeedsHuman,
            Self::InProgress => Retry::After(IN_PROGRESS_PAUSE),
            Self::OutcomeUnknown(_) => Retry::Unknown(SETTLING),
            Self::NoRoute(error) => error.retry(),
            Self::Salesforce(error) => error.retry(),
            Self::Store(error) => error.retry(),
        }
    }
}

/// The effect of a failed attempt on the write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureEffect {
    /// The write is queued, with a delay.
    Defer(Duration),
    /// The write had no effect and is deleted. Once a person has acted, the same key may be used again.
    Abandon,
    /// The refusal is the outcome of the write, for every later request with the same key.
    Refuse,
    /// Nothing is recorded. Another attempt may begin after the deadline of this one.
    Leave,
}

impl Error {
    /// Returns the effect of this failure on the write. `needs_lookup` says that an earlier attempt may have created
    /// something: then the write must not be deleted, because the next attempt has to look for it.
    pub(crate) fn effect(&self, needs_lookup: bool) -> FailureEffect {
        match (self, self.retry()) {
            (Self::Store(_), _) => FailureEffect::Leave,
            (_, Retry::After(pause) | Retry::Unknown(pause)) => FailureEffect::Defer(pause),
            (_, Retry::NeedsHuman) if needs_lookup => FailureEffect::Leave,
            (_, Retry::NeedsHuman) => FailureEffect::Abandon,
            (_, Retry::Never) => FailureEffect::Refuse,
        }
    }

    /// Returns whether the connection may have caused the failure, so that the owner policy has to be applied again.
    pub(crate) fn may_be_the_connections(&self) -> bool {
        match self {
            Self::Salesforce(error) | Self::OutcomeUnknown(error) => error.retry() == Retry::NeedsHuman,
            Self::Invalid(_)
            | Self::UnknownOrg
            | Self::OrgNotActive(_)
            | Self::NotFound(_)
            | Self::InProgress
            | Self::NoRoute(_)
            | Self::Store(_)
            | Self::UnreadableTask(_) => false,
        }
    }
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        match error {
            Error::Invalid(defects) => {
                let listed: Vec<String> = defects.iter().take(MAX_LISTED_DEFECTS).map(Defect::to_string).collect();
                Self::invalid(listed.join("; "))
            }
            Error::UnknownOrg => Self::not_found("org"),
            Error::OrgNotActive(state) => Self::org_not_active(*state),
            Error::NotFound(resource) => Self::not_found(resource),
            Error::InProgress => Self::new(ProblemCode::WriteInProgress).retry_after(error.retry()),
            Error::NoRoute(no_route) => Self::from(no_route),
            Error::Salesforce(error) | Error::OutcomeUnknown(error) => Self::from(error),
            Error::Store(error) => Self::from(error),
            Error::UnreadableTask(_) => Self::new(ProblemCode::InternalError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(3);

    fn no_session(retry: Retry) -> salesforce::Error {
        salesforce::Error::NoSession { reason: "test".to_owned(), retry }
    }

    #[test]
    fn a_transient_failure_defers_the_write() {
        assert_eq!(Error::Salesforce(no_session(Retry::After(PAUSE))).effect(false), FailureEffect::Defer(PAUSE));
        assert_eq!(Error::Salesforce(no_session(Retry::Unknown(PAUSE))).effect(false), FailureEffect::Defer(PAUSE));
    }

    #[test]
    fn an_unknown_outcome_is_deferred_and_looked_up() {
        assert_eq!(Error::OutcomeUnknown(no_session(Retry::NeedsHuman)).effect(false), FailureEffect::Defer(SETTLING));
    }

    #[test]
    fn a_write_that_needs_a_human_is_abandoned_unless_uncertain() {
        assert_eq!(Error::Salesforce(no_session(Retry::NeedsHuman)).effect(false), FailureEffect::Abandon);
        assert_eq!(Error::NoRoute(RouteError::RepMustConnect).effect(false), FailureEffect::Abandon);
        assert_eq!(Error::Salesforce(no_session(Retry::NeedsHuman)).effect(true), FailureEffect::Leave);
        assert_eq!(Error::NoRoute(RouteError::TeamMustConnect).effect(true), FailureEffect::Leave);
    }

    #[test]
    fn a_permanent_failure_is_the_outcome() {
        assert_eq!(Error::Salesforce(no_session(Retry::Never)).effect(false), FailureEffect::Refuse);
    }

    #[test]
    fn a_dead_session_may_be_the_connections_fault() {
        assert!(Error::Salesforce(no_session(Retry::NeedsHuman)).may_be_the_connections());
        assert!(Error::OutcomeUnknown(no_session(Retry::NeedsHuman)).may_be_the_connections());
        assert!(!Error::NotFound("note").may_be_the_connections());
    }

    #[test]
    fn a_rep_without_connection_gets_a_connect_link() {
        let problem = Problem::from(&Error::NoRoute(RouteError::RepMustConnect));
        assert_eq!(problem.code, ProblemCode::ConnectRequired);
        assert!(problem.next.contains("connect link"));
    }

    #[test]
    fn only_the_first_defects_are_listed() {
        let defect = |n| Defect { record: Some(n), field: None, detail: "wrong" };
        let problem = Problem::from(&Error::Invalid((0..200).map(defect).collect()));
        let detail = problem.detail.unwrap();
        assert!(detail.starts_with("records[0]: wrong; records[1]: wrong"), "{detail}");
        assert!(!detail.contains("records[20]"), "{detail}");
    }
}
