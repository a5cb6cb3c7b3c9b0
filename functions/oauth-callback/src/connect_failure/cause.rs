//! The failure for each answer of Salesforce to a consent.

use salesforce::Condition;

use super::ConnectFailure;

impl ConnectFailure {
    /// Maps the `error` and `error_description` of a callback.
    pub(crate) fn of_callback(error: &str, description: &str) -> Self {
        match error {
            "OAUTH_EC_APP_NOT_FOUND" | "OAUTH_AUTHORIZATION_BLOCKED" => Self::NotInstalled,
            "OAUTH_APP_BLOCKED" => Self::Blocked,
            "OAUTH_APP_ACCESS_DENIED" | "invalid_app_access" => Self::NotApproved,
            "inactive_org" => Self::OrgInactive,
            "OAUTH_APPROVAL_ERROR_GENERIC" => Self::ApprovalFailed,
            "access_denied" | "access-denied" if description.contains("not installed") => Self::NotInstalled,
            "access_denied" | "access-denied" if description.contains("not admin approved") => Self::NotApproved,
            "access_denied" | "access-denied" => Self::Denied,
            "login_required" | "interaction_required" | "immediate_unsuccessful" => Self::SignInNeeded,
            "invalid_client_id"
            | "redirect_uri_mismatch"
            | "unsupported_response_type"
            | "invalid_scope"
            | "invalid_request" => Self::Misconfigured,
            _ => Self::UnknownError,
        }
    }

    /// Maps the condition for which Salesforce issued no tokens for an authorization code.
    pub(crate) fn of_condition(condition: Condition) -> Self {
        match condition {
            Condition::LoginRestricted => Self::LoginRestricted,
            Condition::AppBlocked => Self::Blocked,
            Condition::UserNotApproved => Self::NotApproved,
            Condition::AppNotInstalled => Self::NotInstalled,
            Condition::OrgInactive => Self::OrgInactive,
            Condition::AppRefused => Self::Misconfigured,
            Condition::RequestRefused => Self::CodeRefused,
            Condition::ApiDisabled => Self::MissingPermissions,
            Condition::UnknownError => Self::UnknownError,
            Condition::SessionRefused | Condition::Unavailable => Self::Unavailable,
        }
    }
}
