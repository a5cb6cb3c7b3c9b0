//! The failures of connecting, each with the text of its page. Pure.

use http::StatusCode;

/// A failure of connecting. Each has its own page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The link is unknown, used or expired.
    LinkUsed,
    /// The consent's state is unknown, used or expired.
    ConsentUsed,
    /// The consent was started in another browser.
    OtherBrowser,
    /// The request did not come from Ferry's own page.
    ForeignPage,
    /// The callback's query is not a response to a consent.
    Malformed,
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
    /// Salesforce requires the user to sign in first.
    SignInNeeded,
    /// Salesforce does not accept the app's configuration.
    Misconfigured,
    /// Salesforce returned an unknown error code.
    Unknown,
    /// The user signed in to another org than the link's.
    WrongOrg,
    /// Another customer has connected this org.
    OwnedByAnother,
    /// The org is quarantined.
    Quarantined,
    /// The user lacks permissions that the connection needs.
    MissingPermissions,
    /// Salesforce no longer accepts the code.
    CodeRefused,
    /// Salesforce or Ferry's own state is temporarily unavailable.
    Unavailable,
    /// The grant is stored, but the org could not be activated.
    NotActivated,
    /// The link to the connections page is unknown, used or expired.
    AdminLinkUsed,
    /// There is no session, or it has expired.
    SignedOut,
    /// A form was not sent from a page of this session.
    FormNotOurs,
    /// The tenant has no such connection.
    NoSuchConnection,
}

/// The text of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Advice {
    pub(crate) title: &'static str,
    pub(crate) what: &'static str,
    pub(crate) steps: &'static [&'static str],
}

const NEW_LINK: &str = "Ask for a new connect link where you got this one, and open it.";

const NEW_ADMIN_LINK: &str = "Open your connections page anew from where you came from.";

impl Trouble {
    /// Maps the `error` and `error_description` of a callback.
    pub(crate) fn of_callback(error: &str, description: &str) -> Self {
        match error {
            "OAUTH_EC_APP_NOT_FOUND" => Self::NotInstalled,
            "OAUTH_APP_BLOCKED" => Self::Blocked,
            "OAUTH_APP_ACCESS_DENIED" => Self::NotApproved,
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
            _ => Self::Unknown,
        }
    }

    /// Returns the stable code on the page and in the log.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::LinkUsed => "link_used_or_expired",
            Self::ConsentUsed => "consent_used_or_expired",
            Self::OtherBrowser => "other_browser",
            Self::ForeignPage => "foreign_page",
            Self::Malformed => "malformed_callback",
            Self::Denied => "denied",
            Self::NotInstalled => "app_not_installed",
            Self::Blocked => "app_blocked",
            Self::NotApproved => "user_not_approved",
            Self::ApprovalFailed => "approval_failed",
            Self::SignInNeeded => "sign_in_needed",
            Self::Misconfigured => "app_misconfigured",
            Self::Unknown => "unknown_salesforce_error",
            Self::WrongOrg => "wrong_org",
            Self::OwnedByAnother => "org_owned_by_another_tenant",
            Self::Quarantined => "org_quarantined",
            Self::MissingPermissions => "missing_permissions",
            Self::CodeRefused => "code_refused",
            Self::Unavailable => "unavailable",
            Self::NotActivated => "not_activated",
            Self::AdminLinkUsed => "admin_link_used_or_expired",
            Self::SignedOut => "signed_out",
            Self::FormNotOurs => "form_not_ours",
            Self::NoSuchConnection => "no_such_connection",
        }
    }

    /// Returns the HTTP status of the page.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::OtherBrowser
            | Self::ForeignPage
            | Self::Denied
            | Self::Blocked
            | Self::NotApproved
            | Self::ApprovalFailed
            | Self::SignInNeeded
            | Self::SignedOut
            | Self::FormNotOurs
            | Self::MissingPermissions
            | Self::Quarantined => StatusCode::FORBIDDEN,
            Self::ConsentUsed | Self::NotInstalled | Self::WrongOrg | Self::OwnedByAnother | Self::CodeRefused => {
                StatusCode::CONFLICT
            }
            Self::LinkUsed | Self::AdminLinkUsed | Self::NoSuchConnection => StatusCode::NOT_FOUND,
            Self::Misconfigured | Self::Unknown => StatusCode::BAD_GATEWAY,
            Self::Unavailable | Self::NotActivated => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Returns the text of the page.
    pub(crate) fn advice(self) -> Advice {
        match self {
            Self::LinkUsed | Self::ConsentUsed | Self::OtherBrowser | Self::ForeignPage | Self::Malformed => {
                self.advice_on_link()
            }
            Self::Denied
            | Self::NotInstalled
            | Self::Blocked
            | Self::NotApproved
            | Self::ApprovalFailed
            | Self::SignInNeeded
            | Self::Misconfigured
            | Self::Unknown => self.advice_on_consent(),
            Self::WrongOrg
            | Self::OwnedByAnother
            | Self::Quarantined
            | Self::MissingPermissions
            | Self::CodeRefused
            | Self::Unavailable
            | Self::NotActivated => self.advice_on_connecting(),
            Self::AdminLinkUsed | Self::SignedOut | Self::FormNotOurs | Self::NoSuchConnection => {
                self.advice_on_admin()
            }
        }
    }

    fn advice_on_link(self) -> Advice {
        match self {
            Self::OtherBrowser => Advice {
                title: "This was started in another browser",
                what: "For your safety, a connection has to be finished in the browser in which it was started.",
                steps: &[NEW_LINK, "Stay in one browser, and allow cookies for this site."],
            },
            Self::ForeignPage => Advice {
                title: "Please start from the connect page",
                what: "The request came from another website, so it was not carried out.",
                steps: &["Open the connect link itself, and choose Continue to Salesforce there."],
            },
            Self::Malformed => Advice {
                title: "That address is not complete",
                what: "What came back from Salesforce could not be read. Nothing was connected.",
                steps: &["Do not copy or edit the address of this page.", NEW_LINK],
            },
            Self::ConsentUsed => Advice {
                title: "This step is already behind you",
                what: "This answer from Salesforce was used before, or waited too long. Reloading the page does not repeat it.",
                steps: &["If you have just connected, there is nothing to do: it worked.", NEW_LINK],
            },
            _ => Advice {
                title: "This link can no longer be used",
                what: "A connect link works once, and only for a few minutes. This one was used already, or is too old.",
                steps: &["If you have connected with it, there is nothing to do.", NEW_LINK],
            },
        }
    }

    fn advice_on_consent(self) -> Advice {
        match self {
            Self::Denied => Advice {
                title: "Access was not allowed",
                what: "You chose Deny in Salesforce, so nothing was connected.",
                steps: &["If that was not what you wanted: ask for a new connect link, and choose Allow."],
            },
            Self::NotInstalled => Advice {
                title: "The Ferry package is not installed",
                what: "Salesforce does not know Ferry in this org yet. Its package has to be installed first.",
                steps: &[
                    "Have an administrator of the org install the package.",
                    "Wait until Salesforce says that the installation is complete; it may send an e-mail.",
                    "Then ask for a new connect link, and open it.",
                ],
            },
            Self::Blocked => Advice {
                title: "Your administrator has blocked Ferry",
                what: "An administrator of this org has blocked the app, so Salesforce lets nobody connect.",
                steps: &[
                    "Ask an administrator to unblock Ferry: in Setup, search for Connected Apps OAuth Usage.",
                    "Then ask for a new connect link, and open it.",
                ],
            },
            Self::NotApproved => Advice {
                title: "Your user is not approved for Ferry",
                what: "An administrator of this org decides who may use Ferry, and your user is not among them yet.",
                steps: &[
                    "Ask an administrator to give your user the permission set or profile that Ferry's policy names.",
                    "Then ask for a new connect link, and open it.",
                ],
            },
            Self::ApprovalFailed => Advice {
                title: "Salesforce could not approve the connection",
                what: "Most often the package was removed, the app is blocked for your user, or the user is one for integrations only.",
                steps: &[
                    "Ask an administrator to check that the Ferry package is installed and not blocked for your user.",
                    "Make sure that you signed in as the user you meant.",
                    "Then ask for a new connect link, and open it.",
                ],
            },
            Self::SignInNeeded => Advice {
                title: "Please sign in to Salesforce first",
                what: "Salesforce could not ask you for your consent because you were not signed in.",
                steps: &["Sign in to Salesforce in this browser.", NEW_LINK],
            },
            Self::Misconfigured => Advice {
                title: "Ferry is not set up correctly",
                what: "Salesforce did not accept the way Ferry asked. This is not your fault, and nothing was connected.",
                steps: &["Tell the people who sent you the link, and give them the reference below."],
            },
            _ => Advice {
                title: "Salesforce reported an error",
                what: "Salesforce could not finish, and gave a reason that Ferry does not know. Nothing was connected.",
                steps: &[NEW_LINK, "If it happens again, tell the people who sent you the link."],
            },
        }
    }

    fn advice_on_admin(self) -> Advice {
        match self {
            Self::AdminLinkUsed => Advice {
                title: "This link to your connections can no longer be used",
                what: "It works once, and only for a few minutes. This one was used already, or is too old.",
                steps: &[NEW_ADMIN_LINK],
            },
            Self::FormNotOurs => Advice {
                title: "Nothing was changed",
                what: "The request did not come from your connections page, or the page was open for too long.",
                steps: &["Open your connections page again, and choose there what you want to do.", NEW_ADMIN_LINK],
            },
            Self::NoSuchConnection => Advice {
                title: "There is no such connection",
                what: "It does not exist, or it belongs to somebody else.",
                steps: &["Go back to your connections page and load it again."],
            },
            _ => Advice {
                title: "Your session has ended",
                what: "For your safety, the connections page closes an hour after it was opened.",
                steps: &[NEW_ADMIN_LINK],
            },
        }
    }

    fn advice_on_connecting(self) -> Advice {
        match self {
            Self::WrongOrg => Advice {
                title: "That was another Salesforce org",
                what: "You signed in to another org than the one this link is for. The access you gave was handed back at once.",
                steps: &[
                    "Sign out of Salesforce, or use a private window.",
                    "Ask for a new connect link, and sign in to the org that it names.",
                ],
            },
            Self::OwnedByAnother => Advice {
                title: "This org is connected for another customer",
                what: "An org belongs to one customer. The access you gave was handed back at once.",
                steps: &[
                    "Check that you signed in to the org you meant.",
                    "If the org has changed hands, tell the people who sent you the link.",
                ],
            },
            Self::Quarantined => Advice {
                title: "This org is on hold",
                what: "Something about this org has to be looked at before it can be connected.",
                steps: &["Tell the people who sent you the link, and give them the reference below."],
            },
            Self::MissingPermissions => Advice {
                title: "Your user may not do enough in Salesforce",
                what: "The connection works with what you may do, and something that it needs is missing. The access you gave was handed back at once; what was connected before goes on working.",
                steps: &[
                    "Ask an administrator of the org to give your user what is missing, in a profile or a permission set. Using the API is the permission API Enabled.",
                    "Or have somebody connect who may do it.",
                    "Then ask for a new connect link, and open it.",
                ],
            },
            Self::CodeRefused => Advice {
                title: "Salesforce took the permission back",
                what: "The permission could not be turned into a connection. It may have been used already, or have waited too long.",
                steps: &[NEW_LINK],
            },
            Self::NotActivated => Advice {
                title: "Almost there",
                what: "Salesforce gave the access, but Ferry could not finish its own part just now.",
                steps: &["Wait a minute.", "Then ask for a new connect link and connect once more. That is safe."],
            },
            _ => Advice {
                title: "Please try again shortly",
                what: "Ferry or Salesforce is not available at the moment. Nothing was connected.",
                steps: &["Wait a minute.", NEW_LINK],
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Trouble; 24] = [
        Trouble::MissingPermissions,
        Trouble::LinkUsed,
        Trouble::ConsentUsed,
        Trouble::OtherBrowser,
        Trouble::ForeignPage,
        Trouble::Malformed,
        Trouble::Denied,
        Trouble::NotInstalled,
        Trouble::Blocked,
        Trouble::NotApproved,
        Trouble::ApprovalFailed,
        Trouble::SignInNeeded,
        Trouble::Misconfigured,
        Trouble::Unknown,
        Trouble::WrongOrg,
        Trouble::OwnedByAnother,
        Trouble::Quarantined,
        Trouble::CodeRefused,
        Trouble::Unavailable,
        Trouble::NotActivated,
        Trouble::AdminLinkUsed,
        Trouble::SignedOut,
        Trouble::FormNotOurs,
        Trouble::NoSuchConnection,
    ];

    #[test]
    fn every_error_of_the_authorize_page_is_told_apart() {
        let cases = [
            ("access_denied", "end-user denied authorization", Trouble::Denied),
            ("access-denied", "", Trouble::Denied),
            ("access_denied", "user is not admin approved to access this app", Trouble::NotApproved),
            ("OAUTH_EC_APP_NOT_FOUND", "External client app is not installed in this org", Trouble::NotInstalled),
            ("OAUTH_APP_BLOCKED", "", Trouble::Blocked),
            ("OAUTH_APP_ACCESS_DENIED", "user is not admin approved to access this app", Trouble::NotApproved),
            ("OAUTH_APPROVAL_ERROR_GENERIC", "", Trouble::ApprovalFailed),
            ("login_required", "", Trouble::SignInNeeded),
            ("interaction_required", "", Trouble::SignInNeeded),
            ("immediate_unsuccessful", "", Trouble::SignInNeeded),
            ("invalid_client_id", "client identifier invalid", Trouble::Misconfigured),
            ("redirect_uri_mismatch", "", Trouble::Misconfigured),
            ("invalid_scope", "", Trouble::Misconfigured),
            ("something_new", "", Trouble::Unknown),
        ];
        for (error, description, trouble) in cases {
            assert_eq!(Trouble::of_callback(error, description), trouble, "{error}");
        }
    }

    #[test]
    fn every_trouble_has_a_page_of_its_own() {
        for (index, trouble) in ALL.iter().enumerate() {
            let advice = trouble.advice();
            assert!(!advice.steps.is_empty());
            for other in &ALL[index + 1..] {
                assert_ne!(advice.title, other.advice().title);
                assert_ne!(trouble.code(), other.code());
            }
        }
    }
}
