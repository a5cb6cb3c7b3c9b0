//! The cookies: one binds a consent to its browser, one is the session of a tenant's admin.

use connecting::connect_links::LINK_TTL;
use connecting::one_time::is_well_formed;
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use jiff::SignedDuration;
use secrecy::{ExposeSecret as _, SecretString};

/// The lifetime of an admin session and of its cookie. Use does not extend it.
pub(crate) const ADMIN_SESSION_TTL: SignedDuration = SignedDuration::from_hours(1);

/// A cookie of this function. `__Host-` cookies are set over https, by this host, for the whole host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cookie {
    /// Binds a consent to its browser. It lives as long as a connect link.
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

    fn ttl(self) -> SignedDuration {
        match self {
            Self::Consent => LINK_TTL,
            Self::Admin => ADMIN_SESSION_TTL,
        }
    }

    /// Reads the cookie from a request. Returns `None` if it is missing or malformed.
    pub(crate) fn read(self, headers: &HeaderMap) -> Option<SecretString> {
        let values = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(name, value)| *name == self.name() && is_well_formed(value)).map(|(_, value)| value.into())
    }

    /// Renders `Set-Cookie`. `SameSite=Lax`, because the callback is a navigation from Salesforce's site.
    pub(crate) fn set(self, secret: &SecretString) -> Option<HeaderValue> {
        self.render(secret.expose_secret(), self.ttl().as_secs())
    }

    /// Renders a `Set-Cookie` that removes the cookie.
    pub(crate) fn clear(self) -> Option<HeaderValue> {
        self.render("", 0)
    }

    fn render(self, secret: &str, max_age: i64) -> Option<HeaderValue> {
        let name = self.name();
        let cookie = format!("{name}={secret}; Max-Age={max_age}; Path=/; Secure; HttpOnly; SameSite=Lax");
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
            assert_eq!(Cookie::Consent.read(&headers(&cookies)).unwrap().expose_secret(), SECRET);
        }
    }

    #[test]
    fn a_malformed_cookie_is_ignored() {
        for cookie in [format!("ferry-consent={SECRET}"), format!("{NAME}=short"), String::from(NAME)] {
            assert!(Cookie::Consent.read(&headers(&[&cookie])).is_none(), "{cookie}");
        }
    }

    #[test]
    fn the_cookie_is_for_this_host_and_not_for_scripts() {
        let cookie = Cookie::Consent.set(&SECRET.into()).unwrap();
        let expected = format!("{NAME}={SECRET}; Max-Age=900; Path=/; Secure; HttpOnly; SameSite=Lax");
        assert_eq!(cookie.to_str().unwrap(), expected);
        assert!(!format!("{cookie:?}").contains(SECRET));
    }

    #[test]
    fn the_two_cookies_are_not_mixed_up() {
        let consent = headers(&[&format!("{NAME}={SECRET}")]);
        assert!(Cookie::Admin.read(&consent).is_none());
        let cleared = Cookie::Admin.clear().unwrap();
        assert!(cleared.to_str().unwrap().starts_with("__Host-ferry-admin=; Max-Age=0;"));
    }
}
