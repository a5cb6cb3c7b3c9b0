//! The cookies: one binds a consent to its browser, one is the session of a tenant's admin.

use connecting::connect_links::LINK_TTL;
use connecting::one_time::is_well_formed;
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use jiff::SignedDuration;
use secrecy::{ExposeSecret as _, SecretString};

use crate::admin::SESSION_LIFE;

/// A cookie of this function. `__Host-` cookies are set over https, by this host, for the whole host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cookie {
    /// Binds a consent to its browser, for the time that a consent may take.
    Consent,
    /// The session of a tenant's admin.
    Admin,
}

impl Cookie {
    fn name(self) -> &'static str {
        match self {
            Self::Consent => "__Host-ferry-consent",
            Self::Admin => "__Host-ferry-admin",
        }
    }

    fn life(self) -> SignedDuration {
        match self {
            Self::Consent => LINK_TTL,
            Self::Admin => SESSION_LIFE,
        }
    }

    /// Returns the value that the browser presents, if it is well-formed.
    pub(crate) fn presented(self, headers: &HeaderMap) -> Option<SecretString> {
        let values = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(name, value)| *name == self.name() && is_well_formed(value)).map(|(_, value)| value.into())
    }

    /// Renders `Set-Cookie`. `SameSite=Lax`, because the callback is a navigation from Salesforce's site.
    pub(crate) fn set(self, secret: &SecretString) -> Option<HeaderValue> {
        self.with(secret.expose_secret(), self.life().as_secs())
    }

    /// Renders a `Set-Cookie` that removes the cookie.
    pub(crate) fn unset(self) -> Option<HeaderValue> {
        self.with("", 0)
    }

    fn with(self, secret: &str, life: i64) -> Option<HeaderValue> {
        let name = self.name();
        let cookie = format!("{name}={secret}; Max-Age={life}; Path=/; Secure; HttpOnly; SameSite=Lax");
        let mut cookie = HeaderValue::try_from(cookie).ok()?;
        cookie.set_sensitive(true);
        Some(cookie)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "__Host-ferry-consent";
    const SECRET: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn headers(cookies: &[&str]) -> HeaderMap {
        let values = cookies.iter().map(|cookie| (COOKIE, HeaderValue::from_str(cookie).unwrap()));
        HeaderMap::from_iter(values)
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let other = format!("theme=dark; {NAME}={SECRET}; x=y");
        for cookies in [vec![other.as_str()], vec!["a=b", other.as_str()]] {
            assert_eq!(Cookie::Consent.presented(&headers(&cookies)).unwrap().expose_secret(), SECRET);
        }
    }

    #[test]
    fn what_cannot_be_ours_is_no_cookie() {
        for cookie in [format!("ferry-consent={SECRET}"), format!("{NAME}=short"), String::from(NAME)] {
            assert!(Cookie::Consent.presented(&headers(&[&cookie])).is_none(), "{cookie}");
        }
    }

    #[test]
    fn the_cookie_stays_with_this_host_and_out_of_scripts() {
        let cookie = Cookie::Consent.set(&SECRET.into()).unwrap();
        let expected = format!("{NAME}={SECRET}; Max-Age=900; Path=/; Secure; HttpOnly; SameSite=Lax");
        assert_eq!(cookie.to_str().unwrap(), expected);
        assert!(!format!("{cookie:?}").contains(SECRET));
    }

    #[test]
    fn one_cookie_is_not_taken_for_the_other() {
        let consent = headers(&[&format!("{NAME}={SECRET}")]);
        assert!(Cookie::Admin.presented(&consent).is_none());
        let gone = Cookie::Admin.unset().unwrap();
        assert!(gone.to_str().unwrap().starts_with("__Host-ferry-admin=; Max-Age=0;"));
    }
}
