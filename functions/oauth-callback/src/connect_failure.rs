//! The failures of connecting and of the connections page, each with the text of its page.

mod cause;

use http::StatusCode;
use runtime::Chain;

/// A failure of connecting, or of the connections page. Each has its own page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectFailure {
    /// The link is unknown, used or expired.
    LinkUsed,
    /// The consent's state is unknown, used or expired.
    ConsentUsed,
    /// The consent was started in another browser.
    OtherBrowser,
    /// The request did not come from one of Ferry's pages.
    CrossSiteRequest,
    /// The callback's query is not an authorization response.
    MalformedCallback,
    /// The user denied the consent (`access_denied`).
    Denied,
    /// The package with the app is not installed in the org.
    NotInstalled,
    /// The org's administrator has blocked the app.
    Blocked,
    /// The org's administrator has not approved the app for this user.
    NotApproved,
    /// Salesforce could not complete the approval.
    ApprovalFailed,
    /// The user's profile does not allow a login now, or from Ferry's addresses.
    LoginRestricted,
    /// Salesforce has locked, suspended or closed the org.
    OrgInactive,
    /// Salesforce requires the user to sign in first.
    SignInNeeded,
    /// Salesforce does not accept the app's configuration.
    Misconfigured,
    /// Salesforce returned an unknown error code.
    UnknownError,
    /// The user signed in to another org than the link's.
    WrongOrg,
    /// Another tenant has connected this org.
    OwnedByOtherTenant,
    /// The org has to be connected by one of its administrators first.
    AdministratorNeeded,
    /// The user lacks permissions that the connection needs.
    MissingPermissions,
    /// Salesforce did not accept the authorization code.
    CodeRefused,
    /// Salesforce, AWS or another function is unavailable.
    Unavailable,
    /// The grant is stored, but the org could not be activated.
    NotActivated,
    /// The link to the connections page is unknown, used or expired.
    AdminLinkUsed,
    /// The browser has no session, or the session has expired.
    SignedOut,
    /// A form was not sent from a page of this session.
    InvalidForm,
    /// The tenant does not have this connection.
    ConnectionNotFound,
}

/// The text of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PageText {
    pub(crate) title: &'static str,
    pub(crate) explanation: &'static str,
    /// The steps that the reader can take, in order.
    pub(crate) steps: &'static [&'static str],
}

const NEW_LINK: &str = "Request a new connect link where you got this one, and open it.";

const THEN_NEW_LINK: &str = "Then request a new connect link and open it.";

const NEW_ADMIN_LINK: &str = "Open the connections page again from the application that you came from.";

const CONTACT_WITH_REFERENCE: &str =
    "Contact the people who sent you the link, and give them the reference at the bottom of this page.";

/// Logs a failure of Ferry's own state, and returns its page.
pub(crate) fn unavailable(error: &store::Error) -> ConnectFailure {
    tracing::error!(error = %Chain(error), "could not load or store the data of a page");
    ConnectFailure::Unavailable
}

/// Logs that the apps could not be read, and returns the failure for the page.
pub(crate) fn unreachable_apps(error: &runtime::Error) -> ConnectFailure {
    tracing::error!(error = %Chain(error), "could not read the app registrations");
    ConnectFailure::Unavailable
}

impl ConnectFailure {
    /// Returns the stable code on the page and in the log.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::LinkUsed => "link_used_or_expired",
            Self::ConsentUsed => "consent_used_or_expired",
            Self::OtherBrowser => "other_browser",
            Self::CrossSiteRequest => "foreign_page",
            Self::MalformedCallback => "malformed_callback",
            Self::Denied => "denied",
            Self::NotInstalled => "app_not_installed",
            Self::Blocked => "app_blocked",
            Self::NotApproved => "user_not_approved",
            Self::ApprovalFailed => "approval_failed",
            Self::LoginRestricted => "login_restricted",
            Self::OrgInactive => "org_inactive",
            Self::SignInNeeded => "sign_in_needed",
            Self::Misconfigured => "app_misconfigured",
            Self::UnknownError => "unknown_salesforce_error",
            Self::WrongOrg => "wrong_org",
            Self::OwnedByOtherTenant => "org_owned_by_another_tenant",
            Self::AdministratorNeeded => "administrator_needed",
            Self::MissingPermissions => "missing_permissions",
            Self::CodeRefused => "code_refused",
            Self::Unavailable => "unavailable",
            Self::NotActivated => "not_activated",
            Self::AdminLinkUsed => "admin_link_used_or_expired",
            Self::SignedOut => "signed_out",
            Self::InvalidForm => "form_not_ours",
            Self::ConnectionNotFound => "no_such_connection",
        }
    }

    /// Returns the HTTP status of the page.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::MalformedCallback => StatusCode::BAD_REQUEST,
            Self::OtherBrowser
            | Self::CrossSiteRequest
            | Self::Denied
            | Self::Blocked
            | Self::NotApproved
            | Self::ApprovalFailed
            | Self::LoginRestricted
            | Self::OrgInactive
            | Self::SignInNeeded
            | Self::SignedOut
            | Self::InvalidForm
            | Self::MissingPermissions
            | Self::AdministratorNeeded => StatusCode::FORBIDDEN,
            Self::ConsentUsed | Self::NotInstalled | Self::WrongOrg | Self::OwnedByOtherTenant | Self::CodeRefused => {
                StatusCode::CONFLICT
            }
            Self::LinkUsed | Self::AdminLinkUsed | Self::ConnectionNotFound => StatusCode::NOT_FOUND,
            Self::Misconfigured | Self::UnknownError => StatusCode::BAD_GATEWAY,
            Self::Unavailable | Self::NotActivated => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Returns the text of the page.
    pub(crate) fn text(self) -> PageText {
        match self {
            Self::LinkUsed
            | Self::ConsentUsed
            | Self::OtherBrowser
            | Self::CrossSiteRequest
            | Self::MalformedCallback => self.link_text(),
            Self::Denied | Self::ApprovalFailed | Self::SignInNeeded | Self::Misconfigured | Self::UnknownError => {
                self.consent_text()
            }
            Self::NotInstalled | Self::Blocked | Self::NotApproved | Self::LoginRestricted | Self::OrgInactive => {
                self.policy_text()
            }
            Self::WrongOrg
            | Self::OwnedByOtherTenant
            | Self::AdministratorNeeded
            | Self::MissingPermissions
            | Self::CodeRefused
            | Self::Unavailable
            | Self::NotActivated => self.connection_text(),
            Self::AdminLinkUsed | Self::SignedOut | Self::InvalidForm | Self::ConnectionNotFound => self.admin_text(),
        }
    }

    fn link_text(self) -> PageText {
        match self {
            Self::OtherBrowser => PageText {
                title: "You started in another browser",
                explanation: "For your security, a connection must be completed in the browser in which you started it.",
                steps: &[NEW_LINK, "Use only one browser, and allow cookies for this site."],
            },
            Self::CrossSiteRequest => PageText {
                title: "Please start from the link that you received",
                explanation: "The request came from another website, so Ferry did not carry it out.",
                steps: &["Open the link that you received, and choose the button on its page."],
            },
            Self::MalformedCallback => PageText {
                title: "The address of this page is incomplete",
                explanation: "Ferry could not read the response from Salesforce. Nothing was connected.",
                steps: &["Do not copy or edit the address of this page.", NEW_LINK],
            },
            Self::ConsentUsed => PageText {
                title: "This step cannot be repeated",
                explanation: "This response from Salesforce was already used, or it has expired.",
                steps: &["If you have just connected, you have nothing to do: the connection was made.", NEW_LINK],
            },
            _ => PageText {
                title: "This link can no longer be used",
                explanation: "A connect link works once and for a limited time. This one was already used, or it has expired.",
                steps: &["If you have already connected with it, you have nothing to do.", NEW_LINK],
            },
        }
    }

    fn consent_text(self) -> PageText {
        match self {
            Self::Denied => PageText {
                title: "Access was denied",
                explanation: "You chose Deny in Salesforce, so nothing was connected.",
                steps: &["If you want to connect, request a new connect link, open it, and choose Allow."],
            },
            Self::ApprovalFailed => PageText {
                title: "Salesforce could not approve the connection",
                explanation: "The usual reasons: the Ferry package was removed, the Ferry app is blocked for your user, or your user is for integrations only.",
                steps: &[
                    "Ask an administrator to check that the Ferry package is installed, and that Ferry is not blocked for your user.",
                    "Check that you signed in as the right user.",
                    THEN_NEW_LINK,
                ],
            },
            Self::SignInNeeded => PageText {
                title: "Please sign in to Salesforce first",
                explanation: "Salesforce could not ask for your consent because you were not signed in.",
                steps: &["Sign in to Salesforce in this browser.", NEW_LINK],
            },
            Self::Misconfigured => PageText {
                title: "Ferry is not set up correctly",
                explanation: "Ferry could not complete the connection because of an error in its own setup. Nothing was connected.",
                steps: &[CONTACT_WITH_REFERENCE],
            },
            _ => PageText {
                title: "Salesforce reported an error",
                explanation: "Salesforce stopped with an error that Ferry does not know. Nothing was connected.",
                steps: &[NEW_LINK, "If this happens again, contact the people who sent you the link."],
            },
        }
    }

    /// The texts of what an administrator of the org, or Salesforce, has to change first.
    fn policy_text(self) -> PageText {
        match self {
            Self::NotInstalled => PageText {
                title: "The Ferry package is not installed",
                explanation: "This Salesforce org does not have the Ferry package yet. It must be installed first.",
                steps: &[
                    "Ask an administrator of the org to install the package.",
                    "Wait until Salesforce reports that the installation is complete. Salesforce may send an email.",
                    THEN_NEW_LINK,
                ],
            },
            Self::Blocked => PageText {
                title: "Your administrator has blocked Ferry",
                explanation: "An administrator of this org has blocked the Ferry app, so no user can connect.",
                steps: &[
                    "Ask an administrator to unblock Ferry: in Setup, search for Connected Apps OAuth Usage.",
                    THEN_NEW_LINK,
                ],
            },
            Self::NotApproved => PageText {
                title: "Your user is not approved for Ferry",
                explanation: "An administrator of this org chooses which users can use Ferry, and your user is not one of them yet.",
                steps: &[
                    "Ask an administrator to assign your user a profile or a permission set that the policies of the Ferry app allow.",
                    THEN_NEW_LINK,
                ],
            },
            Self::LoginRestricted => PageText {
                title: "Salesforce does not let you connect now",
                explanation: "Your profile allows logins only at certain hours or from certain addresses. Nothing was connected.",
                steps: &[
                    "Request a new connect link at an hour at which you may log in, and open it.",
                    "If it happens again, ask an administrator to check Login Hours and Login IP Ranges in your profile.",
                ],
            },
            _ => PageText {
                title: "This Salesforce org is not active",
                explanation: "Salesforce reports that the org is locked, suspended or closed. Nothing was connected.",
                steps: &["Ask Salesforce to activate the org.", THEN_NEW_LINK],
            },
        }
    }

    fn connection_text(self) -> PageText {
        match self {
            Self::WrongOrg => PageText {
                title: "You signed in to a different Salesforce org",
                explanation: "This link is for another org. Ferry has revoked the access that you gave.",
                steps: &[
                    "Sign out of Salesforce, or use a private window.",
                    "Then request a new connect link, open it, and sign in to the org that it shows.",
                ],
            },
            Self::OwnedByOtherTenant => PageText {
                title: "This org is connected for another customer",
                explanation: "An org can be connected for one customer only. Ferry has revoked the access that you gave.",
                steps: &[
                    "Check that you signed in to the right org.",
                    "If the org now belongs to you, contact the people who sent you the link.",
                ],
            },
            Self::AdministratorNeeded => PageText {
                title: "An administrator must connect this org once",
                explanation: "Only an administrator of a Salesforce org can decide which customer it belongs to, and your user is not one. Ferry has revoked the access that you gave.",
                steps: &[
                    "Ask an administrator of the org to connect it with a new connect link. An administrator has the permission Customize Application or Modify All Data.",
                    "After that, your user can take the place of the administrator with another connect link.",
                ],
            },
            Self::MissingPermissions => PageText {
                title: "Your user lacks permissions in Salesforce",
                explanation: "Ferry works with the permissions of your user, and some that it needs are missing. Ferry has revoked the access that you gave. Earlier connections still work.",
                steps: &[
                    "Ask an administrator of the org to give your user the missing permissions, in a profile or a permission set. To use the API, a user needs the permission API Enabled.",
                    "Or ask someone who has these permissions to connect.",
                    THEN_NEW_LINK,
                ],
            },
            Self::CodeRefused => PageText {
                title: "Salesforce no longer accepts your approval",
                explanation: "The approval was already used, or it has expired. Nothing was connected.",
                steps: &[NEW_LINK],
            },
            Self::NotActivated => PageText {
                title: "The connection is not complete yet",
                explanation: "Salesforce gave Ferry access, but Ferry could not finish its own part.",
                steps: &[
                    "Wait a minute.",
                    "Then request a new connect link and connect again. It is safe to do this twice.",
                ],
            },
            _ => PageText {
                title: "Please try again in a minute",
                explanation: "Ferry or Salesforce is not available at the moment, so this step was not completed.",
                steps: &[
                    "Wait a minute, and try again.",
                    "If the link no longer works, request a new one where you got it.",
                ],
            },
        }
    }

    fn admin_text(self) -> PageText {
        match self {
            Self::AdminLinkUsed => PageText {
                title: "This link to your connections can no longer be used",
                explanation: "The link works once and expires after a few minutes. This one was already used, or it has expired.",
                steps: &[NEW_ADMIN_LINK],
            },
            Self::InvalidForm => PageText {
                title: "Nothing was changed",
                explanation: "The request did not come from your connections page, or that page was open for too long.",
                steps: &["Load the connections page again, and repeat the action there."],
            },
            Self::ConnectionNotFound => PageText {
                title: "This connection was not found",
                explanation: "It does not exist, it belongs to another customer, or its org is not connected.",
                steps: &["Go back to the connections page and load it again."],
            },
            _ => PageText {
                title: "Your session has ended",
                explanation: "For your security, a session ends one hour after you open the connections page, or when you sign out.",
                steps: &[NEW_ADMIN_LINK],
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [ConnectFailure; 26] = [
        ConnectFailure::LoginRestricted,
        ConnectFailure::OrgInactive,
        ConnectFailure::MissingPermissions,
        ConnectFailure::LinkUsed,
        ConnectFailure::ConsentUsed,
        ConnectFailure::OtherBrowser,
        ConnectFailure::CrossSiteRequest,
        ConnectFailure::MalformedCallback,
        ConnectFailure::Denied,
        ConnectFailure::NotInstalled,
        ConnectFailure::Blocked,
        ConnectFailure::NotApproved,
        ConnectFailure::ApprovalFailed,
        ConnectFailure::SignInNeeded,
        ConnectFailure::Misconfigured,
        ConnectFailure::UnknownError,
        ConnectFailure::WrongOrg,
        ConnectFailure::OwnedByOtherTenant,
        ConnectFailure::AdministratorNeeded,
        ConnectFailure::CodeRefused,
        ConnectFailure::Unavailable,
        ConnectFailure::NotActivated,
        ConnectFailure::AdminLinkUsed,
        ConnectFailure::SignedOut,
        ConnectFailure::InvalidForm,
        ConnectFailure::ConnectionNotFound,
    ];

    #[test]
    fn each_error_of_the_authorize_page_has_its_failure() {
        let cases = [
            ("access_denied", "end-user denied authorization", ConnectFailure::Denied),
            ("access-denied", "", ConnectFailure::Denied),
            ("access_denied", "user is not admin approved to access this app", ConnectFailure::NotApproved),
            (
                "OAUTH_EC_APP_NOT_FOUND",
                "External client app is not installed in this org",
                ConnectFailure::NotInstalled,
            ),
            (
                "OAUTH_AUTHORIZATION_BLOCKED",
                "Cross-org OAuth flows are not supported for this external client app",
                ConnectFailure::NotInstalled,
            ),
            ("invalid_app_access", "", ConnectFailure::NotApproved),
            ("inactive_org", "", ConnectFailure::OrgInactive),
            ("OAUTH_APP_BLOCKED", "", ConnectFailure::Blocked),
            ("OAUTH_APP_ACCESS_DENIED", "user is not admin approved to access this app", ConnectFailure::NotApproved),
            ("OAUTH_APPROVAL_ERROR_GENERIC", "", ConnectFailure::ApprovalFailed),
            ("login_required", "", ConnectFailure::SignInNeeded),
            ("interaction_required", "", ConnectFailure::SignInNeeded),
            ("immediate_unsuccessful", "", ConnectFailure::SignInNeeded),
            ("invalid_client_id", "client identifier invalid", ConnectFailure::Misconfigured),
            ("redirect_uri_mismatch", "", ConnectFailure::Misconfigured),
            ("invalid_scope", "", ConnectFailure::Misconfigured),
            ("something_new", "", ConnectFailure::UnknownError),
        ];
        for (error, description, failure) in cases {
            assert_eq!(ConnectFailure::of_callback(error, description), failure, "{error}");
        }
    }

    #[test]
    fn each_failure_has_its_own_title_and_code() {
        for (index, failure) in ALL.iter().enumerate() {
            for other in &ALL[index + 1..] {
                assert_ne!(failure.text().title, other.text().title);
                assert_ne!(failure.code(), other.code());
            }
        }
    }

    #[test]
    fn failure_pages_read_as_sentences() {
        let mut pages = String::new();
        for failure in ALL {
            let PageText { title, explanation, steps } = failure.text();
            assert!(!title.ends_with('.') && explanation.ends_with('.') && !steps.is_empty(), "{title}");
            pages.push_str(&format!("{} {}: {title}\n  {explanation}\n", failure.status().as_u16(), failure.code()));
            for step in steps {
                assert!(step.ends_with('.'), "{step}");
                pages.push_str(&format!("  - {step}\n"));
            }
        }
        insta::assert_snapshot!(pages);
    }
}
