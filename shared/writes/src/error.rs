//! Why something was not read or written, and what that means for the write.

use std::time::Duration;

use http::StatusCode;
use runtime::Problem;
use salesforce::{Classify, Retry};
use store::OrgState;
use store::owner_policy::NoRoute;

/// How many faults of a request are named in its problem.
const SHOWN_FAULTS: usize = 20;
/// How long a write waits whose record may be on its way: longer than Salesforce takes to commit or to give up.
const SETTLING: Duration = Duration::from_secs(30);

/// Why something was not read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The request is malformed; nothing was done. Each fault names its place and what to change.
    #[error("the request has {} faults", .0.len())]
    Invalid(Vec<String>),
    /// Ferry has never heard of the org.
    #[error("the org is not known")]
    UnknownOrg,
    /// The org is known and may not be written to.
    #[error("the org is not active")]
    OrgNotActive(OrgState),
    /// There is no such thing, for example no `note`, with this id that may be seen.
    #[error("the {0} is not known")]
    Unknown(&'static str),
    /// Another request with the same key is being carried out.
    #[error("the write is being carried out")]
    InProgress,
    /// There is no connection that may be used.
    #[error("no connection may be used")]
    NoRoute(#[source] NoRoute),
    /// Salesforce refused, or could not be reached; doing it again does no harm.
    #[error("Salesforce did not do it")]
    Salesforce(#[from] salesforce::Error),
    /// Salesforce was not reached, or did not say whether the record exists; doing it again blindly might make a second one.
    /// The write goes on later.
    #[error("it is open whether the record exists")]
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
            Self::Invalid(_) | Self::UnknownOrg | Self::Unknown(_) | Self::Unreadable(_) => Retry::Never,
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
    /// What this failure means for the write. `traces` says whether an attempt before this one may have left something: then
    /// the write is not forgotten, or the next attempt would not know that it has to look.
    pub(crate) fn fate(&self, traces: bool) -> Fate {
        match (self, self.retry()) {
            (Self::Store(_), _) => Fate::Leave,
            (_, Retry::After(pause) | Retry::Unknown(pause)) => Fate::Wait(pause),
            (_, Retry::NeedsHuman) if traces => Fate::Leave,
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
            | Self::Unknown(_)
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
            Error::Invalid(faults) => Self::invalid(faults[..faults.len().min(SHOWN_FAULTS)].join("; ")),
            Error::UnknownOrg => Self::not_found("org"),
            Error::OrgNotActive(state) => Self::org_not_active(*state),
            Error::Unknown(what) => Self::not_found(what),
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

    const PAUSE: Duration = Duration::from_secs(3);

    fn no_session(retry: Retry) -> salesforce::Error {
        salesforce::Error::NoSession { reason: "test".to_owned(), retry }
    }

    #[test]
    fn a_write_waits_whether_salesforce_was_not_reached_or_did_not_answer() {
        assert_eq!(Error::Salesforce(no_session(Retry::After(PAUSE))).fate(false), Fate::Wait(PAUSE));
        assert_eq!(Error::Salesforce(no_session(Retry::Unknown(PAUSE))).fate(false), Fate::Wait(PAUSE));
    }

    #[test]
    fn an_open_question_waits_even_if_a_person_has_to_act() {
        assert_eq!(Error::Unfinished(no_session(Retry::NeedsHuman)).fate(false), Fate::Wait(SETTLING));
    }

    #[test]
    fn a_write_that_needs_a_human_is_forgotten_unless_it_may_have_left_traces() {
        assert_eq!(Error::Salesforce(no_session(Retry::NeedsHuman)).fate(false), Fate::Forget);
        assert_eq!(Error::NoRoute(NoRoute::RepMustConnect).fate(false), Fate::Forget);
        assert_eq!(Error::Salesforce(no_session(Retry::NeedsHuman)).fate(true), Fate::Leave);
        assert_eq!(Error::NoRoute(NoRoute::TeamMustConnect).fate(true), Fate::Leave);
    }

    #[test]
    fn a_refusal_is_the_outcome() {
        assert_eq!(Error::Salesforce(no_session(Retry::Never)).fate(false), Fate::Keep);
    }

    #[test]
    fn a_dead_session_asks_for_another_connection_also_while_looking() {
        assert!(Error::Salesforce(no_session(Retry::NeedsHuman)).blames_the_connection());
        assert!(Error::Unfinished(no_session(Retry::NeedsHuman)).blames_the_connection());
        assert!(!Error::Unknown("note").blames_the_connection());
    }

    #[test]
    fn a_refused_rep_is_told_to_connect() {
        let problem = Problem::from(&Error::NoRoute(NoRoute::RepMustConnect));
        assert_eq!((problem.status, problem.code), (StatusCode::CONFLICT, "connect_required"));
        assert!(problem.next.unwrap().contains("connect link"));
    }

    #[test]
    fn only_the_first_faults_are_shown() {
        let problem = Problem::from(&Error::Invalid((0..200).map(|n| format!("records[{n}]: wrong")).collect()));
        let detail = problem.detail.unwrap();
        assert!(detail.starts_with("records[0]: wrong; records[1]: wrong"), "{detail}");
        assert!(!detail.contains("records[20]"), "{detail}");
    }
}
