//! What can go wrong in a call to Salesforce, and what the caller may do about it.

mod response;

use std::time::Duration;

pub(crate) use response::{oauth_failure, problem_of, rest_failure};

/// A failure of a library underneath, kept for the log only.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// What a caller may do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Trying again cannot help: the input, the code or the configuration is wrong.
    Never,
    /// A person must act first, for example reconnect the organization.
    NeedsHuman,
    /// It did not take effect. Safe to send again after this pause.
    After(Duration),
    /// It may have taken effect. Send again after this pause only if the operation is idempotent.
    Unknown(Duration),
}

/// Implemented by every error: says what the caller may do.
pub trait Classify {
    /// What the caller may do about this failure.
    fn retry(&self) -> Retry;
}

/// One of the reasons that Salesforce gave for saying no.
///
/// Salesforce's message is left out: it may hold a customer's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Salesforce's error code, such as `REQUIRED_FIELD_MISSING`; codes that Ferry does not know are kept as they are.
    pub code: String,
    /// The API names of the fields concerned; often empty.
    pub fields: Vec<String>,
}

/// Why a call to Salesforce failed.
///
/// It is exhaustive on purpose: whoever maps it to an answer must choose for a new variant too.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value that was given is malformed; nothing was sent.
    #[error("{what} {reason}")]
    Invalid {
        /// The kind of value, never the value itself.
        what: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The connection could not be made, so nothing was sent.
    #[error("could not reach Salesforce for {operation}")]
    Unreachable {
        /// The call that was made.
        operation: &'static str,
        /// The network's reason.
        source: BoxError,
    },
    /// The request was sent, and no complete answer came back.
    #[error("Salesforce did not answer {operation}")]
    NoResponse {
        /// The call that was made.
        operation: &'static str,
        /// The network's reason.
        source: BoxError,
    },
    /// Salesforce, or a gateway in front of it, is out of order.
    #[error("Salesforce is unavailable for {operation} (status {status})")]
    Unavailable {
        /// The call that was made.
        operation: &'static str,
        /// The HTTP status.
        status: u16,
        /// Salesforce's error code, where there was one.
        code: Option<String>,
        /// Whether the request can have taken effect, and how long to wait.
        retry: Retry,
    },
    /// The org has no calls left for the day.
    ///
    /// # Troubleshooting
    ///
    /// The limit is the org's, over all its integrations and a rolling day (Salesforce Developer Limits, API request limits).
    /// See who uses it in Setup, Company Information; Ferry's own share is in the org's health view.
    #[error("the organization's daily API limit is used up ({operation})")]
    DailyLimit {
        /// The call that was made.
        operation: &'static str,
    },
    /// Too many calls at the same time; it clears in seconds.
    #[error("too many concurrent calls for {operation}")]
    TooManyCalls {
        /// The call that was made.
        operation: &'static str,
    },
    /// The access token was refused twice, the second time after asking for another one.
    #[error("Salesforce refused the session for {operation}")]
    SessionRefused {
        /// The call that was made.
        operation: &'static str,
    },
    /// The session is good but may not be used here; refreshing it cannot help.
    ///
    /// # Troubleshooting
    ///
    /// The connected user needs the permission "API Enabled", and the org an edition with API access.
    #[error("the session may not be used for {operation} ({code})")]
    SessionNotPermitted {
        /// The call that was made.
        operation: &'static str,
        /// Salesforce's error code.
        code: String,
    },
    /// Salesforce understood the request and said no.
    #[error("Salesforce rejected {operation} with {}", codes(problems))]
    Rejected {
        /// The call that was made.
        operation: &'static str,
        /// The HTTP status, also of a part of a composite request.
        status: u16,
        /// Why; never empty.
        problems: Vec<Problem>,
    },
    /// The OAuth grant is over: only a person can make a new one.
    ///
    /// # Troubleshooting
    ///
    /// The admin or the rep has to connect again; `reason` says what ended the grant.
    #[error("the OAuth grant has ended: {code} ({reason})")]
    GrantEnded {
        /// OAuth's error code, `invalid_grant` as a rule.
        code: String,
        /// Which of the known endings it is.
        reason: &'static str,
    },
    /// Another refresh with the same refresh token is under way; its outcome is to be adopted.
    #[error("another token request is being processed")]
    RefreshInProgress,
    /// The token endpoint refused the app itself: wrong client id or secret, or a wrong redirect URI.
    #[error("Salesforce refused the app at the token endpoint: {code}")]
    AppRefused {
        /// OAuth's error code.
        code: String,
    },
    /// No session is to be had for this connection; said by a [`Sessions`](crate::Sessions).
    #[error("no Salesforce session: {reason}")]
    NoSession {
        /// A stable code or a short sentence; never a secret.
        reason: String,
        /// What the caller may do.
        retry: Retry,
    },
    /// The answer is not what this call answers with.
    #[error("unexpected answer to {operation}: {what}")]
    InvalidResponse {
        /// The call that was made.
        operation: &'static str,
        /// What is wrong with the answer, never the answer itself.
        what: &'static str,
    },
    /// The answer does not prove that it comes from the party it should come from.
    #[error("untrustworthy answer to {operation}: {what}")]
    Untrusted {
        /// The call that was made.
        operation: &'static str,
        /// What gave it away.
        what: &'static str,
    },
    /// The request or the answer exceeds a bound; for a request, nothing was sent.
    #[error("{what} of {operation} is too large")]
    TooLarge {
        /// The call that was made.
        operation: &'static str,
        /// Which part is too large.
        what: &'static str,
    },
}

impl Error {
    /// Whether Salesforce gave this error code.
    pub fn has_code(&self, code: &str) -> bool {
        self.problems().iter().any(|problem| problem.code == code)
    }

    /// Salesforce's reasons, where it rejected the request.
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Rejected { problems, .. } => problems,
            _ => &[],
        }
    }
}

impl Classify for Error {
    fn retry(&self) -> Retry {
        match self {
            Self::Unreachable { .. } | Self::RefreshInProgress => Retry::After(Duration::from_secs(1)),
            Self::NoResponse { .. } => Retry::Unknown(Duration::from_secs(1)),
            Self::InvalidResponse { .. } => Retry::Unknown(Duration::from_secs(5)),
            Self::TooManyCalls { .. } => Retry::After(Duration::from_secs(5)),
            Self::DailyLimit { .. } => Retry::After(Duration::from_mins(15)),
            Self::Unavailable { retry, .. } | Self::NoSession { retry, .. } => *retry,
            Self::Rejected { problems, .. } => problems_retry(problems),
            Self::SessionRefused { .. } | Self::SessionNotPermitted { .. } | Self::GrantEnded { .. } => {
                Retry::NeedsHuman
            }
            Self::Invalid { .. } | Self::AppRefused { .. } | Self::Untrusted { .. } | Self::TooLarge { .. } => {
                Retry::Never
            }
        }
    }
}

/// The culprit decides; the codes of parts that were only rolled back with it say nothing.
fn problems_retry(problems: &[Problem]) -> Retry {
    let mut retries =
        problems.iter().filter(|problem| !is_rollback(&problem.code)).map(|problem| code_retry(&problem.code));
    let first = retries.next().unwrap_or(Retry::Never);
    retries.fold(first, |known, next| if known == Retry::Never { next } else { known })
}

/// Whether a code says only that another part of the same request failed.
pub(crate) fn is_rollback(code: &str) -> bool {
    matches!(code, "PROCESSING_HALTED" | "ALL_OR_NONE_OPERATION_ROLLED_BACK")
}

/// What an error code allows (REST API guide, status codes and error responses).
pub(crate) fn code_retry(code: &str) -> Retry {
    match code {
        "UNABLE_TO_LOCK_ROW" => Retry::After(Duration::from_millis(500)),
        "LIMIT_EXCEEDED" | "TOO_MANY_APEX_REQUESTS" | "QUERY_TIMEOUT" => Retry::After(Duration::from_secs(5)),
        "TXN_SECURITY_METERING_ERROR" | "TXN_SECURITY_RUNTIME_ERROR" => Retry::After(Duration::from_secs(5)),
        "SERVER_UNAVAILABLE" => Retry::After(Duration::from_secs(2)),
        "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE" => Retry::After(Duration::from_mins(10)),
        "ENTITY_IS_LOCKED" => Retry::After(Duration::from_hours(1)),
        "REQUEST_RUNNING_TOO_LONG" | "UNKNOWN_EXCEPTION" => Retry::Unknown(Duration::from_secs(5)),
        "API_CURRENTLY_DISABLED" | "API_DISABLED_FOR_ORG" => Retry::NeedsHuman,
        code if code.starts_with("TXN_SECURITY_") => Retry::NeedsHuman,
        _ => Retry::Never,
    }
}

fn codes(problems: &[Problem]) -> String {
    let codes: Vec<&str> = problems.iter().map(|problem| problem.code.as_str()).collect();
    codes.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected(codes: &[&str]) -> Error {
        let problem = |code: &&str| Problem { code: (*code).to_owned(), fields: vec![] };
        Error::Rejected { operation: "a test", status: 400, problems: codes.iter().map(problem).collect() }
    }

    #[test]
    fn a_locked_row_did_not_take_effect() {
        assert!(matches!(rejected(&["UNABLE_TO_LOCK_ROW"]).retry(), Retry::After(_)));
    }

    #[test]
    fn the_culprit_decides_among_rolled_back_parts() {
        let error = rejected(&["PROCESSING_HALTED", "UNABLE_TO_LOCK_ROW", "PROCESSING_HALTED"]);
        assert!(matches!(error.retry(), Retry::After(_)));
        let error = rejected(&["ALL_OR_NONE_OPERATION_ROLLED_BACK", "REQUIRED_FIELD_MISSING"]);
        assert_eq!(error.retry(), Retry::Never);
    }

    #[test]
    fn a_lock_inside_a_failed_trigger_can_be_tried_again() {
        let error = rejected(&["CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "UNABLE_TO_LOCK_ROW"]);
        assert!(matches!(error.retry(), Retry::After(_)));
    }

    #[test]
    fn an_unknown_code_is_kept_and_not_tried_again() {
        let error = rejected(&["SOMETHING_NEW"]);
        assert_eq!(error.retry(), Retry::Never);
        assert!(error.has_code("SOMETHING_NEW"));
        assert_eq!(error.to_string(), "Salesforce rejected a test with SOMETHING_NEW");
    }

    #[test]
    fn display_never_prints_the_source() {
        let error = Error::Unreachable { operation: "a query", source: "dns says no".into() };
        assert_eq!(error.to_string(), "could not reach Salesforce for a query");
    }
}
