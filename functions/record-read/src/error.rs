//! Why something could not be shown.

use ::http::StatusCode;
use runtime::Problem;
use salesforce::RecordId;
use store::OrgState;
use store::owner_policy::NoRoute;

/// Why something could not be shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A query parameter makes no sense.
    #[error("a query parameter is wrong: {0}")]
    Invalid(&'static str),
    /// There is no such thing, or the connection's user may not see it.
    #[error("the {0} is not known")]
    Unknown(&'static str),
    /// The rep has no connection.
    #[error("the rep is not connected")]
    RepNotConnected,
    /// The mirror knows that the record was deleted, and perhaps into which one it was merged.
    #[error("the record is deleted")]
    Deleted {
        /// The record that lives on.
        merged_into: Option<RecordId>,
    },
    /// The org's Salesforce may not be asked.
    #[error("the org is not active")]
    OrgNotActive(OrgState),
    /// There is no connection that may be used.
    #[error("no connection may be used")]
    NoRoute(#[source] NoRoute),
    /// Salesforce refused, or could not be reached.
    #[error("Salesforce did not answer")]
    Salesforce(#[from] salesforce::Error),
    /// Ferry's own state could not be read.
    #[error("Ferry's state was not available")]
    Store(#[from] store::Error),
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        match error {
            Error::Invalid(detail) => Self::invalid(*detail),
            Error::Unknown(what) => Self::not_found(what),
            Error::RepNotConnected => Self::not_found("connection of this rep").next(NoRoute::RepMustConnect.next()),
            Error::Deleted { merged_into } => {
                let gone = Self::new(StatusCode::GONE, "record_deleted", "The record was deleted in Salesforce");
                match merged_into {
                    Some(id) => gone.detail(format!("it was merged into {id}")),
                    None => gone,
                }
            }
            Error::OrgNotActive(state) => Self::org_not_active(*state),
            Error::NoRoute(refusal) => Self::new(StatusCode::CONFLICT, refusal.code(), "A person has to connect first")
                .detail(refusal.to_string())
                .next(refusal.next()),
            Error::Salesforce(error) => Self::from(error),
            Error::Store(error) => Self::from(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merged_record_names_the_one_that_lives_on() {
        let merged_into = Some("001D000000IRFma".parse().unwrap());
        let problem = Problem::from(&Error::Deleted { merged_into });
        assert_eq!(problem.status, StatusCode::GONE);
        assert_eq!(problem.detail.as_deref(), Some("it was merged into 001D000000IRFmaIAH"));
    }

    #[test]
    fn a_rep_whose_grant_ended_has_to_reconnect() {
        let problem = Problem::from(&Error::NoRoute(NoRoute::RepMustReconnect));
        assert_eq!((problem.status, problem.code), (StatusCode::CONFLICT, "reconnect_required"));
    }
}
