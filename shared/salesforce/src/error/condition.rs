//! The conditions in which a connection cannot be used although its grant has not ended.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Retry;

/// A reason why a connection cannot be used although its grant has not ended.
///
/// Each ends without a new consent, by time or because a person acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// The user's profile does not allow a login now, or from Ferry's addresses.
    LoginRestricted,
    /// An administrator of the org blocked the app.
    AppBlocked,
    /// The org's policy for the app does not allow this user.
    UserNotApproved,
    /// The package with the app is not installed in the org.
    AppNotInstalled,
    /// Salesforce has locked, suspended or closed the org.
    OrgInactive,
    /// Salesforce does not accept the app's client id or client secret.
    AppRefused,
    /// Salesforce does not accept the form of the token request.
    RequestRefused,
    /// The org refuses sessions that were just issued.
    SessionRefused,
    /// The user may not call the API.
    ApiDisabled,
    /// The token endpoint returned an error that is in no table.
    UnknownError,
    /// The token endpoint did not return a usable response.
    Unavailable,
}

/// The person who can end a [`Condition`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResolvedBy {
    /// An administrator of the Salesforce org.
    OrgAdministrator,
    /// The operator of Ferry.
    Operator,
}

impl ResolvedBy {
    /// Returns the stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OrgAdministrator => "org_administrator",
            Self::Operator => "operator",
        }
    }
}

impl Condition {
    /// Every condition.
    pub const ALL: [Self; 11] = [
        Self::LoginRestricted,
        Self::AppBlocked,
        Self::UserNotApproved,
        Self::AppNotInstalled,
        Self::OrgInactive,
        Self::AppRefused,
        Self::RequestRefused,
        Self::SessionRefused,
        Self::ApiDisabled,
        Self::UnknownError,
        Self::Unavailable,
    ];

    /// Returns the stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::LoginRestricted => "login_restricted",
            Self::AppBlocked => "app_blocked",
            Self::UserNotApproved => "user_not_approved",
            Self::AppNotInstalled => "app_not_installed",
            Self::OrgInactive => "org_inactive",
            Self::AppRefused => "app_refused",
            Self::RequestRefused => "request_refused",
            Self::SessionRefused => "session_refused",
            Self::ApiDisabled => "api_disabled",
            Self::UnknownError => "unknown_error",
            Self::Unavailable => "unavailable",
        }
    }

    /// Returns the person who can end it, or can find out why it does not pass.
    #[must_use]
    pub fn resolved_by(self) -> ResolvedBy {
        match self {
            Self::LoginRestricted
            | Self::AppBlocked
            | Self::UserNotApproved
            | Self::AppNotInstalled
            | Self::OrgInactive
            | Self::SessionRefused
            | Self::ApiDisabled => ResolvedBy::OrgAdministrator,
            Self::AppRefused | Self::RequestRefused | Self::UnknownError | Self::Unavailable => ResolvedBy::Operator,
        }
    }

    /// Returns the time that it has to last before it is reported to that person: none for what only a person can end.
    ///
    /// Until then work is tried again as if it passed, afterwards it waits for the person.
    #[must_use]
    pub fn reported_after(self) -> Duration {
        match self {
            Self::AppBlocked
            | Self::UserNotApproved
            | Self::AppNotInstalled
            | Self::OrgInactive
            | Self::AppRefused
            | Self::RequestRefused
            | Self::ApiDisabled => Duration::ZERO,
            // A page of a proxy with the status 401 looks the same once.
            Self::SessionRefused => Duration::from_mins(5),
            Self::LoginRestricted | Self::UnknownError | Self::Unavailable => Duration::from_hours(24),
        }
    }

    /// Returns whether the org refuses what is done with a session. New tokens do not end it: a call that is accepted does.
    #[must_use]
    pub fn is_of_sessions(self) -> bool {
        matches!(self, Self::SessionRefused | Self::ApiDisabled)
    }

    /// Returns whether it is certainly no decision of the org's about the user or the app: a fault of Ferry's own registration
    /// or requests, or an outage.
    #[must_use]
    pub fn is_independent_of_org(self) -> bool {
        match self {
            Self::AppRefused | Self::RequestRefused | Self::Unavailable => true,
            // Rules for the user, the profile or the app.
            Self::LoginRestricted
            | Self::UserNotApproved
            | Self::ApiDisabled
            | Self::AppBlocked
            | Self::AppNotInstalled
            // May be a rule for the addresses of the user's profile.
            | Self::SessionRefused
            // May be any of them.
            | Self::UnknownError
            // Nothing can be done in the org.
            | Self::OrgInactive => false,
        }
    }

    /// Returns what the condition is, as a sentence.
    #[must_use]
    pub fn explanation(self) -> &'static str {
        match self {
            Self::LoginRestricted => {
                "Salesforce does not let this user log in at this hour, or from the addresses of Ferry."
            }
            Self::AppBlocked => "An administrator of the org has blocked the Ferry app.",
            Self::UserNotApproved => "The org does not allow this user to use the Ferry app.",
            Self::AppNotInstalled => "The Ferry package is not installed in the org, or its app may not be used there.",
            Self::OrgInactive => "Salesforce reports that the org is not active.",
            Self::AppRefused => "Salesforce does not accept the client id or the client secret of the Ferry app.",
            Self::RequestRefused => "Salesforce does not accept Ferry's requests for tokens.",
            Self::SessionRefused => "The org refuses sessions that Salesforce has just issued.",
            Self::ApiDisabled => "The user may not call the API of the org.",
            Self::UnknownError => "Salesforce refuses to issue tokens with an error that Ferry does not know.",
            Self::Unavailable => "Salesforce does not issue tokens: its login service is unavailable.",
        }
    }

    /// Returns what to do, as sentences.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Self::LoginRestricted => {
                "Wait until the login hours of the user's profile begin. If it lasts, change Login Hours or Login IP Ranges in the user's profile."
            }
            Self::AppBlocked => "In Setup, search for Connected Apps OAuth Usage, and unblock Ferry.",
            Self::UserNotApproved => {
                "In Setup, open the policies of the Ferry app, and assign the user a profile or a permission set that they allow."
            }
            Self::AppNotInstalled => "Install the Ferry package in the org.",
            Self::OrgInactive => "Ask Salesforce to activate the org.",
            Self::AppRefused => {
                "Compare the app registration in Secrets Manager with the consumer key and secret of the app in Salesforce."
            }
            Self::RequestRefused => {
                "Look up the warning of token-broker in its log, and report it to the developers of Ferry."
            }
            Self::SessionRefused => {
                "In Setup, open Session Settings, and clear \"Lock sessions to the IP address from which they originated\". If it is clear, look up the user in Login History and Session Management."
            }
            Self::ApiDisabled => {
                "Assign the user the API Enabled permission, in a profile or a permission set, and check that the org's edition includes API access."
            }
            Self::UnknownError => "Look up the error code in the log of token-broker, and in Salesforce Help.",
            Self::Unavailable => {
                "Look up the org's instance at status.salesforce.com, and check that the login host of the connection still exists."
            }
        }
    }

    /// Returns the retry that the condition allows before it is reported.
    #[must_use]
    pub fn retry(self) -> Retry {
        match self {
            Self::LoginRestricted => Retry::After(Duration::from_mins(15)),
            Self::UnknownError | Self::SessionRefused => Retry::After(Duration::from_mins(1)),
            Self::Unavailable => Retry::After(Duration::from_secs(30)),
            _ => Retry::NeedsHuman,
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_the_name_that_is_stored() {
        for condition in Condition::ALL {
            assert_eq!(serde_json::to_value(condition).unwrap(), condition.code());
        }
    }

    #[test]
    fn only_what_may_pass_is_tried_again_without_a_person() {
        for condition in Condition::ALL {
            let may_pass = !condition.reported_after().is_zero();
            assert_eq!(may_pass, matches!(condition.retry(), Retry::After(_)), "{condition}");
        }
    }

    #[test]
    fn a_refused_session_names_the_setting() {
        let advice = Condition::SessionRefused.advice();
        assert!(advice.contains("Lock sessions to the IP address from which they originated"), "{advice}");
        assert!(advice.contains("Session Settings"));
    }
}
