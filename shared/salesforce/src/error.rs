//! What can go wrong in a call to Salesforce, and what the caller may do about it.

use std::time::Duration;

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
    NoAnswer {
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
    /// The limit is the org's, over all its integrations and a rolling day (docs/salesforce.md 8.1).
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
    /// The session is good but may not be used here; refreshing it cannot help (docs/salesforce.md 2.5).
    ///
    /// # Troubleshooting
    ///
    /// The connected user needs the permission "API Enabled", and the org an edition with API access.
    #[error("the session may not be used for {operation} ({code})")]
    SessionUnfit {
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
    RefreshBusy,
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
    BadAnswer {
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
        todo!()
    }
}

fn codes(problems: &[Problem]) -> String {
    let codes: Vec<&str> = problems
        .iter()
        .map(|problem| problem.code.as_str())
        .collect();
    codes.join(", ")
}
