//! Errors of writes and of reads of notes, and their effect on a write.

use std::time::Duration;

use runtime::{Defect, DefectCode, Problem, ProblemCode};
use salesforce::{Classify, Condition, ObjectName, RecordId, Retry};
use store::OrgState;
use store::deferral::MAX_DELAY;
use store::owner_policy::RouteError;
use store::writes::order::MAX_PLACES;

use crate::{Hidden, NotRetryable, NoteError};

/// The pause before the outcome of a write is looked up: longer than Salesforce takes to commit or to roll back.
const LOOKUP_PAUSE: Duration = Duration::from_secs(30);
/// The pause before a request may be sent again behind too many writes.
const TOO_MANY_PAUSE: Duration = Duration::from_mins(1);
/// The pause before a request for a write that is being carried out may be sent again.
const IN_PROGRESS_PAUSE: Duration = Duration::from_secs(5);
/// The remedy if permissions are all that is missing.
const GRANT: &str = "Ask an administrator of the org to grant the connection's user what `defects` lists, in a permission set or the user's profile, or leave those fields out. Then send the request again.";

/// An error of a write, or of a read of a note or a write.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The request is invalid; nothing was done.
    #[error("could not accept the write: the request is invalid (defects: {})", .0.len())]
    Invalid(Vec<Defect>),
    /// The org does not accept the records, as the describes of its objects show; nothing was written. The same request works
    /// once the org has changed.
    #[error("could not write the records: the org does not accept them as they are (defects: {})", .0.len())]
    Refused(Vec<Defect>),
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
    /// The connection's user lacks a permission on an object, as its describe shows. Nothing was written.
    #[error("could not make the write: the connection's user lacks the permission {permission} on {object}")]
    MissingPermission {
        /// The object.
        object: ObjectName,
        /// The permission, as Setup calls it.
        permission: &'static str,
    },
    /// A record on which the write depends is in the recycle bin. Nothing was written.
    #[error("could not change the {what}: it was deleted in Salesforce")]
    Gone {
        /// The record, for example `lead`.
        what: &'static str,
        /// The record that it was merged into.
        merged_into: Option<RecordId>,
    },
    /// The record is not in the recycle bin, and does not exist.
    #[error("could not restore the record: it is not in the recycle bin")]
    NotInRecycleBin,
    /// The status is none that a converted lead can have. Nothing was written.
    #[error("could not convert the lead: the status is not one of converted leads")]
    NotAConvertedStatus {
        /// The statuses of converted leads.
        valid: Vec<String>,
    },
    /// A note is not there, or may not be written so.
    #[error(transparent)]
    Note(#[from] NoteError),
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
    /// The write cannot be made again as it is. Nothing was done.
    #[error("could not make the write again: its state does not allow it")]
    NotRetryable(NotRetryable),
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
            Self::Invalid(_)
            | Self::UnknownOrg
            | Self::NotFound(_)
            | Self::NotRetryable(_)
            | Self::Gone { .. }
            | Self::NotInRecycleBin
            | Self::NotAConvertedStatus { .. }
            | Self::StoredRequest(_) => Retry::Never,
            Self::OrgNotActive(_)
            | Self::NotWritable { .. }
            | Self::Refused(_)
            | Self::Hidden(_)
            | Self::MissingPermission { .. } => Retry::NeedsHuman,
            Self::InProgress => Retry::After(IN_PROGRESS_PAUSE),
            Self::TooManyWaiting => Retry::After(TOO_MANY_PAUSE),
            Self::ForQueue => Retry::After(Duration::ZERO),
            Self::OutcomeUnknown(_) => Retry::Unknown(LOOKUP_PAUSE),
            Self::MayTakeEffect { pause } => Retry::Unknown(*pause),
            Self::Note(error) => error.retry(),
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
            | Self::Refused(_)
            | Self::Hidden(_)
            | Self::MissingPermission { .. }
            | Self::Note(NoteError::Disabled | NoteError::NotPermitted(_) | NoteError::NotShared)
            | Self::NotWritable { .. }
            | Self::NoRoute(
                RouteError::RepMustConnect
                | RouteError::RepUnknown
                | RouteError::RepAmbiguous
                | RouteError::RepDisconnected
                | RouteError::RepInactive,
            ) => Retry::Never,
            Self::Salesforce(salesforce::Error::Rejected { .. }) | Self::Note(NoteError::Link { .. })
                if self.retry() == Retry::NeedsHuman =>
            {
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
            Error::Invalid(defects) => Self::new(ProblemCode::InvalidRequest).defects(defects.clone()),
            Error::Refused(defects) => refused(defects),
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
            Error::MissingPermission { object, permission } => Self::new(ProblemCode::SalesforceForbidden)
                .detail(format!("the connection's user lacks the object permission {permission} on {object}"))
                .next(format!(
                    "Ask an administrator of the org to grant the connection's user the object permission {permission} on {object}, then send the request again."
                )),
            Error::Gone { what, merged_into } => Self::new(ProblemCode::RecordDeleted).detail(match merged_into {
                Some(master) => format!("the {what} was merged into {master}"),
                None => format!("the {what} is in the recycle bin"),
            }),
            Error::NotInRecycleBin => Self::new(ProblemCode::RecordDeleted)
                .detail("the record is not in the recycle bin: it has been removed for good, or never existed")
                .next("Create the record again. Salesforce removes records for good 15 days after their deletion, or sooner."),
            Error::NotAConvertedStatus { valid } => Self::invalid(match valid.as_slice() {
                [] => "status: the org has no status for converted leads".to_owned(),
                valid => format!("status: must be one of {}", valid.join(", ")),
            }),
            Error::Note(error) => Self::from(error),
            Error::NoRoute(error) => Self::from(error),
            Error::Salesforce(error) | Error::OutcomeUnknown(error) => Self::from(error),
            Error::ForQueue | Error::MayTakeEffect { .. } => {
                Self::new(ProblemCode::SalesforceUnavailable).retry_after(error.retry())
            }
            Error::NotRetryable(reason) => not_retryable(reason),
            Error::Store(error) => Self::from(error),
            Error::StoredRequest(_) => Self::new(ProblemCode::InternalError),
        }
    }
}

/// Returns the problem of defects that the org decides. Its code says whether a permission removes all of them.
fn refused(defects: &[Defect]) -> Problem {
    let all = |is: fn(DefectCode) -> bool| defects.iter().all(|defect| is(defect.code));
    let problem = if all(|code| code == DefectCode::FieldNotVisible) {
        Problem::new(ProblemCode::FieldNotVisible)
    } else if all(DefectCode::is_permission) {
        Problem::new(ProblemCode::SalesforceForbidden).next(GRANT)
    } else {
        Problem::new(ProblemCode::InvalidRecords)
    };
    problem.defects(defects.to_vec())
}

fn not_retryable(reason: &NotRetryable) -> Problem {
    let problem = Problem::new(ProblemCode::NotRetryable);
    match reason {
        NotRetryable::Unfinished => problem
            .detail("the write has not ended: it is carried out by itself")
            .next("Wait for its end: read its state, or subscribe to the events of writes."),
        NotRetryable::NothingLeft => {
            problem.detail("everything of the write was written").next("Nothing is left to do.")
        }
        NotRetryable::NeedsChange(next) => {
            let problem = problem.detail("the same request would be refused again");
            match next {
                Some(next) => problem.next(next.clone()),
                None => problem,
            }
        }
        NotRetryable::NotStored => problem.detail(
            "the request of the write is not stored: it is too large, was erased, or an earlier release made the write",
        ),
        NotRetryable::RetriedBy(write) => problem
            .detail(format!("the write was made again as {write}"))
            .next("Read the state of that write, and make that one again if it has failed."),
        NotRetryable::OtherUser => Problem::new(ProblemCode::OtherUser),
        NotRetryable::NotKept => problem
            .detail("the content of the write is not kept")
            .next("Send the request again with a new Idempotency-Key."),
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
        let defect = |n| Defect::record(n, "wrong");
        let problem = Problem::from(&Error::Invalid((0..200).map(defect).collect()));
        let detail = problem.detail.unwrap();
        assert!(detail.starts_with("records[0]: wrong; records[1]: wrong"), "{detail}");
        assert!(!detail.contains("records[20]"), "{detail}");
        assert_eq!(problem.defects.len(), 100);
    }

    #[test]
    fn a_refusal_says_if_permissions_are_missing() {
        use DefectCode::{FieldNotVisible, FieldReadOnly, ObjectReadOnly, TooLong};
        let code = |codes: &[DefectCode]| {
            let defects = codes.iter().map(|code| Defect::record(0, "wrong").code(*code)).collect();
            Problem::from(&Error::Refused(defects)).code
        };
        assert_eq!(code(&[FieldNotVisible, FieldNotVisible]), ProblemCode::FieldNotVisible);
        assert_eq!(code(&[FieldNotVisible, FieldReadOnly]), ProblemCode::SalesforceForbidden);
        assert_eq!(code(&[ObjectReadOnly]), ProblemCode::SalesforceForbidden);
        assert_eq!(code(&[ObjectReadOnly, TooLong]), ProblemCode::InvalidRecords);
    }
}
