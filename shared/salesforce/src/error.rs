//! Errors of calls to Salesforce, and the retry that each of them allows.

mod codes;
mod condition;
#[cfg(test)]
mod page;
mod response;
mod token_endpoint;

use std::time::Duration;

use codes::{CONCURRENCY_PAUSE, DAILY_LIMIT_PAUSE};
pub(crate) use codes::{code_retry, is_rollback, record_retry};
pub use condition::{Condition, ResolvedBy};
pub(crate) use response::{part_failure, rest_failure, soap_failure, unavailable};
pub use token_endpoint::INACTIVE_USER;
pub(crate) use token_endpoint::oauth_failure;

/// An error of an underlying library. It goes into the log only.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// The retry that an error allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// A retry cannot help: the input, the code or the configuration is wrong.
    Never,
    /// A person must act first, for example reconnect the organization.
    NeedsHuman,
    /// The request did not take effect. It is safe to send it again after this pause.
    After(Duration),
    /// The request may have taken effect. Send it again after this pause only if it is idempotent.
    Unknown(Duration),
}

/// The classification of an error by the retry that it allows. Every error of Ferry implements it.
pub trait Classify {
    /// Returns the retry that this error allows.
    fn retry(&self) -> Retry;
}

/// One of the reasons for which Salesforce rejected a request.
///
/// Salesforce's message is left out: it may hold a customer's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Salesforce's error code, such as `REQUIRED_FIELD_MISSING`. Unknown codes are carried unchanged.
    pub code: String,
    /// The API names of the fields concerned; often empty.
    pub fields: Vec<String>,
}

/// An error of a call to Salesforce.
///
/// `operation` is an infinitive that reads after "could not": "upsert records".
/// The enum is exhaustive on purpose, so that every mapping has to be extended for a new variant.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value has the wrong form. Nothing was sent.
    #[error("{what} {reason}")]
    Invalid {
        /// The kind of value, never the value itself.
        what: &'static str,
        /// The rule that it breaks, as a verb phrase: "is not a URL".
        reason: &'static str,
    },
    /// The connection failed, so nothing was sent.
    #[error("could not {operation}: Salesforce is unreachable")]
    Unreachable {
        /// The operation that failed.
        operation: &'static str,
        /// The network error.
        source: BoxError,
    },
    /// The content of a file could not be opened, so nothing was sent.
    #[error("could not {operation}: its content could not be read")]
    Content {
        /// The operation that failed.
        operation: &'static str,
        /// The error of the place that holds the content.
        source: BoxError,
    },
    /// The request was sent, but no complete response arrived.
    #[error("could not {operation}: no response from Salesforce")]
    NoResponse {
        /// The operation that failed.
        operation: &'static str,
        /// The network error.
        source: BoxError,
    },
    /// Salesforce, or a gateway in front of it, is temporarily unavailable.
    #[error("could not {operation}: Salesforce is unavailable (status {status})")]
    Unavailable {
        /// The operation that failed.
        operation: &'static str,
        /// The HTTP status.
        status: u16,
        /// Salesforce's error code, if the response had one.
        code: Option<String>,
        /// [`Retry::After`] or [`Retry::Unknown`], depending on the status and the code.
        retry: Retry,
    },
    /// The org has used up its daily API requests.
    ///
    /// # Troubleshooting
    ///
    /// The limit is shared by all integrations of the org, over a rolling 24 hours (Salesforce Developer Limits, API request limits).
    /// See Setup, Company Information for the usage of the org, and the org's health view for Ferry's share.
    #[error("could not {operation}: the org's daily API limit is used up")]
    DailyLimit {
        /// The operation that failed.
        operation: &'static str,
    },
    /// The org has too many API requests in progress. A slot is free again within seconds.
    #[error("could not {operation}: too many concurrent API requests in the org")]
    TooManyCalls {
        /// The operation that failed.
        operation: &'static str,
    },
    /// Salesforce refused the access token, and those that replaced it. The supplier of the sessions knows whether the grant has
    /// ended; the refusal alone does not say so.
    #[error("could not {operation}: Salesforce refused the session")]
    SessionRefused {
        /// The operation that failed.
        operation: &'static str,
    },
    /// The session is valid but has no access to the API. A new access token does not help.
    ///
    /// # Troubleshooting
    ///
    /// The connected user needs the permission "API Enabled", and the org an edition with API access.
    #[error("could not {operation}: the session has no API access ({code})")]
    SessionNotPermitted {
        /// The operation that failed.
        operation: &'static str,
        /// Salesforce's error code.
        code: String,
    },
    /// Salesforce processed the request and rejected it.
    ///
    /// # Troubleshooting
    ///
    /// Look the codes up in the REST API guide, "Status Codes and Error Responses"; the fields name what to change.
    #[error("could not {operation}: Salesforce returned {}", codes(problems))]
    Rejected {
        /// The operation that failed.
        operation: &'static str,
        /// The HTTP status of the response, or of a subrequest of a composite request.
        status: u16,
        /// The reasons; never empty.
        problems: Vec<Problem>,
    },
    /// The OAuth grant has ended. Only a new consent helps.
    ///
    /// # Troubleshooting
    ///
    /// The admin or the rep has to connect again; `reason` says why the grant ended.
    #[error("the OAuth grant has ended: {code} ({reason})")]
    GrantEnded {
        /// The OAuth error code, usually `invalid_grant`.
        code: String,
        /// The reason, from a fixed list.
        reason: &'static str,
    },
    /// The connection cannot be used, although its grant has not ended.
    ///
    /// # Troubleshooting
    ///
    /// `condition` says who can end it and how; see docs/answers.md.
    #[error("could not use the connection: {} ({code})", lower_first(condition.explanation()))]
    Blocked {
        /// The condition.
        condition: Condition,
        /// Salesforce's error code, or the code of the condition.
        code: String,
        /// The retry that the condition allows by now.
        retry: Retry,
    },
    /// Another refresh with the same refresh token is in progress. Its result can be used.
    #[error("could not refresh the token: another refresh is in progress")]
    RefreshInProgress,
    /// The token endpoint refused the app registration: wrong client id, client secret or redirect URI.
    ///
    /// # Troubleshooting
    ///
    /// Compare the app registrations in Secrets Manager with the app's consumer key, secret and callback URL in Salesforce.
    #[error("Salesforce refused the app registration: {code}")]
    AppRefused {
        /// The OAuth error code.
        code: String,
    },
    /// A [`Sessions`](crate::Sessions) has no session for this connection.
    #[error("could not get a session: {reason}")]
    NoSession {
        /// A stable code or a short clause; never a secret.
        reason: String,
        /// The retry that the cause allows.
        retry: Retry,
    },
    /// The response does not have the form that this operation expects.
    #[error("could not {operation}: invalid response from Salesforce ({what})")]
    InvalidResponse {
        /// The operation that failed.
        operation: &'static str,
        /// The defect, without the content of the response.
        what: &'static str,
    },
    /// The response failed verification: it may not come from Salesforce, or not belong to this consent.
    ///
    /// # Troubleshooting
    ///
    /// After "a wrong signature", compare the client secret in Secrets Manager with that of the app in Salesforce.
    #[error("could not {operation}: the response failed verification ({what})")]
    Untrusted {
        /// The operation that failed.
        operation: &'static str,
        /// The check that failed.
        what: &'static str,
    },
    /// The request or the response exceeds a size limit. If it is the request, nothing was sent.
    #[error("could not {operation}: {what} is too large")]
    TooLarge {
        /// The operation that failed.
        operation: &'static str,
        /// The part that is too large, such as "the URL".
        what: &'static str,
    },
}

impl Error {
    /// Returns whether Salesforce rejected the request with this error code.
    pub fn has_code(&self, code: &str) -> bool {
        self.problems().iter().any(|problem| problem.code == code)
    }

    /// Returns whether the object may not exist, or the user may have no access to it. Salesforce does not distinguish the two, and
    /// has answered so in passing of objects that are there: [`Client::find_object`](crate::Client::find_object) confirms it.
    pub fn is_hidden(&self) -> bool {
        self.has_code("NOT_FOUND") || self.has_code("INVALID_TYPE")
    }

    /// Returns whether Salesforce found nothing at the address, without a word about what is missing. It says so of records, objects
    /// and API versions that do not exist or are hidden, and has said so in passing of some that are there.
    ///
    /// [`Client::record_exists`](crate::Client::record_exists) and [`Client::find_object`](crate::Client::find_object) confirm it.
    pub fn is_not_found(&self) -> bool {
        let names_nothing = |problem: &Problem| problem.code == "NOT_FOUND" && problem.fields.is_empty();
        matches!(self, Self::Rejected { status: 404, problems, .. } if problems.iter().any(names_nothing))
    }

    /// Returns whether the same request would only get the same answer: it needs another session, or another request confirms it.
    pub(crate) fn needs_another_request(&self) -> bool {
        matches!(self, Self::SessionRefused { .. }) || self.is_not_found()
    }

    /// Returns whether the host of the session may no longer be the org's: it accepted no connection, or named another host.
    pub(crate) fn may_have_moved(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Unavailable { status, code: None, .. } => response::is_redirect(*status) || *status == 420,
            _ => false,
        }
    }

    /// Returns whether the session works, and its user may not call the API.
    pub(crate) fn is_api_disabled(&self) -> bool {
        matches!(self, Self::SessionNotPermitted { .. })
            || ["API_CURRENTLY_DISABLED", "API_DISABLED_FOR_ORG"].iter().any(|code| self.has_code(code))
    }

    /// Returns whether Salesforce rejected the request itself, for which it accepted the session.
    pub(crate) fn proves_session(&self) -> bool {
        let is_about_request = matches!(self, Self::Rejected { status, .. } if *status != 401);
        is_about_request && !self.problems().is_empty() && !self.is_api_disabled()
    }

    /// Returns whether Salesforce said of this very record that it is deleted.
    pub fn is_deleted(&self) -> bool {
        self.has_code("ENTITY_IS_DELETED")
    }

    /// Returns the error of a refusal that a later answer of Salesforce contradicts, for example the list of the objects. Nothing
    /// was carried out, and the same request may succeed. Other errors stay as they are.
    #[must_use]
    pub fn contradicted(self) -> Self {
        match self {
            Self::Rejected { operation, status, problems } => {
                let code = problems.into_iter().next().map(|problem| problem.code);
                Self::Unavailable { operation, status, code, retry: Retry::After(NOT_FOUND_PAUSE) }
            }
            other => other,
        }
    }

    /// Returns Salesforce's reasons; empty unless it rejected the request.
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
            Self::Unreachable { .. } | Self::Content { .. } | Self::RefreshInProgress => {
                Retry::After(Duration::from_secs(1))
            }
            Self::NoResponse { .. } => Retry::Unknown(Duration::from_secs(1)),
            Self::InvalidResponse { .. } => Retry::Unknown(Duration::from_secs(5)),
            Self::SessionRefused { .. } => Retry::After(Duration::from_secs(5)),
            Self::TooManyCalls { .. } => Retry::After(CONCURRENCY_PAUSE),
            Self::DailyLimit { .. } => Retry::After(DAILY_LIMIT_PAUSE),
            Self::Unavailable { retry, .. } | Self::NoSession { retry, .. } | Self::Blocked { retry, .. } => *retry,
            Self::Rejected { .. } if self.is_not_found() => Retry::After(NOT_FOUND_PAUSE),
            Self::Rejected { status, problems, .. } => problems_retry(*status, problems),
            Self::SessionNotPermitted { .. } | Self::GrantEnded { .. } | Self::AppRefused { .. } => Retry::NeedsHuman,
            Self::Invalid { .. } | Self::Untrusted { .. } | Self::TooLarge { .. } => Retry::Never,
        }
    }
}

/// The pause before something is asked for again that was not found.
const NOT_FOUND_PAUSE: Duration = Duration::from_secs(30);

/// Ignores the codes of parts that were only rolled back, and prefers a code that allows a retry. A status of 500 or more decides
/// nothing, whatever the code.
fn problems_retry(status: u16, problems: &[Problem]) -> Retry {
    let mut retries =
        problems.iter().filter(|problem| !is_rollback(&problem.code)).map(|problem| code_retry(&problem.code));
    let first = retries.next().unwrap_or(Retry::Never);
    match retries.fold(first, |found, next| if found == Retry::Never { next } else { found }) {
        Retry::Never | Retry::NeedsHuman if status >= 500 => Retry::Unknown(Duration::from_secs(5)),
        retry => retry,
    }
}

/// Returns the sentence as a clause: with a small first letter, unless it begins with a name, and without the full stop.
fn lower_first(sentence: &str) -> String {
    let clause = sentence.trim_end_matches('.');
    if clause.starts_with("Salesforce") {
        return clause.to_owned();
    }
    let mut letters = clause.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
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
        Error::Rejected { operation: "run a test", status: 400, problems: codes.iter().map(problem).collect() }
    }

    #[test]
    fn a_locked_row_allows_a_retry() {
        assert!(matches!(rejected(&["UNABLE_TO_LOCK_ROW"]).retry(), Retry::After(_)));
    }

    #[test]
    fn codes_of_rolled_back_parts_are_ignored() {
        let error = rejected(&["PROCESSING_HALTED", "UNABLE_TO_LOCK_ROW", "PROCESSING_HALTED"]);
        assert!(matches!(error.retry(), Retry::After(_)));
        let error = rejected(&["ALL_OR_NONE_OPERATION_ROLLED_BACK", "REQUIRED_FIELD_MISSING"]);
        assert_eq!(error.retry(), Retry::Never);
    }

    #[test]
    fn a_row_lock_in_a_trigger_allows_a_retry() {
        let error = rejected(&["CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "UNABLE_TO_LOCK_ROW"]);
        assert!(matches!(error.retry(), Retry::After(_)));
    }

    #[test]
    fn an_unknown_code_is_carried_and_not_retried() {
        let error = rejected(&["SOMETHING_NEW"]);
        assert_eq!(error.retry(), Retry::Never);
        assert!(error.has_code("SOMETHING_NEW"));
        assert_eq!(error.to_string(), "could not run a test: Salesforce returned SOMETHING_NEW");
    }

    #[test]
    fn a_server_error_decides_nothing_whatever_its_code() {
        for code in ["APEX_ERROR", "REQUIRED_FIELD_MISSING", "STORAGE_LIMIT_EXCEEDED", "SOMETHING_NEW"] {
            let problems = vec![Problem { code: code.to_owned(), fields: vec![] }];
            let part = Error::Rejected { operation: "run a test", status: 500, problems };
            assert!(matches!(part.retry(), Retry::Unknown(_)), "{code}");
        }
    }

    #[test]
    fn display_does_not_repeat_the_source() {
        let error = Error::Unreachable { operation: "query records", source: "dns failure".into() };
        assert_eq!(error.to_string(), "could not query records: Salesforce is unreachable");
    }
    #[test]
    fn every_error_names_its_operation_and_reason() {
        let operation = "create the note";
        let source = || "reset".into();
        let code = || "CODE".to_owned();
        let texts = [
            (Error::Invalid { what: "redirect URI", reason: "is not a URL" }, "redirect URI is not a URL"),
            (
                Error::Unreachable { operation, source: source() },
                "could not create the note: Salesforce is unreachable",
            ),
            (
                Error::NoResponse { operation, source: source() },
                "could not create the note: no response from Salesforce",
            ),
            (
                Error::Unavailable { operation, status: 503, code: None, retry: Retry::Never },
                "could not create the note: Salesforce is unavailable (status 503)",
            ),
            (Error::DailyLimit { operation }, "could not create the note: the org's daily API limit is used up"),
            (
                Error::TooManyCalls { operation },
                "could not create the note: too many concurrent API requests in the org",
            ),
            (Error::SessionRefused { operation }, "could not create the note: Salesforce refused the session"),
            (
                Error::SessionNotPermitted { operation, code: code() },
                "could not create the note: the session has no API access (CODE)",
            ),
            (rejected(&["ONE", "TWO"]), "could not run a test: Salesforce returned ONE, TWO"),
            (
                Error::GrantEnded { code: code(), reason: "inactive user" },
                "the OAuth grant has ended: CODE (inactive user)",
            ),
            (
                Error::Blocked { condition: Condition::AppBlocked, code: code(), retry: Retry::NeedsHuman },
                "could not use the connection: an administrator of the org has blocked the Ferry app (CODE)",
            ),
            (Error::RefreshInProgress, "could not refresh the token: another refresh is in progress"),
            (Error::AppRefused { code: code() }, "Salesforce refused the app registration: CODE"),
            (
                Error::NoSession { reason: "revoked".to_owned(), retry: Retry::Never },
                "could not get a session: revoked",
            ),
            (
                Error::InvalidResponse { operation, what: "no id" },
                "could not create the note: invalid response from Salesforce (no id)",
            ),
            (
                Error::Untrusted { operation, what: "wrong signature" },
                "could not create the note: the response failed verification (wrong signature)",
            ),
            (Error::TooLarge { operation, what: "the URL" }, "could not create the note: the URL is too large"),
        ];
        for (error, text) in texts {
            assert_eq!(error.to_string(), text);
        }
    }
}
