//! Why a write was not carried out, and what that means for it.

use std::time::Duration;

use ::http::StatusCode;
use runtime::Problem;
use salesforce::{Classify, Retry};
use store::OrgState;
use store::owner_policy::NoRoute;

use crate::batch::Fault;

/// How many faults of a request are named in its problem.
const SHOWN_FAULTS: usize = 20;

/// Why a write was not carried out.
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
    /// There is no write with this id.
    #[error("the write is not known")]
    UnknownWrite,
    /// Another request with the same key is being carried out.
    #[error("the write is being carried out")]
    InProgress,
    /// No connection may write.
    #[error("no connection may write")]
    NoRoute(#[source] NoRoute),
    /// Salesforce refused, or could not be reached.
    #[error("Salesforce did not take the write")]
    Salesforce(#[from] salesforce::Error),
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
            Self::Invalid(_) | Self::UnknownOrg | Self::UnknownWrite | Self::Unreadable(_) => Retry::Never,
            Self::OrgNotActive(_) => Retry::NeedsHuman,
            Self::InProgress => Retry::After(Duration::from_secs(5)),
            Self::NoRoute(error) => error.retry(),
            Self::Salesforce(error) => error.retry(),
            Self::Store(error) => error.retry(),
        }
    }
}

/// What a failed attempt means for the write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It waits in the queue. Upserting by external id is idempotent, so a lost answer is no danger.
    Wait(Duration),
    /// It did not take effect and is forgotten: after a person has acted, the same key begins anew.
    Forget,
    /// The refusal is its outcome, for every later request with the same key.
    Keep,
    /// Nothing can be noted now; the write is free again after its deadline.
    Leave,
}

impl Error {
    /// What this failure of an attempt means for the write.
    pub(crate) fn fate(&self) -> Fate {
        match (self, self.retry()) {
            (Self::Store(_), _) => Fate::Leave,
            (_, Retry::After(pause) | Retry::Unknown(pause)) => Fate::Wait(pause),
            (_, Retry::NeedsHuman) => Fate::Forget,
            (_, Retry::Never) => Fate::Keep,
        }
    }
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        match error {
            Error::Invalid(faults) => {
                let shown: Vec<String> = faults.iter().take(SHOWN_FAULTS).map(Fault::to_string).collect();
                Self::invalid(shown.join("; "))
            }
            Error::UnknownOrg => Self::not_found("org"),
            Error::OrgNotActive(_) => Self::new(StatusCode::CONFLICT, "org_not_active", "The org is not active")
                .next("Let an admin of the org make the team connection."),
            Error::UnknownWrite => Self::not_found("write"),
            Error::InProgress => Self {
                retry_after: Some(Duration::from_secs(5)),
                ..Self::new(StatusCode::CONFLICT, "write_in_progress", "The write is being carried out")
            },
            Error::NoRoute(refusal) => Self::new(StatusCode::CONFLICT, refusal.code(), "A person has to connect first")
                .detail(refusal.to_string())
                .next(refusal.next()),
            Error::Salesforce(error) => Self::from(error),
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

    const PAUSE: Duration = Duration::from_secs(3);

    fn no_session(retry: Retry) -> Error {
        Error::Salesforce(salesforce::Error::NoSession { reason: "test".to_owned(), retry })
    }

    #[test]
    fn a_write_waits_whether_salesforce_was_not_reached_or_did_not_answer() {
        assert_eq!(no_session(Retry::After(PAUSE)).fate(), Fate::Wait(PAUSE));
        assert_eq!(no_session(Retry::Unknown(PAUSE)).fate(), Fate::Wait(PAUSE));
    }

    #[test]
    fn a_write_that_needs_a_human_may_be_sent_again_with_the_same_key() {
        assert_eq!(no_session(Retry::NeedsHuman).fate(), Fate::Forget);
        assert_eq!(Error::NoRoute(NoRoute::RepMustConnect).fate(), Fate::Forget);
    }

    #[test]
    fn a_refusal_is_the_outcome() {
        assert_eq!(no_session(Retry::Never).fate(), Fate::Keep);
    }

    #[test]
    fn a_refused_rep_is_told_to_connect() {
        let problem = Problem::from(&Error::NoRoute(NoRoute::RepMustConnect));
        assert_eq!((problem.status, problem.code), (StatusCode::CONFLICT, "connect_required"));
        assert!(problem.next.unwrap().contains("connect link"));
    }

    #[test]
    fn only_the_first_faults_are_shown() {
        let fault = |record| Fault { record: Some(record), field: None, detail: "wrong" };
        let problem = Problem::from(&Error::Invalid((0..200).map(fault).collect()));
        let detail = problem.detail.unwrap();
        assert!(detail.starts_with("records[0]: wrong; records[1]: wrong"), "{detail}");
        assert!(!detail.contains("records[20]"), "{detail}");
    }
}
