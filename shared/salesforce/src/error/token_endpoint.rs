//! The effect of an error of the token endpoint on a grant and its app.

use std::time::Duration;

use serde::Deserialize;

use super::response::{checked_code, is_redirect, unavailable};
use super::{Condition, Error, Retry};
use crate::transport::Response;

/// The reason of [`Error::GrantEnded`] for a user who is inactive or frozen.
pub const INACTIVE_USER: &str = "inactive user";

/// The meaning of an error of the token endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The grant, or the authorization code, has ended. Carries the reason.
    Ended(&'static str),
    /// Another request uses the same refresh token.
    InProgress,
    /// The grant is as it was, and cannot be used for now.
    Blocked(Condition),
    /// Salesforce refuses the app. The grant is as it was.
    AppRefused,
    /// The request was not processed. Nothing is known against the grant or the app.
    Passes,
}

/// Errors by code and description, in lower case; the first match counts (Salesforce Help, OAuth authorization flow errors).
/// A description that ends a grant has to begin with the text, any other has to contain it.
pub(super) const ERRORS: &[(&str, &str, Meaning)] = &[
    ("invalid_grant", "token request is already being processed", Meaning::InProgress),
    ("invalid_grant", "expired access/refresh token", Meaning::Ended("expired access/refresh token")),
    ("invalid_grant", "expired authorization code", Meaning::Ended("expired authorization code")),
    ("invalid_grant", "invalid authorization code", Meaning::Ended("invalid authorization code")),
    ("invalid_grant", "authentication failure", Meaning::Ended("authentication failure")),
    ("invalid_grant", "user hasn't approved this consumer", Meaning::Ended("user hasn't approved this consumer")),
    ("invalid_grant", "inactive user", Meaning::Ended(INACTIVE_USER)),
    ("invalid_grant", "inactive_user", Meaning::Ended(INACTIVE_USER)),
    ("invalid_grant", "ip restricted", Meaning::Blocked(Condition::LoginRestricted)),
    ("inactive_user", "", Meaning::Ended(INACTIVE_USER)),
    ("inactive_org", "", Meaning::Blocked(Condition::OrgInactive)),
    ("invalid_app_access", "", Meaning::Blocked(Condition::UserNotApproved)),
    ("OAUTH_APP_ACCESS_DENIED", "", Meaning::Blocked(Condition::UserNotApproved)),
    ("OAUTH_APP_BLOCKED", "", Meaning::Blocked(Condition::AppBlocked)),
    ("OAUTH_AUTHORIZATION_BLOCKED", "", Meaning::Blocked(Condition::AppNotInstalled)),
    ("OAUTH_EC_APP_NOT_FOUND", "", Meaning::Blocked(Condition::AppNotInstalled)),
    ("invalid_request", "", Meaning::Blocked(Condition::RequestRefused)),
    ("invalid_client_id", "", Meaning::AppRefused),
    ("invalid_client", "", Meaning::AppRefused),
    ("invalid_client_credentials", "", Meaning::AppRefused),
    ("redirect_uri_mismatch", "", Meaning::AppRefused),
    ("unsupported_grant_type", "", Meaning::AppRefused),
    ("unauthorized_client", "", Meaning::AppRefused),
    ("invalid_scope", "", Meaning::AppRefused),
    ("rate_limit_exceeded", "", Meaning::Passes),
    // Of the revoke endpoint: the token has ended already.
    ("invalid_token", "", Meaning::Passes),
    ("unsupported_token_type", "", Meaning::Passes),
];

/// The pause after an error that passes.
const PASSES_AFTER: Duration = Duration::from_mins(1);

/// The error object of the token endpoint.
#[derive(Deserialize)]
struct OauthProblem {
    error: String,
    #[serde(default)]
    error_description: String,
}

/// Returns what an error means. An error that is in no row leaves the grant as it was.
pub(super) fn meaning(code: &str, description: &str) -> Meaning {
    let text = description.trim_start().to_ascii_lowercase();
    let matches = |part: &str, meaning: &Meaning| match meaning {
        Meaning::Ended(_) => text.starts_with(part),
        _ => text.contains(part),
    };
    let found = ERRORS.iter().find(|(row, part, meaning)| *row == code && matches(part, meaning));
    found.map_or(Meaning::Blocked(Condition::UnknownError), |(_, _, meaning)| *meaning)
}

/// Maps an unsuccessful response of the OAuth endpoints. A status of 500 or more decides nothing, whatever the code.
pub(crate) fn oauth_failure(operation: &'static str, response: &Response) -> Error {
    let Some(OauthProblem { error: code, error_description }) = oauth_problem(&response.body) else {
        return match response.status {
            status if is_redirect(status) => Error::InvalidResponse { operation, what: "a redirect" },
            status => unavailable(operation, status, None, response.retry_after()),
        };
    };
    if response.status >= 500 {
        return unavailable(operation, response.status, Some(code), response.retry_after());
    }
    match meaning(&code, &error_description) {
        Meaning::Ended(reason) => Error::GrantEnded { code, reason },
        Meaning::InProgress => Error::RefreshInProgress,
        Meaning::Blocked(condition) => Error::Blocked { condition, code, retry: condition.retry() },
        Meaning::AppRefused => Error::AppRefused { code },
        Meaning::Passes => {
            let retry = Retry::After(response.retry_after().unwrap_or(PASSES_AFTER));
            Error::Unavailable { operation, status: response.status, code: Some(code), retry }
        }
    }
}

/// Parses the error object, from JSON or from a form: the revoke endpoint returns both.
fn oauth_problem(body: &[u8]) -> Option<OauthProblem> {
    let problem = serde_json::from_slice(body).ok().or_else(|| {
        let pairs: Vec<_> = url::form_urlencoded::parse(body).collect();
        let find = |key| pairs.iter().find(|(name, _)| name == key).map(|(_, value)| value.to_string());
        Some(OauthProblem { error: find("error")?, error_description: find("error_description").unwrap_or_default() })
    })?;
    Some(OauthProblem { error: checked_code(&problem.error), ..problem })
}
