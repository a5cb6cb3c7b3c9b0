//! Errors of writes and of reads of notes, and their effect on a write.

use std::time::Duration;

use runtime::{Problem, ProblemCode};
use salesforce::{Classify, Condition, ObjectName, Retry};
use store::OrgState;
use store::deferral::MAX_DELAY;
use store::owner_policy::RouteError;
use store::writes::order::MAX_PLACES;

use crate::{Defect, Hidden};

/// The number of defects of a request that its problem lists.
const MAX_LISTED_DEFECTS: usize = 20;
/// The pause before the outcome of a write is looked up: longer than Salesforce takes to commit or to roll back.
const LOOKUP_PAUSE: Duration = Duration::from_secs(30);
/// The pause before a request may be sent again behind too many writes.
const TOO_MANY_PAUSE: Duration = Duration::from_mins(1);
/// The pause before a request for a write that is being carried out may be sent again.
const IN_PROGRESS_PAUSE: Duration = Duration::from_secs(5);

/// An error of a write, or of a read of a note or a write.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The request is invalid; nothing was done.
    #[error("could not accept the write: the request is invalid (defects: {})", .0.len())]
    Invalid(Vec<Defect>),
    /// The org does not exist.
    #[error("could not load the org: it does not exist")]
    UnknownOrg,
    /// The org is not active, so Salesforce must not be called.
    #[error("could not call Salesforce: the org is not active")]
    OrgNotActive(OrgState),
    /// The resource, for example a `note`, does not exist or is not visible to the user.
    #[error("could not load the {0}: it does not exist or is not visible")]
    NotFound(&'static str),
    /// Another request with the same key, or a message of the queue, is carrying the write out.
    #[error("could not start the write: another attempt is in progress")]
    InProgress,
    /// So many earlier writes of a record are unfinished that no other may wait behind them. Nothing was done.
    #[error("could not accept the write: {MAX_PLACES} earlier writes of a record are not finished")]
    TooManyWaiting,
    /// This installation does not write records of the object.
    #[error("could not accept the write: {object} is not a writable object")]
    NotWritable {
        /// The object.
        object: ObjectName,
        /// `true` if no configuration allows it.
        never: bool,
    },
    /// Salesforce does not know the object or a field, or hides it from the connection's user. Nothing was written.
    #[error("could not write the records: {0}")]
    Hidden(Hidden),
    /// No connection may be used until a person has acted.
    #[error("could not choose a connection")]
    NoRoute(#[source] RouteError),
    /// Salesforce rejected the operation or was unavailable. The operation is safe to repeat.
    #[error(transparent)]
    Salesforce(#[from] salesforce::Error),
    /// The write may or may not have taken effect, and repeating it blindly could create a duplicate. The queue looks the
    /// outcome up later.
    #[error("could not confirm the outcome of the write")]
    OutcomeUnknown(#[source] salesforce::Error),
    /// An earlier attempt may still take effect, so nothing was sent. The queue looks again after the pause.
    #[error("could not send the write again: an earlier request may still take effect")]
    MayTakeEffect {
        /// The time until the next look.
        pause: Duration,
    },
    /// The write takes longer than a request may. The queue makes it; nothing was sent.
    #[error("could not make the write within the time of a request")]
    ForQueue,
    /// Ferry's own state could not be read or written.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The request of a write cannot be converted to or from its stored form, which only a fault of Ferry can cause.
    #[error("could not convert the stored request of the write")]
    StoredRequest(#[source] serde_json::Error),
}

impl Classify for Error {
    fn retry(&self) -> Retry {
        match self {
            Self::Invalid(_) | Self::UnknownOrg | Self::NotFound(_) | Self::StoredRequest(_) => Retry::Never,
            Self::OrgNotActive(_) | Self::NotWritable { .. } | Self::Hidden(_) => Retry::NeedsHuman,
            Self::InProgress => Retry::After(IN_PROGRESS_PAUSE),
            Self::TooManyWaiting => Retry::After(TOO_MANY_PAUSE),
            Self::ForQueue => Retry::After(Duration::ZERO),
            Self::OutcomeUnknown(_) => Retry::Unknown(LOOKUP_PAUSE),
            Self::MayTakeEffect { pause } => Retry::Unknown(*pause),
            Self::NoRoute(error) => error.retry(),
            Self::Salesforce(error) => error.retry(),
            Self::Store(error) => error.retry(),
        }
    }
}

impl Error {
    /// Returns what the failure allows for a write that was accepted. It waits without limit only for a person who is told:
    /// whoever has to reconnect, or to end the condition of a connection. Of anything else that a person would have to
    /// change, only the platform can tell them, and it hears of it by the failure of the write. A refusal of Salesforce that an
    /// administrator can end, such as full storage, is tried again for as long as an outage.
    pub(crate) fn retry_of_accepted(&self) -> Retry {
        match self {
            Self::OrgNotActive(OrgState::Disconnected | OrgState::Uninstalled)
            | Self::Hidden(_)
            | Self::NotWritable { .. }
            | Self::NoRoute(
                RouteError::RepMustConnect
                | RouteError::RepUnknown
                | RouteError::RepAmbiguous
                | RouteError::RepDisconnected
                | RouteError::RepInactive,
            ) => Retry::Never,
            Self::Salesforce(salesforce::Error::Rejected { .. }) if self.retry() == Retry::NeedsHuman => {
                Retry::After(MAX_DELAY)
            }
            _ => self.retry(),
        }
    }

    /// Returns the condition of the connection, of which a person was told. Nothing was written.
    pub(crate) fn blocked_by(&self) -> Option<Condition> {
        match self {
            Self::Salesforce(salesforce::Error::Blocked { condition, retry: Retry::NeedsHuman, .. }) => {
                Some(*condition)
            }
            _ => None,
        }
    }

    /// Returns whether the session of the connection was refused and nothing was written, so that the owner policy has to be
    /// applied again: the token broker may have marked the connection meanwhile.
    pub(crate) fn is_dead_session(&self) -> bool {
        use salesforce::Error;
        match self {
            Self::Salesforce(error) | Self::OutcomeUnknown(error) => matches!(
                error,
                Error::SessionRefused { .. }
                    | Error::GrantEnded { .. }
                    | Error::NoSession { retry: Retry::NeedsHuman, .. }
            ),
            _ => false,
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
            Error::TooManyWaiting => Self::new(ProblemCode::WriteInProgress)
                .detail(format!("{MAX_PLACES} earlier writes of a record are not finished"))
                .retry_after(error.retry()),
            Error::NotWritable { object, never: false } => {
                Self::new(ProblemCode::ObjectNotWritable).detail(format!("{object} is not in WritableObjects"))
            }
            Error::NotWritable { object, never: true } => Self::new(ProblemCode::ObjectNotWritable)
                .detail(format!("{object} decides who may do what in the org, and is never written"))
                .next("Ask an administrator of the org to make the change in Salesforce."),
            Error::Hidden(hidden) => Self::from(hidden),
            Error::NoRoute(error) => Self::from(error),
            Error::Salesforce(error) | Error::OutcomeUnknown(error) => Self::from(error),
            Error::ForQueue | Error::MayTakeEffect { .. } => {
                Self::new(ProblemCode::SalesforceUnavailable).retry_after(error.retry())
            }
            Error::Store(error) => Self::from(error),
            Error::StoredRequest(_) => Self::new(ProblemCode::InternalError),
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
    fn a_refused_session_differs_from_a_missing_permission() {
        let operation = "upsert records";
        assert!(Error::Salesforce(no_session(Retry::NeedsHuman)).is_dead_session());
        assert!(Error::OutcomeUnknown(no_session(Retry::NeedsHuman)).is_dead_session());
        assert!(Error::Salesforce(salesforce::Error::SessionRefused { operation }).is_dead_session());
        let code = "API_DISABLED_FOR_ORG".to_owned();
        assert!(!Error::Salesforce(salesforce::Error::SessionNotPermitted { operation, code }).is_dead_session());
        assert!(!Error::Salesforce(no_session(Retry::After(PAUSE))).is_dead_session());
        assert!(!Error::NotFound("note").is_dead_session());
    }

    #[test]
    fn a_rep_without_a_connection_is_told_to_connect() {
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
