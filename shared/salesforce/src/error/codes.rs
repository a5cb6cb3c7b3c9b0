//! The error codes of the REST API that do not decide about the request (REST API guide, "Status Codes and Error Responses").
//! Every other code is Salesforce's word about the request: it is final for it.

use std::time::Duration;

use super::Retry;

/// Codes, the retry that they allow, and what they mean. A code that ends in `*` stands for all that begin so; the first match
/// counts.
pub(super) const CODES: &[(&str, Retry, &str)] = &[
    ("UNABLE_TO_LOCK_ROW", Retry::After(Duration::from_millis(500)), "another transaction has locked a row"),
    (REQUEST_LIMIT, Retry::After(DAILY_LIMIT_PAUSE), "the daily limit; 5 s if the message names a concurrency limit"),
    ("LIMIT_EXCEEDED", Retry::After(Duration::from_secs(5)), "a limit of the org is reached for a moment"),
    ("TOO_MANY_APEX_REQUESTS", Retry::After(Duration::from_secs(5)), "too many long Apex requests in the org"),
    ("QUERY_TIMEOUT", Retry::After(Duration::from_secs(5)), "the query took longer than 120 seconds"),
    ("TXN_SECURITY_METERING_ERROR", Retry::After(Duration::from_secs(5)), "a security policy could not be evaluated"),
    ("TXN_SECURITY_RUNTIME_ERROR", Retry::After(Duration::from_secs(5)), "a security policy could not be evaluated"),
    ("SERVER_UNAVAILABLE", Retry::After(Duration::from_secs(2)), "the instance is down"),
    (
        "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE",
        Retry::After(Duration::from_mins(10)),
        "the org is read-only during maintenance",
    ),
    ("ENTITY_IS_LOCKED", Retry::After(Duration::from_hours(1)), "an approval process has locked the record"),
    ("REQUEST_RUNNING_TOO_LONG", Retry::Unknown(Duration::from_secs(5)), "the request was stopped"),
    ("UNKNOWN_EXCEPTION", Retry::Unknown(Duration::from_secs(5)), "an error of Salesforce"),
    ("API_CURRENTLY_DISABLED", Retry::NeedsHuman, "an administrator assigns the user the API Enabled permission"),
    (
        "API_DISABLED_FOR_ORG",
        Retry::NeedsHuman,
        "the org needs an edition with API access, and the user the API Enabled permission",
    ),
    ("STORAGE_LIMIT_EXCEEDED", Retry::NeedsHuman, "an administrator frees storage of the org"),
    ("UNSUPPORTED_API_VERSION", Retry::NeedsHuman, "the operator updates Ferry"),
    ("INVALID_AUTH_HEADER", Retry::NeedsHuman, "a fault of Ferry: the operator reports it"),
    ("MISSING_OAUTH_TOKEN", Retry::NeedsHuman, "a fault of Ferry: the operator reports it"),
    ("TXN_SECURITY_*", Retry::NeedsHuman, "an administrator changes the security policy that stopped the request"),
];

/// The code of every limit of requests: the message says which one it is.
pub(super) const REQUEST_LIMIT: &str = "REQUEST_LIMIT_EXCEEDED";

/// The pause after the daily limit, which ends at no known time.
pub(super) const DAILY_LIMIT_PAUSE: Duration = Duration::from_mins(15);

/// The pause after the limit of concurrent requests.
pub(super) const CONCURRENCY_PAUSE: Duration = Duration::from_secs(5);

/// Returns whether an error is about concurrent requests, not about those of a day.
pub(super) fn is_concurrency_limit(code: &str, message: &str) -> bool {
    code == REQUEST_LIMIT && message.contains("Concurrent")
}

/// Returns the retry that an error of a record allows, by its code and, where the code does not say it, by its message: the kind
/// of a limit, and the row lock on which a trigger failed.
pub(crate) fn record_retry(code: &str, message: &str) -> Retry {
    const ROW_LOCK: &str = "UNABLE_TO_LOCK_ROW";
    match code_retry(code) {
        _ if is_concurrency_limit(code, message) => Retry::After(CONCURRENCY_PAUSE),
        Retry::Never if message.contains(ROW_LOCK) => code_retry(ROW_LOCK),
        retry => retry,
    }
}

/// Returns the retry that an error code allows.
pub(crate) fn code_retry(code: &str) -> Retry {
    let matches = |row: &&(&str, Retry, &str)| match row.0.strip_suffix('*') {
        Some(prefix) => code.starts_with(prefix),
        None => code == row.0,
    };
    CODES.iter().find(matches).map_or(Retry::Never, |(_, retry, _)| *retry)
}

/// Returns whether a code only means that another part of the same request failed.
pub(crate) fn is_rollback(code: &str) -> bool {
    matches!(code, "PROCESSING_HALTED" | "ALL_OR_NONE_OPERATION_ROLLED_BACK")
}
