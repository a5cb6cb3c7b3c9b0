//! Why a note was not read or written, and what that means for the write.

use std::time::Duration;

use ::http::StatusCode;
use runtime::Problem;
use salesforce::{Classify, Retry};
use store::OrgState;
use store::owner_policy::NoRoute;

use crate::request::Fault;

/// How long a write waits whose note may be on its way: longer than Salesforce takes to commit or to give up.
const SETTLING: Duration = Duration::from_secs(30);

/// Why a note was not read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The request is malformed; nothing was done.
    #[error("the request has {} faults", .0.len())]
    Invalid(Vec<Fault>),
    /// Ferry has never heard of the org.
    #[error("the org is not known")]
    UnknownOrg,
    /// The org is known and may not be written to.
    #[error("the org is not active")]
    OrgNotActive(OrgState),
    /// There is no note with this id that the connection's user may see.
    #[error("the note is not known")]
    UnknownNote,
    /// Another request with the same key is being carried out.
    #[error("the write is being carried out")]
    InProgress,
    /// There is no connection that may be used.
    #[error("no connection may be used")]
    NoRoute(#[source] NoRoute),
    /// Salesforce refused; no note was made.
    #[error("Salesforce refused")]
    Salesforce(#[from] salesforce::Error),
    /// Salesforce was not reached, or did not say whether the note exists. The write goes on later.
    #[error("it is open whether the note exists")]
    Unfinished(#[source] salesforce::Error),
    /// Ferry's own state could not be read or written.
    #[error("Ferry's state was not available")]
    Store(#[from] store::Error),
    /// A queued write cannot be read; only a bug can have put it there.
    #[error("the queued request cannot be read")]
    Unreadable(#[source] serde_json::Error),
}

impl Classify for Error {
    fn retry(&self) -> Retry {
        match self {
            Self::Invalid(_) | Self::UnknownOrg | Self::UnknownNote | Self::Unreadable(_) => Retry::Never,
            Self::OrgNotActive(_) => Retry::NeedsHuman,
            Self::InProgress => Retry::After(Duration::from_secs(5)),
            Self::Unfinished(_) => Retry::Unknown(SETTLING),
            Self::NoRoute(error) => error.retry(),
            Self::Salesforce(error) => error.retry(),
            Self::Store(error) => error.retry(),
        }
    }
}

/// What a failed attempt means for the write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It waits in the queue.
    Wait(Duration),
    /// It did not take effect and is forgotten: after a person has acted, the same key begins anew.
    Forget,
    /// The refusal is its outcome, for every later request with the same key.
    Keep,
    /// Nothing can be noted now; the write is free again after its deadline.
    Leave,
}

impl Error {
    /// What this failure means for the write. `earlier` says whether an attempt before this one may have left a note: then
    /// the write is not forgotten, or the next attempt would not know that it has to look.
    pub(crate) fn fate(&self, earlier: bool) -> Fate {
        match (self, self.retry()) {
            (Self::Store(_), _) => Fate::Leave,
            (_, Retry::After(pause) | Retry::Unknown(pause)) => Fate::Wait(pause),
            (_, Retry::NeedsHuman) if earlier => Fate::Leave,
            (_, Retry::NeedsHuman) => Fate::Forget,
            (_, Retry::Never) => Fate::Keep,
        }
    }

    /// Whether the connection may be to blame, so that the owner policy is to be asked again.
    pub(crate) fn blames_the_connection(&self) -> bool {
        match self {
            Self::Salesforce(error) | Self::Unfinished(error) => error.retry() == Retry::NeedsHuman,
            Self::Invalid(_)
            | Self::UnknownOrg
            | Self::OrgNotActive(_)
            | Self::UnknownNote
            | Self::InProgress
            | Self::NoRoute(_)
            | Self::Store(_)
            | Self::Unreadable(_) => false,
        }
    }
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        match error {
            Error::Invalid(faults) => Self::invalid(faults.iter().map(Fault::to_string).collect::<Vec<_>>().join("; ")),
            Error::UnknownOrg => Self::not_found("org"),
            Error::OrgNotActive(_) => Self::new(StatusCode::CONFLICT, "org_not_active", "The org is not active")
                .next("Let an admin of the org make the team connection."),
            Error::UnknownNote => Self::not_found("note"),
            Error::InProgress => Self {
                retry_after: Some(Duration::from_secs(5)),
                ..Self::new(StatusCode::CONFLICT, "write_in_progress", "The write is being carried out")
            },
            Error::NoRoute(refusal) => Self::new(StatusCode::CONFLICT, refusal.code(), "A person has to connect first")
                .detail(refusal.to_string())
                .next(refusal.next()),
            Error::Salesforce(error) | Error::Unfinished(error) => Self::from(error),
            Error::Store(error) => Self::from(error),
            Error::Unreadable(_) => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", "The queued request cannot be read")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dead_session() -> salesforce::Error {
        salesforce::Error::NoSession { reason: "reauth_required".to_owned(), retry: Retry::NeedsHuman }
    }

    #[test]
    fn an_open_question_waits_even_if_a_person_has_to_act() {
        assert_eq!(Error::Unfinished(dead_session()).fate(false), Fate::Wait(SETTLING));
    }

    #[test]
    fn a_first_attempt_that_needs_a_human_is_forgotten_and_a_later_one_is_not() {
        assert_eq!(Error::Salesforce(dead_session()).fate(false), Fate::Forget);
        assert_eq!(Error::Salesforce(dead_session()).fate(true), Fate::Leave);
        assert_eq!(Error::NoRoute(NoRoute::TeamMustConnect).fate(true), Fate::Leave);
    }

    #[test]
    fn a_dead_session_asks_for_another_connection_also_while_looking() {
        assert!(Error::Salesforce(dead_session()).blames_the_connection());
        assert!(Error::Unfinished(dead_session()).blames_the_connection());
        assert!(!Error::UnknownNote.blames_the_connection());
    }
}
