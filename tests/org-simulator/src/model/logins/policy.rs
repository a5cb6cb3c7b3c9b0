//! The settings that an app's vendor makes for every org, and the policy that an org's administrator sets for the app.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::model::logins::error::OAuthError;

/// The settings that an app's vendor makes. They apply in every org of a realm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AppSettings {
    /// Scopes that the app may request; any scope when empty.
    pub scopes: Vec<String>,
    /// An authorization request must include a code challenge.
    pub requires_pkce: bool,
    /// The token endpoint requires the client secret. A public client has none.
    pub requires_secret: bool,
    /// Each refresh issues a new refresh token; when absent, the org's setting applies.
    pub rotates_refresh_tokens: Option<bool>,
    /// Days without use after which a refresh token expires.
    pub idle_days: Option<u32>,
    /// Days after which a refresh token expires, used or not.
    pub life_days: Option<u32>,
    /// Addresses from which refresh tokens may be used, as `192.0.2.7` or `192.0.2.0-192.0.2.255`; any when empty.
    pub refresh_addresses: Vec<String>,
    /// The certificate, or public key, that verifies the assertions of the JWT bearer flow, in PEM.
    pub certificate: Option<String>,
    /// The app may introspect the tokens of other apps.
    pub introspects_all_tokens: bool,
}

impl Default for AppSettings {
    fn default() -> Self {
        Self {
            scopes: Vec::new(),
            requires_pkce: false,
            requires_secret: true,
            rotates_refresh_tokens: None,
            idle_days: Some(30),
            life_days: None,
            refresh_addresses: Vec::new(),
            certificate: None,
            introspects_all_tokens: false,
        }
    }
}

impl AppSettings {
    /// Returns the first of these scopes that the app may not request.
    pub(crate) fn disallowed_scope<'a>(&self, scope: &'a str) -> Option<&'a str> {
        let is_allowed = |scope: &str| self.scopes.iter().any(|allowed| allowed == scope);
        scope.split_whitespace().find(|scope| !self.scopes.is_empty() && !is_allowed(scope))
    }

    /// Returns the scopes of a request that names none.
    pub(crate) fn default_scope(&self) -> String {
        if self.scopes.is_empty() { "api refresh_token openid".to_owned() } else { self.scopes.join(" ") }
    }

    /// Returns whether a refresh may come from this address.
    pub(crate) fn allows_address(&self, address: Option<IpAddr>) -> bool {
        let within = |range: &String| address.is_some_and(|address| in_range(range, address));
        self.refresh_addresses.is_empty() || self.refresh_addresses.iter().any(within)
    }
}

/// Returns whether a text is an address or a range of addresses.
pub(crate) fn is_range(range: &str) -> bool {
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    [first, last].into_iter().all(|address| address.trim().parse::<IpAddr>().is_ok())
}

/// Returns whether an address is in a range, `192.0.2.7` or `192.0.2.0-192.0.2.255`.
pub(super) fn in_range(range: &str, address: IpAddr) -> bool {
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    match (first.trim().parse::<IpAddr>(), last.trim().parse::<IpAddr>()) {
        (Ok(first), Ok(last)) => first.is_ipv4() == address.is_ipv4() && (first..=last).contains(&address),
        _ => false,
    }
}

/// The policy that an org's administrator sets for an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AppPolicy {
    /// The package with the app is installed in the org.
    pub installed: bool,
    /// The administrator blocked the app.
    pub blocked: bool,
    /// Only users whom the administrator approved may use the app; they are not asked for consent.
    pub admin_approved_only: bool,
    /// Usernames that are approved.
    pub approved_users: Vec<String>,
    /// Names of profiles that are approved.
    pub approved_profiles: Vec<String>,
    /// Username as whom the client credentials flow runs.
    pub run_as: Option<String>,
}

impl Default for AppPolicy {
    fn default() -> Self {
        Self {
            installed: true,
            blocked: false,
            admin_approved_only: false,
            approved_users: Vec::new(),
            approved_profiles: Vec::new(),
            run_as: None,
        }
    }
}

impl AppPolicy {
    /// Returns whether the administrator approved the user beforehand.
    pub(crate) fn approves(&self, username: &str, profile: &str) -> bool {
        let names = |list: &[String], name: &str| list.iter().any(|known| known.eq_ignore_ascii_case(name));
        self.admin_approved_only && (names(&self.approved_users, username) || names(&self.approved_profiles, profile))
    }

    /// Returns the error when the user may not authorize the app. The last two texts are unverified.
    pub(crate) fn authorization_error(&self, username: &str, profile: &str) -> Option<OAuthError> {
        if !self.installed {
            return Some(OAuthError::new("OAUTH_EC_APP_NOT_FOUND", "External client app is not installed in this org"));
        }
        if self.blocked {
            return Some(OAuthError::new("OAUTH_APP_BLOCKED", "this app is blocked by admin"));
        }
        let denied = self.admin_approved_only && !self.approves(username, profile);
        denied.then(|| OAuthError::new("OAUTH_APP_ACCESS_DENIED", "user is not admin approved to access this app"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_matches_alone_or_by_a_range() {
        let refresh_addresses = vec!["192.0.2.7".to_owned(), "198.51.100.0-198.51.100.9".to_owned()];
        let settings = AppSettings { refresh_addresses, ..AppSettings::default() };
        let allows = |address: &str| settings.allows_address(Some(address.parse().unwrap()));
        assert!(allows("192.0.2.7") && allows("198.51.100.0") && allows("198.51.100.9"));
        assert!(!allows("192.0.2.8") && !allows("198.51.100.10") && !allows("::1") && !settings.allows_address(None));
        assert!(AppSettings::default().allows_address(None));
    }
}
